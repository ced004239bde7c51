#!/bin/bash
# peers.sh DIR: makes a Python environment in DIR with today's PyTorch, JAX, scikit-learn and NumPy, from where pip gets
# its packages here, and says their versions. What is there stays as it is: for newer ones remove DIR first. Only
# `kbench --peers DIR` and tools/sweep_comparison.py --peers DIR use it.
# PYTHON names the interpreter (python3). Where pip finds a PyTorch built for processors only, it takes that; else the
# general one, with some gigabytes for graphics cards that nothing here uses. torch.compile needs g++ and Python.h.
# Exit code 69: pip could not install everything.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
packages=(torch jax scikit-learn numpy)

usage() {
    echo "usage: peers.sh DIR"
}
if [ "${1:-}" = --help ]; then
    usage
    exit 0
fi
if [ $# != 1 ] || [[ $1 = -* ]] || [ -z "$1" ]; then
    usage >&2
    exit 2
fi
folder=$(realpath -m "$1")
if [[ $folder/ = "$root"/* ]]; then
    echo "peers.sh: $folder is in the source tree: name a folder outside of it" >&2
    exit 2
fi
if [ -e "$folder" ] && [ ! -e "$folder/pyvenv.cfg" ] && [ -n "$(ls -A "$folder" 2>/dev/null || echo file)" ]; then
    echo "peers.sh: $folder is something else: name a new folder" >&2
    exit 73
fi

# The versions of what is there, a line each; fails when something is not.
versions() {
    "$folder/bin/python" - "${packages[@]}" <<'END'
import importlib.metadata, platform, sys
print(f"{'python':13}{platform.python_version()}")
missing = []
for name in sys.argv[1:]:
    try:
        print(f"{name:13}{importlib.metadata.version(name)}")
    except importlib.metadata.PackageNotFoundError:
        missing.append(name)
sys.exit(f"missing: {' '.join(missing)}" if missing else 0)
END
}

if [ -x "$folder/bin/python" ] && there=$(versions 2>/dev/null); then
    echo "$folder has"
    echo "$there"
    exit 0
fi
"${PYTHON:-python3}" -m venv "$folder" || {
    echo "peers.sh: ${PYTHON:-python3} cannot make an environment (Debian: python3-venv)" >&2
    exit 69
}
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check "${packages[@]}" || {
    echo "peers.sh: pip could not install ${packages[*]} in $folder" >&2
    exit 69
}
echo "$folder has"
versions
