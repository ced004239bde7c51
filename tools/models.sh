#!/bin/bash
# Trains the report's models over several split seeds and prints the table of the README: mean and standard error of each figure.
#
#     tools/models.sh [MODEL ...]          default: m0 m1 m2 m4 m3
#
# SEEDS ("1 2 3") are the split seeds, RANKS (2) the ranks, KTRAIN (build/release/ktrain) the program. Runs are in runs/MODEL-SEED; those
# that are finished are only read again. M3 takes split seed 1 only, unless SEEDS_M3 says otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=${KTRAIN:-build/release/ktrain}
seeds=${SEEDS:-1 2 3}
if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
# On a machine that others use too, a rank that waits gives its core away.
export OMPI_MCA_mpi_yield_when_idle="${OMPI_MCA_mpi_yield_when_idle:-1}"
models=("$@")
for model in "${models[@]}"; do
    if [ ! -e "jobs/$model.ini" ]; then
        echo "usage: tools/models.sh [MODEL ...], of m0 m1 m2 m3 m4; there is no jobs/$model.ini" >&2
        exit 2
    fi
done
[ ${#models[@]} -gt 0 ] || models=(m0 m1 m2 m4 m3)

for model in "${models[@]}"; do
    model_seeds=$seeds
    [ "$model" != m3 ] || model_seeds=${SEEDS_M3:-1}
    for seed in $model_seeds; do
        mpirun --oversubscribe --bind-to none -np "${RANKS:-2}" "$program" "jobs/$model.ini" "run.dir=runs/$model-$seed" "data.split_seed=$seed" |
            sed -u "s/^/$model, split seed $seed: /" >&2
    done
done

exec /usr/bin/python3 - "${models[@]}" <<'PYTHON'
import glob
import json
import statistics
import sys


def figure(values, digits):
    mean = f"{statistics.mean(values):.{digits}f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {statistics.stdev(values) / len(values) ** 0.5:.{digits}f}"


# What the report says: validation, then test; accuracy / cross-entropy.
REPORT = {
    "m0": (".605 / 1.576", ".574 / 1.78"),
    "m1": (".640 / 1.501", ".600 / 1.76"),
    "m2": (".65 / 1.741", ".606 / 1.75"),
    "m3": (".682 / .614", ".642 / .89"),
    "m4": (".718 / 8.61", ".704 / 9.92"),
}

print("| model | runs | epochs | train acc / CE | validation acc / CE | report | test acc / CE | report |")
print("| --- | --- | --- | --- | --- | --- | --- | --- |")
for model in sys.argv[1:]:
    runs = [json.load(open(path)) for path in sorted(glob.glob(f"runs/{model}-*/summary.json"))]
    cells = {
        part: " / ".join(figure([run[part][key] for run in runs], digits) for key, digits in (("accuracy", 3), ("cross_entropy", 3)))
        for part in ("train", "validation", "test")
    }
    epochs = ", ".join(dict.fromkeys(str(run["epochs"]) for run in runs))
    validation, test = REPORT[model]
    print(f"| {model.upper()} | {len(runs)} | {epochs} | {cells['train']} | {cells['validation']} | {validation} | {cells['test']} | {test} |")
PYTHON
