#!/bin/sh
# slow.sh PERCENT COMMAND [ARGUMENT...]: COMMAND, with all that it starts held to PERCENT of one core together, by a
# control group of its own: as on a machine that is that much slower. Only for root. `KT_CORE_PERCENT=25 ctest` runs every
# test so.
set -eu
percent=$1 name=kt-slow-$$
shift
if [ -d /sys/fs/cgroup/cpu ]; then
    group=/sys/fs/cgroup/cpu/$name
    mkdir "$group"
    echo 100000 >"$group/cpu.cfs_period_us"
    echo $((percent * 1000)) >"$group/cpu.cfs_quota_us"
else
    group=/sys/fs/cgroup/$name
    echo +cpu >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || true
    mkdir "$group"
    echo "$((percent * 1000)) 100000" >"$group/cpu.max"
fi
remove() { # once the last process is gone, which mpirun may leave some moments
    for _ in $(seq 100); do
        if rmdir "$group" 2>/dev/null; then return; fi
        sleep 0.1
    done
}
trap remove EXIT
status=0
(
    echo 0 >"$group/cgroup.procs"
    exec "$@"
) || status=$?
exit "$status"
