"""ktrun: starts again what has died, to the bits of a run that was never disturbed, and hands on what it is told."""
import csv
import os
import re
import signal

import e2e

PREEMPTED, CRASH_LOOP = 75, 79
KTRUN = os.path.join(os.environ["KT_SOURCE_DIR"], "scripts", "ktrun")
os.environ.setdefault("OMPI_MCA_btl_vader_single_copy_mechanism", "none")  # as mpirun.sh does
OPTIONS = ["--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"]
KEYS = "model.dropout=0.2 train.early_stopping=false train.batch_size=4 train.epochs=3 parallel.ranks=all checkpoint.every_steps=10 "


def start(directory, keys="", ranks=2, point="", options=(), job="job.ini"):
    starter = [KTRUN, "-np", str(ranks), *options, "--", *OPTIONS, "--"]
    return e2e.Process([job, f"run.dir={directory}", *keys.split()], ranks, starter=starter, point=point)


def restarts(job):
    return [line for line in job.err.splitlines() if line.startswith("ktrun: restart")]


def end(job, code=0):
    job.finish()
    assert job.code == code, f"{job}: exit code {job.code}, expected {code}\n{job.out}\n{job.err}"
    return job


def attempts(directory):
    with open(f"{directory}/attempts.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def a_rank_that_dies():
    """Every start loses a rank at its 25th step, and gets on: the run ends by itself, with the bits of one start."""
    for rank in (0, 1):
        name = f"rank{rank}"
        job = end(start(name, KEYS, point=f"step@{rank}:25:kill"))
        lines = restarts(job)
        assert len(lines) >= 3, job.err
        assert re.search(rf"restart 1: rank {rank} on \S+ died by signal 9 after \d+ s; from step 20, on 2 rank\(s\)", lines[0]), lines
        e2e.check_same_run(name, "whole")
        summary = e2e.summary(name)
        starts = attempts(name)
        assert summary["attempts"] == len(starts) == len(lines) + 1, (summary, lines)
        assert 0 < summary["effective_time"] < 1 and len({row["session"] for row in starts}) == 1 and starts[0]["session"] != "0"


def mpirun_dies():
    """So does mpirun itself, by SIGKILL; what the ranks had in memory goes with them."""
    job = start("mpirun", KEYS, point="step@0:25:wait")
    job.wait_at_point()
    segments = [path for rank in job.ranks_running() for path in e2e.shared_segments(rank)]
    assert segments
    os.kill(next(pid for pid in job.processes() if e2e.name_of(pid) in ("mpirun", "mpirun.openmpi", "orterun")), signal.SIGKILL)
    e2e.wait_for(lambda: os.path.exists("mpirun/attempts.csv") and len(attempts("mpirun")) > 1 or job.popen.poll() is not None, "a second start")
    while job.popen.poll() is None and not os.path.exists("mpirun/summary.json"):
        job.let_go()
    end(job)
    assert "ended by signal 9" in restarts(job)[0], job.err
    assert not [path for path in segments if os.path.exists(path)], segments
    e2e.check_same_run("mpirun", "whole")


def in_vain():
    """Three starts without a new step are enough."""
    job = end(start("vain", KEYS + "checkpoint.every_steps=0 checkpoint.every_epochs=0", point="step@1:5:kill"), CRASH_LOOP)
    assert len(restarts(job)) == 2 and "three starts in a row have died without getting on" in job.err, job.err
    job = end(start("few", KEYS, point="step@1:25:kill", options=("--max-restarts", "1")), 137)
    assert len(restarts(job)) == 1 and "--max-restarts 1 are used up" in job.err, job.err


def what_is_final():
    """Refusals are told once, as is a run that is done."""
    job = end(start("bad", "train.epochs=x"), e2e.CONFIG)
    assert job.err.count("train.epochs = x") == 1 and not restarts(job), job.err
    end(start("none", job="none.ini"), e2e.NO_INPUT)
    assert not restarts(end(start("whole", KEYS)))
    for words in (["-np", "x"], ["--hostfile", "nowhere"], ["--fast"], []):
        failed = end(e2e.Process([], starter=[KTRUN, *words]), e2e.USAGE)
        assert failed.err.startswith("ktrun: "), failed.err
    assert "usage: ktrun" in end(e2e.Process([], starter=[KTRUN, "--help"])).out


def asked_to_stop():
    """Each of the signals is handed on, and the answer is 75; the same command goes on."""
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        name = f"asked{number}"
        job = start(name, KEYS + "train.epochs=1000000", point="step@0:25:wait")
        job.wait_at_point()
        os.kill(job.popen.pid, number)
        job.let_go()
        end(job, PREEMPTED)
        assert not restarts(job) and "start the same command again" in job.err, job.err
        step = int(re.search(r"step-(\d+)\.h5", e2e.checkpoints(name)[0])[1])
        keys = KEYS + f"train.epochs=1000000 train.max_steps={step + 25}"
        end(start(name, keys, ranks=3))
        e2e.train(f"{name}-whole", keys)
        e2e.check_same_run(name, f"{name}-whole")


def asked_before_it_starts():
    """So it is where ktrun has not started anything yet."""
    e2e.write_job("slow-ktrain", f'#!/bin/sh\n[ "$1" != verify ] || {{ : >asking; while [ -e asking ]; do sleep 0.01; done; }}\nexec "{e2e.KTRAIN}" "$@"\n')
    os.chmod("slow-ktrain", 0o755)
    wrap = ("env", f"KTRAIN={os.path.abspath('slow-ktrain')}")
    starter = [KTRUN, "-np", "2", "--", *OPTIONS, "--"]
    job = e2e.Process(["job.ini", "run.dir=early", *KEYS.split(), "train.epochs=1000000"], 2, wrap=wrap, starter=starter)
    e2e.wait_for(lambda: os.path.exists("asking"), "ktrun's question how far the job is")
    os.kill(job.popen.pid, signal.SIGUSR1)
    os.remove("asking")
    end(job, PREEMPTED)
    assert "unbound" not in job.err, job.err


def a_rank_that_stands_still():
    """Its watchdog ends the others, with a word on who is waited for; and they start again."""
    job = start("still", KEYS + "run.hang_minutes=0.05", point="step@1:25:wait")
    job.wait_at_point()
    e2e.wait_for(lambda: os.path.exists("still/attempts.csv") and len(attempts("still")) > 1 or job.popen.poll() is not None, "a second start")
    while job.popen.poll() is None and not os.path.exists("still/summary.json"):
        job.let_go()
    end(job)
    assert re.search(r"rank 0 on \S+ does not get on: training, and nothing done for .*; it waits for rank 1 of its team", job.err), job.err
    assert "does not get on" in restarts(job)[0], job.err
    e2e.check_same_run("still", "whole")


def a_rank_that_is_stopped():
    """While the only rank that works is stopped, or one of a sweep, the others sleep; they notice, and the job starts again."""
    e2e.write_job("sweep.ini", e2e.JOB + "[sweep]\noptimizer.learning_rate = 0.01 | 0.02 | 0.05\n")
    keys = KEYS + "run.hang_minutes=0.05 "
    for name, job, words in (("stopped", "job.ini", keys.replace("ranks=all", "ranks=1")), ("stopped-sweep", "sweep.ini", "run.hang_minutes=0.05")):
        starter = [KTRUN, "-np", "3", "--", *OPTIONS, "--"]
        running = e2e.Process([*(["sweep"] if "sweep" in name else []), job, f"run.dir={name}", *words.split()], 3, starter=starter, point="step@0:25:wait")
        running.wait_at_point()
        os.kill(int(os.listdir(running.folder)[0].split(".")[-1]), signal.SIGSTOP)
        running.let_go()
        while running.popen.poll() is None and not os.path.exists(f"{name}/summary.json"):
            running.let_go()
        end(running)
        assert re.search(r"rank \d on \S+ does not get on: rank 0, on the same host, has been stopped for", running.err), running.err
        assert len(restarts(running)) == 1, running.err
    e2e.check_same_run("stopped", "whole")


e2e.needs_points()
e2e.write_data()
e2e.write_job()
e2e.train("whole", KEYS)
e2e.main(a_rank_that_dies, mpirun_dies, in_vain, what_is_final, asked_to_stop, asked_before_it_starts, a_rank_that_stands_still, a_rank_that_is_stopped, at_a_time=6)
