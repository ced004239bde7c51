"""The floors of src/: no include goes up, none goes in a circle, and each third party has one module.

src/CMakeLists.txt says what a floor may use and gives it an include path with just that. Here an include of each other folder
is tried with the floor's own compiler command, and must fail."""
import fnmatch
import glob
import json
import os
import shlex
import subprocess
import sys

SOURCE, BUILD = os.environ["KT_SOURCE_DIR"], os.environ["KT_BINARY_DIR"]
sys.path.insert(0, os.path.join(SOURCE, "tools"))
import includes as graph  # noqa: E402: found there
OWNERS = {"mpi.h": "edge/comm", "cblas.h": "edge/linalg", "hdf5.h": "edge/hdf5_file"}
MOST_FILES = 40
failures = []


def check(holds, sentence):
    if not holds:
        failures.append(sentence)


def files(pattern):
    return sorted(os.path.relpath(path, SOURCE) for path in glob.glob(os.path.join(SOURCE, pattern), recursive=True))


def may_include(floor, patterns, header):
    return any(fnmatch.fnmatch(header, pattern) for pattern in patterns) and (
        header.startswith(floor + "/") or not header.endswith("_private.h"))


def command_of(floor):
    """How the build compiles a file of this floor."""
    with open(os.path.join(BUILD, "compile_commands.json")) as file:
        for row in json.load(file):
            if os.path.dirname(row["file"]) == os.path.join(SOURCE, "src", floor) and not row["file"].endswith("/main.c"):
                words = shlex.split(row["command"])
                del words[words.index("-o"):words.index("-o") + 2]
                return words[:words.index("-c")] + ["-fsyntax-only", "-x", "c", "-"], row["directory"]
    raise LookupError(f"no source of src/{floor} is compiled")


def compiles(floor, header):
    command, directory = command_of(floor)
    return subprocess.run(command, input=f'#include "{header}"\nint none;\n', text=True, cwd=directory,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def check_reach(floor, patterns, others):
    headers = {other: [path[4:] for path in files(f"src/{other}/*.h")] for other in others}
    check(compiles(floor, headers[floor][0]), f"src/{floor} cannot include its own {headers[floor][0]}")
    for other in others:
        forbidden = [header for header in headers[other] if not may_include(floor, patterns, header)]
        if forbidden:
            check(not compiles(floor, forbidden[0]), f"src/{floor} can include {forbidden[0]}, which it may not use")


def check_third_parties():
    for path in files("src/**/*.[ch]") + files("tools/*.[ch]") + files("tests/**/*.[ch]"):
        for name in graph.includes(os.path.join(SOURCE, path)):
            owner = OWNERS.get(name)
            check(owner is None or path.startswith(f"src/{owner}"), f"{path}: {name} is included by src/{owner} only")
            check("../" not in name, f"{path}: {name} goes round the include path")


found = graph.floors()
folders = sorted(os.path.basename(os.path.dirname(path)) for path in glob.glob(os.path.join(SOURCE, "src/*/")))
check(folders == sorted(found), f"folders of src/ are {folders}, and src/CMakeLists.txt has {sorted(found)}")
check(files("src/*.[ch]") == [], "there is code directly in src/")
for floor, patterns in found.items():
    check_reach(floor, patterns, folders)
    check(len(files(f"src/{floor}/*.[ch]")) <= MOST_FILES, f"src/{floor} has more than {MOST_FILES} files")
check_third_parties()
edges = graph.graph()
around = graph.circle(edges)
check(around is None, f"includes go in a circle: {' -> '.join(around or [])}")
print("\n".join(failures) or "no include goes up or in a circle")
sys.exit(bool(failures))
