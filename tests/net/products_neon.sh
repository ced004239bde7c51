#!/bin/sh
# The products for aarch64, NEON and portable, give the bits of those for this processor: built by a cross compiler, run
# by an emulator.
set -eu
compiler=aarch64-linux-gnu-gcc
emulator=qemu-aarch64-static
command -v $compiler >/dev/null && command -v $emulator >/dev/null || {
    echo "needs the Debian packages gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user-static"
    exit 77
}
source=$KT_SOURCE_DIR/src

build() { # build OUT SOURCE [OPTION...]: one object
    out=$1 file=$2
    shift 2
    $compiler -std=gnu11 -O3 -ffp-contract=off -fno-math-errno -fno-trapping-math -Wall -Wextra -Werror -D_GNU_SOURCE \
        -I"$source" -I"$KT_SOURCE_DIR/tests" "$@" -c "$file" -o "$KT_TEST_TMP/$out.o"
}

build neon "$source/net/products_simd.c" -DKT_SIMD=neon
build portable "$source/net/products_simd.c" -DKT_SIMD=portable -DKT_SIMD_LAST
build main "$KT_SOURCE_DIR/tests/net/products_hash.c"
for base in simd memory status; do
    build $base "$source/base/$base.c"
done
$compiler -static "$KT_TEST_TMP"/*.o -lm -o "$KT_TEST_TMP/products_hash"

"$KT_BINARY_DIR/tests/products_hash" >"$KT_TEST_TMP/here"
$emulator "$KT_TEST_TMP/products_hash" >"$KT_TEST_TMP/there"
cat "$KT_TEST_TMP/here" "$KT_TEST_TMP/there"
grep -q '^neon forward' "$KT_TEST_TMP/there"
differing=$(cat "$KT_TEST_TMP/here" "$KT_TEST_TMP/there" | cut -d' ' -f2- | sort -u | cut -d' ' -f1 | uniq -d)
[ -z "$differing" ] || {
    echo "rows differ in: $differing"
    exit 1
}
echo "all rows give the same bits"
