"""What a run of the suite's own cluster leaves on the machine, and its removal.

Every run has a folder that names its owner. Whatever it starts can be told by that
folder: daemons and tasks carry its path in their environment, cgroups its name. So a
run that was killed is cleaned up by the next one, and nothing else is ever touched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

BASE = Path(tempfile.gettempdir()) / f"mesos-conformance-{os.getuid()}"
OWNER = "owner"
CGROUPS = Path("/sys/fs/cgroup")


def new_run() -> Path:
    """Make a folder for this run, after sweeping those whose owner is gone."""
    BASE.mkdir(mode=0o755, exist_ok=True)
    with _alone():
        left = [run for run in BASE.iterdir() if not _owner_lives(run)]
        run = Path(tempfile.mkdtemp(prefix="run-", dir=BASE))
        run.chmod(0o755)  # tasks of other users find their sandbox below it
        (run / OWNER).write_text(_identity(os.getpid()))
    for former in left:
        sweep(former)
    return run


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Keep others out: a folder that is just being made does not name its owner yet."""
    base = os.open(BASE, os.O_RDONLY)
    try:
        fcntl.flock(base, fcntl.LOCK_EX)
        yield
    finally:
        os.close(base)


def cgroups_root(run: Path) -> str:
    """Return the cgroups_root of this run's agents."""
    return f"mesos-conformance-{run.name.removeprefix('run-')}"


def sweep(run: Path) -> None:
    """Kill what still runs for this run, and remove its cgroups and files."""
    deadline = time.monotonic() + 10
    while (found := _processes_of(run)) and time.monotonic() < deadline:
        for pid in found:
            _kill(pid)
        time.sleep(0.1)
    for root in _cgroups_named(cgroups_root(run)):
        _remove_cgroup(root)
    shutil.rmtree(run, ignore_errors=True)


def _identity(pid: int) -> str:
    """A pid with its start time, which a later process of the same pid does not share."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return f"{pid} {fields[19]}"


def _owner_lives(run: Path) -> bool:
    try:
        owner = (run / OWNER).read_text()
        return _identity(int(owner.split()[0])) == owner
    except (OSError, ValueError, IndexError):
        return False


def _processes_of(run: Path) -> list[int]:
    """Find processes that have the run's folder in their environment."""
    mark = f"{run}/".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if mark in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue  # ended, or not ours to look at
    return found


def _cgroups_named(name: str) -> list[Path]:
    """Find the run's cgroups: in each hierarchy of v1, at or below the root of v2."""
    candidates = [CGROUPS / name, *CGROUPS.glob(f"*/{name}"), *CGROUPS.glob(f"*/*/{name}")]
    return [path for path in candidates if path.is_dir() and not path.parent.is_symlink()]


def _remove_cgroup(root: Path) -> None:
    """Kill what is inside, then remove from the leaves up; the kernel takes a moment."""
    deadline = time.monotonic() + 10
    while root.is_dir() and time.monotonic() < deadline:
        folders = sorted((Path(path) for path, _, _ in os.walk(root)), reverse=True)
        for folder in folders:
            _thaw(folder)
            for pid in _members(folder):
                _kill(pid)
            try:
                folder.rmdir()
            except OSError:
                continue  # busy until its last process is reaped
        time.sleep(0.05)


def _thaw(cgroup: Path) -> None:
    """A frozen process does not die."""
    state = cgroup / "freezer.state"
    if state.exists():
        state.write_text("THAWED")


def _members(cgroup: Path) -> list[int]:
    try:
        return [int(line) for line in (cgroup / "cgroup.procs").read_text().split()]
    except OSError:
        return []


def _kill(pid: int) -> None:
    with contextlib.suppress(OSError):  # ended by itself
        os.kill(pid, signal.SIGKILL)
