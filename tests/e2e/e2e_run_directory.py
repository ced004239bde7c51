"""The directory of a run: what the same command does in it again, what is kept, and who may write."""
import os
import re
import shutil

import e2e
import numpy as np

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
    first = e2e.start("shared", "train.epochs=1 train.early_stopping=false", ranks=2, point="step:3:wait")
    first.wait_at_point()
    for n in (1, 2):
        for resume in ("auto", "never"):
            e2e.train("shared", f"checkpoint.resume={resume}", ranks=n, code=e2e.CONFIG, words=("shared", "in use by another ktrain"))
    assert not os.path.exists("shared.old-1")
    first.let_go()
    e2e.expect(first)
    assert "the run is finished" in e2e.train("shared", "train.epochs=1 train.early_stopping=false").out


def contents(directory):
    """Bytes of every file below, by its path."""
    return {os.path.join(at, name): open(os.path.join(at, name), "rb").read() for at, _, names in os.walk(directory) for name in names}


def foreign():
    """A directory with other things in it is refused and stays as it is; one that a stopped start has left is as good as empty."""
    for name, files in (("notes", ("history.csv",)), ("project", ("config.ini", "log.txt", "summary.json")), ("torch", ("checkpoints/a.pt",)),
                        ("strange", ("checkpoints/x.tmp.7", "model.tmp.7")), ("old-journal", ("journal.jsonl", "paper.tex"))):
        for file in files:
            os.makedirs(os.path.dirname(f"{name}/{file}"), exist_ok=True)
            e2e.write_job(f"{name}/{file}", "[something]\nof = another\n")
        before = contents(name)
        for ranks in (1, 2):
            e2e.train(name, ranks=ranks, code=e2e.CONFIG, words=(f"run.dir = {name}", "holds", "new, empty, or the directory of a run"))
        e2e.ktrain("sweep", "sweep.ini", f"run.dir={name}", code=e2e.CONFIG, words=(f"run.dir = {name}", "directory of"))
        assert contents(name) == before, name
    e2e.train(".", code=e2e.CONFIG, words=("run.dir = .",))
    assert not os.path.exists(".lock") and not os.path.exists("checkpoints")
    os.makedirs("begun/checkpoints")
    for file in (".lock", "log.txt", "config.ini.tmp.17"):
        e2e.write_job(f"begun/{file}", "")
    e2e.train("begun")
    for lost in ("checkpoints", "best.h5"):
        shutil.rmtree(f"begun/{lost}") if os.path.isdir(f"begun/{lost}") else os.remove(f"begun/{lost}")
        e2e.train("begun")


def own_inputs():
    """config.ini as the job of its own run goes on with it and stays as it is; nothing else that is read is written."""
    e2e.train("own", "train.epochs=2")
    with open("own/config.ini", "a") as file:
        file.write("; a note\n")
    before = open("own/config.ini").read()
    assert "the run is finished" in e2e.ktrain("own/config.ini").out
    e2e.ktrain("own/config.ini", "train.epochs=3")
    assert e2e.summary("own")["epochs"] == 3 and open("own/config.ini").read() == before
    e2e.ktrain("sweep", "sweep.ini", "run.dir=own-sweep")
    with open("own-sweep/sweep.ini", "a") as file:
        file.write("; a note\n")
    before = open("own-sweep/sweep.ini").read()
    e2e.ktrain("sweep", "own-sweep/sweep.ini")
    assert open("own-sweep/sweep.ini").read() == before
    e2e.train("linked", "train.epochs=1")
    os.remove("linked/history.csv")
    os.link("y.npy", "linked/history.csv")
    labels = open("y.npy", "rb").read()
    e2e.train("moved", "train.epochs=1")
    shutil.copy("x.npy", "moved")
    e2e.train("moved", "data.features=moved/x.npy checkpoint.resume=never", code=e2e.CONFIG, words=("moved/x.npy", "moved aside"))
    np.savez("moved/x.npz", X=np.load("x.npy"))
    e2e.train("moved", "data.features=moved/x.npz:X checkpoint.resume=never", code=e2e.CONFIG, words=("moved/x.npz", "moved aside"))
    assert os.path.exists("moved/x.npy")
    e2e.train("linked", "train.epochs=2", code=e2e.CONFIG, words=("y.npy", "reads"))
    os.remove("linked/history.csv")
    os.symlink("../x.npy", "linked/history.csv")
    e2e.train("linked", "train.epochs=2", code=e2e.CONFIG, words=("x.npy", "reads"))
    assert open("y.npy", "rb").read() == labels


def home():
    """~ is refused with the path that it stands for: it never becomes a folder."""
    for keys in ("run.dir=~/r", "run.dir=~", "data.features=~/x.npy", "checkpoint.resume=~/r/best.h5"):
        e2e.ktrain("job.ini", *keys.split(), code=e2e.CONFIG, words=("~ is not known here", os.environ["HOME"]))
    e2e.ktrain("job.ini", "run.dir=~another/r", code=e2e.CONFIG, words=("~ is not known here", "like /home/another/r"))
    assert not os.path.exists("~")


e2e.needs_points()
e2e.write_data()
e2e.write_job("sweep.ini", e2e.JOB + "[sweep]\noptimizer.learning_rate = 0.01 | 0.001\n")
e2e.write_job()
e2e.main(finished, keeps_so_many, never, from_path, one_at_a_time, foreign, own_inputs, home)
