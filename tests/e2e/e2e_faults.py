"""Every call to the system that a short run or sweep makes fails once: on the files of its folder and of its memory, and for memory.

Then the job ends in one sentence, or goes on to the right end; what was saved stays; and the same command comes to the bits of a
job that nothing has disturbed. KT_FAULTS=all tries every call, and of the thousands for memory one in a hundred; without it a few."""
import collections
import os
import random
import re
import shutil

import e2e

SHIM = os.path.join(os.environ["KT_BINARY_DIR"], "tests", "libfaults.so")
ALL = os.environ.get("KT_FAULTS") == "all"
MOST = 10**9 if ALL else 7  # of a scenario
EACH = {"malloc": 100}  # of many calls of a kind, one in so many, unless a few will do

# What a call may fail with.
ERRORS = {"write": ("ENOSPC", "EIO", "EDQUOT"), "pwrite": ("ENOSPC", "EIO"), "read": ("EIO",), "pread": ("EIO",), "fsync": ("EIO",), "fdatasync": ("EIO",),
          "ftruncate": ("ENOSPC",), "posix_fallocate": ("ENOSPC",), "close": ("EIO",), "rename": ("EACCES", "ENOSPC"), "unlink": ("EPERM",),
          "mkdir": ("ENOSPC",), "memfd_create": ("EMFILE",), "open": ("EMFILE", "EACCES"), "mmap": ("ENOMEM",), "malloc": ("ENOMEM",),
          "fopen": ("EMFILE",), "fflush": ("ENOSPC",), "fclose": ("ENOSPC",)}

Fault = collections.namedtuple("Fault", "rank call n error n_bytes what")


def preload(name, fault=None):
    words = ["env", f"LD_PRELOAD={SHIM}", f"KT_FAULT_BELOW={os.getcwd()}", f"KT_FAULT_LOG={name}.log"]
    if fault:
        code = getattr(__import__("errno"), fault.error)
        what = re.sub(r"ktrain-\d+-[0-9a-f]{16}", "ktrain-*", fault.what)  # the number of a run is drawn
        words.append(f"KT_FAULT={fault.rank} {fault.call} {fault.n} {code} {fault.n_bytes} {what}")
    return words


def take_log(name, ranks):
    """The calls of each rank, as (failed, call, what); and the files are gone."""
    calls = []
    for rank in range(ranks):
        path = f"{name}.log.{rank}"
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as file:
                calls.append([re.fullmatch(r"(!?)(\w+) (.*)\n", line).groups() for line in file])
            os.remove(path)
        else:
            calls.append([])
    return calls


def faults_of(calls, draw):
    """All the faults that there can be in a job of these calls, in an order that has one of each kind first."""
    faults = []
    for rank, made in enumerate(calls):
        for (call, what), n in collections.Counter((call, what) for _, call, what in made).items():
            faults += [Fault(rank, call, k + 1, draw.choice(ERRORS[call]), -1, what) for k in range(0, n, EACH.get(call, 1))]
            if call in ("write", "pwrite"):
                faults.append(Fault(rank, call, draw.randint(1, n), "ENOSPC", draw.choice((0, 1, 511, 513)), what))
    draw.shuffle(faults)
    seen = collections.Counter()
    for i, fault in enumerate(faults):
        kind = (fault.call, re.sub(r"\d+", "N", fault.what))
        faults[i] = (seen[kind], fault)
        seen[kind] += 1
    return [fault for _, fault in sorted(faults, key=lambda both: both[0])][:MOST]


def saved_steps(directory):
    return [int(re.search(r"(\d+)\.h5", path)[1]) for path in e2e.checkpoints(directory)]


