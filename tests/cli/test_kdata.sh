#!/bin/sh
# kdata from the outside: test_kdata.sh [KDATA]. The program is the argument, or $KDATA.
set -eu
kdata=${1:-$KDATA}
here=$(cd "$(dirname "$0")" && pwd)
python=${KT_PYTHON:-/usr/bin/python3}
cd "${KT_TEST_TMP:-$(mktemp -d)}"
failures=0

fail() {
    echo "failed: $*"
    failures=$((failures + 1))
}

# expect CODE WORDS ARGUMENT...: the exit code, and words on standard output or error.
expect() {
    code=$1 words=$2
    shift 2
    found=0
    "$kdata" "$@" > out.txt 2>&1 || found=$?
    [ "$found" = "$code" ] || fail "kdata $*: exit code $found, not $code: $(cat out.txt)"
    [ -z "$words" ] || grep -qF -e "$words" out.txt || fail "kdata $*: \"$words\" is not in: $(cat out.txt)"
}

# A Python expression about the files that must be true.
check() {
    "$python" -c "
import h5py, numpy as np, sys
sys.exit(not ($1))" || fail "$1"
}

"$python" "$here/../make_arrays.py" formats .
"$python" -c "
import numpy as np
rng = np.random.default_rng(1)
x = rng.integers(0, 256, (200, 4, 4), dtype='u1'); x[7] = x[3]
y = np.repeat(np.arange(10), 20)
np.save('x.npy', x); np.save('y.npy', y); np.save('short.npy', y[:-1])
bad = x.reshape(200, 16).astype('f4'); bad[1, 1] = np.nan; bad[2, 2] = np.inf
np.save('bad.npy', bad); np.save('half.npy', bad.astype('f2'))"

expect 0 'Usage: kdata' --help
expect 0 'kdata split X_images.npy' split --help
expect 0 '65 bad data' help
expect 0 'kdata split X_images.npy' help split
expect 2 'is no command' help nonsense
expect 0 'kdata (ktrain)' --version
expect 2 'is no command' nonsense
expect 2 'nothing to do: there are inspect'
expect 2 'Usage: kdata COMMAND'
expect 2 'Usage: kdata inspect' inspect
expect 2 'Usage: kdata convert' convert x.npy out.h5 more
expect 2 'Usage: kdata split' split --nonsense
expect 66 'absent.npy' inspect absent.npy

expect 0 'shape        (200, 4, 4)' inspect x.npy y.npy
expect 0 'duplicates   1 of 200' inspect x.npy
expect 0 'classes      10 (0 without samples), of 20 to 20 samples, balance 1.00' inspect x.npy y.npy
expect 0 'NaN          1' inspect bad.npy
expect 0 'infinite     1' inspect bad.npy
expect 65 '199 labels' inspect x.npy short.npy

expect 0 '' convert x.npy a.h5 --labels y.npy
check "(h5py.File('a.h5')['features'][()] == np.load('x.npy')).all() and h5py.File('a.h5')['features'].dtype == np.uint8"
check "(h5py.File('a.h5')['labels'][()] == np.load('y.npy')).all() and h5py.File('a.h5')['labels'].dtype == np.int64"
expect 0 'classes      10' inspect a.h5 a.h5
expect 0 '' convert half.npy half.h5
check "np.array_equal(h5py.File('half.h5')['features'][()], np.load('half.npy'), equal_nan=True)"
expect 0 '' convert u1.idx.gz images.h5
check "h5py.File('images.h5')['features'].shape == (5, 2, 3)"
expect 0 '' convert x.npy turned.h5 --transpose
check "(h5py.File('turned.h5')['features'][()] == np.load('x.npy').T).all()"
cp a.h5 before.h5
expect 65 'short.npy has 199 labels' convert x.npy a.h5 --labels short.npy
cmp -s a.h5 before.h5 || fail "a failed conversion changed its output"
expect 74 'nowhere/a.h5' convert x.npy nowhere/a.h5

expect 0 'train       140' split x.npy y.npy parts.h5 --fractions 0.7,0.15,0.15 --seed 3
check "all(np.array_equal(h5py.File('parts.h5')[p + '/features'][()], np.load('x.npy')[h5py.File('parts.h5')[p + '/index'][()]]) for p in ('train', 'validation', 'test'))"
check "all(np.array_equal(h5py.File('parts.h5')[p + '/labels'][()], np.load('y.npy')[h5py.File('parts.h5')[p + '/index'][()]]) for p in ('train', 'validation', 'test'))"
check "sorted(np.concatenate([h5py.File('parts.h5')[p + '/index'][()] for p in ('train', 'validation', 'test')])) == list(range(200))"
check "set(np.bincount(h5py.File('parts.h5')['test/labels'][()])) == {3}"
expect 0 '' split x.npy y.npy again.h5 --seed=3
cmp -s parts.h5 again.h5 || fail "the same split gave other bytes"
expect 0 '' split x.npy y.npy other.h5 --seed=4
! cmp -s parts.h5 other.h5 || fail "another seed gave the same split"
expect 0 '' split x.npy y.npy plain.h5 --no-shuffle --no-stratify
check "list(h5py.File('plain.h5')['train/index'][()]) == list(range(140))"
expect 2 'three numbers' split x.npy y.npy b.h5 --fractions 0.7,0.3
expect 2 'at most 18 digits' split x.npy y.npy b.h5 --seed -1
expect 78 'must sum to 1' split x.npy y.npy b.h5 --fractions 0.7,0.3,0.3
expect 65 '199 labels' split x.npy short.npy b.h5
[ ! -e b.h5 ] || fail "a failed split left a file"
for left in *.tmp.*; do
    [ ! -e "$left" ] || fail "a temporary file was left: $left"
done

if [ -w /dev/full ]; then
    found=0
    "$kdata" --help > /dev/full 2> out.txt || found=$?
    [ "$found" = 74 ] || fail "a full standard output gave exit code $found"
fi
[ "$failures" = 0 ] || exit 1
echo "kdata does what its help says"
