#!/bin/bash
# Installs what is missing, builds ktrain, and trains it on the 70,000 images of Fashion-MNIST on every core of this machine.
# Arguments are passed on to ktrain (section.key=value). Started again it says that the run is finished.
set -euo pipefail
# shellcheck source=tools/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
"$root/tools/packages.sh" build data

images=/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz
[ -r "$images" ] || { echo "$images is not there: install Debian's package dataset-fashion-mnist" >&2; exit 66; }

log=$work/build/quickstart.log
# The tests' libraries may be missing, and a tree that was set up with tests keeps them.
testing=OFF
if grep -qs '^BUILD_TESTING:BOOL=ON' "$work/build/release/CMakeCache.txt"; then
    testing=ON
fi
echo "building (log: $log)"
if ! { configure release -DBUILD_TESTING=$testing && build release; } >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    exit 1
fi

# Open MPI refuses to run as root unless told twice; a container may forbid ranks to read each other's memory.
if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
export OMPI_MCA_btl_vader_single_copy_mechanism="${OMPI_MCA_btl_vader_single_copy_mechanism:-none}"
# On a machine that others use too, a rank that waits gives its core away.
export OMPI_MCA_mpi_yield_when_idle="${OMPI_MCA_mpi_yield_when_idle:-1}"
export OPENBLAS_NUM_THREADS=1

# The job file's paths start in the source tree.
cd "$root"
run=runs/quickstart
arguments=("$@")
if [ "$work" != "$root" ]; then
    run=$work/runs/quickstart
    arguments+=("run.dir=$run")
fi
for argument in "${arguments[@]}"; do
    if [[ $argument == run.dir=* ]]; then
        run=${argument#run.dir=}
    fi
done
program=$work/build/release/ktrain
command=(mpirun --oversubscribe --bind-to none -np "$cores" "${program#"$root"/}" jobs/quickstart.ini "${arguments[@]}")
echo "+ ${command[*]}"
"${command[@]}"

summary=$run/summary.json
accuracy=$(tr -d ' \n' <"$summary" | grep -oE '"test":\{[^}]*\}' | head -n 1 | grep -oE '"accuracy":[0-9.eE+-]+' | cut -d : -f 2)
echo
echo "test accuracy: $accuracy on the 10,000 test images"
echo "results: $(cd "$run" && pwd) (summary.json, history.csv, confusion.csv, best.h5, log.txt)"
echo "next:    ${program#"$root"/} help; README.md shows a job on data of your own"
