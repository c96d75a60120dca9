"""What the machine has, for resources that the operator did not name."""

import os
import shutil
from pathlib import Path

from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import Range, Ranges, Resource, Scalar, ValueType
from pocket_mesos.resources import ParseError, is_empty, parse_resources

_MB = 1024 * 1024
_RESERVED_MEM = 1024
"""MB left to the system, as Mesos does."""
_RESERVED_DISK = 5 * 1024
DEFAULT_PORTS = (31000, 32000)


def resources(text: str | None, default_role: str, work_dir: Path) -> list[Resource]:
    """Return the agent's resources: those that were named, and the others as detected.

    Args:
        text: the flag ``resources``.
        default_role: role of resources that name none.
        work_dir: a folder on the disk that is offered; need not exist yet.

    Raises:
        ParseError: the text is no list of resources, or it reserves some for a role.
    """
    named = parse_resources(text, default_role) if text else []
    _refuse_reservations(named)
    found = {
        "cpus": _scalar("cpus", float(os.cpu_count() or 1)),
        "mem": _scalar("mem", float(_offered(_total_mem(), _RESERVED_MEM))),
        "disk": _scalar("disk", float(_offered(_total_disk(work_dir), _RESERVED_DISK))),
        "ports": _ports(),
    }
    names = {one.name for one in named}
    detected = [one for name, one in found.items() if name not in names]
    there = [one for one in (*named, *detected) if not is_empty(one)]
    # Unreserved resources carry no role on the wire.
    return [replace(one, role=None) if one.role == "*" else one for one in there]


def _refuse_reservations(named: list[Resource]) -> None:
    """Stop where resources are promised to one role: without reservations all would get them."""
    for one in named:
        if one.role not in (None, "*") or one.reservations:
            raise ParseError(
                f"Resource '{one.name}' is reserved for a role, which Pocket Mesos does not "
                "support; name unreserved resources in --resources, and no --default_role"
            )


def _offered(total: int, reserved: int) -> int:
    """Leave ``reserved`` MB to the system, or half where there is not so much."""
    return total - reserved if total > 2 * reserved else total // 2


def _total_mem() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _MB


def _total_disk(folder: Path) -> int:
    existing = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.exists())
    return shutil.disk_usage(existing).total // _MB


def _scalar(name: str, value: float) -> Resource:
    return Resource(name=name, type=ValueType.SCALAR, scalar=Scalar(value=value))


def _ports() -> Resource:
    begin, end = DEFAULT_PORTS
    ranges = Ranges(range=[Range(begin=begin, end=end)])
    return Resource(name="ports", type=ValueType.RANGES, ranges=ranges)


def boot_id() -> str:
    """Return what distinguishes this boot of the machine from others."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
