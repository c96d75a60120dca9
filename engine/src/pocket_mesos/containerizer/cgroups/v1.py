"""Version 1: where each subsystem is mounted, and the freezer that makes killing certain."""

from pathlib import Path

from pocket_mesos.containerizer.cgroups import files
from pocket_mesos.containerizer.errors import IsolationError


def hierarchy(base: Path, subsystem: str, mounts: str | None = None) -> Path:
    """Find where a subsystem is mounted: below ``base``, or elsewhere by the mount table.

    Args:
        base: the flag ``cgroups_hierarchy``.
        subsystem: such as ``memory``.
        mounts: text of /proc/self/mountinfo; read when not given.

    Raises:
        IsolationError: it is not mounted.
    """
    text = Path("/proc/self/mountinfo").read_text() if mounts is None else mounts
    found = None
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind == "cgroup" and subsystem in options.split(","):
            point = Path(left.split()[4])
            if point.parent == base or found is None:
                found = point
    if found is None:
        raise IsolationError(
            f"The cgroup subsystem '{subsystem}' is not mounted below '{base}' or elsewhere; "
            f"mount it, or choose --launcher=posix and --isolation=posix/cpu,posix/mem"
        )
    return found


async def destroy(freezer: Path, seconds: float) -> None:
    """Kill every process of a container by its freezer cgroup and remove the cgroup.

    Frozen processes can't fork; the signal reaches them when they thaw.

    Raises:
        DestroyError: something survived ``seconds``.
    """

    def kill_all() -> None:
        for folder in files.nested(freezer):
            _state(folder, "FROZEN")
            files.kill(files.processes(folder))
            _state(folder, "THAWED")

    await files.remove(freezer, kill_all, seconds)


def _state(freezer: Path, state: str) -> None:
    try:
        files.write(freezer, "freezer.state", state)
    except IsolationError:
        return  # removed meanwhile
