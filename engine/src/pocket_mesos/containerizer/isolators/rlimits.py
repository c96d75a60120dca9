"""posix/rlimits: limits that the kernel keeps for each process, from the task's ContainerInfo."""

from pocket_mesos.containerizer import limits
from pocket_mesos.containerizer.config import ContainerConfig, LaunchInfo
from pocket_mesos.containerizer.errors import IsolationError
from pocket_mesos.containerizer.isolators.base import Isolator


class Rlimits(Isolator):
    """Sets what the task asks for before its program starts."""

    name = "posix/rlimits"

    def prepare(self, config: ContainerConfig) -> LaunchInfo:
        info = None if config.container is None else config.container.rlimit_info
        try:
            wanted = tuple(map(limits.parse, (info or {}).get("rlimits", [])))
        except ValueError as error:
            raise IsolationError(str(error)) from error
        return LaunchInfo(rlimits=wanted)
