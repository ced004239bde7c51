#!/bin/sh
# The layering of docs/architecture.md, checked: a module includes only itself and modules above it in this list; pure
# modules never include comm; mpi.h, cblas.h and hdf5.h appear once each. A file src/a_b.c that is not listed belongs
# to module a. Programs and tests may include everything but those three.
set -eu
cd "${KT_SOURCE_DIR:-$(dirname "$0")/..}"

# layer: modules, in order. simd, array, share, shards, file and text are pure too, but the edge needs them.
order='
base: status test_point memory simd text csv mistakes array random hash intern timer share shards file options notes log stop
edge: linalg hdf5_file comm
pure: foreign format labels dataset split batches kernels team dense activation initializer layer batch_norm loss network optimizer cost schedule metrics early_stopping strategy
run: config space placement data data_check replica exchange history provenance checkpoint_file checkpoint run_directory evaluate report journal trainer forecast run trials sweep_report sweep model prediction_file command
'

{
    echo "$order" | sed 's/^/order /'
    grep -Hn '^[[:space:]]*#[[:space:]]*include' src/*.[ch] include/ktrain/*.h tools/*.c tests/*.[ch] 2>/dev/null
} | awk '
function fail(text) { print text; failed = 1 }

# The module a file belongs to: its name, or the longest listed module that is a prefix of it.
function module_of(name) {
    while (!(name in place) && sub(/_[^_]*$/, "", name)) {}
    return (name in place) ? name : ""
}

$1 == "order" {
    if (NF < 2)
        next
    layer = $2
    sub(/:/, "", layer)
    for (i = 3; i <= NF; i++) {
        place[$i] = ++n
        layer_of[$i] = layer
    }
    next
}

{
    split($0, part, ":")
    file = part[1]
    where = part[1] ":" part[2]
    included = $0
    sub(/^[^<"]*[<"]/, "", included)
    sub(/[>"].*/, "", included)
}

BEGIN { owner["mpi.h"] = "src/comm"; owner["cblas.h"] = "src/linalg"; owner["hdf5.h"] = "src/hdf5_file" }

included in owner {
    if (index(file, owner[included]) != 1)
        fail(where ": " included " belongs in " owner[included] ".c or its private header only")
    seen[included]++
}

file ~ /^src\/main\.c$|^src\/main_|^tools\/|^tests\// { next }

{
    base = file
    sub(/.*\//, "", base)
    sub(/\.[ch]$/, "", base)
    mine = module_of(base)
    if (mine == "" && !(file in told)) {
        fail(file ": this module is not in the list of tests/check_includes.sh")
        told[file] = 1
    }
}

mine != "" && included ~ /\.h$/ && (included ~ /^ktrain\// || $0 ~ /include[[:space:]]*"/) {
    sub(/^ktrain\//, "", included)
    sub(/\.h$/, "", included)
    if (included == "version")
        next
    theirs = module_of(included)
    if (theirs == "")
        fail(where ": " included " is not in the list of tests/check_includes.sh")
    else if (place[theirs] > place[mine])
        fail(where ": " mine " (" layer_of[mine] ") may not include " theirs " (" layer_of[theirs] "), which comes after it")
    else if (theirs == "comm" && layer_of[mine] == "pure")
        fail(where ": " mine " is pure and may not include comm")
}

END {
    for (header in owner)
        if (seen[header] > 1)
            fail(owner[header] ": includes " header " " seen[header] " times")
    if (NR < 10)
        fail("no source files found")
    exit failed
}'
echo "includes follow the layers"
