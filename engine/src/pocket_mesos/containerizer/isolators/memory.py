"""What the memory isolators of both cgroup versions have in common."""

from pocket_mesos.containerizer.config import Limitation

MIN_BYTES = 32 * 1024 * 1024
"""No container gets less, or its executor could not start."""

_UNITS = ((40, "TB"), (30, "GB"), (20, "MB"), (10, "KB"))


def text(size: int) -> str:
    """Print bytes as Mesos does: in the largest unit that loses nothing."""
    for shift, unit in _UNITS:
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return f"{size}B"


def limitation(limit: int, used: int, statistics: str) -> Limitation:
    """Describe a container that ran out of memory.

    Args:
        limit: bytes it was allowed.
        used: the most it used, in bytes.
        statistics: text of memory.stat.
    """
    return Limitation(
        reason="REASON_CONTAINER_LIMITATION_MEMORY",
        message=(
            f"Memory limit exceeded: Requested: {text(limit)} Maximum Used: {text(used)}\n\n"
            f"MEMORY STATISTICS: \n{statistics}\n"
        ),
        resource="mem",
        limit=limit / (1 << 20),
    )
