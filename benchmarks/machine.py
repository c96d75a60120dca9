"""What the figures were measured on and with, without which they mean nothing."""

import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lab import ROOT, Lab
from texts import COMPILE


def describe(lab: Lab, cores: int) -> dict[str, Any]:
    """Return machine and versions as names and texts."""
    nodes = lab.run(lab.client, "/opt/mapreduce/bin/python", "--version")
    release = lab.run(lab.client, "readlink", "/opt/mapreduce").rpartition("-")[2]
    java = _said("java", "-version").splitlines()[0]
    gcc = _said("gcc", "--version").splitlines()[0]
    return {
        **here(cores),
        "this lab": f"commit {commit()}, release {release} on the nodes, {nodes}",
        "against": f"Spark {version('pyspark')} on {java}, {gcc} "
        f"({' '.join(COMPILE[1:])}), Python {platform.python_version()}",
    }


def here(cores: int) -> dict[str, str]:
    """Return the machine and the moment."""
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{cores} of {os.cpu_count()} cores, {_processor()}, {_memory():.0f} GB, "
        f"Linux {platform.release()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def commit() -> str:
    """Return which version of this repository is measured."""
    return _said("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD")


def limits(lab: Lab, cores: Iterable[int]) -> dict[str, str]:
    """Return the cores that nodes must be kept to, by node; none where they are all there are."""
    allowed = list(cores)
    if len(allowed) == os.cpu_count():
        return {}
    return {node: ",".join(map(str, allowed)) for node in lab.nodes}


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> float:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return (done.stdout or done.stderr).strip()
