#!/usr/bin/env python3
"""Measures what docs/reliability.md says: kills, signals, lost hosts, what saving costs, long runs.

usage: tools/reliability.py [--build DIR] [--folder DIR] [--rounds N] [--minutes M] [--seed S] TEST...

  kills      SIGKILL of a random rank or of mpirun at a random moment, M3 on 2 ranks under ktrun (200 rounds)
  again      SIGKILL of all of a run, and the same command on another number of ranks (200)
  hosts      a host dies or loses its link, M3 on two hosts under ktrun (10; root only)
  signals    SIGTERM, SIGUSR1, SIGUSR2, SIGINT, SIGHUP or a time limit, to ranks, mpirun or ktrun, runs and sweeps (100)
  effective  a kill a minute in a run of M3 under ktrun (10 minutes)
  overhead   what saving costs of the step time of M3 and M4 (5)
  watch      a rank killed, a rank stopped: until the job is over (5)
  soak       M1's steps on 2 ranks: resident memory and step time (30 minutes)

Needs a build with test points (cmake --preset ci-gcc), the images of data/k49 for M1 to M4, and a machine that does
nothing else. Every run must end with the bits of one that was never disturbed; the first that does not ends the test.
"""
import argparse
import collections
import csv
import glob
import os
import random
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KTRUN = os.path.join(SOURCE, "scripts", "ktrun")
OPTIONS = ["--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"]
PREEMPTED = 75
e2e = None  # tests/e2e/e2e.py, when its environment is set


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, usage=argparse.SUPPRESS)
    parser.add_argument("--build", default=os.path.join(SOURCE, "build", "ci-gcc"))
    parser.add_argument("--folder", help="where it works; a new one in TMPDIR otherwise, which is removed")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("test", nargs="+", choices=TESTS)
    return parser.parse_args()


def prepare(build, folder):
    """Sets what e2e.py wants, and goes to the folder."""
    global e2e
    os.makedirs(folder, exist_ok=True)
    os.environ.update(KTRAIN=os.path.join(os.path.abspath(build), "ktrain"), KT_TEST_TMP=os.path.abspath(folder), KT_SOURCE_DIR=SOURCE,
                      KT_SECONDS="900", KT_MPI="openmpi", KT_TEST_POINTS="ON")
    os.environ.setdefault("OMPI_MCA_btl_vader_single_copy_mechanism", "none")
    sys.path.insert(0, os.path.join(SOURCE, "tests", "e2e"))
    import e2e as module
    e2e = module
    images = e2e.find_k49()
    if images is None:
        sys.exit("reliability.py: the Kuzushiji-49 images are not in data/k49")
    if not os.path.exists("data"):
        os.makedirs("data")
        os.symlink(images, "data/k49")


def model(name):
    return os.path.join(SOURCE, "jobs", f"{name}.ini")


# ---- jobs ----

def start(words, ranks=0, ktrun=False, point="", wrap=(), options=()):
    starter = [KTRUN, "-np", str(ranks), *options, "--", *OPTIONS, "--"] if ktrun else ()
    with_path = [*wrap]
    return e2e.Process([str(word) for word in words], ranks, starter=starter, point=point, wrap=with_path)


def reached(directory, sweep=False):
    told = subprocess.run([e2e.KTRAIN, "verify", "--reached", *(["--sweep"] if sweep else []), directory], capture_output=True, text=True, check=False)
    return int(told.stdout or -1)


def told(directory):
    """The step that a run with snapshots is at, or was when it died; -1: it has none."""
    for owner in glob.glob(f"/dev/shm/ktrain-{os.geteuid()}-*/of"):
        try:
            with open(owner, encoding="utf-8") as of, open(owner[:-2] + "reached", "rb") as number:
                if of.read() == os.path.realpath(directory):
                    return int.from_bytes(number.read(8), "little")
        except OSError:
            pass
    return -1


def wait_beyond(job, directory, step, how=reached):
    """Until the run has got further; False when it has ended before."""
    while job.popen.poll() is None:
        if how(directory) > step:
            return True
        time.sleep(0.01)
    return False


