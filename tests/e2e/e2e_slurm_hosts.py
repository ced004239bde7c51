"""jobs/multi-node.sbatch under a real SLURM of two hosts: preempted, and with a host that is cut off."""
import atexit
import os
import subprocess
import sys

import batch
import e2e

HOSTS = os.path.join(e2e.HERE, "hosts.sh")
KEYS = ("model.dropout=0.2 train.early_stopping=false train.batch_size=4 train.epochs=3 parallel.ranks=all parallel.ranks_per_replica=all "
        "checkpoint.every_steps=10").split()
os.environ.update(KT_HOSTS_DIR=os.path.abspath("hosts"), OMPI_MCA_btl="tcp,vader,self", OMPI_MCA_btl_tcp_if_include="eth0",
                  OMPI_MCA_oob_tcp_if_include="eth0")


def preempted():
    """An urgent job takes both nodes: the run saves, waits in the queue, and goes on when they are free."""
    keys = [*KEYS, "train.epochs=100"]
    job = batch.Job("multi-node.sbatch", "job.ini", "run.dir=preempted", *keys, point="step@0:25:wait", options=("--exclusive", "--ntasks-per-node=2"))
    job.wait_at_point()
    urgent = batch.slurm("sbatch", "--parsable", "--partition=urgent", "--nodes=2", "--exclusive", "--output=urgent.log", "--wrap=sleep 1")
    e2e.wait_for(lambda: "asked to save and stop" in job.log(), "request to stop")
    log = job.finish()
    assert "preemption by SIGUSR1" in log and ", start 2:" in log, log
    assert "JobState=COMPLETED" in batch.slurm("scontrol", "-o", "show", "job", urgent)
    e2e.train("preempted-whole", " ".join(keys))
    e2e.check_same_run("preempted", "preempted-whole")


def a_node_is_cut_off():
    """The job goes on by itself on the node that is left."""
    job = batch.Job("multi-node.sbatch", "job.ini", "run.dir=cut", *KEYS, point="step@0:25:wait", options=("--ntasks-per-node=2",))
    job.wait_at_point()
    assert "4 ranks" in job.log(), job.log()
    subprocess.run([HOSTS, "unplug", "h2"], check=True)
    log = job.finish()
    assert "host h2 does not answer" in log and "rank(s) of h1" in log, log
    e2e.check_same_run("cut", "whole")


e2e.needs_points()
e2e.write_data()
e2e.write_job()
e2e.train("whole", " ".join(KEYS))
code = subprocess.run([HOSTS, "up", "2"], check=False).returncode
if code != 0:
    sys.exit(code)
atexit.register(subprocess.run, [HOSTS, "down"], check=False)
batch.up("4", "2", wrap=[HOSTS, "on", "h1"])
e2e.main(preempted, a_node_is_cut_off, at_a_time=1)  # which takes a node for good
