"""Killed at any moment, a run goes on from what is on disk to the same end."""
import os
import random
import time

import e2e

STATE = ("model.dropout=0.2 model.batch_norm=true optimizer.schedule=plateau optimizer.plateau_patience=1 train.early_stopping=false "
         "checkpoint.every_steps=5 ")


def killed(n, everything, rounds):
    """Starts, waits for a few checkpoints and a random moment, kills, checks that what is left is whole; then lets it end."""
    directory, keys = f"killed-{n}-{everything}", STATE + "train.epochs=60"
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
    if not os.path.exists(f"whole-{n}"):
        e2e.train(f"whole-{n}", keys, ranks=n)
    e2e.check_same_run(f"whole-{n}", directory)


def kill_everything():
    """kill -9 of mpirun and all ranks at random moments, several times: the end has the same bits as without."""
    killed(2, True, 4)


def kill_alone():
    """The same without mpirun."""
    killed(1, True, 3)


def kill_one_rank():
    """kill -9 of one rank ends the job, and the next start goes on to the same bits."""
    killed(2, False, 2)


e2e.write_data()
e2e.write_job()
e2e.main(kill_everything, kill_alone, kill_one_rank)
