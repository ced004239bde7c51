"""docs/architecture.md, "How to add", is true: an addition of each kind (tests/how_to_add/KIND.txt), made in a copy of the source,
touches only the files that the page names for it, and then the generic tests know it.

In KIND.txt a line `=== FILE after: TEXT` begins lines that are put behind the one line of FILE that holds TEXT; `before:` puts
them before it, `replace:` in its place; `=== FILE new` begins a new file."""
import collections
import csv
import glob
import json
import os
import re
import shutil
import subprocess
import sys

SOURCE, SCRATCH = os.environ["KT_SOURCE_DIR"], os.environ["KT_TEST_TMP"]
HERE = os.path.join(SOURCE, "tests", "how_to_add")
TREE, BUILD = os.path.join(SCRATCH, "tree"), os.path.join(SCRATCH, "build")
# Most files of each kind, tests and generated pages apart.
MOST = {"optimizer": 3, "schedule": 3, "activation": 2, "layer": 4, "format": 2, "key": 2, "exchange": 2, "strategy": 2, "command": 2}
TESTS = ["optimizer", "optimizer_exact", "schedule", "activation", "layer", "network", "config", "options", "cost", "exchange",
         "strategy", "strategy_order", "space", "format"]
failures = []


def check(holds, sentence):
    if not holds:
        failures.append(sentence)


def run(*words, code=0, cwd=None, env=None):
    done = subprocess.run(words, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if code is not None and done.returncode != code:
        sys.exit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stdout[-6000:]}")
    return done.stdout


# ---- the page ----

def named_files():
    """Kind -> patterns of the files that the page names for it."""
    with open(os.path.join(SOURCE, "docs", "architecture.md")) as file:
        section = file.read().split("\n## How to add\n")[1].split("\n## ")[0]
    return {kind: re.findall(r"`((?:src|include|tools)/[^`\s]+)`", text)
            for kind, text in re.findall(r"^- \*\*(?:An?|A file) (?:\w+ )*?(\w+)\*\*:(.*?)(?=^- |\Z)", section, re.M | re.S)}


def is_named(path, patterns):
    """x in the page's name of a file is the new row's name, * any floor."""
    return any(re.fullmatch(re.sub(r"(?<![A-Za-z0-9])x(?![A-Za-z0-9])", r"\\w+", re.escape(p).replace(r"\*", "[^/]+")), path)
               for p in patterns)


# ---- the additions ----

def read_addition(kind):
    """Edits (file, how, anchor, lines)."""
    with open(os.path.join(HERE, kind + ".txt")) as file:
        parts = re.split(r"^=== (\S+) (new|(?:after|before|replace): .*)\n", file.read(), flags=re.M)[1:]
    return [(path, *(how.split(": ", 1) if ": " in how else (how, None)), text)
            for path, how, text in zip(parts[::3], parts[1::3], parts[2::3])]


def apply(path, how, anchor, text):
    name = os.path.join(TREE, path)
    if how == "new":
        assert not os.path.exists(name), name
        lines = []
        at = 0
    else:
        with open(name) as file:
            lines = file.read().splitlines(keepends=True)
        found = [i for i, line in enumerate(lines) if anchor in line]
        assert len(found) == 1, f"{path}: {len(found)} lines hold {anchor!r}"
        at = found[0] + (how == "after")
        if how == "replace":
            del lines[at]
    lines.insert(at, text)
    with open(name, "w") as file:
        file.writelines(lines)


def add_all():
    page = named_files()
    check(set(MOST) <= set(page), f"the page says nothing of {set(MOST) - set(page)}")
    for kind, most in MOST.items():
        edits = read_addition(kind)
        touched = {path for path, *_ in edits if not path.startswith("tests/")}
        others = sorted(path for path in touched if not is_named(path, page.get(kind, [])))
        check(not others, f"{kind}: the page does not name {others}")
        check(len(touched) <= most, f"{kind}: {len(touched)} files, and not {most}")
        print(f"{kind:10} {len(touched)}  {' '.join(sorted(touched))}")
        for edit in edits:
            apply(*edit)


# ---- what is then known ----

def copy_source():
    os.makedirs(TREE)
    for name in ("CMakeLists.txt", "cmake", "src", "include", "tools", "tests", "docs", "examples", "LICENSE", "README.md"):
        path = os.path.join(SOURCE, name)
        if os.path.isdir(path):
            shutil.copytree(path, os.path.join(TREE, name))
        elif os.path.exists(path):
            shutil.copy(path, TREE)


