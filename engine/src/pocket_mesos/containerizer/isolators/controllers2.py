"""Smaller controllers of version 2: pids, cpuset, io, devices.

Processes of a container are counted and placed by the controllers' being enabled for its cgroup;
limits are the operator's, in the controls of cgroups_root. Devices have no controller there, but
a program in the kernel.
"""

from pathlib import Path
from typing import Any

from pocket_mesos.containerizer import devices
from pocket_mesos.containerizer.cgroups import device_filter, files
from pocket_mesos.containerizer.config import ContainerConfig, LaunchInfo
from pocket_mesos.containerizer.isolators import blkio
from pocket_mesos.containerizer.isolators.cgroups2 import Controller


class Pids(Controller):
    """As on version 1."""

    name = "cgroups/pids"


class Cpuset(Controller):
    """As on version 1; a new cgroup inherits by itself."""

    name = "cgroups/cpuset"


class Io(Controller):
    """Counts as cgroups/blkio does on version 1."""

    name = "cgroups/io"

    def usage(self, container_id: str, pids: list[int]) -> dict[str, Any]:
        return blkio.statistics(*blkio.version2(files.read(self.cgroup(container_id), "io.stat")))


class Devices(Controller):
    """Refuses to open devices that are not on the list."""

    name = "cgroups/devices"

    def __init__(self, root: Path, more: tuple[str, ...]) -> None:
        """Allow Mesos' list and ``more`` entries of that kind, such as ``c 1:11 r``."""
        super().__init__(root)
        self._allowed = (*devices.ALLOWED, *more)

    def prepare(self, config: ContainerConfig) -> LaunchInfo:
        made = super().prepare(config)
        device_filter.attach(self.cgroup(config.container_id), self._allowed)
        return made
