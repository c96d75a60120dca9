"""Resource limits of a ContainerInfo as the kernel takes them. Executors use this too."""

from __future__ import annotations

import resource

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_LACKING = {"RLMT_LOCKS": 10}
"""Linux' number of what Python's module has no name for."""


def parse(wanted: dict[str, Any]) -> tuple[int, int, int]:
    """Read an RLimit: the kernel's number of it, soft and hard limit.

    Raises:
        ValueError: there is no such limit, or only half of it is given.
    """
    kind = str(wanted.get("type"))
    number = _LACKING.get(kind)
    if number is None:
        number = getattr(resource, kind.replace("RLMT_", "RLIMIT_", 1), None)
    if not kind.startswith("RLMT_") or not isinstance(number, int):
        raise ValueError(f"Unknown resource limit type '{kind}'")
    if ("soft" in wanted) != ("hard" in wanted):
        raise ValueError("Either both soft and hard limit must be set, or none")
    return number, _value(wanted, "soft"), _value(wanted, "hard")


def _value(wanted: dict[str, Any], which: str) -> int:
    # 64-bit numbers may come as text.
    return int(wanted[which]) if which in wanted else resource.RLIM_INFINITY
