#!/usr/bin/env python3
"""Measures the tables of docs/performance.md and README.md on this machine and prints them in Markdown.

  tools/performance.py --peers DIR          all of it, some minutes; best with nothing else running
  tools/performance.py --peers DIR --write  and puts them into the pages, in the place of those that are there
  tools/performance.py --only m3,memory     some of it, of m3, hosts, memory, peers, sweep
  tools/performance.py --repetitions 1 --seconds 0.01     to see that it works
  tools/performance.py --only peers --reuse --write       out of what earlier runs have left in --output

Each figure is a ratio of medians within one run of kbench. kbench's own tables and its JSON are left in --output, a
pair of files for each run. Two hosts are made by tests/e2e/hosts.sh, which takes root. Memory is the sum over ranks of what
Linux calls Pss, where a page that k ranks share counts 1/k for each, while ktrain trains jobs/m3.ini on made-up data.
The tables of peers are of near and of far cores apart: kbench is started up to --tries times, until every shape has met
both often enough. tools/peers.sh makes DIR.
"""
import argparse
import array
import glob
import json
import os
import platform
import random
import re
import subprocess
import sys
import tempfile
import time

import performance_peers

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOSTS = os.path.join(ROOT, "tests", "e2e", "hosts.sh")
MPIRUN = os.environ.get("KT_MPIRUN", "mpirun")


class Failure(Exception):
    """No figures; the message says why."""


def start_kbench(name, command, options, arguments, environment=None):
    """kbench, started by `command`: its cases by shape, ranks and variant."""
    path = os.path.join(os.path.abspath(arguments.output), name)
    command = command + [os.path.abspath(arguments.kbench), "--repetitions", str(arguments.repetitions), "--seconds",
                         str(arguments.seconds), "--json", path + ".json"] + options
    print(" ".join(command), file=sys.stderr)
    with open(path + ".txt", "w", encoding="utf-8") as file:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, env=environment, check=False)
    if done.returncode != 0:
        raise Failure(f"kbench ended with exit code {done.returncode}")
    with open(path + ".json", encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    return {(case["shape"], case["ranks"], case["variant"]): case for case in cases}


def kbench(name, n_ranks, options, arguments):
    return start_kbench(name, [MPIRUN, "-np", str(n_ranks)], options, arguments)


def step(case):
    return case["seconds"]["step"]


def gain(slow, fast):
    """How many times as fast, and of what."""
    return f"{slow / fast:.2f} times ({1e3 * slow:.4g} ms to {1e3 * fast:.4g} ms)"


# ---- the rows, in groups that are measured together: what, target, what was measured ----

def measure_m3(arguments):
    cases = kbench("m3", 2, ["--variants", "default,rank0,any-order,sharded,sharded-any-order", "m3"], arguments)
    two = cases["m3", 2, "default"]
    rank0, any_order = step(cases["m3", 2, "rank0"]), step(cases["m3", 2, "any-order"])
    copies, copies_any_order = step(cases["m3", 2, "sharded"]), step(cases["m3", 2, "sharded-any-order"])
    roofline = two["roofline"]
    yield ("M3, batch 16, 2 ranks: measured step / roofline", "at most 1.4",
           f"{roofline['step_over_roofline']:.2f} ({1e3 * step(two):.4g} ms, {1e3 * roofline['seconds']:.4g} ms)")
    yield ("M3, batch 16, 2 ranks, against `exchange = allreduce`, `optimizer_state = rank0`, `ranks_per_replica = 1`",
           "at least 5 times", gain(rank0, step(two)))
    yield ("M3, batch 16, 2 ranks: `reproducible = false` against `true`", "-", gain(step(two), any_order))
    yield ("the same by allreduce between 2 copies of the weights", "-", gain(copies, copies_any_order))


def on_two_hosts(rate, variants, arguments):
    """M3 on a rank each of two hosts with links of that rate, and on one."""
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, KT_HOSTS_DIR=os.path.join(folder, "hosts"), KT_SECONDS="1800")
        made = subprocess.run([HOSTS, "up", "2", rate], env=environment, stderr=subprocess.PIPE, text=True, check=False)
        if made.returncode != 0:
            raise Failure(made.stderr.strip())
        try:
            return start_kbench(f"hosts-{rate}", [HOSTS, "mpirun", "1"], ["--variants", variants, "m3"], arguments, environment)
        finally:
            subprocess.run([HOSTS, "down"], env=environment, check=False)


