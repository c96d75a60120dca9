"""Launchers: which processes belong to a container, and how all of them are ended."""

import os
from pathlib import Path
from typing import Protocol

from pocket_mesos.containerizer import process
from pocket_mesos.containerizer.cgroups import files, v1, v2
from pocket_mesos.containerizer.errors import DestroyError
from pocket_mesos.containerizer.process import ProcessId


class Launcher(Protocol):
    """Owns the processes of containers."""

    def adopt(self, container_id: str, pid: int) -> None:
        """Take a process that waits at its gate into the container, which is made for it."""

    async def destroy(self, container_id: str, leader: ProcessId | None) -> None:
        """End every process of the container; fine when there is none any more.

        Raises:
            DestroyError: something survived.
        """

    def containers(self) -> set[str]:
        """Return the containers that the launcher finds on this machine."""

    def pids(self, container_id: str, leader: ProcessId | None) -> list[int]:
        """Return the container's processes."""


class PosixLauncher:
    """A container is a session and the descendants of its leader.

    After a restart it knows containers only by the pids that were checkpointed.
    """

    def __init__(self, destroy_timeout: float) -> None:
        self._timeout = destroy_timeout

    def adopt(self, container_id: str, pid: int) -> None:
        """Nothing to do: the process leads its own session from the start."""

    async def destroy(self, container_id: str, leader: ProcessId | None) -> None:
        if leader is not None and not await process.kill_tree(leader, self._timeout):
            raise DestroyError(
                f"Processes of container {container_id} survived {self._timeout:g}secs"
            )

    def containers(self) -> set[str]:
        return set()

    def pids(self, container_id: str, leader: ProcessId | None) -> list[int]:
        return [] if leader is None else [found.pid for found in process.tree(leader)]


class LinuxLauncher:
    """A container is a freezer cgroup: no process can leave it."""

    def __init__(self, hierarchy: Path, cgroups_root: str, destroy_timeout: float) -> None:
        self._root = hierarchy / cgroups_root
        self._timeout = destroy_timeout
        files.create(self._root)

    def adopt(self, container_id: str, pid: int) -> None:
        files.create(self._root / container_id)
        files.write(self._root / container_id, "cgroup.procs", pid)

    async def destroy(self, container_id: str, leader: ProcessId | None) -> None:
        await v1.destroy(self._root / container_id, self._timeout)

    def containers(self) -> set[str]:
        return _children(self._root)

    def pids(self, container_id: str, leader: ProcessId | None) -> list[int]:
        folders = files.nested(self._root / container_id)
        return [found for folder in folders for found in files.processes(folder)]


class Linux2Launcher:
    """A container is a cgroup of the unified hierarchy, its processes in a leaf below it."""

    def __init__(self, root: Path, destroy_timeout: float) -> None:
        self._root = root
        self._timeout = destroy_timeout

    def adopt(self, container_id: str, pid: int) -> None:
        leaf = self._root / container_id / v2.LEAF
        files.create(leaf)
        files.write(leaf, "cgroup.procs", pid)

    async def destroy(self, container_id: str, leader: ProcessId | None) -> None:
        await v2.destroy(self._root / container_id, self._timeout)

    def containers(self) -> set[str]:
        return _children(self._root) - {v2.AGENT}

    def pids(self, container_id: str, leader: ProcessId | None) -> list[int]:
        folders = files.nested(self._root / container_id)
        return [found for folder in folders for found in files.processes(folder)]


def _children(folder: Path) -> set[str]:
    with os.scandir(folder) as entries:
        return {entry.name for entry in entries if entry.is_dir()}
