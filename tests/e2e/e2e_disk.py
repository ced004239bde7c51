"""Disks that are full or read-only, and training that diverges: the right exit code, and what was saved before stays good."""
import math
import os

import numpy as np

import e2e
from mounts import POSSIBLE, mount, remount

KEYS = "train.epochs=40 train.early_stopping=false checkpoint.keep=1000 model.batch_norm=true "


def no_temporary_files(directory):
    left = [name for _, _, names in os.walk(directory) for name in names if ".tmp." in name]
    assert not left, f"{directory}: left behind: {left}"


def check_all_good(directory):
    """best.h5 and every checkpoint that is there can be used."""
    for path in e2e.checkpoints(directory) + [f"{directory}/best.h5"]:
        e2e.tensors(path, "model", "progress")
    e2e.ktrain("evaluate", directory)


def under_a_file():
    """A run.dir that cannot be made is an input/output error, before any training."""
    for n in (1, 2):
        e2e.train("x.npy/run", ranks=n, code=e2e.IO, words=("x.npy", "directory"))
    e2e.train("/proc/ktrain", code=e2e.IO, words=("/proc",))


def read_only():
    """The same on a read-only disk, from where finished runs can still be evaluated."""
    if not POSSIBLE:
        os.makedirs("locked")
        os.chmod("locked", 0o555)
        if not e2e.ROOT:
            e2e.train("locked/run", code=e2e.IO, words=("locked/run", "Permission denied"))
        return
    mount("rock", "size=8m")
    e2e.train("rock/run", "train.epochs=2")
    remount("rock", "ro")
    for n in (1, 2):
        e2e.train("rock/new", ranks=n, code=e2e.IO, words=("rock/new", "Read-only file system"))
        e2e.train("rock/run", ranks=n, code=e2e.IO, words=("rock/run", "Read-only file system"))
    assert "test" in e2e.ktrain("evaluate", "rock/run").out
    e2e.ktrain("predict", "rock/run", "x.npy", "-o", "rock/p.csv", code=e2e.IO, words=("rock/p.csv",))
    e2e.ktrain("predict", "rock/run", "x.npy", "-o", "p.csv")


def full_disk():
    """A disk that fills up ends the run with what was saved before; with room again, the same command ends as if nothing had been."""
    if not POSSIBLE:
        print("no mounts here: full_disk left out")
        return
    for n in (1, 2):
        e2e.train(f"roomy-{n}", KEYS, ranks=n)
        mount(f"small-{n}", "size=1m")
        directory = f"small-{n}/run"
        for _ in range(2):
            e2e.train(directory, KEYS, ranks=n, code=e2e.IO, words=(directory, "No space left"))
            assert len(e2e.checkpoints(directory)) > 2
            no_temporary_files(directory)
            check_all_good(directory)
        remount(f"small-{n}", "size=16m")
        assert "resume from" in e2e.train(directory, KEYS, ranks=n).out
        e2e.check_same_run(f"roomy-{n}", directory)


def no_room_at_all():
    """A disk that is full from the start ends the run at once; so does an output of predict that does not fit."""
    if not POSSIBLE:
        return
    mount("tiny", "size=32k")
    for n in (1, 2):
        e2e.train("tiny/run", ranks=n, code=e2e.IO, words=("tiny/run", "No space left"))
    e2e.train("fits", "train.epochs=1")
    np.save("many.npy", np.zeros((3000, 20), "f4"))
    for ending in ("csv", "npy", "h5"):
        e2e.ktrain("predict", "fits", "many.npy", "-o", f"tiny/p.{ending}", code=e2e.IO, words=(f"tiny/p.{ending}", "No space left"))
        assert not os.path.exists(f"tiny/p.{ending}")
    no_temporary_files("tiny")