def measure_hosts(arguments):
    fast = on_two_hosts("10gbit", "default", arguments)
    slow = on_two_hosts("1gbit", "default,factors,sharded", arguments)
    for rate, least, cases in ("10 Gb/s", "1.6", fast), ("1 Gb/s", "1.2", slow):
        yield (f"M3, batch 16, two hosts of one core each on a {rate} link, against one", f"at least {least} times",
               gain(step(cases["m3", 1, "default"]), step(cases["m3", 2, "default"])))
    yield ("M3, batch 16, two hosts on a 1 Gb/s link: `factors` against `allreduce`", "at least 20 times",
           gain(step(slow["m3", 2, "sharded"]), step(slow["m3", 2, "factors"])))


# ---- memory ----

def write_array(path, kind, code, shape, values):
    """A .npy file of an array('f' or 'q')."""
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
        array.array(code, iter(values)).tofile(file)


def ranks_of(mpirun):
    """The processes that mpirun has started on this host."""
    with open(f"/proc/{mpirun.pid}/task/{mpirun.pid}/children", encoding="ascii") as file:
        return file.read().split()


def sum_of_pss(processes):
    total = 0
    for process in processes:
        with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as file:
            total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    return total * 1024


def count_lines(path):
    try:
        with open(path, encoding="ascii") as file:
            return sum(1 for _ in file)
    except OSError:
        return 0


def memory_while_training(n_ranks, keys, folder, arguments):
    """The most of some looks at it, after the first steps."""
    run = tempfile.mkdtemp(dir=folder)
    command = [MPIRUN, "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1", "-np", str(n_ranks),
               os.path.abspath(arguments.ktrain), os.path.join(ROOT, "jobs", "m3.ini"), f"data.features={folder}/x.npy",
               f"data.labels={folder}/y.npy", "data.class_names=", f"run.dir={run}", "run.log_steps=1000000000",
               "checkpoint.every_epochs=0", *keys]
    print(" ".join(command), file=sys.stderr)
    mpirun = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    most, deadline, n_looks = 0, time.monotonic() + 600, 0
    try:
        while n_looks < 5:
            time.sleep(0.3)
            if mpirun.poll() is not None or time.monotonic() > deadline:
                raise Failure(f"ktrain on {n_ranks} ranks did not train")
            if count_lines(os.path.join(run, "steps.csv")) > 3:
                most, n_looks = max(most, sum_of_pss(ranks_of(mpirun))), n_looks + 1
    finally:
        mpirun.terminate()
        try:
            mpirun.wait(timeout=30)
        except subprocess.TimeoutExpired:
            mpirun.kill()
            mpirun.wait()
    return most


def measure_memory(arguments):
    with tempfile.TemporaryDirectory() as folder:
        n, d, n_classes = 5000, 784, 49
        write_array(f"{folder}/x.npy", "<f4", "f", (n, d), random.Random(1).randbytes(n * d))
        write_array(f"{folder}/y.npy", "<i8", "q", (n,), (i % n_classes for i in range(n)))
        one = memory_while_training(1, [], folder, arguments)
        eight = memory_while_training(8, ["parallel.ranks=all", "parallel.ranks_per_replica=node"], folder, arguments)
        auto = memory_while_training(8, [], folder, arguments)
    yield ("memory of a node, M3 on 8 ranks against 1", "at most 1.15 times",
           f"{eight / one:.2f} times ({eight / 2**20:.0f} MiB, {one / 2**20:.0f} MiB)")
    yield ("the most while arrangements are tried, when weights and moments move over a copy", "-", f"{auto / 2**20:.0f} MiB")


GROUPS = {"m3": measure_m3, "hosts": measure_hosts, "memory": measure_memory}
HEAD = "| what | target | measured |\n| --- | --- | --- |"


def print_rows(names, arguments):
    """The rows of these groups; those that could not be measured are named."""
    rows, missing = [HEAD], []
    print(HEAD, flush=True)
    for name in names:
        try:
            for row in GROUPS[name](arguments):
                rows.append("| " + " | ".join(row) + " |")
                print(rows[-1], flush=True)
        except (Failure, OSError) as problem:
            missing.append(name)
            print(f"{name}: not measured: {problem}", file=sys.stderr)
    return "\n".join(rows), missing


# ---- peers ----

def count_cores():
    """Without hyperthreads."""
    siblings = set()
    for path in glob.glob("/sys/devices/system/cpu/cpu[0-9]*/topology/thread_siblings_list"):
        with open(path, encoding="ascii") as file:
            siblings.add(file.read())
    return len(siblings) or os.cpu_count()


