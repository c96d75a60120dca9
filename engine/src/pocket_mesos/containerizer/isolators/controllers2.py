"""Smaller controllers of version 2: pids, cpuset, io.

Processes of a container are counted and placed by the controllers' being enabled for its cgroup;
limits are the operator's, in the controls of cgroups_root. Devices have no control there: they
take a program for the kernel, which Pocket lacks.
"""

from typing import Any

from pocket_mesos.containerizer.cgroups import files
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
