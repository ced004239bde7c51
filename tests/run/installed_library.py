"""An installed ktrain: its files, the programs of docs/library.md built and run from there, and what libktrain shows."""
import glob
import json
import math
import os
import re
import shutil
import subprocess
import sys

import h5py
import numpy as np

SOURCE, BUILD = os.environ["KT_SOURCE_DIR"], os.environ["KT_BINARY_DIR"]
TRAINED = ("runs/spiral", "runs/again", "r1", "r3", "files")
if shutil.which("c++") is None:
    print("no c++ here")
    sys.exit(77)
os.chdir(os.environ["KT_TEST_TMP"])
PREFIX = os.path.abspath("prefix")
failures = []


def check(holds, sentence):
    if not holds:
        failures.append(sentence)


def run(*command, **options):
    """Its output; what fails is told with all it said."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
                          env=ENVIRONMENT, **options)
    check(done.returncode == 0, f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}")
    return done.stdout


def read(path):
    with open(path) as file:
        return file.read()


def from_cache(name):
    return re.search(rf"^{name}:\w+=(.*)$", read(f"{BUILD}/CMakeCache.txt"), re.M).group(1)


def make_environment():
    """mpicc and mpirun are those that ktrain was built with, whatever is first in PATH elsewhere."""
    os.mkdir("bin")
    for name, program in {"mpicc": MPICC, "mpirun": os.environ["KT_MPIRUN"]}.items():
        with open(f"bin/{name}", "w") as file:
            file.write(f'#!/bin/sh\nexec "{program}" "$@"\n')
        os.chmod(f"bin/{name}", 0o755)
    return dict(os.environ, PREFIX=PREFIX, PATH=f"{os.path.abspath('bin')}:{os.environ['PATH']}", MPI_C_COMPILER=MPICC,
                OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1",
                OMPI_MCA_hwloc_base_binding_policy="none", OMPI_MCA_mpi_yield_when_idle="1",
                OMPI_MCA_btl_vader_single_copy_mechanism="none")


def check_installed():
    check("ktrain " in run("prefix/bin/ktrain", "--version"), "the installed ktrain does not say its version")
    for path in ("jobs/m3.ini", "hostfile.example", "examples/CMakeLists.txt"):
        check(os.path.exists(f"prefix/share/ktrain/{path}"), f"share/ktrain/{path} is not installed")
    for page in re.findall(r"\]\(([^):#]+)\)", read("prefix/share/doc/ktrain/README.md")):
        check(os.path.exists(f"prefix/share/doc/ktrain/{page}"), f"the installed README leads to {page}, which is not there")
    for path in glob.glob("prefix/lib/**/*.cmake", recursive=True) + glob.glob("prefix/lib/pkgconfig/*.pc"):
        check(BUILD not in read(path) and PREFIX not in read(path), f"{path} holds on to where it was built or installed")


def check_headers():
    """Each compiles alone, as C and as C++; together they stay a small door."""
    headers = sorted(os.path.basename(path) for path in glob.glob("prefix/include/ktrain/*.h"))
    text = "".join(read(f"prefix/include/ktrain/{header}") for header in headers)
    words = set(re.findall(r"\bktrain_\w+(?=\()", re.sub(r"/\*.*?\*/", "", text, flags=re.S)))
    check(0 < len(headers) <= 10, f"{len(headers)} public headers: must be ten at most")
    check(0 < len(words) <= 60, f"{len(words)} public functions: must be 60 at most")
    mpi = [f"-isystem{path}" for path in MPI_INCLUDES]
    for header in headers:
        needs_mpi = header in ("train.h", "ktrain.h")
        for compiler, language, standard in ((CC, "c", "c11"), ("c++", "c++", "c++11")):
            run(compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only",
                "-Iprefix/include", *(mpi if needs_mpi else ()), "-include", f"ktrain/{header}", "/dev/null")
    return words


def check_symbols(words):
    shown = {line.split()[-1] for line in run("nm", "-D", "--defined-only", "prefix/lib/libktrain.so").splitlines()}
    check(shown == words, f"libktrain.so and its headers differ in {sorted(shown ^ words)}")
    abi = re.search(r"KTRAIN_ABI (\d+)", read("prefix/include/ktrain/version.h")).group(1)
    check(f"[libktrain.so.{abi}]" in run("readelf", "-d", "prefix/lib/libktrain.so"), "the soname is not that of the ABI")


def commands_of_the_page():
    return "".join(re.findall(r"^```sh\n(.*?)^```", read(f"{SOURCE}/docs/library.md"), re.M | re.S))


def tensors(run_directory):
    """A model's tensors as bytes by name."""
    found = {}
    with h5py.File(f"{run_directory}/best.h5") as file:
        file["model"].visititems(lambda name, item: found.update({name: item[()].tobytes()}) if hasattr(item, "shape") else None)
    return found


