"""Surroundings that clusters bring. In each of them a job of two ranks comes to the bits of a plain one, or says in a sentence why not."""
import os
import subprocess
import sys

import e2e

KEYS = "model.hidden=[512,24] model.dropout=0.2 model.batch_norm=true train.epochs=2 parallel.ranks=all checkpoint.snapshots=/dev/shm checkpoint.overhead=1000 "
NO_HUGE_PAGES = "import ctypes, os, sys; ctypes.CDLL(None).prctl(41, 1, 0, 0, 0); os.execvp(sys.argv[1], sys.argv[1:])"
SMALL_SHM = 'mount -t tmpfs -o size=8m none /dev/shm && exec "$@"'


def shell(script):
    return ["sh", "-c", script, "sh"]


def limit(option):
    return ["prlimit", option]


def setting(*words):
    return ["env", *words]


def language(name):
    """As it is, when the system has it; otherwise made here."""
    code = subprocess.run(["localedef", "-i", name, "-f", "UTF-8", f"./{name}.UTF-8"], capture_output=True, check=False).returncode
    return setting(f"LOCPATH={os.getcwd()}", f"LC_ALL={name}.UTF-8") if code == 0 else None


# What stands before mpirun, and how many ranks there are. None: not to be had here.
CASES = {
    "messages by TCP alone": (setting("OMPI_MCA_btl=self,tcp"), 2),
    "another way to shared memory": (setting("OMPI_MCA_btl_vader_single_copy_mechanism=emulated"), 2),
    "other windows": (setting("OMPI_MCA_osc=^sm"), 2),
    "other collectives": (setting("OMPI_MCA_coll=^tuned"), 2),
    "collectives of hosts": (setting("OMPI_MCA_coll_han_priority=100", "OMPI_MCA_coll_sm_priority=90"), 3),
    "one core": (["taskset", "-c", str(min(os.sched_getaffinity(0)))], 2),
    "seven ranks": ([], 7),
    "8 MB of /dev/shm": (["unshare", "--mount", *shell(SMALL_SHM)] if e2e.ROOT else None, 2),
    "a stack of 256 KB": (limit("--stack=262144"), 2),
    "40 open files": (limit("--nofile=40"), 2),
    "4 GB of addresses": (limit(f"--as={4 << 30}"), 2),
    "umask 777": (shell('umask 777 && exec "$@"'), 1 if not e2e.ROOT else 2),
    "no huge pages": ([sys.executable, "-c", NO_HUGE_PAGES], 2),
    "German": (language("de_DE"), 2),
    "Turkish": (language("tr_TR"), 2),
    "closed streams": (shell('exec "$@" <&- >&- 2>&-'), 1),
    "no HOME": (["env", "-u", "HOME"], 2),
    "no environment": (["env", "-i", f"PATH={os.environ['PATH']}", "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"], 2),
    "a folder of many letters": (setting("TMPDIR=" + os.path.abspath("a folder of ä and 文")), 2),
}


# A sweep has a communicator and files of its own for each trial.
SWEEPS = ("40 open files", "a stack of 256 KB", "German", "no environment", "other collectives")


def check_sweep(number, wrap):
    job = e2e.Process(["sweep", "sweep.ini", f"run.dir=sweep-{number}"], 2, wrap=wrap)
    e2e.expect(job)
    one, other = ([row | {"seconds": ""} for row in e2e.read_csv(f"{name}/trials.csv")] for name in ("sweep-plain", f"sweep-{number}"))
    assert one == other, (one, other)


def check(name, number):
    wrap, ranks = CASES[name]
    if wrap is None:
        return
    if name in SWEEPS:
        check_sweep(number, wrap)
    job = e2e.start(f"{number}", KEYS, ranks, wrap=wrap).finish()
    assert job.code == 0, f"{job}: exit code {job.code}\n{job.out}\n{job.err}"
    if name == "umask 777":  # files that nobody may read, as was asked for
        subprocess.run(["chmod", "-R", "u+rwX", str(number)], check=True)
    e2e.check_same_run("plain", f"{number}")


def make_test(number, name):
    def test():
        check(name, number)
    test.__doc__ = name[0].upper() + name[1:] + "." + ("" if CASES[name][0] is not None else " (not to be had here)")
    return test


e2e.write_data()
e2e.write_job()
os.mkdir("a folder of ä and 文")
e2e.write_job("sweep.ini", e2e.JOB + "[sweep]\noptimizer.learning_rate = 0.01 | 0.02\nmodel.hidden = [12] | [8]\n")
e2e.train("plain", KEYS, ranks=1)
e2e.ktrain("sweep", "sweep.ini", "run.dir=sweep-plain")
e2e.main(*(make_test(number, name) for number, name in enumerate(CASES)))
