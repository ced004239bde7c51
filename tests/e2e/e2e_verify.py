"""ktrain verify: what is whole, what is not, and how far a job has come."""
import os
import re

import e2e


def damage(path, at):
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1]))


def whole():
    """A run's files are good, and named with what is in them; the job stands for its directory."""
    told = e2e.ktrain("verify", "run")
    assert re.search(r"^good +run/checkpoints/step-0*9\.h5  epoch 3, step 9$", told.out, re.M), told.out
    for name in ("config.ini", "best.h5", "history.csv  3 rows", "confusion.csv  7 rows", "summary.json", "attempts.csv  1 rows"):
        assert f"good     run/{name}" in told.out, told.out
    assert "0 damaged" in told.out and e2e.ktrain("verify", "job.ini", "run.dir=run").out == told.out
    assert e2e.ktrain("verify", "--reached", "run").out == "9\n"


def damaged():
    """A byte that is another, a file that was cut and one of another kind are found; the step is that of the newest good checkpoint."""
    e2e.train("bad", KEYS)
    newest, before = e2e.checkpoints("bad")[:2]
    damage(newest, os.path.getsize(newest) // 2)
    damage("bad/best.h5", 100)
    os.truncate("bad/history.csv", os.path.getsize("bad/history.csv") - 9)
    with open("bad/summary.json", "a", encoding="utf-8") as file:
        file.write("}")
    e2e.write_job("bad/config.ini", "[run]\nseed = x\n")
    told = e2e.ktrain("verify", "bad", code=e2e.DATA, words=("bad: 5 of its files are damaged",))
    assert told.out.count("damaged  ") == 5 and f"good     {before}" in told.out, told.out
    assert e2e.ktrain("verify", "--reached", "bad").out == "6\n"


def none():
    """What is no run is said to be none, and has come nowhere."""
    os.mkdir("empty")
    for directory in ("empty", "nowhere"):
        e2e.ktrain("verify", directory, code=e2e.NO_INPUT, words=(f"{directory}: no run is there",))
        assert e2e.ktrain("verify", "--reached", directory).out == "-1\n"
    e2e.ktrain("verify", code=e2e.USAGE, words=("ktrain verify RUN",))
    e2e.ktrain("verify", "run", "more", code=e2e.USAGE, words=("ktrain verify RUN",))


def sweeps():
    """Of a sweep the journal and all trials; a damaged line is found."""
    keys = ("run.dir=sweep", "train.epochs=1", "sweep.keep_trials=all")
    e2e.ktrain("sweep", "sweep.ini", *keys)
    told = e2e.ktrain("verify", "sweep")
    assert "good     sweep/journal.jsonl  2 trials" in told.out and told.out.count("best.h5") == 2 and "0 damaged" in told.out, told.out
    assert e2e.ktrain("verify", "--reached", "--sweep", "sweep.ini", *keys).out == "2\n"
    damage("sweep/journal.jsonl", 20)
    e2e.ktrain("verify", "sweep", code=e2e.DATA, words=("sweep: 1 of its files are damaged",))


KEYS = "train.epochs=3 train.batch_size=64 train.early_stopping=false checkpoint.keep=3"
e2e.write_data()
e2e.write_job()
e2e.write_job("sweep.ini", e2e.JOB + "[sweep]\nmodel.hidden = [16] | [12]\n")
e2e.train("run", KEYS)
e2e.main(whole, damaged, none, sweeps)
