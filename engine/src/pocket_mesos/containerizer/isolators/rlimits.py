"""posix/rlimits: limits that the kernel keeps for each process, from the task's ContainerInfo."""

import resource
from typing import Any

from pocket_mesos.containerizer.config import ContainerConfig, LaunchInfo
from pocket_mesos.containerizer.errors import IsolationError
from pocket_mesos.containerizer.isolators.base import Isolator

_LACKING = {"RLMT_LOCKS": 10}
"""Linux' number of what Python's module has no name for."""


class Rlimits(Isolator):
    """Sets what the task asks for before its program starts."""

    name = "posix/rlimits"

    def prepare(self, config: ContainerConfig) -> LaunchInfo:
        info = None if config.container is None else config.container.rlimit_info
        return LaunchInfo(rlimits=tuple(_limit(one) for one in (info or {}).get("rlimits", [])))


def _limit(wanted: dict[str, Any]) -> tuple[int, int, int]:
    kind = str(wanted.get("type"))
    number = _LACKING.get(kind)
    if number is None:
        number = getattr(resource, kind.replace("RLMT_", "RLIMIT_", 1), None)
    if not kind.startswith("RLMT_") or not isinstance(number, int):
        raise IsolationError(f"Unknown resource limit type '{kind}'")
    if ("soft" in wanted) != ("hard" in wanted):
        raise IsolationError("Either both soft and hard limit must be set, or none")
    return number, _value(wanted, "soft"), _value(wanted, "hard")


def _value(wanted: dict[str, Any], which: str) -> int:
    # 64-bit numbers may come as text.
    return int(wanted[which]) if which in wanted else resource.RLIM_INFINITY
