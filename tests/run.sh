#!/bin/sh
# run.sh NAME RANKS COMMAND [ARGUMENT...]: one test, as CTest starts it. RANKS 0: no mpirun. Sets what tests/test.h promises:
# KT_TEST_TMP is a fresh folder below the current one, removed after success. KT_CORE_PERCENT: held to so much of a core (slow.sh). KT_WRAP (valgrind ...) stands before the command.
set -eu
name=$1 ranks=$2
shift 2

here=$(dirname "$0")
KT_TEST_TMP=$PWD/scratch/$name
rm -rf "$KT_TEST_TMP"
mkdir -p "$KT_TEST_TMP"
export KT_TEST_TMP OPENBLAS_NUM_THREADS=1

# Leaks of Open MPI itself are left out; ktrain's are not.
export ASAN_OPTIONS="${ASAN_OPTIONS:-abort_on_error=0}"
export LSAN_OPTIONS="suppressions=$here/lsan.supp:print_suppressions=0"
export UBSAN_OPTIONS="print_stacktrace=1"

slow=
if [ -n "${KT_CORE_PERCENT:-}" ]; then
    slow="$here/slow.sh $KT_CORE_PERCENT"
fi

status=0
if [ "$ranks" = 0 ]; then
    # shellcheck disable=SC2086 # KT_WRAP is several words
    $slow timeout -k 2 "${KT_SECONDS:-900}" ${KT_WRAP:-} "$@" || status=$?
else
    # shellcheck disable=SC2086
    $slow "$here/mpirun.sh" "$ranks" ${KT_WRAP:-} "$@" || status=$?
fi

case $status in
0 | 77) rm -rf "$KT_TEST_TMP" ;;
124 | 137) echo "$name: no end within ${KT_SECONDS:-900} s, or killed (exit code $status)" >&2 ;;
*) echo "$name: exit code $status; its files are in $KT_TEST_TMP" >&2 ;;
esac
exit "$status"
