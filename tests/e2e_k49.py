"""The jobs of the five models on the real images, where those are: data/k49 or ../shared/data/k49."""
import json
import os
import sys

import numpy as np

import e2e

SOURCE = os.environ["KT_SOURCE_DIR"]
PLACES = [os.path.join(SOURCE, *path) for path in (("data", "k49"), ("..", "shared", "data", "k49"))]
found = [place for place in PLACES if os.path.exists(os.path.join(place, "X_images.npy"))]
if not found:
    print("skipped: the Kuzushiji-49 images are in none of", *PLACES)
    sys.exit(77)
os.makedirs("data")
os.symlink(os.path.realpath(found[0]), "data/k49")
JOBS = os.path.join(SOURCE, "jobs")


def every_job_is_accepted():
    """ktrain check takes all jobs and knows their parameters."""
    for name, parameters in (("m0", 90549), ("m1", 106801), ("m2", 106801), ("m3", 29175049), ("m4", 4170049), ("best_m1", 240177)):
        done = e2e.ktrain("check", f"{JOBS}/{name}.ini", "--ranks", "8")
        assert f"parameters            {parameters}\n" in done.out, done.out[-600:]


def every_sweep_is_accepted():
    """ktrain sweep --dry-run takes the sweeps of table 1 and lists its 1,920 points."""
    done = e2e.ktrain("sweep", f"{JOBS}/grid_m1.ini", "--dry-run")
    assert "\n1920 trials by 1 group of 1 rank: " in done.out, done.out[-600:]
    lines = [line.split("  ")[-1] for line in done.out.splitlines() if "model.hidden = " in line]
    assert len(lines) == len(set(lines)) == 1920
    m1 = ("model.hidden = [128], optimizer.learning_rate = 0.001, optimizer.schedule = exponential, optimizer.l2 = 0.01, "
          "model.dropout = 0.1, train.batch_size = 16")
    assert m1 in lines, lines[:3]
    narrow = ("sweep.model.hidden=[32]", "sweep.train.batch_size=256")
    for name, n_certain in (("greedy_m1", 1), ("halving_m1", 32)):
        done = e2e.ktrain("sweep", f"{JOBS}/{name}.ini", "--dry-run", *narrow)
        assert done.out.count("model.hidden = ") == n_certain and "\nand about " in done.out, done.out[-600:]


def m1_learns_and_predicts():
    """M1 learns the 49 characters in three epochs on two ranks, and predicts X_COMP: 1000 x 49, rows that sum to 1."""
    e2e.train("m1", "train.epochs=3", ranks=2, job=f"{JOBS}/m1.ini")
    with open("m1/summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    assert [summary[part]["samples"] for part in ("train", "validation", "test")] == [3500, 750, 750]
    assert summary["test"]["accuracy"] > 0.45, summary["test"]
    e2e.ktrain("predict", "m1", "data/k49/X_COMP.npy", "-o", "posterior.csv", ranks=2)
    with open("posterior.csv", encoding="utf-8") as file:
        assert file.readline().strip() == ",".join(f"Clase_{c}" for c in range(49))
        rows = np.loadtxt(file, delimiter=",")
    assert rows.shape == (1000, 49) and abs(rows.sum(axis=1) - 1).max() < 1e-5


def m0_goes_down():
    """M0's full-batch gradient descent lowers the loss in every one of its first epochs, on three ranks."""
    e2e.train("m0", "train.epochs=8", ranks=3, job=f"{JOBS}/m0.ini")
    losses = np.genfromtxt("m0/history.csv", delimiter=",", names=True)["train_cross_entropy"]
    assert len(losses) == 8 and (np.diff(losses) < 0).all(), losses


e2e.main(every_job_is_accepted, every_sweep_is_accepted, m1_learns_and_predicts, m0_goes_down)
