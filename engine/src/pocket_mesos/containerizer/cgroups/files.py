"""What both versions of cgroups have in common: control files, processes, removal."""

import asyncio
import os
import signal
from collections.abc import Callable
from pathlib import Path

from pocket_mesos.containerizer.errors import DestroyError, IsolationError


def write(cgroup: Path, control: str, value: object) -> None:
    """Set a control.

    Raises:
        IsolationError: the kernel refuses; names control and value.
    """
    try:
        # One write call, without truncation: that is what control files take.
        descriptor = os.open(cgroup / control, os.O_WRONLY)
        try:
            os.write(descriptor, f"{value}\n".encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise IsolationError(
            f"Failed to write '{value}' to control '{control}' of cgroup '{cgroup}': "
            f"{error.strerror}"
        ) from error


def read(cgroup: Path, control: str) -> str:
    """Read a control.

    Raises:
        IsolationError: there is no such cgroup or control.
    """
    try:
        return (cgroup / control).read_text()
    except OSError as error:
        raise IsolationError(
            f"Failed to read control '{control}' of cgroup '{cgroup}': {error.strerror}"
        ) from error


def table(cgroup: Path, control: str) -> dict[str, int]:
    """Read a control that holds lines of a key and a number; other lines are left out."""
    pairs = (line.split() for line in read(cgroup, control).splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def processes(cgroup: Path) -> list[int]:
    """Return the pids in a cgroup, children not included; none when the cgroup is gone."""
    try:
        return [int(pid) for pid in (cgroup / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def create(cgroup: Path) -> None:
    """Make a cgroup and its parents, if they are not there.

    Raises:
        IsolationError: the hierarchy is not writable.
    """
    try:
        cgroup.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise IsolationError(f"Failed to create cgroup '{cgroup}': {error.strerror}") from error


def writable(cgroup: Path) -> None:
    """Look whether a cgroup and its parents could be made, without making them.

    Raises:
        IsolationError: the hierarchy is not writable.
    """
    there = next(one for one in (cgroup, *cgroup.parents) if one.exists())
    if not os.access(there, os.W_OK):
        raise IsolationError(
            f"Failed to create cgroup '{cgroup}': '{there}' is not writable for this process"
        )


def nested(cgroup: Path) -> list[Path]:
    """Return a cgroup and all below it, deepest first; nothing when it does not exist."""
    if not cgroup.is_dir():
        return []
    found = [Path(folder) for folder, _, _ in os.walk(cgroup, topdown=False)]
    return found if found and found[-1] == cgroup else [*found, cgroup]


def kill(pids: list[int]) -> None:
    """Send SIGKILL to each; those that ended meanwhile don't matter."""
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


async def remove(cgroup: Path, kill_all: Callable[[], None], seconds: float) -> None:
    """Kill what is in a cgroup and below until nothing is left, then remove it.

    Raises:
        DestroyError: something was still there after ``seconds``.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    pause = 0.002
    while folders := nested(cgroup):
        kill_all()
        if not any(_removed(folder) is False for folder in folders):
            continue
        if loop.time() > deadline:
            raise DestroyError(f"Timed out after {seconds:g}secs removing cgroup '{cgroup}'")
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.1)


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False  # busy: processes die after the signal, not with it
    return True
