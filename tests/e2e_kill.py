"""Killed at any moment, a run goes on from what is on disk to the same end."""
import os
import random
import time

import e2e

STATE = "model.dropout=0.2 model.batch_norm=true optimizer.schedule=plateau optimizer.plateau_patience=1 train.early_stopping=false "


def killed(name, n, rounds, keys, everything=True):
    """Starts, waits for a few checkpoints and a random moment, kills; then lets it end, and nothing is damaged or left over."""
    directory, keys = f"killed-{name}", STATE + keys
    draw = random.Random(os.getpid())
    n_hits = 0
    for _ in range(rounds):
        before = e2e.checkpoints(directory)[:1]
        process = e2e.start(directory, keys, ranks=n)
        e2e.wait_for(lambda: e2e.checkpoints(directory)[:1] != before or process.popen.poll() is not None, "new checkpoint")
        time.sleep(draw.uniform(0, 0.12))
        ranks = process.ranks_running()
        n_hits += process.popen.poll() is None and len(ranks) == n
        if not everything and ranks:
            process.kill_rank(draw.choice(ranks))
        process.kill()
    assert n_hits >= 2, f"only {n_hits} of {rounds} kills hit a running job: make it longer"
    done = e2e.train(directory, keys, ranks=n)
    assert "resume from" in done.out, done.out
    left = [name for folder in (directory, f"{directory}/checkpoints") for name in os.listdir(folder) if ".tmp." in name]
    assert not left, f"left behind: {left}"
    assert not [name for name in os.listdir(f"{directory}/checkpoints") if name.endswith(".damaged")]
    e2e.train(f"whole-{directory}", keys, ranks=n)
    e2e.check_same_run(f"whole-{directory}", directory)


def kill_everything():
    """kill -9 of mpirun and all ranks at random moments, several times: the end has the same bits as without."""
    killed("all", 2, 4, "train.epochs=60 checkpoint.every_steps=5")


def kill_alone():
    """The same without mpirun and with checkpoints of 8 MB, which take a while to write."""
    killed("alone", 1, 7, "train.epochs=7 checkpoint.every_steps=1 model.hidden=[1000,600]")


def kill_one_rank():
    """kill -9 of one rank ends the job, and the next start goes on to the same bits."""
    killed("one", 2, 2, "train.epochs=60 checkpoint.every_steps=5", everything=False)


e2e.write_data()
e2e.write_job()
e2e.main(kill_everything, kill_alone, kill_one_rank)
