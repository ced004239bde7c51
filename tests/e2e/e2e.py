"""What the end-to-end tests share. They start ktrain as a user does and look at its exit code, its words and its files.

A test is a function whose docstring is a sentence; a file ends with e2e.main(test, test, ...). The current folder is the test's own.
Every start has a time limit, and ends with all its ranks.
"""
import concurrent.futures
import csv
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback

import h5py
import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
KTRAIN = os.environ["KTRAIN"]
ROOT = os.geteuid() == 0
os.chdir(os.environ["KT_TEST_TMP"])

# Exit codes.
USAGE, DIVERGED, DATA, NO_INPUT, INTERNAL, NO_MEMORY, IO, CONFIG = 2, 3, 65, 66, 70, 71, 74, 78


# ---- starting and stopping ----

# When something has not happened by then it never will: no test waits so long for what does.
LIMIT_SECONDS = int(os.environ["KT_SECONDS"])


class Process:
    """ktrain with these arguments on 1 rank, or on several by mpirun. `wrap` is a command before it (prlimit ...).

    `point` is where it shall stop, as test_point.h says: "step:12:wait" (then wait_at_point() is for it), "step@1:3:kill".
    `starter` starts it instead, with the arguments behind its own.
    """

    def __init__(self, arguments, ranks=1, wrap=(), stdout=subprocess.PIPE, point="", starter=()):
        self.arguments, self.ranks, self.point = arguments, ranks, point
        command = [*(starter or [KTRAIN]), *arguments]
        if ranks > 1 and not starter:
            command = [os.path.join(os.path.dirname(HERE), "mpirun.sh"), str(ranks), *command]
        environment = dict(os.environ, OPENBLAS_NUM_THREADS="1")
        if point:
            self.folder = tempfile.mkdtemp(prefix="point-", dir=".")
            environment.update(KTRAIN_TEST_POINT=point, KTRAIN_TEST_FOLDER=os.path.abspath(self.folder))
        self.popen = subprocess.Popen([*wrap, *command], stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, text=True,
                                      errors="replace", env=environment, start_new_session=True)

    def __str__(self):
        return f"ktrain {' '.join(self.arguments)} on {self.ranks} ranks" + (f" up to {self.point}" if self.point else "")

    def wait_at_point(self):
        """Until a process is at the point and stands still there."""
        wait_for(lambda: os.listdir(self.folder) or self.popen.poll() is not None, f"{self}: stop")
        if not os.listdir(self.folder):
            self.finish()
            raise AssertionError(f"{self}: ended without coming there\n{self.out}\n{self.err}")

    def let_go(self):
        """From the point on."""
        for name in os.listdir(self.folder):
            os.remove(os.path.join(self.folder, name))

    def processes(self):
        """Ids of the process and everything it has started: the ranks lead process groups of their own."""
        found = [self.popen.pid]
        for parent in found:
            try:
                with open(f"/proc/{parent}/task/{parent}/children") as file:
                    found += [int(child) for child in file.read().split()]
            except OSError:
                pass
        return found

    def kill(self):
        """SIGKILL for everything at once, and away with what Open MPI then leaves behind."""
        ids = self.processes()
        segments = [path for pid in ids for path in shared_segments(pid)]
        for pid in ids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.popen.communicate()
        while any(is_alive(pid) for pid in ids):
            time.sleep(0.01)
        remove_files(segments)
        for pid in ids:
            shutil.rmtree(f"{tempfile.gettempdir()}/ompi.{socket.gethostname()}.{os.geteuid()}/pid.{pid}", ignore_errors=True)

    def ranks_running(self):
        """Not what a rank itself has started: its copy that tries a file bears its name for a moment."""
        named = [pid for pid in self.processes() if name_of(pid) == os.path.basename(KTRAIN)]
        return [pid for pid in named if parent_of(pid) not in named]

    def kill_rank(self, rank):
        """SIGKILL for one rank; mpirun then ends the others."""
        segments = [path for pid in self.ranks_running() for path in shared_segments(pid)]
        os.kill(rank, signal.SIGKILL)
        self.finish()
        remove_files(segments)

    def finish(self):
        """Waits for the end; sets out, err and code."""
        try:
            out, self.err = self.popen.communicate(timeout=LIMIT_SECONDS)
            self.out = out or ""  # none when it went elsewhere
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self}: no end within {LIMIT_SECONDS} s") from None
        self.code = self.popen.returncode
        return self