def build():
    with open(os.path.join(os.environ["KT_BINARY_DIR"], "CMakeCache.txt")) as file:
        kept = re.findall(r"^((?:CMAKE_C_COMPILER|MPI_C_COMPILER|KT_PYTHON):\w+=.*)$", file.read(), re.M)
    run("cmake", "-S", TREE, "-B", BUILD, "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS_DEBUG=-O1", "-DKTRAIN_WERROR=ON",
        *(f"-D{row}" for row in kept))
    run("cmake", "--build", BUILD, "-j2", "--target", "ktrain", *(f"test_{test}" for test in TESTS))


def ctest(*tests, code=0):
    return run("ctest", "--test-dir", BUILD, "--output-on-failure", "--no-tests=error", "-j2", "-R",
               f"^({'|'.join(tests)})([.]r[123])?$", code=code)


def golden_vectors():
    """What has none is told; the script adds its lines and changes no other."""
    told = ctest("optimizer", "schedule", "activation", code=None)
    for word in ("adagrad/batch/0", "triangular", "softplus"):
        check(re.search(f"no line {word} of .*make_golden.py makes it", told), f"nothing says that {word} has no golden vector")
    folder = os.path.join(TREE, "tests", "golden")
    before = {path: open(path).read().splitlines() for path in glob.glob(folder + "/*.txt")}
    run(sys.executable, "make_golden.py", cwd=folder)
    for path, lines in before.items():
        with open(path) as file:
            after = file.read().splitlines()
        others = [line for line in after if not re.match(r"adagrad|triangular|softplus", line)]
        check(others == lines, f"make_golden.py has changed lines of {os.path.basename(path)}")
    added = collections.Counter(os.path.basename(p) for p, lines in before.items() for _ in range(len(open(p).readlines()) - len(lines)))
    check(set(added) == {"optimizer.txt", "schedule.txt", "activation.txt", "network.txt"}, f"lines were added to {sorted(added)}")


def ktrain(*words, ranks=1):
    mpirun = [os.path.join(TREE, "tests", "mpirun.sh"), str(ranks)] if ranks > 1 else []
    return run(*mpirun, os.path.join(BUILD, "ktrain"), *words, cwd=SCRATCH)


def pages():
    text = ktrain("options", "--markdown")
    for word in ("adagrad", "triangular", "softplus", "lowest_learning_rate", "soft_cap", ".rows", "random_half tries half", "relay adds"):
        check(word in text, f"ktrain options says nothing of {word}")
    with open(os.path.join(TREE, "docs", "ini.md"), "w") as file:
        file.write(text)
    check("formats" in ktrain("help") and "as in ROWS 2 3" in ktrain("formats"), "the command formats is not known")


def jobs():
    """All together train, on two ranks to the same figures as on one; a sweep tries half."""
    with open(os.path.join(SCRATCH, "x.rows"), "w") as file:
        print("ROWS 60 4", *(f"{i % 3} {i % 5} {i * 7 % 11} {i % 2}" for i in range(60)), sep="\n", file=file)
    with open(os.path.join(SCRATCH, "y.csv"), "w") as file:
        print("label", *(i % 3 for i in range(60)), sep="\n", file=file)
    with open(os.path.join(SCRATCH, "job.ini"), "w") as file:
        print("[data]\nfeatures = x.rows\nlabels = y.csv\n[model]\nhidden = [8]\nactivation = softplus\nsoft_cap = true\n[train]\nepochs = 4\n"
              "[optimizer]\nname = adagrad\nlearning_rate = 0.1\nschedule = triangular\nlowest_learning_rate = 0.03\nperiod = 4\n"
              "[parallel]\nexchange = relay\nranks_per_replica = 1", file=file)
    figures = []
    for ranks in (1, 2):
        ktrain("job.ini", f"run.dir=r{ranks}", ranks=ranks)
        with open(os.path.join(SCRATCH, f"r{ranks}", "summary.json")) as file:
            summary = json.load(file)
        figures.append([summary[part]["cross_entropy"] for part in ("train", "validation", "test")])
    check(figures[0] == figures[1], f"one rank and two differ: {figures}")
    with open(os.path.join(SCRATCH, "r1", "history.csv")) as file:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    check(rates == [0.03, 0.05, 0.1, 0.05], f"the rates are {rates}")
    with open(os.path.join(SCRATCH, "job.ini"), "a") as file:
        print("[sweep]\nstrategy = random_half\nmodel.dropout = 0, 0.1, 0.2, 0.3, 0.4, 0.5", file=file)
    ktrain("sweep", "job.ini", "run.dir=s")
    with open(os.path.join(SCRATCH, "s", "journal.jsonl")) as file:
        n = len(file.readlines())
    check(n == 3, f"random_half has tried {n} of 6 points")


copy_source()
add_all()
if failures:
    sys.exit("\n".join(failures))
build()
golden_vectors()
pages()
jobs()
ctest(*TESTS, "ini_page")
sys.exit("\n".join(failures) or 0)
