#!/bin/bash
# Looks at every source without running it: its format (clang-format), and what clang-tidy (.clang-tidy) and cppcheck find.
# Needs a build tree, for the compiler commands: tools/lint.sh [TREE], by default build/ci-clang. Exit code 1: there is
# something to mend, and it is printed.
set -uo pipefail
# shellcheck source=tools/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
tree=${1:-$work/build/ci-clang}
cd "$root" || exit
failed=0

mapfile -t sources < <(find src include examples tools tests -name '*.[ch]' -not -path '*/how_to_add/*' | sort)
clang-format --dry-run -Werror "${sources[@]}" || failed=1
# clang-format leaves comments as they are. A name or a text may be longer.
awk 'length > 120 && $1 ~ /^(\/\*|\*|\/\/)/ { printf "%s:%d: a comment of %d columns: 120 at most\n", FILENAME, FNR, length; n++ }
     END { exit n > 0 }' "${sources[@]}" || failed=1

mapfile -t compiled < <(printf '%s\n' "${sources[@]}" | grep -E '^(src|tools)/.*\.c$')
printf '%s\0' "${compiled[@]}" | xargs -0 -P "$cores" -n 4 clang-tidy -p "$tree" --quiet 2>/dev/null || failed=1

cppcheck --quiet -j "$cores" --std=c11 --enable=warning,portability,performance --inline-suppr --error-exitcode=1 \
    --suppress=missingInclude --suppress=readdirCalled -I src -I include -I "$tree/generated" src tools || failed=1
exit $failed
