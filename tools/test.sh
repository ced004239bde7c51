#!/bin/bash
# Installs what is missing, builds ktrain every way it must build, and runs every test. No arguments. Ends with a summary;
# exit code 0 when every step passed. Build trees and logs are in build/.
set -euo pipefail
# shellcheck source=tools/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
if [ $# -gt 0 ]; then
    echo "usage: tools/test.sh (it takes no arguments): installs what is missing, builds, and runs every test" >&2
    exit 2
fi

"$root/tools/packages.sh" build data test

logs=$work/build/logs
mkdir -p "$logs"
summary=()
failed=0
n_tests=0
n_failures=0

# step NAME TITLE COMMAND...: runs it with its output in a log; shows the log's end when it fails.
step() {
    local title=$2 log=$logs/$1.log start=$SECONDS result=ok note
    shift 2
    echo "== $title"
    if ! "$@" >"$log" 2>&1; then
        result=FAILED
        failed=1
        # The output of tests that failed stands in the middle of the log.
        awk '/^ *[0-9]+\/[0-9]+ Test +#|^ +Start +[0-9]+:/ { shown = /\*\*\*/ ? 80 : 0 } shown-- > 0' "$log"
        tail -n 60 "$log"
        echo "== FAILED; all of it is in $log"
    fi
    # What CTest said: "12 of 12 tests", and those it left out.
    note=$(sed -nE 's/^[0-9]+% tests passed, ([0-9]+) tests failed out of ([0-9]+)$/\2 tests, \1 failed/p' "$log" | tail -n 1)
    if [ -n "$note" ]; then
        n_tests=$((n_tests + ${note%% *}))
        n_failures=$((n_failures + $(sed -E 's/.*, ([0-9]+) failed/\1/' <<<"$note")))
    fi
    if grep -q '(Skipped)$' "$log"; then
        note+=", $(grep -c '(Skipped)$' "$log") skipped"
    fi
    summary+=("$(printf '%-7s %4d s  %-45s %s' "$result" $((SECONDS - start)) "$title" "$note")")
    [ "$result" = ok ]
}

# shellcheck disable=SC2317 # called by step
make_tree() { # make_tree PRESET
    configure "$1" && build "$1"
}

# shellcheck disable=SC2317
run_tests() { # run_tests PRESET JOBS [CTEST OPTION...]
    local tree=$work/build/$1 jobs=$2
    shift 2
    ctest --test-dir "$tree" --output-on-failure --no-tests=error -j "$jobs" "$@"
}

# Tests that mostly wait for jobs to start and end: more at a time than there are cores. MPICH's ranks never yield theirs,
# and valgrind's are always busy.
many=$((2 * cores))

if step gcc "gcc, release, warnings are errors" make_tree ci-gcc; then
    step gcc-tests "every test" run_tests ci-gcc "$many" || true
fi
if step clang "clang, release, warnings are errors" make_tree ci-clang; then
    step lint "clang-format, clang-tidy, cppcheck" "$root/tools/lint.sh" "$work/build/ci-clang" || true
fi
# shellcheck disable=SC2317
make_mpich_tree() { # what the tests with ranks need, and no more
    configure ci-mpich -DKTRAIN_OTHER_BUILD="$work/build/ci-gcc" &&
        cmake --build "$work/build/ci-mpich" -j "$cores" --target mpi_tests
}

if step mpich "MPICH, warnings are errors" make_mpich_tree; then
    step mpich-tests "tests with ranks, by MPICH" run_tests ci-mpich "$cores" -L '^mpi$' || true
fi
if step debug "AddressSanitizer and UBSan build" make_tree debug; then
    step debug-tests "tests under the sanitizers" run_tests debug "$many" -LE slow || true
fi
if step memcheck "build for valgrind" make_tree memcheck; then
    step memcheck-tests "tests under valgrind" run_tests memcheck "$cores" || true
fi

echo
printf '%s\n' "${summary[@]}"
echo "$((n_tests - n_failures)) passed, $n_failures failed"
if [ $failed = 0 ]; then
    echo "All steps passed in $SECONDS s."
else
    echo "Some steps FAILED; logs are in $logs."
fi
exit $failed
