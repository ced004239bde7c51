#!/bin/sh
# CMake's lists are explicit: a source file, a program or a test that is in none of them would be left out in silence.
set -eu
cd "$KT_SOURCE_DIR"
status=0
for file in tools/*.c; do
    if [ -e "$file" ] && ! grep -qE "(^|[ :(])$file([ ;)]|\$)" CMakeLists.txt; then
        echo "$file is not in CMakeLists.txt"
        status=1
    fi
done
for file in tests/test_*.c tests/*/test_*.c; do
    name=$(basename "$file" .c)
    if [ ! -x "$KT_BINARY_DIR/tests/$name" ]; then
        echo "$file was not built: it needs a kt_add_test in the CMakeLists.txt of its folder"
        status=1
    fi
done
for file in tests/*/test_*.sh tests/*/test_*.py tests/*/e2e_*.py; do
    if [ -e "$file" ] && ! grep -qE "SCRIPT $(basename "$file")|[ (]$(basename "$file" .py | sed 's/^e2e_//')([ )]|\$)" "$(dirname "$file")/CMakeLists.txt"; then
        echo "$file needs a kt_add_script_test in the CMakeLists.txt of its folder"
        status=1
    fi
done
# The pages name files that are there; name_x.c stands for any, and what others have on the web is theirs.
for page in README.md src/README.md docs/*.md; do
    for file in $(sed -E 's|https?://[^ )]*||g' "$page" |
        grep -oE '\b(src|tests|tools|jobs|docs|examples|include|cmake)/[A-Za-z0-9_/.-]+\.[a-z]+' | grep -v '_x\.'); do
        if [ ! -e "$file" ]; then
            echo "$page names $file, which is not there"
            status=1
        fi
    done
done
exit $status
