"""Figures of the source: python3 tools/figures.py [TREE]. It relies on the format that clang-format gives the code: a function
begins and ends in the first column."""
import glob
import os
import re
import sys

import includes

TREE = sys.argv[1] if len(sys.argv) > 1 else includes.SOURCE


def functions(path):
    """(name, parameters, lines from the brace to its end) of each function defined in a file."""
    text = includes.text_of(path)
    for match in re.finditer(r"^(?:[A-Za-z_][^\n;{}#=]*?)?\b(\w+)\(([^;{}]*?)\)\n\{\n(.*?)^\}", text, re.M | re.S):
        yield match[1], n_parameters(match[2]), match[3].count("\n") + 2, path


def n_parameters(text):
    depth, commas = 0, 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        commas += letter == "," and depth == 0
    return 0 if text.strip() in ("", "void") else commas + 1


def at(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


sources = glob.glob(f"{TREE}/src/**/*.[ch]", recursive=True)
public = glob.glob(f"{TREE}/include/**/*.h", recursive=True)
found = [f for path in sources + glob.glob(f"{TREE}/tools/*.[ch]") for f in functions(path)]
lines = [f[2] for f in found]
per_folder = {}
for path in sources:
    per_folder[os.path.dirname(path)] = per_folder.get(os.path.dirname(path), 0) + 1
declared = sum(len(re.findall(r"^(?:KTRAIN_API )?[a-z_].*?\b\w+\([^;{}]*\);", includes.text_of(path), re.M | re.S)) for path in public)
long = [f for f in found if f[1] >= 7]
exempt = re.compile(r"/(kernels|dense|gradient|exchange|linalg)[a-z0-9_]*\.[ch]$")
print("files per folder, largest      ", max(per_folder.values()))
print("public headers / functions     ", len(public), "/", declared)
print("7 or more parameters           ", len(long), "of", len(found), "functions,", sum(not exempt.search(f[3]) for f in long),
      "of them outside kernels, dense, gradient, exchange, linalg")
for name, n, _, path in sorted(long):
    print(f"    {name} ({n})  {os.path.relpath(path, TREE)}")
print("lines of a function            ", f"median {at(lines, .5)}, p90 {at(lines, .9)}, max {max(lines)}")
print("lines of src + include         ", sum(includes.text_of(path).count("\n") for path in sources + public))
