"""Carries out the core's actions on files: whole or not at all, readable for nobody else."""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from pocket_mesos.agent import actions
from pocket_mesos.containerizer import sandbox

FILE_MODE = 0o600
MARKER_MODE = 0o644
"""Of files that hold nothing: that they are there says it all."""
RUN_MODE = 0o750
MIN_FREE_BYTES = 1024 * 1024
"""What has to be free for a task's checkpoints and the updates of those that run."""


def carry_out(
    action: actions.WriteFile | actions.AppendLine | actions.MakeLink | actions.RemoveFile,
) -> None:
    """Do what the action says; it is with the kernel on return.

    Raises:
        OSError: the disk is full or the folder not writable.
    """
    path = Path(action.path)
    match action:
        case actions.WriteFile():
            write(path, action.data)
        case actions.AppendLine():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(action.data + b"\n")
        case actions.MakeLink():
            Path(action.target).mkdir(RUN_MODE, parents=True, exist_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            sandbox.link(path, Path(action.target))
        case actions.RemoveFile():
            path.unlink(missing_ok=True)


def refusal(work_dir: str) -> str | None:
    """Return why no task can be taken in, if its checkpoints and sandbox could not be made."""
    try:
        found = os.statvfs(work_dir)
    except OSError as error:
        return f"Failed to look at work_dir '{work_dir}': {error.strerror}"
    if found.f_flag & os.ST_RDONLY:
        return f"The file system of work_dir '{work_dir}' is read-only"
    free = found.f_frsize * (found.f_bavail if os.geteuid() else found.f_bfree)
    if free < MIN_FREE_BYTES:
        needed = f"{MIN_FREE_BYTES} are needed"
        return f"No space left in work_dir '{work_dir}': {free} bytes are free, {needed}"
    if found.f_files and not found.f_ffree:
        return f"No space left in work_dir '{work_dir}': all its files are in use"
    return None


def write(path: Path, data: bytes) -> None:
    """Replace a file's contents atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    mode = FILE_MODE if data else MARKER_MODE
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


class GarbageCollector:
    """Removes folders that have ended, a while later; sooner when the disk fills up."""

    def __init__(
        self,
        work_dir: Path,
        delay: float,
        headroom: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Keep folders below ``work_dir`` for ``delay`` seconds.

        Args:
            work_dir: on the disk that is watched.
            delay: the flag gc_delay.
            headroom: the flag gc_disk_headroom.
            clock: seconds.
        """
        self._work_dir = work_dir
        self._delay = delay
        self._headroom = headroom
        self._clock = clock
        self._since: dict[Path, float] = {}
        """When each folder was handed over."""
        self.removed = 0
        self.failed = 0

    @property
    def pending(self) -> int:
        """Number of folders that wait to be removed."""
        return len(self._since)

    def schedule(self, path: str, ended: bool = True) -> None:
        """Remove a folder some time.

        Args:
            path: handed over again, the time starts anew.
            ended: the time starts now, also for agents to come; otherwise with the last change.
        """
        folder = Path(path)
        with contextlib.suppress(FileNotFoundError):
            if ended:
                os.utime(folder, (self._clock(), self._clock()))
            self._since[folder] = folder.stat().st_mtime

    def keep(self, path: str) -> None:
        """Do not remove a folder or one above it after all: it is in use again."""
        kept = Path(path)
        for one in [one for one in self._since if one == kept or kept.is_relative_to(one)]:
            del self._since[one]

    def max_allowed_age(self) -> float:
        """Return for how many seconds folders are kept, as full as the disk is now."""
        usage = shutil.disk_usage(self._work_dir)
        return self._delay * max(0.0, 1.0 - self._headroom - usage.used / usage.total)

    def collect(self) -> None:
        """Remove what has waited long enough."""
        oldest = self._clock() - self.max_allowed_age()
        for path in [path for path, since in self._since.items() if since <= oldest]:
            del self._since[path]
            try:
                shutil.rmtree(path)
                self.removed += 1
            except FileNotFoundError:
                continue  # went with a folder above it
            except OSError:
                self.failed += 1
