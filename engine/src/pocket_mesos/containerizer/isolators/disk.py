"""disk/du: how much a sandbox holds, measured from time to time by du(1)."""

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

from pocket_mesos.containerizer.config import Limitation, Limits
from pocket_mesos.containerizer.isolators import memory
from pocket_mesos.containerizer.isolators.base import Isolator, Watcher

log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class _Sandbox:
    directory: Path
    quota: int
    """Bytes; 0: none was given, and nothing is measured."""
    used: int | None = None
    task: asyncio.Task[None] | None = None


class DiskDu(Isolator):
    """Measures; ends containers over their quota only when told to enforce it."""

    name = "disk/du"

    def __init__(self, interval: float, enforce: bool) -> None:
        """Wait ``interval`` seconds between two measurements of a sandbox."""
        self._interval = interval
        self._enforce = enforce
        self._sandboxes: dict[str, _Sandbox] = {}
        self._one = asyncio.Semaphore(1)
        """Lets one du run at a time: many at once would only wait for the same disk."""

    def watch(self, container_id: str, directory: Path, limits: Limits, watcher: Watcher) -> None:
        sandbox = _Sandbox(directory=directory, quota=limits.disk)
        self._sandboxes[container_id] = sandbox
        sandbox.task = asyncio.create_task(self._watch(container_id, sandbox, watcher))

    async def _watch(self, container_id: str, sandbox: _Sandbox, watcher: Watcher) -> None:
        while True:
            if sandbox.quota:
                async with self._one:
                    used = await _du(sandbox.directory)
                sandbox.used = sandbox.used if used is None else used
                if self._enforce and used is not None and used > sandbox.quota > 0:
                    watcher(container_id, _limitation(used, sandbox.quota))
                    return
            await asyncio.sleep(self._interval)

    def update(self, container_id: str, limits: Limits) -> None:
        sandbox = self._sandboxes.get(container_id)
        if sandbox is not None:
            sandbox.quota = limits.disk

    def usage(self, container_id: str, pids: list[int]) -> dict[str, float]:
        sandbox = self._sandboxes[container_id]
        values: dict[str, float] = {"disk_limit_bytes": sandbox.quota} if sandbox.quota else {}
        if sandbox.used is not None:
            values["disk_used_bytes"] = sandbox.used
        return values

    async def cleanup(self, container_id: str) -> None:
        sandbox = self._sandboxes.pop(container_id, None)
        if sandbox is not None and sandbox.task is not None:
            sandbox.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sandbox.task


async def _du(directory: Path) -> int | None:
    """Return the bytes on disk below a folder; None when du could not tell."""
    du = await asyncio.create_subprocess_exec(
        "du",
        "-k",
        "-s",
        str(directory),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        out, _ = await du.communicate()
    finally:
        # Cancelled, it may still run; it may as well have just ended.
        if du.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                du.kill()
            await du.wait()
    # Files that vanish while it looks make du fail, but not lie.
    text = out.split()[:1]
    return int(text[0]) * 1024 if text and text[0].isdigit() else None


def _limitation(used: int, quota: int) -> Limitation:
    return Limitation(
        reason="REASON_CONTAINER_LIMITATION_DISK",
        message=f"Disk usage ({memory.text(used)}) exceeds quota ({memory.text(quota)})",
        resource="disk",
        limit=quota / (1 << 20),
    )