def file_size_limit():
    """A limit of the file size is an input/output error, too, and the checkpoint before it is whole."""
    # best.h5 has more than 6 MB, Open MPI's own files 4 MB, and the memory that two ranks share more than 20 MB.
    keys, limit = "model.hidden=[1400,1100] train.epochs=", ("prlimit", "--fsize=6000000")
    node = "parallel.ranks_per_replica=node "
    e2e.train("node", node + keys + "1", ranks=2, wrap=limit, code=e2e.NO_MEMORY, words=("ulimit -f", "ranks_per_replica"))
    for n in (1, 2):
        directory, warns = f"limited-{n}", ("ulimit -f",) if n > 1 else ()
        e2e.train(f"unlimited-{n}", keys + "3", ranks=n)
        e2e.train(directory, keys + "1", ranks=n)
        e2e.train(directory, keys + "3", ranks=n, wrap=limit, code=e2e.IO, words=(directory, "File too large"), warns=warns)
        no_temporary_files(directory)
        check_all_good(directory)
        e2e.train(directory, keys + "3", ranks=n)
        e2e.check_same_run(f"unlimited-{n}", directory)


def diverges_at_once():
    """Training that diverges ends with exit code 3 on any number of ranks, and a summary that is JSON."""
    for n in (1, 2, 3):
        e2e.train(f"wild-{n}", "optimizer.name=sgd optimizer.learning_rate=1e10", ranks=n, code=e2e.DIVERGED,
                  words=("diverged", "optimizer.learning_rate"))
        assert e2e.summary(f"wild-{n}")["stop_reason"] == "divergence"


def diverges_later():
    """Diverging after some epochs leaves the checkpoints of before and the best weights, and they are good."""
    # The rate grows by 0.05 a step, and weight decay with more than 2 blows the weights up.
    keys = ("optimizer.name=sgd optimizer.learning_rate=1e10 optimizer.warmup=200000000000 optimizer.schedule_unit=step optimizer.l2=1 "
            "optimizer.l2_form=coupled train.epochs=1000 train.patience=1000")
    for n in (1, 2):
        directory = f"later-{n}"
        e2e.train(directory, keys, ranks=n, code=e2e.DIVERGED, words=("diverged",))
        told = e2e.summary(directory)
        assert told["stop_reason"] == "divergence" and told["weights"] == "best" and told["epochs"] >= 2
        assert math.isfinite(told["test"]["cross_entropy"]) and told["test"] == told["best"]["test"]
        assert len(e2e.checkpoints(directory)) == 2
        for path in e2e.checkpoints(directory) + [f"{directory}/best.h5"]:
            assert all(np.isfinite(tensor).all() for tensor in e2e.tensors(path, "model").values()), f"{path} holds NaN or Inf"
        assert "test" in e2e.ktrain("evaluate", directory, ranks=n).out
        e2e.train(directory, keys, ranks=n, code=e2e.DIVERGED, words=("diverged",))


def while_others_sleep():
    """Ranks that sleep hear of a failure, of divergence and of early stopping, whether they sleep always or in turn."""
    wild, big = "optimizer.name=sgd optimizer.learning_rate=1e10 ", "parallel.ranks_per_replica=1 model.hidden=[1400,1100] train.epochs=1 "
    stops = "train.epochs=1000 train.patience=2 train.min_delta=0.5 "
    e2e.train("stops", stops)
    ways = [(3, "parallel.ranks=1", ""), (3, "parallel.ranks=2", "")]
    if os.environ.get("KT_TEST_POINTS") == "ON":
        ways.append((4, "", "arrange:1:always"))
    for i, (n, keys, point) in enumerate(ways):
        e2e.train(f"asleep-wild-{i}", wild + keys, ranks=n, point=point, code=e2e.DIVERGED, words=("diverged",))
        assert e2e.summary(f"asleep-wild-{i}")["stop_reason"] == "divergence"
        e2e.train(f"asleep-stops-{i}", stops + keys, ranks=n, point=point)
        e2e.check_same_run("stops", f"asleep-stops-{i}")
        e2e.train(f"asleep-big-{i}", big + keys, ranks=n, point=point, wrap=("prlimit", "--fsize=6000000"), code=e2e.IO,
                  words=("File too large",))


e2e.write_data()
e2e.write_job()
e2e.main(under_a_file, read_only, full_disk, no_room_at_all, file_size_limit, diverges_at_once, diverges_later, while_others_sleep)
