#!/bin/bash
# packages.sh GROUP...: installs the Debian packages of the groups that are missing here. Groups: build, data, test,
# compare (for tools/peers.sh and tools/sweep_comparison.py; nothing else needs it).
# When nothing is missing it needs neither apt nor sudo nor a network. Exit code 69: something is missing and cannot be
# installed from here; the message says what an administrator must run.
set -euo pipefail

declare -A groups=(
    [build]="gcc libc6-dev make cmake pkgconf openmpi-bin libopenmpi-dev libopenblas-dev libhdf5-dev
             libjansson-dev libzip-dev zlib1g-dev libxxhash-dev"
    [data]="dataset-fashion-mnist"
    [test]="libcunit1-dev g++ clang libclang-rt-14-dev clang-format clang-tidy cppcheck valgrind python3 python3-numpy python3-h5py python3-torch hdf5-tools
             iproute2 slurmctld slurmd slurm-client munge mpich libmpich-dev gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static"
    [compare]="python3 python3-numpy python3-h5py python3-venv python3-dev g++"
)

stop() {
    printf '%s\n' "$@" >&2
    exit 69
}

wanted=()
for group in "$@"; do
    [ -n "${groups[$group]:-}" ] || { echo "packages.sh: no group '$group'; there are: ${!groups[*]}" >&2; exit 2; }
    read -ra names -d '' <<<"${groups[$group]}" || true
    wanted+=("${names[@]}")
done

if ! command -v dpkg-query >/dev/null; then
    echo "This is not a Debian system: install what the next step reports as missing. Debian calls it: ${wanted[*]}" >&2
    exit 0
fi

missing=()
for package in "${wanted[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -x installed || true)
    [ -n "$state" ] || missing+=("$package")
done
if [ ${#missing[@]} = 0 ]; then
    echo "packages: all ${#wanted[@]} are installed"
    exit 0
fi

line="apt-get install --no-install-recommends ${missing[*]}"
as_root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null ||
        stop "Packages are missing, and there is no sudo here. An administrator must run:" "    $line"
    # Without a terminal nobody can type a password.
    [ -t 0 ] || sudo -n true 2>/dev/null ||
        stop "Packages are missing, and sudo wants a password. An administrator must run:" "    $line"
    as_root=(sudo)
fi

echo "packages: installing ${missing[*]}"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120)
"${apt[@]}" update ||
    echo "packages: the lists of packages could not be updated; trying with those that are here" >&2
"${apt[@]}" install -y --no-install-recommends "${missing[@]}" ||
    stop "apt-get could not install everything (no network, or no rights?). An administrator must run:" "    $line"
