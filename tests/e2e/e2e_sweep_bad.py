"""Bad sweeps: one sentence and the right exit code, on one rank and on several; damaged journals; disks that are full."""
import csv
import itertools
import json
import os
import re

import numpy as np

import e2e
from mounts import POSSIBLE, mount, remount

JOB = e2e.JOB.replace("every_epochs = 1", "every_epochs = 0")
AXES = "model.hidden = [4] | [8] | [16, 12]\noptimizer.learning_rate = 0.003, 0.01\n"  # 6 points
numbers = itertools.count(1)


def sweep(directory, *arguments, ranks=1, job="sweep.ini", **expected):
    return e2e.ktrain("sweep", job, f"run.dir={directory}", *arguments, ranks=ranks, **expected)


def rows(directory):
    with open(f"{directory}/trials.csv") as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def lines(directory):
    with open(f"{directory}/journal.jsonl", "rb") as file:
        return list(file)


def check_trained(process, n_trained, n_before):
    assert f"{n_trained + n_before} trials: {n_trained} trained" in process.out and f", {n_before} on record before" in process.out, process.out


def refused(text, *words, code=e2e.CONFIG, arguments=(), ranks=(1,)):
    """A sweep of this text ends with one sentence that holds the words, and makes no directory."""
    path = f"bad-{next(numbers)}.ini"
    e2e.write_job(path, text)
    for n in ranks:
        sweep("never-made", *arguments, job=path, ranks=n, code=code, words=words)
    assert not os.path.exists("never-made"), f"{path} made a directory"


def bad_axis(line, *words, ranks=(1,)):
    """The sentence also names the file's line."""
    text = JOB + "[sweep]\n" + AXES + line + "\n"
    refused(text, f".ini:{text[:text.index(line)].count(chr(10)) + 1}:", *words, ranks=ranks)


# ---- what cannot be a sweep ----

def bad_axes():
    """Axes with unknown keys, without values, or with values that are none, are refused with file, line, key and value."""
    bad_axis("optimizer.learning_rat = 0.1, 0.2", "optimizer.learning_rat", "did you mean", "optimizer.learning_rate", ranks=(1, 2))
    bad_axis("modle.dropout = 0, 0.1", "modle", "did you mean")
    bad_axis("strateg = grid", "strateg", "did you mean")
    bad_axis("model.dropout =", "model.dropout")
    bad_axis("model.dropout = 0, , 0.1", "model.dropout")
    bad_axis("model.dropout = 0, 0.1,", "model.dropout")
    bad_axis("data.split = | 0.7, 0.2, 0.1", "data.split")
    bad_axis("model.dropout = 0, 1, 0.1", "model.dropout", "= 1", "from 0 below 1", ranks=(1, 2))
    bad_axis("train.batch_size = 16, 32x, 64", "train.batch_size", "32x")
    bad_axis("model.dropout = 0, 0.1, 0.0", "model.dropout", "value 0 twice")
    bad_axis("train.batch_size = 16, 32, 16", "train.batch_size", "16", "twice")
    bad_axis("model.hidden = [4], [5]", "model.hidden", "twice")
    bad_axis("run.dir = a, b", "run.dir")
    bad_axis("checkpoint.keep = 1, 2", "checkpoint.keep")


def bad_sweeps():
    """No axis, bad settings, points that are no job."""
    refused(JOB, "[sweep]", ranks=(1, 2))
    refused(JOB + "[sweep]\nstrategy = grid\n", "axis")
    refused(JOB + "[sweep]\nstrategy = grit\n" + AXES, "sweep.strategy = grit", "grid | random | greedy | halving")
    refused(JOB + "[sweep]\nseeds = 0\n" + AXES, "sweep.seeds = 0", "from 1")
    refused(JOB + "[sweep]\nranks_per_trial = 0\n" + AXES, "sweep.ranks_per_trial = 0", "from 1")
    refused(JOB + "[sweep]\n" + AXES, "optimizer.learning_rate", arguments=("sweep.optimizer.learning_rate=0.1, x",))
    refused(JOB + "[sweep]\n" + AXES, "sweep.strategie", "sweep.strategy", arguments=("sweep.strategie=grid",))
    refused(JOB + "[sweep]\nparallel.shards = 16, 3\n", "parallel.shards = 3")
    refused("[sweep]\n" + AXES, "data.features", "not set")
    refused("", "nothing to search")


def plain_training():
    """[sweep] in a job that is only trained is refused: ktrain sweep is meant."""
    for n in (1, 2):
        e2e.ktrain("sweep.ini", "run.dir=never-plain", ranks=n, code=e2e.CONFIG, words=("sweep.ini:", "[sweep]", "ktrain sweep sweep.ini"))
    assert not os.path.exists("never-plain")


def bad_ranks():
    """ranks_per_trial must divide the ranks."""
    for n, each in ((1, 2), (2, 3), (3, 2)):
        words = (f"sweep.ranks_per_trial = {each}", f"on {n} rank", "divide")
        sweep("never-ranks", f"sweep.ranks_per_trial={each}", ranks=n, code=e2e.CONFIG, words=words)
    sweep("never-ranks", "--dry-run", "--ranks=5", "sweep.ranks_per_trial=2", code=e2e.CONFIG, words=("on 5 ranks",))
    assert not os.path.exists("never-ranks")


