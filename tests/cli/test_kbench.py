"""kbench next to peers: its tables and its JSON with a python that only plays PyTorch and JAX, and what it says of environments
that are missing, broken, or break while it measures. Nothing here needs a network or either library."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

SOURCE, KBENCH, PYTHON = os.environ["KT_SOURCE_DIR"], os.environ["KBENCH"], os.environ["KT_PYTHON"]
USAGE, NO_INPUT, CANNOT_CREATE = 2, 66, 73
failures = []

# Answers as tools/peers_step.py does. compile ends while it measures the first shape, jit cannot make the second.
PLAYER = """#!{python}
import os, sys
mode, threads, shapes = sys.argv[3], int(sys.argv[4]), sys.argv[5:]
with open(os.path.join(os.path.dirname(sys.argv[0]), f"{{mode}}{{threads}}"), "w") as file:
    file.write("\\n".join(shapes))
print("ready", {{"eager": "PyTorch 9.1", "compile": "PyTorch 9.1", "jit": "JAX 8.2", "scan": "JAX 8.2"}}[mode], flush=True)
for line in sys.stdin:
    verb, which = line.split()[:2]
    if verb == "start":
        print("failed MemoryError: too wide" if mode == "jit" and which == "1" else "ok", flush=True)
    elif mode == "compile":
        sys.exit(1)
    else:
        step = {{"eager": 4, "jit": 3, "scan": 2}}[mode] / threads
        print("step", step, flush=True)
