#!/bin/sh
# docs/ini.md is what the program says of its own keys.
set -eu
"$KTRAIN" options --markdown >"$KT_TEST_TMP/ini.md"
if ! diff -u "$KT_SOURCE_DIR/docs/ini.md" "$KT_TEST_TMP/ini.md"; then
    echo "docs/ini.md is not current: ktrain options --markdown >docs/ini.md"
    exit 1
fi
