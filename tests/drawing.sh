#!/bin/sh
# docs/includes.svg, the drawing of src/README.md, is of today's sources.
set -eu
"$KT_PYTHON" "$KT_SOURCE_DIR/tools/includes.py" >"$KT_TEST_TMP/includes.svg"
if ! cmp "$KT_SOURCE_DIR/docs/includes.svg" "$KT_TEST_TMP/includes.svg"; then
    echo "not of today: python3 tools/includes.py >docs/includes.svg"
    exit 1
fi
