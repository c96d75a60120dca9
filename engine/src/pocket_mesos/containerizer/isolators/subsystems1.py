"""Smaller subsystems of version 1: pids, cpuset, devices, blkio."""

from pathlib import Path
from typing import Any

from pocket_mesos.containerizer import devices
from pocket_mesos.containerizer.cgroups import files
from pocket_mesos.containerizer.config import ContainerConfig, LaunchInfo
from pocket_mesos.containerizer.isolators import blkio
from pocket_mesos.containerizer.isolators.cgroups1 import Subsystem


class Pids(Subsystem):
    """Counts processes; as in Mesos the limit is the operator's, in ``pids.max`` of cgroups_root.

    A fork that would exceed it fails for the containers below, and for nobody else.
    """

    name = "cgroups/pids"

    def __init__(self, base: Path, cgroups_root: str) -> None:
        super().__init__(base, cgroups_root, ("pids",))


class Cpuset(Subsystem):
    """Containers run on the CPUs and memory nodes of cgroups_root, which operators may narrow."""

    name = "cgroups/cpuset"

    def __init__(self, base: Path, cgroups_root: str) -> None:
        super().__init__(base, cgroups_root, ("cpuset",))
        root = self._roots[0]
        depth = len(Path(cgroups_root).parts)
        for cgroup in [*reversed(root.parents[: depth - 1]), root]:
            _inherit(cgroup)

    def prepare(self, config: ContainerConfig) -> LaunchInfo:
        made = super().prepare(config)
        _inherit(self.cgroup(config.container_id))
        return made


def _inherit(cgroup: Path) -> None:
    """Give a new cgroup what its parent has: while it has nothing, no process can enter it."""
    for control in ("cpuset.cpus", "cpuset.mems"):
        if not files.read(cgroup, control).strip():
            files.write(cgroup, control, files.read(cgroup.parent, control).strip())


class Devices(Subsystem):
    """Refuses to open devices that are not on the list."""

    name = "cgroups/devices"

    def __init__(self, base: Path, cgroups_root: str, more: tuple[str, ...]) -> None:
        """Allow Mesos' list and ``more`` entries of that kind, such as ``c 1:11 r``."""
        super().__init__(base, cgroups_root, ("devices",))
        self._allowed = (*devices.ALLOWED, *more)

    def prepare(self, config: ContainerConfig) -> LaunchInfo:
        made = super().prepare(config)
        cgroup = self.cgroup(config.container_id)
        files.write(cgroup, "devices.deny", "a")
        for entry in self._allowed:
            files.write(cgroup, "devices.allow", entry)
        return made


class Blkio(Subsystem):
    """Counts what is read from and written to block devices; limits nothing, as in Mesos."""

    name = "cgroups/blkio"

    def __init__(self, base: Path, cgroups_root: str) -> None:
        super().__init__(base, cgroups_root, ("blkio",))

    def usage(self, container_id: str, pids: list[int]) -> dict[str, Any]:
        cgroup = self.cgroup(container_id)
        return blkio.statistics(
            blkio.version1(files.read(cgroup, "blkio.throttle.io_service_bytes")),
            blkio.version1(files.read(cgroup, "blkio.throttle.io_serviced")),
        )