def bad_arguments():
    """What is no part, no option or no directory is refused; so are slices of a strategy that adapts."""
    for part in ("5/4", "x", "1/0", "1", "1/2x", "-1/3", "/3"):
        sweep("never-part", "--slice", part, code=e2e.USAGE, words=("--slice", part, "i/n"))
    sweep("never-part", "--slice=5/4", ranks=2, code=e2e.USAGE, words=("--slice 5/4",))
    for strategy in ("greedy", "halving"):
        sweep("never-part", "--slice=1/2", f"sweep.strategy={strategy}", ranks=1 + (strategy == "greedy"), code=e2e.CONFIG,
              words=(f"sweep.strategy = {strategy}", "grid, random or list"))
    sweep("never-part", "--slize=1/2", code=e2e.USAGE, words=("--slize",))
    sweep("never-part", "--ranks=0", "--dry-run", code=e2e.USAGE, words=("--ranks 0",))
    sweep("never-part", "somewhere", code=e2e.USAGE, words=("somewhere", "section.key=value"))
    sweep("never-part", "--merge", "--slice=1/2", code=e2e.USAGE, words=("--merge",))
    e2e.ktrain("sweep", code=e2e.USAGE, words=("JOB.ini",))
    assert not os.path.exists("never-part")


def missing_files():
    """A job or data that are not there, or cannot be, end a sweep before anything is trained."""
    for n in (1, 2):
        sweep("never-there", job="nowhere.ini", ranks=n, code=e2e.NO_INPUT, words=("nowhere.ini",))
        sweep("never-there", "sweep.data.features=x.npy | gone.npy", ranks=n, code=e2e.NO_INPUT, words=("gone.npy",))
    np.save("short.npy", np.zeros(7, "u1"))
    sweep("never-there", "sweep.data.labels=y.npy | short.npy", code=e2e.DATA, words=("short.npy",))
    assert not os.path.exists("never-there")
    sweep("never-joined", "--merge", "no-directory", code=e2e.NO_INPUT, words=("no-directory",))
    os.mkdir("empty")
    sweep("never-joined", "--merge", "empty", code=e2e.NO_INPUT, words=("empty", "journal"))


# ---- directories ----

def others_directories():
    """The journal of another sweep or of other data, a training run, a file: none is written over."""
    e2e.write_data("changing-")
    own = ("data.features=changing-x.npy", "data.labels=changing-y.npy")
    sweep("taken", *own)
    before = lines("taken")
    for n in (1, 2):
        sweep("taken", *own, "train.batch_size=20", ranks=n, code=e2e.CONFIG, words=("taken", "6 trials of another sweep", "run.dir"))
    sweep("joined", *own, "train.batch_size=20", "--merge", "taken", code=e2e.CONFIG, words=("taken", "another sweep"))
    e2e.write_data("changing-", seed=2)
    for n in (1, 2):
        sweep("taken", *own, ranks=n, code=e2e.DATA, words=("taken", "other data"))
    assert lines("taken") == before
    e2e.write_data("changing-")
    check_trained(sweep("taken", *own), 0, 6)
    e2e.train("trained")
    sweep("trained", ranks=2, code=e2e.CONFIG, words=("trained", "training run", "directory of its own"))
    sweep("trained", code=e2e.CONFIG, words=("trained", "training run", "directory of its own"))
    for n in (1, 2):
        sweep("x.npy/sweep", ranks=n, code=e2e.IO, words=("x.npy", "directory"))
    sweep("/proc/ktrain", code=e2e.IO, words=("/proc",))
    sweep("d/" * 2040, code=e2e.CONFIG, words=("run.dir", "long"))


# ---- damage ----

def flip_digit(line):
    """Another accuracy, which only the crc can tell."""
    found = re.search(rb'"test_accuracy": 0\.(\d)', line)
    digit = b"%d" % ((int(found[1]) + 1) % 10)
    return line[:found.start(1)] + digit + line[found.end(1):]


