# shellcheck shell=bash
# Sourced by quickstart.sh and test.sh. Sets $root (the source tree), $work (where build trees and runs go) and $cores.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# True when this user can build and run in folder $1: what is there already may be another user's.
can_work_in() {
    local folder
    mkdir -p "$1/build" "$1/runs" 2>/dev/null || return 1
    for folder in "$1"/build "$1"/runs "$1"/build/* "$1"/runs/*; do
        [ ! -e "$folder" ] || [ -w "$folder" ] || return 1
    done
}

# The source tree when it is ours to write in; else a folder that the same user finds again the next time.
work=${KTRAIN_WORK:-$root}
if ! can_work_in "$work"; then
    cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/ktrain
    temporary=${TMPDIR:-/tmp}/ktrain-$(id -u)
    for other in "$cache" "$temporary"; do
        if can_work_in "$other" && [ -O "$other" ]; then
            break
        fi
        other=
    done
    if [ -z "$other" ]; then
        echo "$work, $cache and $temporary cannot be written by $(id -un); set KTRAIN_WORK to a folder that can" >&2
        exit 73
    fi
    echo "$work cannot be written by $(id -un): working in $other"
    work=$other
fi

# Cores this process may use: no hyperthreads, and no more than a container's share of processor time.
count_cores() {
    local allowed physical quota period n
    allowed=$(nproc)
    physical=$(lscpu -p=CORE,SOCKET 2>/dev/null | grep -v '^#' | sort -u | wc -l)
    n=$allowed
    if [ "$physical" -ge 1 ] && [ "$physical" -lt "$n" ]; then
        n=$physical
    fi
    if read -r quota period 2>/dev/null </sys/fs/cgroup/cpu.max && [ "$quota" != max ]; then
        quota=$(((quota + period - 1) / period))
        if [ "$quota" -lt "$n" ]; then
            n=$quota
        fi
    fi
    echo "$n"
}
cores=$(count_cores)

# configure PRESET [OPTION...]: in $work/build/PRESET, from scratch when that tree was made for another source folder.
configure() {
    local preset=$1 tree=$work/build/$1 fresh=()
    shift
    if [ -f "$tree/CMakeCache.txt" ] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$tree/CMakeCache.txt"; then
        fresh=(--fresh)
    fi
    (cd "$root" && cmake --preset "$preset" -B "$tree" "${fresh[@]}" "$@")
}

# build PRESET: $work/build/PRESET, on every core.
build() {
    cmake --build "$work/build/$1" -j "$cores"
}
