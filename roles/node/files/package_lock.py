"""Wait until no program holds locks of the package manager: package_lock.py SECONDS FILE...

A file that ends in .pid holds its owner's number; others are locked by fcntl. When the time is
over, prints who holds a lock and exits with status 1.
"""

import fcntl
import os
import struct
import sys
import time
from pathlib import Path

NUL = b"\0"
FLOCK = "hhqqi"
"""struct flock: kind, whence, start, length, process."""


def owner_by_file(path):
    """Return the number of the process that a file names, if it runs."""
    try:
        number = int(path.read_text())
    except (OSError, ValueError):
        return None
    return number if Path("/proc", str(number)).exists() else None


def owner_by_lock(path):
    """Return the number of the process that holds a lock on a file."""
    try:
        with path.open("rb+") as file:
            asked = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            answer = struct.unpack(FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    except FileNotFoundError:
        return None
    return answer[4] if answer[0] != fcntl.F_UNLCK else None


def describe(process):
    """Return a process' number and command line."""
    try:
        command = Path("/proc", str(process), "cmdline").read_bytes()
    except OSError:
        return f"process {process}"
    return f"process {process} ({command.replace(NUL, b' ').decode(errors='replace').strip()})"


def main():
    """Look at the locks until all are free."""
    deadline = time.monotonic() + int(sys.argv[1])
    for path in map(Path, sys.argv[2:]):
        owner = owner_by_file if path.suffix == ".pid" else owner_by_lock
        while True:
            process = owner(path)
            if process is None:
                break
            if time.monotonic() >= deadline:
                sys.stdout.write(f"{path} is held by {describe(process)}\n")
                sys.exit(1)
            time.sleep(1)


main()