def attempts(directory):
    with open(f"{directory}/attempts.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def mpirun_of(job):
    return [pid for pid in job.processes() if e2e.name_of(pid) in ("mpirun", "mpirun.openmpi", "orterun")]


def drain(stream, lines):
    """A thread that notes each line with the time at which it came."""
    def read():
        for line in stream:
            lines.append((time.monotonic(), line))
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def show(name, values, unit=""):
    ordered = sorted(values)
    print(f"  {name}: median {statistics.median(ordered):.3g}{unit}, 90 % below {ordered[int(0.9 * (len(ordered) - 1))]:.3g}{unit}, "
          f"most {ordered[-1]:.3g}{unit} ({len(ordered)})", flush=True)


def check_same(whole, directory):
    e2e.check_same_run(whole, directory)
    shutil.rmtree(directory)


# ---- kills ----

def killed_under_ktrun(name, keys, whole, draw, n_kills, times, lost):
    """One run that is killed again and again, until it has ended by itself. How often it was."""
    shutil.rmtree(name, ignore_errors=True)
    job = start([model("m3"), f"run.dir={name}", *keys], 2, ktrun=True)
    threads = [drain(stream, []) for stream in (job.popen.stdout, job.popen.stderr)]
    kills, far = 0, 0
    while kills < n_kills and wait_beyond(job, name, far, told):
        if far > 0:
            times.append(time.monotonic() - killed_at)
        time.sleep(draw.uniform(0, 2))
        victims = mpirun_of(job) if draw.random() < 0.25 else job.ranks_running()
        if not victims or job.popen.poll() is not None:
            break
        try:
            os.kill(draw.choice(victims), signal.SIGKILL)
        except ProcessLookupError:
            break
        killed_at = time.monotonic()
        kills += 1
        time.sleep(0.05)
        far = told(name)
    job.popen.wait()
    for thread in threads:
        thread.join()
    assert job.popen.returncode == 0, f"{name}: exit code {job.popen.returncode}"
    lost += [max(0, int(a["reached_step"]) - int(b["from_step"])) for a, b in zip(attempts(name), attempts(name)[1:])]
    check_same(whole, name)
    return kills


def kills(given, draw):
    rounds = given.rounds or 200
    keys = ["train.max_steps=1200", "train.early_stopping=false", "parallel.ranks=all"]
    e2e.expect(start([model("m3"), "run.dir=kills-whole", *keys], 2))
    done, runs, times, lost = 0, 0, [], []
    while done < rounds:
        done += killed_under_ktrun("kills", keys, "kills-whole", draw, min(20, rounds - done), times, lost)
        runs += 1
        print(f"  {done} kills in {runs} runs, all ended by themselves with the same bits; "
              f"to a new step {statistics.median(times):.2f} s, at most {max(times):.2f}; lost at most {max(lost)} steps", flush=True)
    show("from the kill to the first step that is new", times, " s")
    show("steps that were trained again", lost)
    worst = sum(seconds <= 5 for seconds in times)
    print(f"  within 5 s: {worst} of {len(times)}; at most 50 steps: {sum(n <= 50 for n in lost)} of {len(lost)}")


def again(given, draw):
    rounds = given.rounds or 200
    keys = ["train.epochs=3", "train.early_stopping=false"]
    e2e.expect(start([model("m1"), "run.dir=again-whole", *keys]))
    done = runs = 0
    while done < rounds:
        shutil.rmtree("again", ignore_errors=True)
        far = -1
        while done < rounds:
            job = start([model("m1"), "run.dir=again", *keys], draw.randint(1, 4))
            if not wait_beyond(job, "again", far):
                break
            time.sleep(draw.uniform(0, 0.3))
            if job.popen.poll() is not None:
                break
            job.kill()
            far = max(far, reached("again"))
            done += 1
        else:
            job = start([model("m1"), "run.dir=again", *keys], 2)
        e2e.expect(job)
        check_same("again-whole", "again")
        runs += 1
        print(f"  {done} kills in {runs} runs on 1 to 4 ranks, the same bits", flush=True)


# ---- signals ----

SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGHUP)
SWEEP = "sweep.ini"


