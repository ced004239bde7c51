"""The floors of src/: no include goes up, none goes in a circle, and each third party has one module.

src/CMakeLists.txt says what a floor may use and gives it an include path with just that. Here an include of each other folder
is tried with the floor's own compiler command, and must fail."""
import fnmatch
import glob
import graphlib
import json
import os
import re
import shlex
import subprocess
import sys

SOURCE, BUILD = os.environ["KT_SOURCE_DIR"], os.environ["KT_BINARY_DIR"]
OWNERS = {"mpi.h": "edge/comm", "cblas.h": "edge/linalg", "hdf5.h": "edge/hdf5_file"}
MOST_FILES = 40
failures = []


def check(holds, sentence):
    if not holds:
        failures.append(sentence)


def text_of(path):
    with open(os.path.join(SOURCE, path)) as file:
        return file.read()


def files(pattern):
    return sorted(os.path.relpath(path, SOURCE) for path in glob.glob(os.path.join(SOURCE, pattern)))


def includes(path):
    return re.findall(r'^[ \t]*#[ \t]*include[ \t]*["<]([^">]+)[">]', text_of(path), re.M)


def floors():
    """Each floor and the headers that it may include, as src/CMakeLists.txt has them."""
    found = {}
    for name, rest in re.findall(r"^kt_floor\((\w+)([^)]*)\)", text_of("src/CMakeLists.txt"), re.M):
        used = rest.partition("MAY_USE")[2].partition("LINKS")[0].split()
        found[name] = [f"{name}/*"] + [use if "/" in use else f"{use}/*" for use in used]
    return found


def may_include(patterns, header):
    own = patterns[0][:-1]
    return any(fnmatch.fnmatch(header, pattern + ("" if pattern.endswith("*") else ".h")) for pattern in patterns) and (
        header.startswith(own) or not header.endswith("_private.h"))


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
        forbidden = [header for header in headers[other] if not may_include(patterns, header)]
        if forbidden:
            check(not compiles(floor, forbidden[0]), f"src/{floor} can include {forbidden[0]}, which it may not use")


def check_circles(floor):
    """A pair of files x.h and x.c is one thing; a larger one has x_part.c, x_part.h and x_private.h."""
    graph = {}
    for path in files(f"src/{floor}/*.[ch]"):
        graph.setdefault(module_of(path), set()).update(
            module_of(f"src/{name}") for name in includes(path) if name.startswith(floor + "/"))
    for module, used in graph.items():
        used.discard(module)
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        failures.append(f"src/{floor}: includes go in a circle: {' -> '.join(error.args[1])}")


def module_of(path):
    """The longest pair of files that the file's name begins with: dataset_precision.c belongs to dataset.[ch]."""
    folder, name = os.path.split(os.path.join(SOURCE, path))
    whole = stem = re.sub(r"(_private)?\.[ch]$", "", name)
    while not all(os.path.exists(os.path.join(folder, stem + end)) for end in (".c", ".h")):
        stem = stem.rpartition("_")[0]
        if not stem:
            return whole
    return stem


def check_third_parties():
    for path in files("src/**/*.[ch]") + files("src/*/*.[ch]") + files("tools/*.[ch]") + files("tests/**/*.[ch]"):
        for name in includes(path):
            owner = OWNERS.get(name)
            check(owner is None or path.startswith(f"src/{owner}"), f"{path}: {name} is included by src/{owner} only")
            check("../" not in name, f"{path}: {name} goes round the include path")


found = floors()
folders = sorted(os.path.basename(os.path.dirname(path)) for path in glob.glob(os.path.join(SOURCE, "src/*/")))
check(folders == sorted(found), f"folders of src/ are {folders}, and src/CMakeLists.txt has {sorted(found)}")
check(files("src/*.[ch]") == [], "there is code directly in src/")
for floor, patterns in found.items():
    check_reach(floor, patterns, folders)
    check_circles(floor)
    check(len(files(f"src/{floor}/*.[ch]")) <= MOST_FILES, f"src/{floor} has more than {MOST_FILES} files")
check_third_parties()
print("\n".join(failures) or "no include goes up or in a circle")
sys.exit(bool(failures))
