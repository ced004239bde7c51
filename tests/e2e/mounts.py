"""Mounts of a test's own, for disks that are full or read-only: importing this starts the test anew in a name space of its own, with
which they end. POSSIBLE says whether there are any: an ordinary user may have them, too, if the system lets him be its root."""
import os
import subprocess
import sys

import e2e

PRIVATE = ["unshare", "--mount"] if e2e.ROOT else ["unshare", "--mount", "--map-root-user"]


def mount(directory, options):
    os.makedirs(directory, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", directory], check=True)


def remount(directory, options):
    subprocess.run(["mount", "--options-mode=ignore", "-o", "remount," + options, directory], check=True)


# In a user namespace LeakSanitizer's own tracer crashes; the other tests look for leaks.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
if "KT_MOUNTS" not in os.environ:
    tried = PRIVATE + ["sh", "-c", "mount -t tmpfs none /mnt"]
    can_mount = subprocess.run(tried, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
    os.environ["KT_MOUNTS"] = "yes" if can_mount else "no"
    if can_mount:
        os.execvp(PRIVATE[0], PRIVATE + [sys.executable] + sys.argv)
POSSIBLE = os.environ["KT_MOUNTS"] == "yes"
if POSSIBLE:  # Open MPI's own files by user id: an ordinary user who is root in here must not meet those of root outside
    mount("openmpi", "size=64m")
    os.environ["TMPDIR"] = os.path.abspath("openmpi")
