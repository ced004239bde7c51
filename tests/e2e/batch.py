"""A SLURM for tests, and jobs in it."""
import atexit
import os
import re
import subprocess
import sys
import tempfile

import e2e

SOURCE = os.environ["KT_SOURCE_DIR"]
SCRIPT = os.path.join(SOURCE, "tests", "cluster", "slurm.sh")
os.environ.update(KT_SLURM_DIR=os.path.abspath("slurm"), KTRUN=os.path.join(SOURCE, "scripts", "ktrun"), KTRAIN=e2e.KTRAIN,
                  OMPI_MCA_mpi_yield_when_idle="1", OMPI_MCA_hwloc_base_binding_policy="none")
os.environ.setdefault("OMPI_MCA_btl_vader_single_copy_mechanism", "none")
before = []  # stands before each command of SLURM's


def up(*arguments, wrap=()):
    """Starts it, or skips the test; it ends with the test. Its commands are to be given behind `wrap`."""
    made = subprocess.run([SCRIPT, "up", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if made.returncode != 0:
        sys.exit(made.returncode)
    atexit.register(subprocess.run, [SCRIPT, "down"], check=False)
    os.environ["SLURM_CONF"] = made.stdout.strip()
    before[:] = wrap


def slurm(*arguments):
    """What a command of SLURM's says."""
    done = subprocess.run([*before, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


class Job:
    """A submitted script, which stops at the point as often as it is started."""

    def __init__(self, script, *arguments, point="", options=()):
        self.folder = tempfile.mkdtemp(prefix="points-", dir=os.getcwd())
        environment = f"--export=ALL,KTRAIN_TEST_POINT={point},KTRAIN_TEST_FOLDER={self.folder}"
        self.id = slurm("sbatch", "--parsable", environment, *options, os.path.join(SOURCE, "jobs", script), *arguments)

    def field(self, name):
        return re.search(rf"\b{name}=(\S*)", slurm("scontrol", "-o", "show", "job", self.id))[1]

    def wait_at_point(self):
        e2e.wait_for(lambda: os.listdir(self.folder) or self.ended(), f"job {self.id} at its point")
        assert os.listdir(self.folder), self.log()

    def let_go(self):
        for name in os.listdir(self.folder):
            os.remove(os.path.join(self.folder, name))

    def ended(self):
        return self.field("JobState") in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY")

    def log(self):
        path = self.field("StdOut")
        return open(path, encoding="utf-8").read() if os.path.exists(path) else ""

    def finish(self, state="COMPLETED"):
        """Lets it go from every point of every start, until it has ended."""
        def over():
            self.let_go()
            return self.ended()
        e2e.wait_for(over, f"the end of job {self.id}")
        assert self.field("JobState") == state, f"{self.field('JobState')}\n{self.log()}"
        return self.log()
