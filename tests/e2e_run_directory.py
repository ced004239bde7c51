"""The directory of a run: what the same command does in it again, what is kept, and who may write."""
import os
import re

import e2e

STATE = "model.dropout=0.2 model.batch_norm=true optimizer.schedule=plateau optimizer.plateau_patience=1 optimizer.gamma=0.5 "
STEPS = 9  # of an epoch: 142 training samples in batches of 17


def finished():
    """The same command after the end says that the run is finished, succeeds, and leaves its files alone."""
    e2e.train("done", "checkpoint.keep=3")
    paths = e2e.checkpoints("done") + ["done/best.h5"]
    before = [(os.stat(path).st_mtime_ns, open(path, "rb").read()) for path in paths]
    told = e2e.results("done")
    for n in (1, 2):
        again = e2e.train("done", "checkpoint.keep=3", ranks=n)
        assert "the run is finished" in again.out, again.out
        assert e2e.checkpoints("done") + ["done/best.h5"] == paths
        assert [(os.stat(path).st_mtime_ns, open(path, "rb").read()) for path in paths] == before, "a finished run was saved again"
        assert e2e.results("done") == told
    assert not [name for name in os.listdir(".") if name.startswith("done.")]


def keeps_so_many():
    """checkpoint.keep newest checkpoints are kept, and fewer once it is lowered."""
    e2e.train("keep", "train.epochs=6 checkpoint.keep=3")
    assert [os.path.basename(path) for path in e2e.checkpoints("keep")] == [f"step-{STEPS * epoch:010}.h5" for epoch in (6, 5, 4)]
    e2e.train("keep", "train.epochs=7 checkpoint.keep=1 checkpoint.every_steps=2")
    assert [os.path.basename(path) for path in e2e.checkpoints("keep")] == [f"step-{STEPS * 7:010}.h5"]
    e2e.train("few", "train.epochs=5 checkpoint.every_epochs=0")
    assert len(e2e.checkpoints("few")) == 1


def never():
    """resume = never starts again, and moves the earlier run aside."""
    e2e.train("again", "train.epochs=2")
    first = open("again/best.h5", "rb").read()
    for i in (1, 2):
        e2e.train("again", "train.epochs=1 checkpoint.resume=never run.seed=7", ranks=i)
        assert e2e.summary("again")["epochs"] == 1 and e2e.summary(f"again.old-{i}")["epochs"] == 3 - i
    assert open("again.old-1/best.h5", "rb").read() == first


def from_path():
    """resume = PATH continues another run's checkpoint in a new directory, and the same command again goes on with the copy."""
    e2e.train("origin", STATE + "train.epochs=2", ranks=2)
    e2e.train("wanted", STATE + "train.epochs=6", ranks=2)
    path = e2e.checkpoints("origin")[0]
    keys = STATE + f"train.epochs=6 checkpoint.resume={path} "
    begun = e2e.train("copy", keys + "train.max_steps=40", ranks=2)
    assert f"resume from {path}" in begun.out, begun.out
    on = e2e.train("copy", keys, ranks=2)
    assert re.search(r"resume from copy/checkpoints/step-0*40\.h5", on.out), on.out
    e2e.check_same_run("wanted", "copy")
    assert e2e.summary("origin")["epochs"] == 2 and not os.path.exists("copy.old-1")
    assert "the run is finished" in e2e.train("copy", keys, ranks=2).out
    finished_copy = e2e.train("copy-2", STATE + f"train.epochs=6 checkpoint.resume={e2e.checkpoints('wanted')[0]}")
    assert "the run is finished" in finished_copy.out
    e2e.check_same_run("wanted", "copy-2")
    e2e.train("copy-3", "checkpoint.resume=nowhere.h5", code=e2e.NO_INPUT, words=("nowhere.h5",))


def one_at_a_time():
    """A second ktrain in the same run.dir is refused while the first runs, on one rank and on two, and not after."""
    first = e2e.start("shared", "train.epochs=1000000 train.early_stopping=false checkpoint.every_epochs=100", ranks=2)
    e2e.wait_for(lambda: e2e.checkpoints("shared"), "checkpoint")
    for n in (1, 2):
        for resume in ("auto", "never"):
            e2e.train("shared", f"checkpoint.resume={resume}", ranks=n, code=e2e.CONFIG, words=("shared", "in use by another ktrain"))
    assert first.popen.poll() is None, "the first run has ended"
    assert not os.path.exists("shared.old-1")
    first.kill()
    assert "the run is finished" in e2e.train("shared", "train.epochs=1 train.early_stopping=false").out


e2e.write_data()
e2e.write_job()
e2e.main(finished, keeps_so_many, never, from_path, one_at_a_time)
