"""The jobs of the five models on the real images, where those are: data/k49 or ../shared/data/k49."""
import json

import numpy as np

import e2e

JOBS = e2e.link_k49()


def every_job_is_accepted():
    """ktrain check takes all jobs and knows their parameters."""
    for name, parameters in (("m0", 90549), ("m1", 106801), ("m2", 106801), ("m3", 29175049), ("m4", 4170049), ("best_m1", 240177)):
        done = e2e.ktrain("check", f"{JOBS}/{name}.ini", "--ranks", "8")
        assert "a run would try       8 ranks" in done.out and ", the fastest as predicted" in done.out, done.out
        assert f"parameters            {parameters}\n" in done.out, done.out[-600:]


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


e2e.main(every_job_is_accepted, m1_learns_and_predicts, m0_goes_down)
