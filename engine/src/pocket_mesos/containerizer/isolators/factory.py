"""From the names in the flag ``isolation`` to isolators, and from ``launcher`` to a launcher."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pocket_mesos.containerizer.cgroups import device_filter, files, v1, v2
from pocket_mesos.containerizer.errors import IsolationError
from pocket_mesos.containerizer.isolators import (
    cgroups1,
    cgroups2,
    controllers2,
    disk,
    filesystem,
    namespaces,
    posix,
    rlimits,
    subsystems1,
)
from pocket_mesos.containerizer.isolators.base import Isolator
from pocket_mesos.containerizer.launcher import (
    Launcher,
    Linux2Launcher,
    LinuxLauncher,
    PosixLauncher,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolationSettings:
    """Flags that concern isolation."""

    hierarchy: Path
    root: str
    enable_cfs: bool
    destroy_timeout: float
    """Seconds."""
    count_processes: bool = False
    allowed_devices: tuple[str, ...] = ()
    """Entries of the devices cgroup beyond Mesos' own."""
    disk_watch_interval: float = 15.0
    enforce_disk_quota: bool = False
    disallow_sharing_pid: bool = False
    disallow_sharing_ipc: bool = False
    shm_size: int | None = None
    """Bytes."""


Maker = Callable[[IsolationSettings], Isolator]

PLAIN: dict[str, Maker] = {
    "posix/cpu": lambda _: posix.PosixCpu(),
    "posix/mem": lambda _: posix.PosixMem(),
    "posix/rlimits": lambda _: rlimits.Rlimits(),
    "disk/du": lambda by: disk.DiskDu(by.disk_watch_interval, by.enforce_disk_quota),
    "filesystem/posix": lambda _: filesystem.Posix(),
    "filesystem/linux": lambda _: filesystem.Linux(),
    "namespaces/pid": lambda by: namespaces.Pid(by.disallow_sharing_pid),
    "namespaces/ipc": lambda by: namespaces.Ipc(by.disallow_sharing_ipc, by.shm_size),
}
"""Isolators that need no cgroups."""

VERSION1: dict[str, tuple[tuple[str, ...], Maker]] = {
    "cgroups/cpu": (
        ("cpu", "cpuacct"),
        lambda by: cgroups1.Cpu(by.hierarchy, by.root, by.enable_cfs, by.count_processes),
    ),
    "cgroups/mem": (("memory",), lambda by: cgroups1.Mem(by.hierarchy, by.root)),
    "cgroups/pids": (("pids",), lambda by: subsystems1.Pids(by.hierarchy, by.root)),
    "cgroups/cpuset": (("cpuset",), lambda by: subsystems1.Cpuset(by.hierarchy, by.root)),
    "cgroups/devices": (
        ("devices",),
        lambda by: subsystems1.Devices(by.hierarchy, by.root, by.allowed_devices),
    ),
    "cgroups/blkio": (("blkio",), lambda by: subsystems1.Blkio(by.hierarchy, by.root)),
}
"""Subsystems and isolator of each."""

VERSION2: dict[str, tuple[str, Callable[[IsolationSettings, Path], Isolator]]] = {
    "cgroups/cpu": (
        "cpu",
        lambda by, root: cgroups2.Cpu(root, by.enable_cfs, by.count_processes),
    ),
    "cgroups/mem": ("memory", lambda _, root: cgroups2.Mem(root)),
    "cgroups/pids": ("pids", lambda _, root: controllers2.Pids(root)),
    "cgroups/cpuset": ("cpuset", lambda _, root: controllers2.Cpuset(root)),
    "cgroups/io": ("io", lambda _, root: controllers2.Io(root)),
    "cgroups/devices": (
        device_filter.DEVICES,
        lambda by, root: controllers2.Devices(root, by.allowed_devices),
    ),
}
"""Controller and isolator of each, given the cgroup below which containers live."""

ALL = "cgroups/all"
"""Stands for all of cgroups/* that the machine has."""

NAMES = (*PLAIN, *VERSION1, "cgroups/io", ALL)
"""The isolators that exist."""

_SHORTHANDS = {
    "posix": ("posix/cpu", "posix/mem"),
    "cgroups": ("cgroups/cpu", "cgroups/mem"),
    "posix/disk": ("disk/du",),
    # filesystem/linux brings the volumes along.
    "volume/host_path": (),
    "volume/sandbox_path": (),
}

_FILESYSTEM = "filesystem/"


def default_launcher(settings: IsolationSettings) -> str:
    """Return ``linux`` where this process may use it, ``posix`` elsewhere, as Mesos chooses."""
    if os.geteuid() != 0:
        return "posix"
    if v2.mounted(settings.hierarchy):
        return "linux"
    try:
        v1.hierarchy(settings.hierarchy, "freezer")
    except IsolationError:
        return "posix"
    return "linux"


def names(isolation: str) -> tuple[str, ...]:
    """Split the flag into isolators' names, each once, one of them for the file system.

    Raises:
        IsolationError: a name that this engine lacks.
    """
    found: dict[str, None] = {}
    for name in isolation.split(","):
        for one in _SHORTHANDS.get(name.strip(), (name.strip(),)):
            if one not in NAMES:
                raise IsolationError(f"Unknown or unsupported isolator '{one}' in --isolation")
            found[one] = None
    filesystems = [one for one in found if one.startswith(_FILESYSTEM)]
    if len(filesystems) > 1:
        raise IsolationError("Using multiple filesystem isolators simultaneously is disallowed")
    if not filesystems:
        found["filesystem/posix"] = None
    if ALL in found:
        found = {one: None for one in found if one == ALL or not one.startswith("cgroups/")}
    # The file system comes first: others mount over what its volumes brought.
    return tuple(sorted(found, key=lambda one: not one.startswith(_FILESYSTEM)))


