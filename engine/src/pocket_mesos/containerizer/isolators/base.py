"""What every isolator does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pocket_mesos.containerizer.config import ContainerConfig, LaunchInfo, Limitation, Limits

Watcher = Callable[[str, Limitation], None]
"""Told once that a container (by id) went over a limit."""


class Isolator:
    """Does nothing; subclasses override what concerns them.

    For each container: prepare, isolate while its process waits at the gate, watch; update
    whenever its limits change; cleanup when no process is left. After a restart of the agent,
    ``watch`` comes without ``prepare``.
    """

    name = ""

    def prepare(self, config: ContainerConfig) -> LaunchInfo:
        """Make what the container needs before it has a process; say what the fork has to do."""
        return LaunchInfo()

    def isolate(self, container_id: str, pid: int) -> None:
        """Put the container's first process under the limits."""

    def watch(self, container_id: str, directory: Path, limits: Limits, watcher: Watcher) -> None:
        """Report from now on when the container goes over its limit.

        Args:
            container_id: whose.
            directory: its sandbox.
            limits: as they are now; later ones come by ``update``.
            watcher: told at most once.
        """

    def check(self, container_id: str) -> Limitation | None:
        """Look now whether the container went over its limit."""
        return None

    def update(self, container_id: str, limits: Limits) -> None:
        """Change the limits."""

    def usage(self, container_id: str, pids: list[int]) -> dict[str, Any]:
        """Measure, under the names of Mesos' ResourceStatistics."""
        return {}

    async def cleanup(self, container_id: str) -> None:
        """Remove what is left of the container here; fine when there is nothing."""

    def containers(self) -> set[str]:
        """Return the containers of which something exists here."""
        return set()