class Subject:
    """What is stopped again and again until it has ended: a run, or a sweep of runs."""

    def __init__(self, name, sweeps, keys):
        self.name, self.sweeps, self.keys = name, sweeps, keys
        e2e.expect(start(self.words(f"{name}-whole")))
        self.labels, self.lost = [], collections.defaultdict(list)

    def words(self, directory):
        return [*(["sweep", SWEEP] if self.sweeps else [model("m1")]), f"run.dir={directory}", *self.keys]

    def gets_on(self, job, before):
        """Until it has done something; False when it has ended before."""
        trials = f"{self.name}/trials"
        while job.popen.poll() is None:
            under_way = os.path.isdir(trials) and any(e2e.checkpoints(f"{trials}/{name}") for name in os.listdir(trials))
            if under_way if self.sweeps else reached(self.name) > before:
                return True
            time.sleep(0.01)
        return False

    def stop_once(self, draw):
        """Starts it, and asks it to stop at a random moment. What was asked of whom, and the exit code."""
        before = -1 if self.sweeps else reached(self.name)
        whom, number = draw.choice(("a rank", "all ranks", "mpirun", "ktrun", "the clock")), draw.choice(SIGNALS)
        clock = [f"run.max_minutes={draw.uniform(0.02, 0.04):.4f}"] if whom == "the clock" else []
        job = start([*self.words(self.name), *clock], 2, ktrun=whom == "ktrun")
        if self.gets_on(job, before) and not clock:
            time.sleep(draw.uniform(0, 0.3))
            ranks = job.ranks_running()
            for pid in {"a rank": ranks[-1:], "all ranks": ranks, "mpirun": mpirun_of(job), "ktrun": [job.popen.pid]}[whom]:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
        label = "a time limit" if clock else f"{signal.Signals(number).name} to {whom}"
        self.labels.append(label)
        return label, job.finish().code

    def end(self):
        """Undisturbed from here; how many steps each stop has cost; and the bits."""
        e2e.expect(start(self.words(self.name), 2))
        if self.sweeps:
            one, other = ([row | {"seconds": ""} for row in e2e.read_csv(f"{name}/trials.csv")] for name in (self.name, f"{self.name}-whole"))
            assert one == other, (one, other)
            shutil.rmtree(self.name)
        else:
            rows = attempts(self.name)
            for label, a, b in zip(self.labels, rows, rows[1:]):
                self.lost[label].append(max(0, int(a["reached_step"]) - int(b["from_step"])))
            check_same(f"{self.name}-whole", self.name)
        self.labels.clear()


def signals(given, draw):
    rounds = given.rounds or 100
    with open(model("m1"), encoding="utf-8") as job, open(SWEEP, "w", encoding="utf-8") as file:
        file.write(job.read() + "[sweep]\noptimizer.learning_rate = 0.001 | 0.002 | 0.003 | 0.004\n")
    subjects = [Subject("run", False, ["train.epochs=60", "train.early_stopping=false", "parallel.ranks=all"]),
                Subject("a-sweep", True, ["train.epochs=15", "train.early_stopping=false"])]
    done, told, n_ended = 0, collections.Counter(), 0
    while done < rounds:
        subject = draw.choices(subjects, (3, 1))[0]
        code = PREEMPTED
        while done < rounds and code != 0:
            label, code = subject.stop_once(draw)
            told[label, code] += code != 0
            done += code != 0
        subject.end()
        n_ended += 1
        print(f"  {done} stops in {n_ended} runs and sweeps, the same bits at the end", flush=True)
    for (label, code), n in sorted(told.items()):
        if code != 0:
            print(f"    {label:20} exit code {code:4} {n:5} times; steps lost at most {max(subjects[0].lost[label], default=0)}")


# ---- hosts ----

