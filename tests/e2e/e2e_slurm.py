"""jobs/*.sbatch under a real SLURM: stopped, requeued, asked_twice, cancelled, and always to the bits of a run that nobody disturbed."""
import os
import re
import subprocess

import batch
import e2e
from batch import Job, slurm

KEYS = "model.dropout=0.2 train.early_stopping=false train.batch_size=4 train.epochs=3 checkpoint.every_steps=10 parallel.ranks=all".split()


def an_undisturbed_job():
    """train.sbatch trains on all its tasks."""
    log = Job("train.sbatch", "job.ini", "run.dir=plain", *KEYS, options=("--ntasks=3",)).finish()
    assert "start 1: 3 ranks" in log and e2e.summary("plain")["ranks"] == 3, log
    assert re.search(r"limit  the batch job ends in 2[34]\d\.\d minutes", log), log
    e2e.check_same_run("plain", "whole")


def time_is_over():
    """SIGUSR1 to the batch script: the run saves, the job goes back into the queue, and ends by itself."""
    job = Job("train.sbatch", "job.ini", "run.dir=usr1", *KEYS, point="step@0:25:wait")
    job.wait_at_point()
    slurm("scancel", "--batch", "--signal=USR1", job.id)
    log = job.finish()
    assert "preemption by SIGUSR1" in log and "goes back into the queue" in log and ", start 2:" in log, log
    assert job.field("Restarts") == "1"
    e2e.check_same_run("usr1", "whole")


def requeued():
    """scontrol requeue in mid-run."""
    job = Job("train.sbatch", "job.ini", "run.dir=requeue", *KEYS, point="step@0:25:wait")
    job.wait_at_point()
    slurm("scontrol", "requeue", job.id)
    log = job.finish()
    assert ", start 2:" in log and "resume from" in log, log
    e2e.check_same_run("requeue", "whole")


def asked_twice():
    """scancel --signal=USR1 with --full reaches each rank twice, by itself and by mpirun: it is one request."""
    job = Job("train.sbatch", "job.ini", "run.dir=full", *KEYS, point="step@0:25:wait")
    job.wait_at_point()
    slurm("scancel", "--full", "--signal=USR1", job.id)
    log = job.finish()
    assert "goes back into the queue" in log and ", start 2:" in log, log
    e2e.check_same_run("full", "whole")


def cancelled():
    """scancel is the last word; the same job submitted again goes on, as a follow-up does."""
    job = Job("train.sbatch", "job.ini", "run.dir=cancel", *KEYS, point="step@0:25:wait")
    job.wait_at_point()
    slurm("scancel", job.id)
    e2e.wait_for(job.ended, "the end of the job")
    assert job.field("JobState") == "CANCELLED" and "goes back" not in job.log(), job.log()
    e2e.wait_for(lambda: not slurm("squeue", "-h"), "an empty queue")
    log = Job("train.sbatch", "job.ini", "run.dir=cancel", *KEYS, options=(f"--dependency=afterany:{job.id}",)).finish()
    assert "resume from" in log, log
    e2e.check_same_run("cancel", "whole")


def a_rank_dies():
    """ktrun starts again within the job."""
    log = Job("train.sbatch", "job.ini", "run.dir=dies", *KEYS, point="step@1:25:kill").finish()
    assert "ktrun: restart 1: rank 1 on" in log and ", start 2:" not in log, log
    e2e.check_same_run("dies", "whole")


def by_srun():
    """srun --mpi=pmix starts ranks that know each other; without it they are refused with a sentence."""
    words = [e2e.KTRAIN, "job.ini", "run.dir=srun", *KEYS]
    slurm("srun", "--mpi=pmix", "-n", "3", *words)
    e2e.check_same_run("srun", "whole")
    done = subprocess.run(["srun", "--mpi=none", "-n", "2", *words], capture_output=True, text=True, check=False)
    assert done.returncode != 0 and ("srun --mpi=pmix" in done.stderr or "OMPI was not built with SLURM's PMI support" in done.stderr), done.stderr


def a_sweep():
    """An array of slices, joined: the trials of a sweep in one piece."""
    keys = ["train.early_stopping=false", "train.epochs=1"]
    e2e.ktrain("sweep", "sweep.ini", "run.dir=sweep-whole", *keys)
    Job("sweep.sbatch", "sweep.ini", "run.dir=sweep", *keys, options=("--array=1-2", "--ntasks=2"))
    e2e.wait_for(lambda: not slurm("squeue", "-h"), "an empty queue")
    e2e.ktrain("sweep", "sweep.ini", "run.dir=sweep", "--merge", *keys)
    one, other = ([{k: v for k, v in row.items() if k != "seconds"} for row in e2e.read_csv(f"{name}/trials.csv")] for name in ("sweep", "sweep-whole"))
    assert one == other and len(one) == 4, (one, other)


e2e.needs_points()
batch.up("32")
e2e.write_data()
e2e.write_job()
e2e.write_job("sweep.ini", e2e.JOB + "[sweep]\nsweep.model.hidden = [16, 12] | [12] | [8] | [20]\n".replace("sweep.model", "model"))
e2e.train("whole", " ".join(KEYS))
e2e.main(an_undisturbed_job, time_is_over, requeued, asked_twice, cancelled, a_rank_dies, by_srun, a_sweep, at_a_time=9)  # for jobs that wait in a queue
