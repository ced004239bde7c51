#!/bin/bash
# Training steps on more and more ranks:
#     kbench.sh [-r ROUNDS] [-p MOST_RANKS] [-b KBENCH] [kbench's options and shapes...]
# Runs kbench on 1, 2, ... MOST_RANKS ranks (all cores) in turns, ROUNDS times (5), and prints for each shape the median
# step on every number of ranks and how much faster it is than on one.
set -euo pipefail
# shellcheck source=tools/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

usage() {
    echo "usage: kbench.sh [-r ROUNDS] [-p MOST_RANKS] [-b KBENCH] [kbench's options and shapes...]"
}
if [ "${1:-}" = --help ]; then
    usage
    exit 0
fi

rounds=5
most=$cores
kbench=$work/build/release/kbench
while [[ ${1:-} =~ ^-[rpb]$ ]]; do
    [ $# -ge 2 ] || { usage >&2 && exit 2; }
    case $1 in
        -r) rounds=$2 ;;
        -p) most=$2 ;;
        -b) kbench=$2 ;;
    esac
    shift 2
done
[[ $rounds =~ ^[1-9][0-9]*$ && $most =~ ^[1-9][0-9]*$ ]] || { usage >&2 && exit 2; }
if [ ! -x "$kbench" ]; then
    echo "$kbench is not there: build it, or name it with -b" >&2
    exit 66
fi

# Open MPI refuses to run as root unless told twice.
if [ "$(id -u)" = 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for ((round = 1; round <= rounds; round++)); do
    for ((ranks = 1; ranks <= most; ranks++)); do
        crowded=()
        if [ "$ranks" -gt "$cores" ]; then
            crowded=(--oversubscribe)
        fi
        "${KT_MPIRUN:-mpirun}" "${crowded[@]}" -np "$ranks" "$kbench" --repetitions 1 \
            --json "$folder/$ranks-$round.json" "$@" >/dev/null
    done
done

python3 - "$folder" "$rounds" "$most" <<'END'
import json, statistics, sys

folder, rounds, most = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
found = {}  # (shape, ranks): seconds of a step, one a round
names = []
for ranks in range(1, most + 1):
    for r in range(1, rounds + 1):
        with open(f"{folder}/{ranks}-{r}.json") as file:
            for shape in json.load(file)["shapes"]:
                found.setdefault((shape["shape"], ranks), []).append(shape["seconds"]["step"])
                if shape["shape"] not in names:
                    names.append(shape["shape"])
print(f"medians of {rounds} rounds")
print(f"{'shape':<24} {'ranks':>5} {'step ms':>10} {'of one rank':>12}")
for name in names:
    one = statistics.median(found[name, 1])
    for ranks in range(1, most + 1):
        step = statistics.median(found[name, ranks])
        print(f"{name:<24} {ranks:>5} {1e3 * step:>10.4f} {one / step:>10.2f} x")
END
