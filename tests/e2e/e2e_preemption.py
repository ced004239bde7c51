"""Being asked to stop by a signal: what is saved, what is said, and that the run goes on to the same bits."""
import os
import re
import signal

import e2e

PREEMPTED = 75
KEYS = "model.dropout=0.2 model.batch_norm=true optimizer.schedule=exponential optimizer.gamma=0.99 train.early_stopping=false checkpoint.keep=3 "
ENDLESS = KEYS + "train.epochs=1000000 "


def steps_of(directory):
    return int(re.search(r"step-(\d+)\.h5", e2e.checkpoints(directory)[0])[1])


def begin(directory, keys="", ranks=1, wrap=()):
    """An endless run that stands still within an epoch, until it is let go."""
    job = e2e.start(directory, ENDLESS + keys, ranks, wrap=wrap, point="step@0:30:wait")
    job.wait_at_point()
    return job


def stop(directory, keys, ranks, number, whom):
    """Starts an endless run, sends a signal to all of its ranks or to one, and gives the step at which it has stopped."""
    job = begin(directory, keys, ranks)
    running = job.ranks_running()
    assert len(running) == ranks, f"{len(running)} of {ranks} ranks are running"
    for pid in running if whom is None else running[whom:][:1]:
        os.kill(pid, number)
    job.let_go()
    e2e.expect(job, PREEMPTED, words=("asked to stop", f"{directory}/checkpoints/", "start the same command again"))
    return steps_of(directory)


def check_goes_on(directory, keys, ranks, number, whom=None):
    n = stop(directory, keys, ranks, number, whom)
    with open(f"{directory}/log.txt") as file:
        assert "preemption" in file.read()
    keys += f" train.max_steps={n + 25} "
    on = e2e.train(directory, ENDLESS + keys, 3 - ranks if ranks < 3 else 2)
    assert f"step {n}" in on.out, on.out
    e2e.train(f"{directory}-whole", ENDLESS + keys, 1)
    e2e.check_same_run(directory, f"{directory}-whole")


def one_rank():
    """A run that is asked to stop saves, ends with 75, and goes on to the same bits: by each of the signals."""
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        check_goes_on(f"one-{number}", "train.batch_size=3", 1, number)


def end_of_an_epoch():
    """A stop after the last step of an epoch leaves its validation to the next start: full batches, which are whole epochs."""
    check_goes_on("full", "train.batch_size=full", 1, signal.SIGUSR1)


def end_of_the_run():
    """A stop in the step that is the run's last leaves the finished run, with its last epoch's validation."""
    keys = "train.batch_size=full train.max_steps=31 "  # of which 30 are done where it stands
    job = begin("last", keys)
    os.kill(job.popen.pid, signal.SIGUSR1)
    job.let_go()
    e2e.expect(job)
    e2e.train("last-whole", ENDLESS + keys)
    e2e.check_same_run("last", "last-whole")


def several_ranks():
    """The same on 2 and 3 ranks with one copy of the weights or several, when all are asked, or one only."""
    for ranks, whom, keys in ((2, None, ""), (2, 1, ""), (3, 2, "parallel.ranks_per_replica=1"), (3, 1, "parallel.ranks_per_replica=2"),
                              (3, 2, "parallel.ranks_per_replica=1 parallel.shards=2"), (2, 0, "parallel.shards=1")):
        check_goes_on(f"several-{ranks}-{whom}-{len(keys)}", "train.batch_size=5 " + keys, ranks, signal.SIGUSR1, whom)


def by_mpirun():
    """SIGUSR1 to mpirun reaches the ranks."""
    job = begin("mpirun", ranks=2)
    for pid in job.processes():
        if e2e.name_of(pid) in ("mpirun", "mpirun.openmpi", "orterun"):
            os.kill(pid, signal.SIGUSR1)
    job.let_go()
    e2e.expect(job, PREEMPTED, words=("start the same command again",))