"""
# Runs tools/peers_step.py itself, with what the folder has in the place of the libraries.
REAL = """#!/bin/sh
PYTHONPATH=$(dirname "$0") exec {python} "$@"
"""


def check(holds, sentence):
    if not holds:
        failures.append(sentence)


def make(folder, program, **modules):
    """An environment whose python is `program`."""
    os.makedirs(f"{folder}/bin")
    with open(f"{folder}/bin/python", "w", encoding="ascii") as file:
        file.write(program.format(python=PYTHON))
    os.chmod(f"{folder}/bin/python", 0o755)
    for name, text in modules.items():
        with open(f"{folder}/bin/{name}.py", "w", encoding="ascii") as file:
            file.write(text)
    return folder


def run(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False)
    return done.returncode, done.stdout, done.stderr


def kbench(*words):
    return run(KBENCH, "--repetitions", "3", "--seconds", "0.01", "--quiet", "0", *words)


def without_peers(folder):
    path = f"{folder}/alone.json"
    code, out, _ = kbench("--json", path, "--density", "1", "8,4,3:2")
    check(code == 0 and "best peer" not in out, "without --peers nothing is said of any")
    shape = json.load(open(path, encoding="utf-8"))["shapes"][0]
    check(shape["density"] == 1 and shape["peers"] == [], "the JSON has the density, and no peers")
    check(sum(row["rounds"] for row in shape["rows"]) == 3, "every round has its distance from core to core")
    for row in shape["rows"]:
        limits = {"near": (0, 60e-9), "far": (100e-9, 1), "between": (0, 1), "one core": None}[row["cores"]]
        check(limits is None or limits[0] <= row["before"] <= limits[1], f"{row['cores']} is not {row['before']} s")


def missing_or_broken(folder):
    code, _, err = kbench("--peers", f"{folder}/none", "8,4,3:2")
    check(code == NO_INPUT and f"{folder}/none/bin/python cannot be started" in err and "tools/peers.sh" in err
          and err.count("\n") == 1, f"a missing folder: {code}, {err}")
    broken = make(f"{folder}/broken", REAL, torch="raise ImportError('no libtorch')", jax="raise OSError('half of it')")
    code, _, err = kbench("--peers", broken, "8,4,3:2")
    lines = err.splitlines()
    check(code == NO_INPUT and "has neither PyTorch nor JAX" in lines[-1] and "tools/peers.sh" in lines[-1],
          f"a folder without libraries: {code}, {err}")
    for what in "PyTorch eager, 1 thread: not measured: ImportError: no libtorch", "JAX scan, 1 thread: not measured: OSError: half of it":
        check(lines.count(f"kbench: {what}") == 1, f"'{what}' is not a line of {err}")
    empty = make(f"{folder}/empty", REAL, torch="raise ImportError", jax="__version__ = '7.5'")
    code, out, err = kbench("--peers", empty, "--peer-threads", "1", "8,4,3:2")
    check(code == 0 and "kbench: JAX 7.5 jit, 1 thread, 8,4,3:2: not measured: " in err, f"an empty JAX: {code}, {err}")
    check("none" in out, "no peer was the best")


def wrong_options():
    for words in (["--density", "1.5"], ["--density", "some"], ["--dropout", "1"], ["--peer-threads", "2,1"], ["--peers"]):
        code, _, err = kbench(*words)
        check(code == USAGE and err.count("\n") == 1, f"{words}: {code}, {err}")


def tables(folder):
    player = make(f"{folder}/player", PLAYER)
    path = f"{folder}/peers.json"
    code, out, err = kbench("--peers", player, "--peer-threads", "1,2", "--json", path, "--dropout", "0.5", "9,4,3:2", "m1-dense")
    check(code == 0, f"with peers that answer: {code}, {err}")
    check(sorted(err.splitlines()) == [
        "kbench: JAX 8.2 jit, 1 thread, m1-dense: not measured: MemoryError: too wide",
        "kbench: JAX 8.2 jit, 2 threads, m1-dense: not measured: MemoryError: too wide",
        "kbench: PyTorch 9.1 compile, 1 thread, 9,4,3:2: not measured: it has ended",
        "kbench: PyTorch 9.1 compile, 2 threads, 9,4,3:2: not measured: it has ended"], f"a line for each that fails: {err}")
    with open(f"{player}/bin/scan2", encoding="ascii") as file:
        check(file.read().splitlines() == ["9,4,3 2 3500 0.5 0 0.001 adam 0.31",
                                           "784,128,49 16 3500 0.5 0.000625 0.001 adam 1"], "what peers are told of shapes")
    first, second = json.load(open(path, encoding="utf-8"))["shapes"]
    best = {"name": "JAX", "version": "8.2", "mode": "scan", "threads": 2, "step": 1.0}
    of_one = {"name": "JAX", "version": "8.2", "mode": "scan", "threads": 1, "step": 2.0}
    for shape in first, second:
        for row in shape["rows"]:
            check(row["best"] == best and row["best_of_one_thread"] == of_one, f"the best of {shape['shape']}: {row}")
            line = next(line for line in out.splitlines() if line.startswith(shape["shape"]) and f" {row['cores']} " in line)
            check("JAX 8.2 scan, 2 threads" in line and f" {1 / row['one_rank']:.2f} " in line
                  and line.endswith(f" {2 / row['one_rank']:.2f}"), f"the row of {shape['shape']}: {line}")
    steps = {(peer["name"], peer["mode"], peer["threads"]): peer["step"] for peer in first["peers"]}
    check(steps == {("PyTorch", "eager", 1): 4, ("PyTorch", "eager", 2): 2, ("PyTorch", "compile", 1): None,
                    ("PyTorch", "compile", 2): None, ("JAX", "jit", 1): 3, ("JAX", "jit", 2): 1.5, ("JAX", "scan", 1): 2,
                    ("JAX", "scan", 2): 1}, f"every peer's step: {steps}")
    check([peer["step"] for peer in second["peers"] if peer["mode"] == "jit"] == [None, None], "jit has no second shape")
    check([peer["failure"] for peer in first["peers"] if peer["mode"] == "compile"] == ["it has ended"] * 2, "why is told")
    row = next(line for line in out.splitlines() if line.startswith("JAX 8.2 jit, 2 threads"))
    check(row.split()[5:] == ["1500.0000", "-", "MemoryError:", "too", "wide"], f"a row of every peer: {row}")


def pages(folder):
    """tools/performance.py, out of the JSON of tables(): two rounds near, one far, and then one of those too loud."""
    for path in "tools/performance.py", "tools/performance_peers.py", "README.md", "docs/performance.md", "docs/sweeps.md":
        os.makedirs(os.path.dirname(f"{folder}/tree/{path}"), exist_ok=True)
        shutil.copy(os.path.join(SOURCE, path), f"{folder}/tree/{path}")
    with open(f"{folder}/peers.json", encoding="utf-8") as file:
        results = json.load(file)
    shape = results["shapes"][1]
    shape["before"], shape["after"], shape["others"] = [30e-9, 30e-9, 120e-9], [32e-9, 32e-9, 150e-9], [0, 0.02, 0.05]
    steps = next(case for case in results["cases"] if case["shape"] == "m1-dense")["repetitions"]["step"]
    steps[:] = [0.25, 0.75, 2]
    command = [PYTHON, f"{folder}/tree/tools/performance.py", "--only", "peers", "--reuse", "--output", f"{folder}/output"]
    os.makedirs(f"{folder}/output")

    def print_tables(*options):
        with open(f"{folder}/output/peers-0.json", "w", encoding="utf-8") as file:
            json.dump(results, file)
        return run(*command, *options)

    code, out, err = print_tables("--write")
    near = "| M1, batch 16, no input is 0 | near, 31 ns | 2 | 500 | 500 | 1000 (JAX 8.2 scan, 2 threads) | 2.00 | 2000 (JAX 8.2 scan, 1 thread) | 4.00 |"
    far = "| M1, batch 16, no input is 0 | far, 135 ns | 1 | 2000 | 2000 | 1000 (JAX 8.2 scan, 2 threads) | 0.50 | 2000 (JAX 8.2 scan, 1 thread) | 1.00 |"
    check(code == 0 and near in out and far in out and "m1-dense near" in err, f"tables of performance.py: {code}, {out}, {err}")
    for page, line in ("docs/performance.md", near), ("README.md", "| M1, batch 16, no input is 0 | 2000 | 500 | 2000 | 1000 (JAX 8.2 scan, 2 threads) | 2.00 / 0.50 |"):
        with open(f"{folder}/tree/{page}", encoding="utf-8") as file:
            text = file.read()
        check(text.count(line) == 1 and text.count("<!-- end -->") == text.count("<!-- performance: "), f"{page} has no {line}")
    shape["others"][2] = 0.5
    code, out, _ = print_tables()
    check(code == 0 and near in out and "| far, " not in out, f"a loud round counts: {out}")


def environments(folder):
    """tools/peers.sh, as far as it goes without a network."""
    script = os.path.join(SOURCE, "tools", "peers.sh")
    for words in [], ["--new"], ["a", "b"], [os.path.join(SOURCE, "peers")]:
        code, _, err = run(script, *words)
        check(code == USAGE and err.count("\n") == 1, f"peers.sh {words}: {code}, {err}")
    os.makedirs(f"{folder}/other/things")
    code, _, err = run(script, f"{folder}/other")
    check(code == CANNOT_CREATE and "is something else" in err, f"peers.sh of another folder: {code}, {err}")
    there = make(f"{folder}/there", "#!/bin/sh\necho torch 9.1\n")
    open(f"{there}/pyvenv.cfg", "w", encoding="ascii").close()
    code, out, _ = run(script, there)
    check(code == 0 and out == f"{there} has\ntorch 9.1\n", f"peers.sh of what is there: {code}, {out}")


with tempfile.TemporaryDirectory() as scratch:
    scratch = os.path.realpath(scratch)
    without_peers(scratch)
    missing_or_broken(scratch)
    wrong_options()
    tables(scratch)
    pages(scratch)
    environments(scratch)
print("\n".join(failures) or "kbench and its peers: all is said")
sys.exit(1 if failures else 0)
