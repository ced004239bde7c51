#!/bin/bash
# Feeds the readers of all file formats with hostile files, by libFuzzer under the sanitizers (tests/fuzz/targets.h):
#     tools/fuzz.sh [--seconds N | --runs N] [TARGET...]
# N is for each target, 60 seconds when nothing is said; as many targets run at a time as there are cores. What it has
# found interesting stays in build/fuzz/corpus, and the next run begins with it; inputs that do harm are in
# build/fuzz/crashes, and belong into tests/fuzz/found when they are mended. Exit code 1: there are some.
set -euo pipefail
# shellcheck source=tools/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

limit=-max_total_time per_target=60
case ${1:-} in
--seconds) per_target=$2 && shift 2 ;;
--runs) limit=-runs per_target=$2 && shift 2 ;;
-*)
    echo "usage: tools/fuzz.sh [--seconds N | --runs N] [TARGET...]" >&2
    exit 2
    ;;
esac

tree=$work/build/fuzz
mkdir -p "$tree/corpus" "$tree/crashes"
configure fuzz >"$tree/configure.log"
cmake --build "$tree" -j "$cores" --target fuzzer test_fuzz >"$tree/build.log"
export OPENBLAS_NUM_THREADS=1 LSAN_OPTIONS="suppressions=$root/tests/lsan.supp:print_suppressions=0"
export UBSAN_OPTIONS=print_stacktrace=1

# The good files to begin with are a test's.
scratch=$(mktemp -d /dev/shm/ktrain-fuzz.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM
KT_SOURCE_DIR=$root KT_PYTHON=/usr/bin/python3 KT_TEST_TMP=$scratch "$tree/tests/test_fuzz" "good files" >"$scratch/seeds.log" ||
    { cat "$scratch/seeds.log" >&2; exit 1; }
seeds=$scratch/seeds
if [ $# = 0 ]; then
    mapfile -t targets < <(find "$seeds" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort)
    set -- "${targets[@]}"
fi

# fuzz TARGET: in rounds, since a configuration's texts stay in memory until the process ends.
fuzz() {
    local target=$1 folder=$scratch/$1 log=$tree/$1.log left=$per_target begin=$SECONDS n=0 round status=0 options=()
    mkdir -p "$folder" "$tree/corpus/$target"
    [ ! -f "$seeds/$target.dict" ] || options+=("-dict=$seeds/$target.dict")
    while [ "$left" -gt 0 ] && [ $status = 0 ]; do
        round=1000000
        [ $limit != -runs ] || [ "$left" -gt $round ] || round=$left
        [ $limit = -runs ] || options+=("-max_total_time=$left")
        KT_FUZZ_TARGET=$target KT_FUZZ_FOLDER=$folder "$tree/tests/fuzzer" -runs="$round" -timeout=10 -rss_limit_mb=1024 \
            -print_final_stats=1 -artifact_prefix="$tree/crashes/$target-" "${options[@]}" "$tree/corpus/$target" "$seeds/$target" \
            >"$log" 2>&1 || status=$?
        n=$((n + $(sed -n 's/^stat::number_of_executed_units: *//p' "$log")))
        [ $limit = -runs ] && left=$((per_target - n)) || left=$((per_target - SECONDS + begin))
    done
    printf '%s %d %d %d\n' "$target" "$n" $((SECONDS - begin)) $status >"$folder/result"
}

for target in "$@"; do
    [ -d "$seeds/$target" ] || { echo "tools/fuzz.sh: there is no target $target" >&2; exit 2; }
    while [ "$(jobs -rp | wc -l)" -ge "$cores" ]; do
        wait -n || true
    done
    fuzz "$target" &
done
wait

sort "$scratch"/*/result | awk '
    BEGIN { printf "%-20s %12s %10s  %s\n", "target", "executions", "a second", "" }
    { printf "%-20s %12d %10.0f  %s\n", $1, $2, $2 / ($3 > 0 ? $3 : 1), $4 == 0 ? "no harm" : "HARM, exit code " $4; n += $2; bad += $4 != 0 }
    END { printf "%-20s %12d             %d with harm\n", "all", n, bad; exit bad > 0 }'
