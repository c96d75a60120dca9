"""Input and output of block devices, in the shape of Mesos' statistics.

The part of CFQ, the scheduler that kernels since 5.0 lack, is left out.
"""

from typing import Any

Counts = dict[str, dict[str, int]]
"""By device, such as ``8:0``, the values by operation, such as ``READ``."""


def version1(text: str) -> Counts:
    """Read a control whose lines are ``8:0 Read 4096``."""
    found: Counts = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3:
            device, operation, value = words
            found.setdefault(device, {})[operation.upper()] = int(value)
    return found


def version2(text: str) -> tuple[Counts, Counts]:
    """Read io.stat, whose lines are ``8:0 rbytes=1 wbytes=2 rios=3 wios=4``: bytes, operations."""
    sizes: Counts = {}
    numbers: Counts = {}
    for line in text.splitlines():
        device, *pairs = line.split()
        values = {name: int(value) for name, _, value in (pair.partition("=") for pair in pairs)}
        for counts, kind in ((sizes, "bytes"), (numbers, "ios")):
            read, write = values.get(f"r{kind}", 0), values.get(f"w{kind}", 0)
            counts[device] = {"READ": read, "WRITE": write, "TOTAL": read + write}
    return sizes, numbers


def statistics(sizes: Counts, numbers: Counts) -> dict[str, Any]:
    """Return the field ``blkio``: each device, then all together."""
    devices = [
        {
            "device": dict(zip(("major", "minor"), map(int, device.split(":")), strict=True)),
            "io_service_bytes": _operations(sizes[device]),
            "io_serviced": _operations(numbers.get(device, {})),
        }
        for device in sizes
    ]
    total = {"io_service_bytes": [_total(sizes)], "io_serviced": [_total(numbers)]}
    return {"blkio": {"throttling": [*devices, total]}}


def _operations(values: dict[str, int]) -> list[dict[str, Any]]:
    return [{"op": operation, "value": value} for operation, value in values.items()]


def _total(counts: Counts) -> dict[str, Any]:
    return {"op": "TOTAL", "value": sum(values.get("TOTAL", 0) for values in counts.values())}
