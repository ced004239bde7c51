"""ktrun on two hosts, of which one dies or loses its link: the job goes on by itself on the one that is left, to the same bits."""
import os
import subprocess

import e2e

KTRUN = os.path.join(os.environ["KT_SOURCE_DIR"], "scripts", "ktrun")
KEYS = ("model.dropout=0.2 train.early_stopping=false train.batch_size=4 train.epochs=3 parallel.ranks=all parallel.ranks_per_replica=all "
        "checkpoint.every_steps=10 ")
OPTIONS = ["--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1", "--mca", "btl_vader_single_copy_mechanism", "none",
           "--mca", "plm_rsh_agent", "hosts.sh agent", "--mca", "btl", "tcp,vader,self", "--mca", "btl_tcp_if_include", "eth0",
           "--mca", "oob_tcp_if_include", "eth0"]


class Hosts:
    """h1 and h2 of a test; ktrun runs on h1."""

    def __init__(self, name):
        self.command = ["env", f"KT_HOSTS_DIR={os.path.abspath(name)}", os.path.join(e2e.HERE, "hosts.sh")]

    def __enter__(self):
        self.run("up", "2")
        return self

    def __exit__(self, *_):
        self.run("down")

    def run(self, *words):
        code = subprocess.run(self.command + list(words), stdin=subprocess.DEVNULL, check=False).returncode
        if code == 77:
            print("skipped: no hosts can be made here")
            os._exit(77)
        assert code == 0, f"hosts.sh {words}: exit code {code}"

    def start(self, directory, keys, point):
        starter = [KTRUN, "-np", "4", "--hostfile", "hosts.txt", "--", *OPTIONS, "--"]
        return e2e.Process(["job.ini", f"run.dir={directory}", *keys.split()], 4, wrap=[*self.command, "on", "h1"], starter=starter, point=point)


def goes_on(how, keys=""):
    with Hosts(f"{how}-hosts") as hosts:
        job = hosts.start(how, KEYS + keys, "step@0:25:wait")
        job.wait_at_point()
        hosts.run(how, "h2")
        while job.popen.poll() is None and not os.path.exists(f"{how}/summary.json"):
            job.let_go()
        job.finish()
    assert job.code == 0, f"{job}: {job.code}\n{job.out}\n{job.err}"
    restarts = [line for line in job.err.splitlines() if line.startswith("ktrun: restart")]
    assert "ktrun: host h2 does not answer: going on without it" in job.err and "restart 1: lost h2 after" in restarts[0], job.err
    assert restarts[0].endswith("on 2 rank(s) of h1"), job.err
    e2e.check_same_run(how, "whole")
    assert e2e.summary(how)["attempts"] > 1


def dies():
    """All that runs on a host has ended at once, and it does not answer."""
    goes_on("lose")


def is_cut_off():
    """Its link is lost, while everything there still runs."""
    goes_on("unplug", "checkpoint.snapshots=/dev/shm checkpoint.overhead=1000")


e2e.needs_points()
os.environ["PATH"] = f"{e2e.HERE}:{os.environ['PATH']}"
os.environ["KTRUN_REACH"] = "hosts.sh reach"
e2e.write_data()
e2e.write_job()
e2e.write_job("hosts.txt", "h1 slots=2\nh2 slots=2\n")
e2e.train("whole", KEYS)
with Hosts("tried"):
    pass
e2e.main(dies, is_cut_off)
