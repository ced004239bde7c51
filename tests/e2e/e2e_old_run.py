"""A run that a version before panels began (tests/golden/old_run: its configuration and its checkpoint) goes on under this one."""
import os
import shutil

import e2e

OLD = os.path.join(os.environ["KT_SOURCE_DIR"], "tests", "golden", "old_run")
CHECKPOINT = os.path.join(OLD, "step-0000000004.h5")
JOB = """[run]
dir = run
[data]
features = x.csv
labels = y.csv
[model]
hidden = [3]
dropout = 0.1
[train]
epochs = 3
batch_size = 10
"""
GONE = "parallel.thin_batch is gone and has no effect any more"
# Validation's and training's cross-entropy after each epoch, as that version went on: to rounding.
WANTED = ((6.446524699, 6.784716738), (6.353217329, 6.289660685), (6.246783659, 5.308994942))


def write_inputs():
    """The data that it was trained on."""
    with open("x.csv", "w", encoding="ascii") as x, open("y.csv", "w", encoding="ascii") as y:
        for i in range(48):
            x.write(f"{i * 7 % 11},{i * i % 13}\n")
            y.write(f"{i % 2}\n")
    e2e.write_job(text=JOB)
    e2e.write_job("thin.ini", JOB + "[parallel]\nthin_batch = 64\n")


def copy(directory):
    """The run as that version left it."""
    os.makedirs(f"{directory}/checkpoints")
    shutil.copy(os.path.join(OLD, "config.ini"), directory)
    shutil.copy(CHECKPOINT, f"{directory}/checkpoints")


def check(directory):
    """It went on from step 4 with the shards that it began with, to what that version would have come to."""
    with open(f"{directory}/config.ini", encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert "shards = 8" in lines and not any("thin_batch" in line for line in lines), lines
    assert e2e.summary(directory)["steps"] == 12
    for row, wanted in zip(e2e.history(directory), WANTED, strict=True):
        for name, value in zip(("validation_cross_entropy", "train_cross_entropy"), wanted):
            assert abs(float(row[name]) - value) < 1e-5 * value, (row, wanted)


def goes_on():
    """On 1 and on 3 ranks, with a job that has the key that is gone and one that has not: the same bits, and a word on the key."""
    for n, job, warns in ((1, "thin.ini", (GONE,)), (1, "job.ini", ()), (3, "job.ini", ())):
        copy(f"{job}-{n}")
        e2e.train(f"{job}-{n}", ranks=n, job=job, warns=warns)
        check(f"{job}-{n}")
        e2e.check_same_run("thin.ini-1", f"{job}-{n}")


def starts_another():
    """From its checkpoint by path, and once more when that is under way."""
    keys = f"checkpoint.resume={CHECKPOINT} "
    e2e.train("by-path", keys + "train.max_steps=9")
    e2e.train("by-path", keys, ranks=2)
    check("by-path")


def needs_the_same_shards():
    """Other sums than it began with are refused."""
    copy("other")
    e2e.train("other", "parallel.shards=4", code=e2e.CONFIG, words=("was made with parallel.shards = 8, now it is 4",))


def is_a_model():
    """It is evaluated as what it is."""
    copy("model")
    done = e2e.ktrain("evaluate", "model")
    assert "6.44652" in done.out or "6.4465" in done.out, done.out


def words_of_the_key():
    """On the command line and in a check, too."""
    e2e.train("new", "parallel.thin_batch=0 train.max_steps=1", warns=(GONE,))
    e2e.ktrain("check", "thin.ini", warns=(GONE,))


write_inputs()
e2e.main(goes_on, starts_another, needs_the_same_shards, is_a_model, words_of_the_key)