def damaged_journals():
    """Lines that are torn, changed or no lines at all are told; their trials are run again, and the result is the same."""
    sweep("whole")
    good = lines("whole")
    assert len(good) == 6 and flip_digit(good[2]) != good[2]
    damages = {
        "torn": good[:5] + [good[5][:100]],
        "flipped": good[:2] + [flip_digit(good[2])] + good[3:],
        "garbage": good[:2] + [b"what is this?\n"] + good[3:],
        "binary": good[:2] + [bytes(range(256)).replace(b"\n", b"") * 20 + b"\n"] + good[3:],
        "cut": good[:2] + [good[2][:-30] + b"\n"] + good[3:],
        "glued": good[:2] + [good[2][:-1] + good[3]] + good[4:],
        "json": good[:2] + [b"[1, 2]\n", b"null\n", b"{}\n"] + good[3:],
    }
    for i, (name, damaged) in enumerate(damages.items()):
        directory = f"damaged-{name}"
        os.mkdir(directory)
        with open(f"{directory}/journal.jsonl", "wb") as file:
            file.writelines(damaged)
        n_lost = 2 if name == "glued" else 1
        n_bad = 3 if name == "json" else 1
        text = f"{n_bad} line{'s are' if n_bad > 1 else ' is'} damaged, the first is line {6 if name == 'torn' else 3}"
        check_trained(sweep(directory, ranks=1 + i % 2, warns=(f"{directory}/journal.jsonl: {text}",)), n_lost, 6 - n_lost)
        assert rows(directory) == rows("whole"), name
        check_trained(sweep(directory), 0, 6)
        keys = [json.loads(line)["key"] for line in lines(directory)[len(damaged):]]
        assert len(keys) == len(set(keys)) == n_lost, f"{name}: {keys}"


def repeated_lines():
    """A journal with a trial twice, and with empty lines, has it once."""
    sweep("once")
    with open("once/journal.jsonl", "ab") as file:
        file.writelines([b"\n\n", lines("once")[1], lines("once")[4]])
    check_trained(sweep("once", ranks=2), 0, 6)
    assert len(rows("once")) == 6
    with open("once/trials.csv", "w") as file:
        file.write("nonsense")
    os.remove("once/best.ini")
    check_trained(sweep("once"), 0, 6)
    assert len(rows("once")) == 6 and os.path.exists("once/best.ini")


def damaged_trials():
    """What an earlier start has left of a trial may be damaged: it is trained from the beginning."""
    sweep("sound", "sweep.keep_trials=all")
    sweep("marred", "sweep.keep_trials=all")
    kept = lines("marred")
    for name in sorted(os.listdir("marred/trials")):
        for path in e2e.checkpoints(f"marred/trials/{name}"):
            with open(path, "r+b") as file:
                file.truncate(os.path.getsize(path) // 2)
    with open("marred/journal.jsonl", "wb") as file:
        file.writelines(kept[:2])
    check_trained(sweep("marred", "sweep.keep_trials=all", ranks=2), 4, 2)
    assert rows("marred") == rows("sound")


# ---- full disks ----

def full_disk():
    """A disk that fills up ends the sweep with what was done on record; with room again, the same command does the rest, each trial once."""
    if not POSSIBLE:
        print("no mounts here: full_disk left out")
        return
    keys = ("sweep.keep_trials=all", "sweep.train.batch_size=15, 17, 20, 30")
    sweep("roomy", *keys)
    for n in (1, 2):
        mount(f"small-{n}", "size=1m")
        directory = f"small-{n}/sweep"
        told = sweep(directory, *keys, ranks=n, code=e2e.IO, words=(directory, "No space left"))
        assert "not finished" in told.out, told.out
        done = lines(directory)
        n_done = len(done)
        assert 2 < n_done < 24, n_done
        sweep(directory, *keys, ranks=n, code=e2e.IO, words=(directory, "No space left"))
        assert lines(directory)[:n_done] == done
        n_done = len(lines(directory))
        remount(f"small-{n}", "size=64m")
        check_trained(sweep(directory, *keys, ranks=n), 24 - n_done, n_done)
        assert rows(directory) == rows("roomy")
        assert len({json.loads(line)["key"] for line in lines(directory)}) == len(lines(directory)) == 24
        left = [name for _, _, names in os.walk(directory) for name in names if ".tmp." in name]
        assert not left, left


def full_journal():
    """When only the journal finds no room, what was on record stays, and nothing is there twice later."""
    if not POSSIBLE:
        return
    mount("tiny", "size=64m")
    sweep("tiny/sweep", "sweep.keep_trials=all")
    whole = lines("tiny/sweep")
    for n in (1, 2):
        with open("tiny/sweep/journal.jsonl", "wb") as file:
            file.writelines(whole[:3])
        with open("tiny/filling", "wb") as file:  # to the last byte
            try:
                while True:
                    file.write(bytes(4096))
                    file.flush()
            except OSError:
                pass
            try:
                file.close()
            except OSError:
                pass
        sweep("tiny/sweep", "sweep.keep_trials=all", ranks=n, code=e2e.IO, words=("tiny/sweep", "No space left"))
        assert b"".join(lines("tiny/sweep")).startswith(b"".join(whole[:3]))
        os.remove("tiny/filling")
        n_done = len(lines("tiny/sweep"))
        check_trained(sweep("tiny/sweep", "sweep.keep_trials=all", ranks=n), 6 - n_done, n_done)
        assert len({json.loads(line)["key"] for line in lines("tiny/sweep")}) == len(lines("tiny/sweep")) == 6


e2e.write_data()
e2e.write_job()
e2e.write_job("sweep.ini", JOB + "[sweep]\n" + AXES)
e2e.main(full_disk, damaged_journals, bad_axes, bad_sweeps, plain_training, bad_ranks, bad_arguments, missing_files,
         others_directories, repeated_lines, damaged_trials, full_journal)
