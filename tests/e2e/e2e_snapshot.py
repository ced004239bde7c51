"""Snapshots in memory: a killed run goes on from its last steps, and a checkpoint is written while it trains on."""
import csv
import os
import signal
import time

import e2e

# Layers of more than 8,192 weights: those have panels, which the ranks share.
STEPS = "model.hidden=[512,24] model.dropout=0.2 model.batch_norm=true train.epochs=6 checkpoint.every_epochs=0 checkpoint.overhead=1000 parallel.ranks=all "


class Memory:
    """A folder for the snapshots of one test, and the keys of a job that takes them."""

    def __init__(self, name):
        self.path = os.path.abspath(name + ".memory")
        self.keys = STEPS + f"checkpoint.snapshots={self.path} "
        os.mkdir(self.path)

    def holds(self):
        return os.listdir(self.path)


def resumed_step(out):
    line = next(line for line in out.splitlines() if line.startswith("resume from"))
    assert "snapshot in memory" in line, line
    return int(line.split("step ")[1].split(";")[0])


def kill(directory, keys, ranks, point, rank=None):
    process = e2e.start(directory, keys, ranks, point=point + ":wait")
    process.wait_at_point()
    if rank is not None:
        process.kill_rank(process.ranks_running()[rank])
    process.kill()


def every_step():
    """Killed with snapshots of every step and no checkpoint, a run loses a step or two, on other ranks, to the same end."""
    memory = Memory("every_step")
    last = 0
    for ranks, point, rank in ((2, "snapshot@0:1", None), (3, "snapshot@0:9", 2), (1, "snapshot:14", None), (2, "step@1:8", 0)):
        kill("killed", memory.keys, ranks, point, rank)
        assert not e2e.checkpoints("killed")
        last += int(point.split(":")[1])
        told = e2e.ktrain("verify", "--reached", "killed").out
        assert last - 2 <= int(told) < 54, f"{told}: {last} were reached"  # and more, where a rank was not stopped at once
        last = int(told)
    done = e2e.train("killed", memory.keys, ranks=2)
    assert last - 2 <= resumed_step(done.out) <= last, f"{last}: {done.out}"  # the newest may lack a signature
    with open("killed/attempts.csv", encoding="utf-8") as file:
        starts = list(csv.DictReader(file))
    for before, after in zip(starts, starts[1:]):  # what was lost is known to the step, though a row is written once a second
        assert int(after["from_step"]) <= int(before["reached_step"]) <= int(after["from_step"]) + 2, starts
    e2e.check_same_run("whole", "killed")
    assert not memory.holds(), "what a run has left in memory is removed when it ends"


def beside():
    """While the writer of a checkpoint stands still the training goes on; a kill then loses neither the checkpoint before nor the snapshots."""
    memory = Memory("beside")
    keys = memory.keys.replace("every_epochs=0", "every_epochs=2")
    # Behind config.ini, history.csv, best.h5 and the first checkpoint: what belongs to the second is written, but not in its place.
    process = e2e.start("beside", keys, 2, point="file_written@0:5:wait")
    process.wait_at_point()
    e2e.wait_for(lambda: int(e2e.ktrain("verify", "--reached", "beside").out) > 38, "step behind the fourth epoch")
    assert [os.path.basename(path) for path in e2e.checkpoints("beside")] == ["step-0000000018.h5"]
    process.kill()
    done = e2e.train("beside", keys, ranks=2)
    assert resumed_step(done.out) > 38, done.out
    e2e.check_same_run("whole", "beside")


def slow_rank():
    """A checkpoint is read from a snapshot only when the last rank has copied what it owns."""
    memory = Memory("slow_rank")
    keys = memory.keys.replace("epochs=6", "epochs=1").replace("overhead=1000", "overhead=0.00001")
    process = e2e.start("slow", keys, 3, point="copying@2:1:wait")
    process.wait_at_point()
    time.sleep(0.3)  # in which a writer that does not wait for it would be done
    process.let_go()
    e2e.expect(process)
    e2e.train("quick", keys.replace(memory.path, "off"), ranks=1)
    e2e.check_same_run("quick", "slow")


def newer_checkpoint():
    """A checkpoint that is newer than the snapshots is what counts, and a run directory that was removed takes its snapshots with it."""
    memory = Memory("newer_checkpoint")
    kill("newer", memory.keys, 1, "snapshot:4")
    e2e.train("newer", memory.keys + "train.max_steps=20")
    done = e2e.train("newer", memory.keys)
    assert "step-0000000020.h5" in done.out, done.out
    kill("gone", memory.keys, 1, "snapshot:4")
    assert len(memory.holds()) == 1
    os.rename("gone", "gone.away")
    done = e2e.train("gone", memory.keys)
    assert "resume" not in done.out and not memory.holds(), done.out


def none():
    """Where there can be none the run says why, and comes to the same end with checkpoints alone."""
    done = e2e.train("none", STEPS + f"checkpoint.snapshots={os.getcwd()}/absent")
    assert "saving no snapshots" in done.out and "absent" in done.out, done.out
    e2e.check_same_run("whole", "none")
    e2e.train("none", "checkpoint.snapshots=here", code=e2e.CONFIG, words=("checkpoint.snapshots = here", "must be off"))


def preempted():
    """SIGTERM saves as ever, and leaves nothing in memory."""
    memory = Memory("preempted")
    process = e2e.start("asked", memory.keys, 1, point="snapshot:12:wait")
    process.wait_at_point()
    process.popen.send_signal(signal.SIGTERM)
    process.let_go()
    e2e.expect(process, code=75, words=("asked to stop",))
    assert len(e2e.checkpoints("asked")) == 1 and not memory.holds()


e2e.needs_points()
e2e.write_data()
e2e.write_job(text=e2e.JOB.replace("every_epochs = 1\nsnapshots = off\n", ""))
e2e.train("whole", STEPS + "checkpoint.snapshots=off", ranks=2)
e2e.main(every_step, beside, slow_rank, newer_checkpoint, none, preempted)