class Hosts:
    def __enter__(self):
        os.environ.update(KT_HOSTS_DIR=os.path.abspath("hosts"), KTRUN_REACH="hosts.sh reach", PATH=f"{e2e.HERE}:{os.environ['PATH']}")
        self.run("up", "2")
        with open("hosts.txt", "w", encoding="utf-8") as file:
            file.write("h1 slots=1\nh2 slots=1\n")
        return self

    def __exit__(self, *_):
        self.run("down")

    def run(self, *words):
        subprocess.run([os.path.join(e2e.HERE, "hosts.sh"), *words], stdin=subprocess.DEVNULL, check=True)

    def start(self, words):
        options = ["--mca", "plm_rsh_agent", "hosts.sh agent", "--mca", "btl", "tcp,vader,self", "--mca", "btl_tcp_if_include", "eth0",
                   "--mca", "oob_tcp_if_include", "eth0"]
        starter = [KTRUN, "-np", "2", "--hostfile", "hosts.txt", "--", *OPTIONS, *options, "--"]
        return e2e.Process([str(word) for word in words], 2, starter=starter, wrap=[os.path.join(e2e.HERE, "hosts.sh"), "on", "h1"])


def hosts(given, draw):
    rounds = given.rounds or 10
    keys = ["train.max_steps=400", "train.early_stopping=false", "parallel.ranks=all"]
    e2e.expect(start([model("m3"), "run.dir=hosts-whole", *keys], 2))
    times, ended, lost = collections.defaultdict(list), collections.defaultdict(list), []
    for i in range(rounds):
        how = ("lose", "unplug")[i % 2]
        with Hosts() as two:
            shutil.rmtree("hosts-run", ignore_errors=True)
            job = two.start([model("m3"), "run.dir=hosts-run", "checkpoint.snapshots=/dev/shm", *keys])
            threads = [drain(job.popen.stdout, []), drain(job.popen.stderr, words := [])]
            inside = [os.path.join(e2e.HERE, "hosts.sh"), "on", "h1", e2e.KTRAIN, "verify", "--reached", "hosts-run"]

            def far():
                return int(subprocess.run(inside, capture_output=True, text=True, check=False).stdout or -1)
            while far() < 0:
                time.sleep(0.02)
            time.sleep(draw.uniform(0, 2))
            two.run(how, "h2")
            at, step = time.monotonic(), far()
            while job.popen.poll() is None and far() <= step:
                time.sleep(0.02)
            times[how].append(time.monotonic() - at)
            ended[how].append(next(when for when, line in words if "does not answer" in line) - at)
            job.popen.wait()
            for thread in threads:
                thread.join()
            assert job.popen.returncode == 0, "".join(line for _, line in words)
        rows = attempts("hosts-run")
        lost += [max(0, int(a["reached_step"]) - int(b["from_step"])) for a, b in zip(rows, rows[1:])]
        check_same("hosts-whole", "hosts-run")
        print(f"  {i + 1} rounds, all on one host at the end, with the same bits", flush=True)
    for how, what in (("lose", "a host's death"), ("unplug", "the cut of its link")):
        show(f"from {what} to the end of the job there", ended[how], " s")
        show(f"from {what} to the first step that is new", times[how], " s")
    show("steps that were trained again", lost)


# ---- effective time ----

def effective(given, draw):
    seconds = 60 * (given.minutes or 10)
    keys = ["train.early_stopping=false", "train.epochs=100000", "parallel.ranks=all"]
    shutil.rmtree("effective", ignore_errors=True)
    job = start([model("m3"), "run.dir=effective", *keys], 2, ktrun=True)
    threads = [drain(stream, []) for stream in (job.popen.stdout, job.popen.stderr)]
    began, n = time.monotonic(), 0
    while time.monotonic() < began + seconds - 30:
        time.sleep(min(60 * (n + 1) - 30 - (time.monotonic() - began), 60) if time.monotonic() < began + 60 * (n + 1) - 30 else 0.1)
        victims = job.ranks_running()
        if victims:
            os.kill(draw.choice(victims), signal.SIGKILL)
            n += 1
    time.sleep(max(0, began + seconds - time.monotonic()))
    os.kill(job.popen.pid, signal.SIGUSR1)
    job.popen.wait()
    for thread in threads:
        thread.join()
    rows = attempts("effective")
    wall = float(rows[-1]["last_seen"]) - float(rows[0]["started"])
    last = e2e.checkpoints("effective")[0]
    useful = float(e2e.tensors(last, "progress")["progress/seconds"])
    print(f"  {n} kills in {wall:.0f} s, {int(rows[-1]['reached_step'])} steps: {100 * useful / wall:.2f} % of the time went into steps that stayed; "
          f"{sum(max(0, int(a['reached_step']) - int(b['from_step'])) for a, b in zip(rows, rows[1:]))} steps were trained again")