def measure_peers(arguments):
    """Starts kbench until near and far cores were both met; what it has left, of earlier runs too with --reuse."""
    found = os.path.join(arguments.output, "peers-*.json")
    paths = sorted(glob.glob(found)) if arguments.reuse else []
    if not arguments.reuse:
        for path in glob.glob(found):
            os.remove(path)
        for i in range(arguments.tries):
            kbench(f"peers-{i}", count_cores(), ["--peers", arguments.peers, "--variants", "default,team,copies,one"],
                   arguments)
            paths.append(os.path.join(arguments.output, f"peers-{i}.json"))
            if not performance_peers.lacking(performance_peers.read(paths)):
                break
    if not paths:
        raise Failure(f"nothing in {arguments.output}: start it without --reuse")
    return performance_peers.read(paths)


def processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.split(":", 1)[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def print_peers(arguments):
    """The tables by the names that they have in the pages."""
    rounds = measure_peers(arguments)
    where = f"{count_cores()} cores of {processor()}; milliseconds a step, medians."
    texts = {"steps": f"{where}\n\n{performance_peers.steps_table(rounds)}",
             "targets": performance_peers.targets_table(rounds), "peers": performance_peers.peers_table(rounds),
             "short": f"{where}\n\n{performance_peers.short_table(rounds)}"}
    print("\n" + "\n\n".join(texts.values()))
    missing = performance_peers.lacking(rounds)
    if missing:
        print("not met often enough: " + ", ".join(" ".join(which) for which in missing), file=sys.stderr)
    return texts


def print_sweep(arguments):
    command = [os.path.join(ROOT, "tools", "sweep_comparison.py"), "--ktrain", os.path.abspath(arguments.ktrain), "--peers",
               str(arguments.peers), "--json", os.path.join(arguments.output, "sweep.json")]
    print(" ".join(command), file=sys.stderr)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"sweep_comparison.py ended with exit code {done.returncode}")
    print("\n" + done.stdout.strip())
    return {"sweep": done.stdout.strip()}


PAGES = {"peers": print_peers, "sweep": print_sweep}  # each returns texts of the pages by name


def write(texts):
    """Each text between `<!-- performance: NAME -->` and `<!-- end -->` of the pages."""
    for page in "README.md", os.path.join("docs", "performance.md"), os.path.join("docs", "sweeps.md"):
        path = os.path.join(ROOT, page)
        with open(path, encoding="utf-8") as file:
            text = file.read()
        for name, table in texts.items():
            text = re.sub(rf"(<!-- performance: {name} -->\n).*?(<!-- end -->)", lambda m, t=table: f"{m[1]}{t}\n{m[2]}", text,
                          flags=re.S)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    release = os.path.join(os.environ.get("KTRAIN_WORK", ROOT), "build", "release")
    parser.add_argument("--kbench", default=os.path.join(release, "kbench"))
    parser.add_argument("--ktrain", default=os.path.join(release, "ktrain"))
    parser.add_argument("--peers", metavar="DIR", help="made by tools/peers.sh")
    parser.add_argument("--tries", type=int, default=1, help="runs of kbench with peers at most (%(default)s)")
    parser.add_argument("--reuse", action="store_true", help="peers as they were measured before")
    parser.add_argument("--write", action="store_true", help="put the tables into README.md and docs/performance.md")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1, help="that each repetition lasts, about (%(default)s)")
    parser.add_argument("--only", default=",".join([*GROUPS, *PAGES]), help="groups of rows (%(default)s)")
    parser.add_argument("--output", default="runs/performance", help="folder for kbench's results (%(default)s)")
    arguments = parser.parse_args()
    arguments.only = arguments.only.split(",")
    unknown = set(arguments.only) - {*GROUPS, *PAGES}
    if unknown:
        parser.error(f"--only: {', '.join(sorted(unknown))}: must be of {', '.join([*GROUPS, *PAGES])}")
    if set(PAGES) & set(arguments.only) and not (arguments.peers or (arguments.reuse and "sweep" not in arguments.only)):
        parser.error("--peers DIR is wanted: tools/peers.sh makes one")
    return arguments


def main():
    arguments = read_arguments()
    if os.geteuid() == 0:  # Open MPI refuses to run as root unless told twice
        os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    os.makedirs(arguments.output, exist_ok=True)
    names = [name for name in arguments.only if name in GROUPS]
    texts, missing = {}, []
    if names:
        rows, missing = print_rows(names, arguments)
        if not missing and len(names) == len(GROUPS):  # the page's table is never a part of it
            texts["rows"] = rows
    for name in PAGES:
        try:
            texts.update(PAGES[name](arguments) if name in arguments.only else {})
        except (Failure, OSError) as problem:
            missing.append(name)
            print(f"{name}: not measured: {problem}", file=sys.stderr)
    if arguments.write:
        write(texts)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
