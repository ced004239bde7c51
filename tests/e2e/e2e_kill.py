"""Killed at any point, a run goes on from what is on disk to the same end."""
import os

import e2e

STATE = "model.dropout=0.2 model.batch_norm=true optimizer.schedule=plateau optimizer.plateau_patience=1 train.early_stopping=false "


def kill(directory, keys, ranks, point, rank=None):
    """Runs until rank 0 is at the point, and kills all ranks, or one: mpirun then ends the others."""
    process = e2e.start(directory, keys, ranks, point=point + ":wait")
    process.wait_at_point()
    running = process.ranks_running()
    assert len(running) == ranks, f"{process}: {len(running)} ranks"
    if rank is not None:
        process.kill_rank(running[rank])
    process.kill()


def killed(name, ranks, keys, points, rank=None):
    """Kills a run at each of the points, of which each start comes a little further; then lets it end, and nothing is damaged or left over."""
    directory, keys = f"killed-{name}", STATE + keys
    for point in points:
        kill(directory, keys, ranks, point, rank)
    done = e2e.train(directory, keys, ranks=ranks)
    assert "resume from" in done.out, done.out
    left = [name for folder in (directory, f"{directory}/checkpoints") for name in os.listdir(folder) if ".tmp." in name]
    assert not left, f"left behind: {left}"
    assert not [name for name in os.listdir(f"{directory}/checkpoints") if name.endswith(".damaged")]
    e2e.train(f"whole-{directory}", keys, ranks=ranks)
    e2e.check_same_run(f"whole-{directory}", directory)


# Before and after a file takes its name: config.ini, then best.h5 and checkpoints by turns.
FILES = ("locked:1", "file_written:1", "file_renamed:1", "file_written:2", "step:23", "file_renamed:4", "file_written:5", "file_renamed:5", "step:7",
         "file_written:7")


def kill_everything():
    """kill -9 of mpirun and all ranks, before and after each kind of file takes its name and within an epoch."""
    killed("all", 2, "train.epochs=20 checkpoint.every_steps=5", FILES)


def kill_alone():
    """The same without mpirun, and with checkpoints of 8 MB."""
    killed("alone", 1, "train.epochs=7 checkpoint.every_steps=1 model.hidden=[1000,600]", FILES)


def kill_one_rank():
    """kill -9 of one rank, the first or the last, ends the job, and the next start goes on to the same bits."""
    keys, points = "train.epochs=20 checkpoint.every_steps=5", ("step:13", "file_written:4")
    killed("first", 3, keys, points, rank=0)
    killed("last", 3, keys, points, rank=2)


def kill_while_moving():
    """kill -9 between the old run's moving aside and the new one's beginning loses neither."""
    e2e.train("moved", "train.epochs=2")
    before = open("moved/best.h5", "rb").read()
    kill("moved", "train.epochs=1 run.seed=7 checkpoint.resume=never", 1, "moved_aside:1")
    e2e.train("moved", "train.epochs=1 run.seed=7 checkpoint.resume=never")
    assert open("moved.old-1/best.h5", "rb").read() == before and e2e.summary("moved")["epochs"] == 1


e2e.needs_points()
e2e.write_data()
e2e.write_job()
e2e.main(kill_everything, kill_alone, kill_one_rank, kill_while_moving)
