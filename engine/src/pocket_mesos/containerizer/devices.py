"""Devices that containers may use: Mesos' own list and the flag ``allowed_devices``."""

import json
import os
import stat
from pathlib import Path
from typing import Any

from pocket_mesos.containerizer.errors import IsolationError

ALLOWED = (
    "c *:* m",
    "b *:* m",
    "c 5:1 rwm",
    "c 4:0 rwm",
    "c 4:1 rwm",
    "c 136:* rwm",
    "c 5:2 rwm",
    "c 10:200 rwm",
    "c 1:3 rwm",
    "c 1:5 rwm",
    "c 1:7 rwm",
    "c 5:0 rwm",
    "c 1:9 rwm",
    "c 1:8 rwm",
)
"""Mesos' list: any device may be made; console, terminals, tun, null, zero, full, random used."""

_LETTERS = (("read", "r"), ("write", "w"), ("mknod", "m"))


def parse(text: str) -> list[tuple[Path, str]]:
    """Read the flag: paths of devices, and the letters of what may be done with each.

    Raises:
        ValueError: it is not of the documented form.
    """
    found = []
    for one in _list(json.loads(text)):
        path = one["device"]["path"] if isinstance(one, dict) and "device" in one else None
        if not isinstance(path, str):
            raise ValueError("expected a device with a path for each of allowed_devices")
        access = one.get("access", {})
        found.append((Path(path), "".join(to for name, to in _LETTERS if access.get(name))))
    return found


def _list(value: Any) -> list[Any]:
    devices = value.get("allowed_devices") if isinstance(value, dict) else None
    if not isinstance(devices, list):
        raise ValueError("expected a JSON object with a list allowed_devices")
    return devices


def entries(text: str | None) -> tuple[str, ...]:
    """Return what the devices cgroup takes, such as ``c 1:3 rwm``.

    Raises:
        IsolationError: a path is no device of this machine.
    """
    return tuple(_entry(path, access) for path, access in parse(text or '{"allowed_devices": []}'))


def _entry(path: Path, access: str) -> str:
    try:
        found = path.stat()
    except OSError as error:
        raise IsolationError(
            f"Failed to determine the device of --allowed_devices '{path}': {error.strerror}"
        ) from error
    kind = {stat.S_IFCHR: "c", stat.S_IFBLK: "b"}.get(stat.S_IFMT(found.st_mode))
    if kind is None:
        raise IsolationError(f"'{path}' of --allowed_devices is not a device")
    return f"{kind} {os.major(found.st_rdev)}:{os.minor(found.st_rdev)} {access}"
