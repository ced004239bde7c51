#!/bin/sh
# A failure on any one rank must fail the whole test, and say where it was.
set -eu
here=$(dirname "$0")
program=$KT_BINARY_DIR/tests/failing
log=$KT_TEST_TMP/log

expect() { # expect RANKS SENTENCE STATUS TEXT
    status=0
    "$here/mpirun.sh" "$1" "$program" "$2" >"$log" 2>&1 || status=$?
    [ "$status" -gt 0 ] && status=1
    if [ "$status" != "$3" ] || ! grep -q -- "$4" "$log"; then
        echo "'$2' on $1 ranks: status $status, expected $3 and the text '$4':"
        cat "$log"
        exit 1
    fi
}

expect 3 "passes everywhere" 0 "passed"
expect 3 "fails on the last rank" 1 "rank 2: .*failing.c:[0-9]*: "
expect 3 "is checked together" 1 "rank 1: .*failing.c:[0-9]*: false here"
expect 1 "no such test" 1 "no tests to run"
echo "failures on any rank are failures of the test"
