"""ktrain sweep in a directory where something was before: other strategies, other axes, other ktrains at the same time, names that are patterns."""
import fcntl
import os

import e2e
import numpy as np

JOB = e2e.JOB.replace("epochs = 4", "epochs = 8").replace("every_epochs = 1", "every_epochs = 0") + "[sweep]\nmodel.hidden = [4] | [16, 12] | [24]\noptimizer.learning_rate = 0.0003, 0.01\n"
HALVING = ("sweep.strategy=halving", "sweep.min_epochs=1", "sweep.reduction=2")


def sweep(directory, *arguments, **expected):
    return e2e.ktrain("sweep", "sweep.ini", f"run.dir={directory}", *arguments, **expected)


def rows(directory):
    with open(f"{directory}/trials.csv") as file:
        lines = file.read().splitlines()
    at = lines[0].split(",").index("seconds")
    return [",".join(cell for i, cell in enumerate(line.replace("[16, 12]", "[16 12]").split(",")) if i != at) for line in lines]


def another_strategy():
    """Halving where a grid, or another halving, has left directories further on than its rungs comes to what it comes to elsewhere."""
    sweep("h0", *HALVING)
    sweep("h1", "sweep.keep_trials=all")
    sweep("h1", *HALVING)
    assert rows("h0") == rows("h1")
    sweep("h2", *HALVING[:1], "sweep.min_epochs=2", "sweep.reduction=2", "sweep.keep_trials=all")
    sweep("h2", *HALVING, "sweep.keep_trials=all")
    assert rows("h0") == rows("h2")
    assert any(".old-" in name for name in os.listdir("h2/trials")), os.listdir("h2/trials")  # moved aside, and no stranger
    assert "0 trained" in sweep("h2", *HALVING, "sweep.keep_trials=all").out


def other_files():
    """A journal that also tells of other data files is read as any other; of others alone it is refused."""
    sweep("d", "sweep.data.features=x.npy | y2.npy")
    done = sweep("d", "sweep.data.features=x.npy")
    assert "6 trials: 0 trained" in done.out, done.out
    sweep("e", "data.features=y2.npy")
    sweep("e", "data.features=x.npy", code=e2e.CONFIG, words=("another sweep",))


def fewer_values():
    """A narrowed sweep whose trials all diverge has neither the best.ini nor the directory of the wider one."""
    sweep("w", "optimizer.name=sgd")
    assert len(os.listdir("w/trials")) == 1
    done = sweep("w", "optimizer.name=sgd", "sweep.optimizer.learning_rate=1e30", code=e2e.DIVERGED, words=("no point succeeded",))
    assert not os.path.exists("w/best.ini") and os.listdir("w/trials") == [], os.listdir("w/trials")
    assert "best.ini" not in done.out, done.out


def fewer_seeds():
    """points.csv goes with the repetitions."""
    sweep("s", "sweep.seeds=2")
    assert os.path.exists("s/points.csv")
    sweep("s")
    assert not os.path.exists("s/points.csv")


def a_trial_in_use():
    """A trial's directory that another ktrain uses ends the sweep, which the same command then finishes."""
    sweep("u", "sweep.keep_trials=all")
    one = sorted(os.listdir("u/trials"))[0]
    os.remove("u/journal.jsonl")
    with open(f"u/trials/{one}/.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        sweep("u", code=e2e.IO, words=(one, "in use"))
    sweep("u")
    assert len(rows("u")) == 7 and not any("failed" in row for row in rows("u"))


def a_run_is_no_sweep():
    """A run does not train into a sweep's directory, nor a sweep into a run's."""
    sweep("r")
    e2e.train("r", code=e2e.CONFIG, words=("holds a sweep",))
    e2e.train("t")
    sweep("t", code=e2e.CONFIG, words=("holds a training run",))


def in_use():
    """A second sweep in the same directory is refused while the first runs; so is a slice; not after."""
    first = e2e.Process(["sweep", "sweep.ini", "run.dir=shared"], 2, point="step@0:3:wait")
    first.wait_at_point()
    for n, more in ((1, ()), (2, ()), (1, ("--slice=1/2",)), (1, ("--merge",))):
        sweep("shared", *more, ranks=n, code=e2e.CONFIG, words=("shared", "in use"))
    sweep("shared", "--dry-run")
    first.let_go()
    assert "6 trials: 6 trained" in e2e.expect(first).out


def slices_at_a_time():
    """Two slices run in one directory at a time, but neither twice, nor the whole meanwhile."""
    first = e2e.Process(["sweep", "sweep.ini", "run.dir=parts", "--slice=1/3"], point="step:3:wait")
    first.wait_at_point()
    sweep("parts", "--slice=2/3")
    for more in ((), ("--slice=1/3",), ("--merge",)):
        sweep("parts", *more, code=e2e.CONFIG, words=("parts", "in use"))
    first.let_go()
    e2e.expect(first)


def names_are_no_patterns():
    """Slices and directories are found where the directory's name has wildcards."""
    for part in (1, 2):
        sweep("g[1]*", "--slice", f"{part}/2")
    done = sweep("g[1]*", "--merge")
    assert "6 trials: 0 trained" in done.out and "missing" not in done.err, done.out + done.err
    assert len(os.listdir("g[1]*/trials")) == 1
    done = sweep("m", "--merge", "g[1]*")
    assert "6 trials: 0 trained" in done.out, done.out


def no_journal():
    """A pipe in the journal's place is refused at once."""
    os.mkdir("p")
    os.mkfifo("p/journal.jsonl")
    sweep("p", code=e2e.IO, words=("regular file",))


x, y = e2e.write_data()
np.save("y2.npy", x + 1)
e2e.write_job()
e2e.write_job("sweep.ini", JOB)
e2e.needs_points()
e2e.main(in_use, slices_at_a_time, another_strategy, other_files, fewer_values, fewer_seeds, a_trial_in_use, a_run_is_no_sweep, names_are_no_patterns, no_journal)