def train_from_files():
    """By the program ktrain, from files that hold what train_arrays.c makes."""
    i = range(600)
    x = [(r * math.sin(a), r * math.cos(a)) for r, a in (((k + 1) / 600, 4 * ((k + 1) / 600) + 2.0944 * (k % 3)) for k in i)]
    np.save("x.npy", np.array(x).astype(np.float32))
    np.save("y.npy", np.array([k % 3 for k in i]))
    with open("job.ini", "w") as file:
        file.write("[run]\ndir = files\n[data]\nfeatures = x.npy\nlabels = y.npy\n[model]\nhidden = [32, 32]\n[train]\nepochs = 60\n")
    run("prefix/bin/ktrain", "job.ini")


def check_training():
    said = [run("mpirun", "-np", str(ranks), "examples/train_arrays", f"r{ranks}") for ranks in (1, 3)]
    train_from_files()
    first = tensors(TRAINED[0])
    check(len(first) == 6, f"the model has tensors {sorted(first)}")
    for other in TRAINED[1:]:
        check(tensors(other) == first, f"{other} has other weights than {TRAINED[0]}")
    check(said[0].replace("r1", "r3") == said[1], f"train_arrays says on 1 rank {said[0]} and on 3 {said[1]}")
    accuracy = json.loads(read("files/summary.json"))["test"]["accuracy"]
    check(f"test accuracy {accuracy:.4f}" in said[0], f"train_arrays says {said[0]}, ktrain {accuracy}")


def check_predictions():
    np.save("points.npy", np.array([[0.5, 0.25], [-0.5, 0.25], [-0.125, -0.75], [0, 0]], np.float32))
    run("prefix/bin/ktrain", "predict", "runs/spiral", "points.npy", "-o", "p.npy")
    wanted = np.load("p.npy")
    for program in ("examples/predict", "static/predict", "./predict", "./predict_static"):
        printed = np.array([line.split(",") for line in run(program, "runs/spiral").split()], np.float64).astype(np.float32)
        check(printed.tobytes() == wanted.tobytes(), f"{program} says {printed}, ktrain predict {wanted}")
    for program in ("static/predict", "./predict_static"):
        check("libktrain" not in run("readelf", "-d", program), f"{program} needs libktrain.so")


def check_plain_c():
    """Without a C++ compiler the program in C is built all the same."""
    run("cmake", "-S", "prefix/share/ktrain/examples", "-B", "plain", f"-DCMAKE_PREFIX_PATH={PREFIX}", "-DCMAKE_CXX_COMPILER=NOTFOUND")
    run("cmake", "--build", "plain")
    check(os.path.exists("plain/train_arrays") and not os.path.exists("plain/predict"), "without C++ the examples are other ones")


def check_refusals():
    for program, argument in (("examples/predict", "job.ini"), ("examples/predict", "none"), ("examples/train_arrays", "job.ini")):
        done = subprocess.run([program, argument], capture_output=True, text=True, check=False, env=ENVIRONMENT)
        check(0 < done.returncode < 128 and argument in done.stderr, f"{program} {argument}: {done.returncode} {done.stderr}")


CC, MPICC = from_cache("CMAKE_C_COMPILER"), from_cache("MPI_C_COMPILER")
MPI_INCLUDES = os.environ["KT_MPI_INCLUDES"].split(":")
ENVIRONMENT = make_environment()
run("cmake", "--install", BUILD, "--prefix", PREFIX)
check_installed()
check_symbols(check_headers())
run("sh", "-euc", commands_of_the_page())
ENVIRONMENT["LD_LIBRARY_PATH"] = f"{PREFIX}/lib"
if not failures:
    check_training()
    check_predictions()
    check_plain_c()
    check_refusals()
print("\n".join(failures) or "the installed ktrain and libktrain work")
sys.exit(bool(failures))