def check(isolation: str, launcher: str, settings: IsolationSettings) -> tuple[str, ...]:
    """See whether the machine has what the flags name, before anything is made.

    Returns:
        The isolators' names.

    Raises:
        IsolationError: the machine lacks what one of them needs.
    """
    wanted = names(isolation)
    for name in wanted:
        _require(name, wanted, launcher)
    if _unified(wanted, launcher, settings):
        return _check2(wanted, launcher, settings)
    return _check1(wanted, launcher, settings)


def create(
    isolation: str, launcher: str, settings: IsolationSettings
) -> tuple[Launcher, list[Isolator]]:
    """Make the launcher and the isolators that the flags name, and the cgroups above containers.

    Raises:
        IsolationError: the machine lacks what one of them needs.
    """
    wanted = check(isolation, launcher, settings)
    if _unified(wanted, launcher, settings):
        return _version2(wanted, settings)
    makers = (PLAIN.get(name) or VERSION1[name][1] for name in wanted)
    return _launcher1(launcher, settings), [maker(settings) for maker in makers]


def _unified(wanted: tuple[str, ...], launcher: str, settings: IsolationSettings) -> bool:
    """Tell whether cgroups are needed and those of version 2 are what there is."""
    groups = any(name.startswith("cgroups/") for name in wanted)
    return (launcher == "linux" or groups) and v2.mounted(settings.hierarchy)


def _require(name: str, wanted: tuple[str, ...], launcher: str) -> None:
    """Check what an isolator needs beside itself."""
    if name not in ("filesystem/linux", "namespaces/pid", "namespaces/ipc"):
        return
    lacking = None
    if os.geteuid() != 0:
        lacking = f"The isolator '{name}' requires root permissions"
    elif launcher != "linux":
        lacking = "'linux' launcher must be used"
    elif "filesystem/linux" not in wanted:
        lacking = "'filesystem/linux' isolator must be used"
    if lacking is not None:
        raise IsolationError(f"Failed to create isolator '{name}': {lacking}")


def _check1(wanted: tuple[str, ...], launcher: str, settings: IsolationSettings) -> tuple[str, ...]:
    if ALL in wanted:
        every = [name for name, (needed, _) in VERSION1.items() if _have(settings, needed)]
        wanted = (*(name for name in wanted if name != ALL), *every)
    lacking = [name for name in wanted if name not in PLAIN and name not in VERSION1]
    if lacking:
        raise IsolationError(
            f"The isolator '{lacking[0]}' needs cgroup v2; here it is cgroups/blkio"
        )
    needed = [one for name in wanted if name in VERSION1 for one in VERSION1[name][0]]
    for subsystem in [*(["freezer"] if launcher == "linux" else []), *needed]:
        files.writable(v1.hierarchy(settings.hierarchy, subsystem) / settings.root)
    return wanted


def _have(settings: IsolationSettings, subsystems: tuple[str, ...]) -> bool:
    try:
        return all(v1.hierarchy(settings.hierarchy, one) for one in subsystems)
    except IsolationError:
        return False


def _launcher1(launcher: str, settings: IsolationSettings) -> Launcher:
    if launcher == "posix":
        return PosixLauncher(settings.destroy_timeout)
    freezer = v1.hierarchy(settings.hierarchy, "freezer")
    return LinuxLauncher(freezer, settings.root, settings.destroy_timeout)


def _check2(wanted: tuple[str, ...], launcher: str, settings: IsolationSettings) -> tuple[str, ...]:
    if launcher != "linux":
        raise IsolationError("The isolators cgroups/* on cgroup v2 need --launcher=linux")
    there = v2.offered(settings.hierarchy) | device_filter.offered()
    if ALL in wanted:
        every = [name for name, (controller, _) in VERSION2.items() if controller in there]
        wanted = (*(name for name in wanted if name != ALL), *every)
    for name in wanted:
        if name not in PLAIN and name not in VERSION2:
            raise IsolationError(f"Pocket Mesos lacks the isolator '{name}' on cgroup v2")
        if name in VERSION2 and VERSION2[name][0] not in there:
            raise IsolationError(
                f"The isolator '{name}' needs the controller '{VERSION2[name][0]}', which "
                f"'{settings.hierarchy}' does not offer"
            )
    files.writable(v2.root(settings.hierarchy, settings.root, v2.own()))
    return wanted


def _version2(
    wanted: tuple[str, ...], settings: IsolationSettings
) -> tuple[Launcher, list[Isolator]]:
    current = v2.own()
    root = v2.root(settings.hierarchy, settings.root, current)
    controllers = dict.fromkeys(VERSION2[name][0] for name in wanted if name in VERSION2)
    controllers.pop(device_filter.DEVICES, None)
    v2.prepare(settings.hierarchy, root, current, tuple(controllers))
    isolators = [
        PLAIN[name](settings) if name in PLAIN else VERSION2[name][1](settings, root)
        for name in wanted
    ]
    return Linux2Launcher(root, settings.destroy_timeout), isolators
