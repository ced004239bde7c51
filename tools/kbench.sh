#!/bin/bash
# Training steps on more and more ranks of this machine:
#     kbench.sh [-r ROUNDS] [-p MOST_RANKS] [-b KBENCH] [kbench's options and shapes...]
# Starts kbench with MOST_RANKS ranks (all cores). It measures each shape on 1, 2, ... of them in turns, ROUNDS times
# (5), and prints medians, and how much faster they are than on one rank.
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
crowded=()
if [ "$most" -gt "$cores" ]; then
    crowded=(--oversubscribe --mca mpi_yield_when_idle 1)
fi
exec "${KT_MPIRUN:-mpirun}" "${crowded[@]}" -np "$most" "$kbench" --repetitions "$rounds" "$@"