def shared_segments(pid):
    try:
        with open(f"/proc/{pid}/maps") as file:
            return {line.split()[5] for line in file if "/dev/shm/vader_segment" in line}
    except OSError:
        return set()


def remove_files(paths):
    for path in paths:
        if os.path.exists(path):
            os.remove(path)


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as file:
            return file.read().strip()
    except OSError:
        return ""


def parent_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def own_lines(process):
    """What ktrain itself said on stderr: warnings, and the sentences of failures. mpirun adds a banner of its own. The indented
    lines behind a sentence that counts mistakes are a part of it."""
    lines, counts = [], False
    for line in process.err.splitlines():
        if line.startswith("ktrain: "):
            lines.append(line)
        elif counts and line.startswith("  "):
            lines[-1] += "\n" + line
        counts = line.startswith("ktrain: ") and " mistakes:" in line or counts and line.startswith("  ")
    return [line for line in lines if "warning: " in line], [line for line in lines if "warning: " not in line]


def expect(process, code=0, words=(), warns=()):
    """The exit code; one sentence with all these words on stderr for a failure, and none for success; a warning with each of these texts."""
    process.finish()
    told = f"{process}: exit code {process.code}, expected {code}\n--- stdout\n{process.out[-3000:]}\n--- stderr\n{process.err[-3000:]}"
    assert process.code == code, told
    warnings, sentences = own_lines(process)
    assert len(sentences) == (code != 0), f"not one sentence but {len(sentences)}: {told}"
    for word in words:
        assert word in sentences[0], f"'{word}' is not in the sentence: {told}"
    for text in warns:
        assert any(text in line for line in warnings), f"'{text}' is in no warning: {told}"
    assert "Sanitizer" not in process.err and "runtime error" not in process.err, told
    return process


def ktrain(*arguments, ranks=1, code=0, words=(), warns=(), wrap=(), point=""):
    return expect(Process([str(a) for a in arguments], ranks, wrap, point=point), code, words, warns)


def train(directory, keys="", ranks=1, job="job.ini", **expected):
    """Trains job.ini with run.dir = directory and these keys, which are separated by spaces."""
    return ktrain(job, f"run.dir={directory}", *keys.split(), ranks=ranks, **expected)


def start(directory, keys="", ranks=1, job="job.ini", wrap=(), point=""):
    """The same in the background: end it by expect() or kill()."""
    return Process([job, f"run.dir={directory}", *keys.split()], ranks, wrap=wrap, point=point)


# ---- inputs ----

def make_data(n=203, d=20, n_classes=7, seed=1, dtype="f4"):
    """Classes of unequal sizes around centers of their own, near enough to each other that some samples are taken for another class."""
    draw = np.random.default_rng(seed)
    y = np.sort(np.concatenate([np.arange(n_classes).repeat(6), (n_classes * draw.random(n - 6 * n_classes) ** 1.5).astype(int)]))
    x = draw.normal(size=(n_classes, d))[y] + draw.normal(size=(n, d))
    order = draw.permutation(n)
    x = np.clip(128 + 24 * x, 0, 255) if dtype == "u1" else x
    return x[order].astype(dtype), y[order].astype("u1")


def write_data(name="", **kind):
    x, y = make_data(**kind)
    np.save(name + "x.npy", x)
    np.save(name + "y.npy", y)
    return x, y


# Saved after each epoch, and only then: what tests look at does not depend on the clock.
JOB = """[data]
features = x.npy
labels = y.npy
[model]
hidden = [16, 12]
[train]
epochs = 4
batch_size = 17
[checkpoint]
every_epochs = 1
snapshots = off
[optimizer]
learning_rate = 0.01
"""


def write_job(path="job.ini", text=JOB):
    with open(path, "w") as file:
        file.write(text)


def find_k49():
    """The folder of the real images, or None."""
    source = os.environ["KT_SOURCE_DIR"]
    places = [os.path.join(source, *path) for path in (("data", "k49"), ("..", "shared", "data", "k49"))]
    found = [place for place in places if os.path.exists(os.path.join(place, "X_images.npy"))]
    return os.path.realpath(found[0]) if found else None