def by_a_clock():
    """run.max_minutes is a limit that the run keeps by itself, as is the end of a SLURM job, which squeue tells."""
    e2e.train("minutes", ENDLESS + "run.max_minutes=0.03", 2, code=PREEMPTED, words=("preemption by run.max_minutes = 0.03", "start the same command again"))
    os.mkdir("slurm")
    e2e.write_job("slurm/squeue", "#!/bin/sh\necho 0:01\n")
    os.chmod("slurm/squeue", 0o755)
    wrap = ("env", "SLURM_JOB_ID=7", f"PATH={os.path.abspath('slurm')}:{os.environ['PATH']}")
    job = e2e.train("slurm-job", ENDLESS, 1, wrap=wrap, code=PREEMPTED, words=("preemption by the end of the batch job",))
    assert "limit  the batch job ends in 0.0 minutes" in job.out, job.out
    e2e.ktrain("sweep", "sweep.ini", "run.dir=clock", "sweep.train.epochs=1000000 | 1000001", "run.max_minutes=0.03", ranks=2, code=PREEMPTED,
               words=("run.max_minutes = 0.03", "clock has all trials that were done"))


def by_the_batch_script():
    """jobs/train.sbatch passes SIGUSR1 on, waits, and ends with 75."""
    os.mkdir("bin")
    e2e.write_job("bin/mpirun", '#!/bin/sh\nwhile [ "$1" != "$KTRAIN" ]; do shift; done\nexec "$@"\n')
    os.chmod("bin/mpirun", 0o755)
    script = os.path.join(os.environ["KT_SOURCE_DIR"], "jobs", "train.sbatch")
    sh = 'shift; KTRUN="$KT_SOURCE_DIR/scripts/ktrun" PATH="$PWD/bin:$PATH" SLURM_JOB_ID=1 SLURM_NTASKS=1 SLURM_JOB_NODELIST=here exec bash "$0" "$@"'
    job = begin("batch", wrap=("env", f"KTRAIN={e2e.KTRAIN}", "sh", "-c", sh, script))
    os.kill(job.popen.pid, signal.SIGUSR1)
    job.let_go()
    e2e.expect(job, PREEMPTED, words=("start the same command again",))


def not_saved():
    """A checkpoint that cannot be written is told, and is no preemption."""
    job = begin("readonly", "checkpoint.every_epochs=0")
    os.rename("readonly/checkpoints", "readonly/kept")
    os.kill(job.popen.pid, signal.SIGUSR1)
    job.let_go()
    e2e.expect(job, e2e.IO, words=("readonly/checkpoints",))


def n_under_way(sweep):
    """Trials of which an epoch is done; the directories of all but the best others are gone."""
    folders = [f"{sweep}/trials/{name}" for name in os.listdir(f"{sweep}/trials")]
    return sum(len(e2e.checkpoints(folder)) > 0 and not os.path.exists(f"{folder}/summary.json") for folder in folders)


def sweeps():
    """A sweep keeps what is on record, writes its tables, and the same command ends it: asked on all ranks, and on one."""
    for whom in (None, 0, 1):
        name = f"sweep-{whom}"
        keys = [f"run.dir={name}", "train.early_stopping=false"]
        journal = f"{name}/journal.jsonl"
        e2e.ktrain("sweep", "sweep.ini", *keys, "sweep.train.epochs=1 | 2", ranks=2)
        job = e2e.Process(["sweep", "sweep.ini", *keys, "sweep.train.epochs=1 | 2 | 1000000 | 1000001"], 2)
        e2e.wait_for(lambda: job.popen.poll() is not None or n_under_way(name) >= 2, "two trials under way")
        running = job.ranks_running()
        for pid in running if whom is None else running[whom:][:1]:
            os.kill(pid, signal.SIGUSR1)
        e2e.expect(job, PREEMPTED, words=("asked to stop", name, "start the same command again"))
        done = len(open(journal).readlines())
        assert done == 2 and os.path.exists(f"{name}/trials.csv") and os.path.exists(f"{name}/best.ini"), done
        assert n_under_way(name) == 2
        again = e2e.ktrain("sweep", "sweep.ini", *keys, "sweep.train.epochs=1 | 2 | 3 | 4", ranks=2)
        assert "2 on record before" in again.out and len(open(journal).readlines()) == 4, again.out


e2e.needs_points()
e2e.write_data()
e2e.write_job()
e2e.write_job("sweep.ini", e2e.JOB + "[sweep]\n")
e2e.main(one_rank, several_ranks, end_of_an_epoch, end_of_the_run, by_mpirun, by_a_clock, by_the_batch_script, not_saved, sweeps)