# ---- what saving costs ----

def seconds_of_steps(words, ranks):
    e2e.expect(job := start(words, ranks))
    return float(re.search(r"trained for ([\d.]+) s", job.out)[1]), job


def overhead(given, _draw):
    rounds = given.rounds or 5
    for name, steps in (("m3", 400), ("m4", 1200)):
        keys = [f"train.max_steps={steps}", "train.early_stopping=false", "parallel.ranks=all", "train.epochs=100000"]
        ways = {"no": ["checkpoint.every_epochs=0", "checkpoint.snapshots=off"], "auto": []}
        seconds = {way: [] for way in ways}
        for _ in range(rounds):
            for way, more in ways.items():
                shutil.rmtree("overhead", ignore_errors=True)
                seconds[way].append(seconds_of_steps([model(name), "run.dir=overhead", *keys, *more], 2)[0])
        ratios = sorted(b / a for a, b in zip(seconds["no"], seconds["auto"]))
        print(f"  {name}: {steps} steps {statistics.median(seconds['no']):.2f} s without saving, {statistics.median(seconds['auto']):.2f} s with: "
              f"{100 * (statistics.median(ratios) - 1):+.1f} % (of {rounds} pairs: {', '.join(f'{100 * (r - 1):+.1f}' for r in ratios)})", flush=True)


# ---- what stands still ----

def watch(given, draw):
    rounds = given.rounds or 5
    keys = ["train.epochs=100000", "train.early_stopping=false", "run.hang_minutes=0.1", "parallel.ranks=all"]
    ends = collections.defaultdict(list)
    for i in range(rounds):
        for how, number in (("killed", signal.SIGKILL), ("stopped", signal.SIGSTOP)):
            shutil.rmtree("watch", ignore_errors=True)
            job = start([model("m1"), "run.dir=watch", *keys], 2)
            wait_beyond(job, "watch", -1)
            time.sleep(draw.uniform(0, 1))
            os.kill(job.ranks_running()[i % 2], number)
            at = time.monotonic()
            assert job.finish().code != 0
            ends[how].append(time.monotonic() - at)
    for how, seconds in ends.items():
        show(f"a rank {how}" + (" (run.hang_minutes = 0.1)" if how == "stopped" else "") + ": over after", seconds, " s")


# ---- a long run ----

def soak(given, _draw):
    minutes = given.minutes or 30
    keys = ["train.epochs=1000000", "train.early_stopping=false", "checkpoint.every_epochs=auto"]
    shutil.rmtree("soak", ignore_errors=True)
    job = start([model("m1"), "run.dir=soak", *keys, f"run.max_minutes={minutes}"], 2)
    threads = [drain(stream, []) for stream in (job.popen.stdout, job.popen.stderr)]
    began, points = time.monotonic(), []
    while job.popen.poll() is None:
        time.sleep(5)
        resident = [resident_bytes(pid) for pid in job.ranks_running()]
        points.append((time.monotonic() - began, reached("soak"), sum(resident)))
        points = points if resident else points[:-1]
    for thread in threads:
        thread.join()
    assert job.popen.returncode == PREEMPTED
    quarter = len(points) // 4
    for i in range(4):
        part = points[i * quarter:(i + 1) * quarter]
        speed = (part[-1][0] - part[0][0]) / max(1, part[-1][1] - part[0][1])
        print(f"  quarter {i + 1}: {1e6 * speed:.1f} us a step, {max(bytes_ for _, _, bytes_ in part) / 1e6:.1f} MB resident")


def resident_bytes(pid):
    try:
        with open(f"/proc/{pid}/statm", encoding="utf-8") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


TESTS = {test.__name__: test for test in (kills, again, hosts, signals, effective, overhead, watch, soak)}


def main():
    given = read_arguments()
    folder = given.folder or tempfile.mkdtemp(prefix="reliability-")
    prepare(given.build, folder)
    for name in given.test:
        print(f"{name}:", flush=True)
        TESTS[name](given, random.Random(given.seed))
    os.chdir(SOURCE)
    if not given.folder:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