def link_k49():
    """Makes data/k49 lead to the real images and returns the folder of the jobs; where there are none, the test is skipped."""
    if find_k49() is None:
        print("skipped: the Kuzushiji-49 images are not in data/k49")
        sys.exit(77)
    os.makedirs("data")
    os.symlink(find_k49(), "data/k49")
    return os.path.join(os.environ["KT_SOURCE_DIR"], "jobs")


# ---- results ----

def summary(directory):
    with open(os.path.join(directory, "summary.json")) as file:
        return json.load(file, parse_constant=lambda word: 1 / 0)  # NaN and Infinity are not JSON


def checkpoints(directory):
    """Paths of the checkpoints, newest first."""
    folder = os.path.join(directory, "checkpoints")
    if not os.path.isdir(folder):
        return []
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder), reverse=True) if name.startswith("step-") and name.endswith(".h5")]


def tensors(path, *groups):
    """Every data set of an HDF5 file by its path; of these groups only, when some are given."""
    found = {}

    def take(name, item):
        if isinstance(item, h5py.Dataset) and (not groups or name.split("/")[0] in groups):
            found[name] = item[()]

    with h5py.File(path, "r") as file:
        file.visititems(take)
    assert found, f"{path}: nothing in {groups}"
    return found


def same_bytes(a, b, *groups):
    """Both files hold the same data sets to the last bit, but for the time, the ranks and the settings (run.dir, epochs ...)."""
    left, right = tensors(a, *groups), tensors(b, *groups)
    assert left.keys() == right.keys(), f"{a}, {b}: {left.keys() ^ right.keys()}"
    for name in left.keys() - {"config", "progress/ranks", "progress/seconds", "history/seconds"}:
        if name.startswith("provenance/"):
            continue
        assert np.asarray(left[name]).tobytes() == np.asarray(right[name]).tobytes(), f"{a}, {b}: {name} differs"


def read_csv(path):
    with open(path) as file:
        return list(csv.DictReader(file))


def history(directory):
    with open(os.path.join(directory, "history.csv")) as file:
        return [{key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)]


def results(directory):
    """What does not depend on where and how often it was started."""
    how = ("seconds", "ranks", "arrangement", "memory_bytes", "provenance", "attempts", "lost_steps", "effective_time")
    return {key: value for key, value in summary(directory).items() if key not in how}


def check_same_run(a, b):
    """Two directories hold the same run: state, best weights, history and metrics, to the last bit."""
    one, other = checkpoints(a)[0], checkpoints(b)[0]
    assert os.path.basename(one) == os.path.basename(other), f"{one}, {other}"
    same_bytes(one, other)
    same_bytes(f"{a}/best.h5", f"{b}/best.h5", "model")
    assert history(a) == history(b), f"{a}/history.csv and {b}/history.csv differ"
    assert results(a) == results(b), f"{a}/summary.json and {b}/summary.json differ"


def needs_points():
    """Skips the test in a build whose programs do not stop at points."""
    if os.environ.get("KT_TEST_POINTS") != "ON":
        print("skipped: built without -DKTRAIN_TEST_POINTS=ON")
        sys.exit(77)


def wait_for(condition, what):
    end = time.monotonic() + LIMIT_SECONDS
    while not condition():
        assert time.monotonic() < end, f"no {what} within {LIMIT_SECONDS} s"
        time.sleep(0.005)


def largest_difference(a, b, *groups):
    left, right = tensors(a, *groups), tensors(b, *groups)
    assert left.keys() == right.keys(), f"{a}, {b}: {left.keys() ^ right.keys()}"
    return max((float(np.abs(left[name].astype("f8") - right[name].astype("f8")).max()), name) for name in left if left[name].size)


def run_test(test):
    """Whether it passed, and what is to be printed of it."""
    begin = time.monotonic()
    try:
        test()
        verdict, trace = "ok    ", ""
    except Exception:  # an error of any kind is a failure of this test only
        verdict, trace = "FAILED", traceback.format_exc()
    return not trace, f"{trace}{verdict} {time.monotonic() - begin:5.1f} s  {test.__doc__.strip()}"


def main(*tests, at_a_time=3):
    """Runs all tests, whatever fails, and exits. A few at a time: starting and ending a job is mostly waiting."""
    all_passed = True
    with concurrent.futures.ThreadPoolExecutor(at_a_time) as pool:
        for passed, text in pool.map(run_test, tests):
            print(text, flush=True)
            all_passed &= passed
    sys.exit(0 if all_passed else 1)
