"""Watch the executors' containers on an agent until standard input ends: watch.py.

Then prints one line of JSON, a list of {"peak", "resident", "cpu"} for each container: the
largest memory that its control group was charged with, page cache of its files included, the
largest that its processes themselves had resident (both MB), and its CPU seconds. Needs nothing
but Python. Knows cgroup v1 and v2 and Mesos' default root `mesos`.
"""

import contextlib
import json
import select
import sys
from pathlib import Path

PERIOD = 0.1
"""Seconds. Peaks and CPU time are the kernel's own count; only residence can be missed."""

CGROUPS = Path("/sys/fs/cgroup")


def number_of(folder: Path, *files: str, key: str = "") -> float:
    """Return the number in the first of the files that is there, or behind a key in it."""
    for file in files:
        with contextlib.suppress(OSError, StopIteration):
            text = (folder / file).read_text()
            if not key:
                return float(text)
            return next(float(line.split()[1]) for line in text.splitlines() if key in line.split())
    return 0.0


def look(seen: dict[str, dict[str, float]]) -> None:
    """Add what the containers' control groups say now; one that is gone keeps its last figures."""
    version2 = (CGROUPS / "cgroup.controllers").exists()
    memory = CGROUPS / "mesos" if version2 else CGROUPS / "memory" / "mesos"
    for folder in memory.glob("*-*-*-*-*"):
        if version2:
            resident = number_of(folder, "memory.stat", key="anon")
            cpu = number_of(folder, "cpu.stat", key="usage_usec") / 1e6
        else:
            resident = number_of(folder, "memory.stat", key="total_rss")
            cpu = number_of(CGROUPS / "cpuacct" / "mesos" / folder.name, "cpuacct.usage") / 1e9
        peak = number_of(folder, "memory.peak", "memory.max_usage_in_bytes")
        before = seen.setdefault(folder.name, {"peak": 0.0, "resident": 0.0, "cpu": 0.0})
        now = {"peak": peak / 1e6, "resident": resident / 1e6, "cpu": cpu}
        seen[folder.name] = {name: max(value, before[name]) for name, value in now.items()}


def main() -> None:
    """Look again and again until nobody holds our standard input open any more."""
    seen: dict[str, dict[str, float]] = {}
    while not select.select([sys.stdin], [], [], PERIOD)[0]:
        look(seen)
    print(json.dumps(list(seen.values())))


if __name__ == "__main__":
    main()
