"""Paths: as long as the system takes them, and sentences where they do not lead anywhere."""
import os

import e2e

DEEP = "/".join(["d" * 200] * 18)  # 3,617 bytes, and room for what a run writes below it


def long_paths():
    """Data, runs, models and predictions may lie as deep as the system allows, on one rank and on two."""
    e2e.write_job("deep.ini", e2e.JOB.replace("= x.npy", f"= {DEEP}/x.npy").replace("= y.npy", f"= {DEEP}/y.npy"))
    for ranks in (1, 2):
        e2e.train(f"{DEEP}/r", ranks=ranks, job="deep.ini")
        e2e.ktrain("evaluate", f"{DEEP}/r", ranks=ranks)
    e2e.ktrain("predict", f"{DEEP}/r", f"{DEEP}/x.npy", "-o", f"{DEEP}/{'p' * 200}.csv", ranks=2)
    assert os.path.getsize(f"{DEEP}/{'p' * 200}.csv") > 1000
    e2e.train("shallow", job=f"{DEEP}/r/config.ini")


def long_sweeps():
    """So may sweeps, and what they leave is a job."""
    e2e.write_job("sweep.ini", e2e.JOB + f"[run]\ndir = {DEEP}/s\n[sweep]\nmodel.dropout = 0, 0.1\n")
    e2e.ktrain("sweep", "sweep.ini")
    e2e.ktrain(f"{DEEP}/s/best.ini")


def too_long_paths():
    """A path that the system would not take is refused with a sentence, and the sentence goes on behind a long path."""
    e2e.train("a/" * 2100, code=e2e.CONFIG, words=("run.dir = a/a/", "fewer than 4096 bytes"))
    e2e.train("b/" * 2030 + "run", code=e2e.CONFIG, words=("a path is longer than 4095 bytes: b/b/",))
    e2e.train("r", f"data.features={DEEP}/{'n' * 200}.npy", code=e2e.NO_INPUT, words=("n.npy", "No such file"))


os.makedirs(DEEP)
e2e.write_data(DEEP + "/")
e2e.write_data()
e2e.write_job()
e2e.main(long_paths, long_sweeps, too_long_paths)