class Scenario:
    """A job that is disturbed, in the folder `name`: always at the same paths, as what it has left in memory is by path."""

    def __init__(self, name, ranks=1):
        self.name, self.ranks, self.run = name, ranks, f"{name}/run"
        self.memory = os.path.abspath(f"{name}/memory")

    def command(self):
        keys = f"run.dir={self.run} checkpoint.snapshots={self.memory} checkpoint.overhead=1000 checkpoint.keep=3 train.batch_size=40 train.epochs=3"
        return ["job.ini", *keys.split()]

    def begin(self):
        """Brings the folder to where the job starts."""
        shutil.rmtree(self.name, ignore_errors=True)
        os.makedirs(self.memory)

    def start(self, fault=None):
        process = e2e.Process(self.command(), self.ranks, wrap=preload(self.name, fault)).finish()
        return process, take_log(self.name, self.ranks)

    def judge(self, process, fault):
        """HDF5 without memory says anything, ends the process, or crashes; all else is one sentence and the right code."""
        in_hdf5 = fault.what == "libhdf5"
        if in_hdf5 and process.code in (-11, -6, 128 + 11, 128 + 6):
            return "crashed in HDF5"
        e2e.expect(process, process.code)
        codes = [0, e2e.IO, e2e.NO_MEMORY, e2e.NO_INPUT, e2e.DATA] + in_hdf5 * [e2e.INTERNAL]
        assert process.code in codes, f"{process}: exit code {process.code}\n{process.err}"
        return "told" if process.code else "recovered"

    def check_saved(self, before, calls):
        """What had its name before the fault, or took it before the end, is there, but for those that newer ones have replaced."""
        made = [int(found[1]) for failed, call, what in calls[0] if call == "rename" and not failed and (found := re.search(r"step-0*(\d+)\.h5$", what))]
        if before + made:
            assert max(saved_steps(self.run), default=-1) >= max(before + made), f"{saved_steps(self.run)} of {before}, {made}"
            e2e.ktrain("verify", self.run)

    def check_end(self, whole):
        e2e.check_same_run(whole, self.run)
        assert not os.listdir(self.memory), "what a run has left in memory is removed when it ends"
        left = [name for _, _, names in os.walk(self.run) for name in names if ".tmp." in name]
        assert not left, left

    def check(self, fault, whole):
        """One fault: what is said of it, what is lost, and the same command again. The verdict is a word."""
        self.begin()
        before = saved_steps(self.run)
        process, calls = self.start(fault)
        if not any(failed for made in calls for failed, _, _ in made):
            return "not reached"
        verdict = self.judge(process, fault)
        if verdict != "recovered":
            self.check_saved(before, calls)
            e2e.expect(self.start()[0])
        self.check_end(whole)
        return verdict

    def try_all(self):
        self.begin()
        process, calls = self.start()
        e2e.expect(process)
        whole = f"{self.name}-whole"
        shutil.copytree(self.run, whole)
        todo = faults_of(calls, random.Random(7))
        print(f"{self.name:8} {len(todo)} faults in {sum(map(len, calls))} calls", flush=True)
        verdicts, wrong = collections.defaultdict(collections.Counter), []
        for fault in todo:
            try:
                verdicts[fault.call][self.check(fault, whole)] += 1
            except AssertionError as error:
                verdicts[fault.call]["WRONG"] += 1
                wrong.append(f"{fault}: {error}")
        for call, counts in sorted(verdicts.items()):
            print(f"{self.name:8} {call:16} {sum(counts.values()):6}   " + ", ".join(f"{n} {word}" for word, n in sorted(counts.items())), flush=True)
        assert not wrong, "\n\n".join(wrong)


class Resumed(Scenario):
    """It goes on from a checkpoint, in the middle of an epoch."""

    def begin(self):
        kept = f"{self.name}-kept"
        if not os.path.exists(kept):
            super().begin()
            e2e.ktrain(*self.command(), "train.max_steps=6", ranks=self.ranks)
            os.rename(self.name, kept)
        shutil.rmtree(self.name, ignore_errors=True)
        shutil.copytree(kept, self.name)


class Sweep(Scenario):
    def command(self):
        return ["sweep", "sweep.ini", "--retry-failed", f"run.dir={self.run}", "train.epochs=2", "train.batch_size=40"]

    def judge(self, process, fault):
        """A trial that had no memory is a row with the sentence, and no end of the sweep."""
        verdict = super().judge(process, fault)
        rows = e2e.read_csv(f"{self.run}/trials.csv") if verdict == "recovered" else []
        return "told" if any(row["error"] for row in rows) else verdict

    def check_saved(self, before, calls):
        """The journal is told of by the next start."""

    def check_end(self, whole):
        tables = [[row | {"seconds": ""} for row in e2e.read_csv(f"{run}/trials.csv")] for run in (whole, self.run)]
        assert tables[0] == tables[1], f"trials.csv differs: {tables}"
        best = [[line for line in open(f"{run}/best.ini", encoding="utf-8") if not line.startswith("#")] for run in (whole, self.run)]
        assert best[0] == best[1], f"best.ini differs: {best}"


def a_run():
    """A new run on one rank."""
    Scenario("run").try_all()


def two_ranks():
    """A new run on two ranks."""
    Scenario("two", 2).try_all()


def resumed():
    """A run that goes on."""
    Resumed("resumed").try_all()


def a_sweep():
    """A sweep."""
    Sweep("sweep").try_all()


def a_directory_that_vanishes():
    """A run whose directory is removed while it trains ends in a sentence, and the same command begins anew."""
    if os.environ.get("KT_TEST_POINTS") != "ON":
        return
    for ranks in (1, 2):
        keys = "train.batch_size=10 train.epochs=3"
        job = e2e.start("vanishing", keys, ranks, point="step@0:20:wait")
        job.wait_at_point()
        shutil.rmtree("vanishing")
        job.let_go()
        e2e.expect(job, e2e.IO, words=("vanishing/",))
        e2e.train("vanishing", keys, ranks)
        e2e.train(f"staying-{ranks}", keys, ranks)
        e2e.check_same_run(f"staying-{ranks}", "vanishing")
        shutil.rmtree("vanishing")


e2e.write_data()
e2e.write_job()
e2e.write_job("sweep.ini", e2e.JOB + "[sweep]\noptimizer.learning_rate = 0.01 | 0.02 | 0.05\n")
e2e.main(a_run, two_ranks, resumed, a_sweep, a_directory_that_vanishes)
