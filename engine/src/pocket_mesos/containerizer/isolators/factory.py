"""From the names in the flag ``isolation`` to isolators, and from ``launcher`` to a launcher."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pocket_mesos.containerizer.cgroups import v1, v2
from pocket_mesos.containerizer.errors import IsolationError
from pocket_mesos.containerizer.isolators import cgroups1, cgroups2, posix
from pocket_mesos.containerizer.isolators.base import Isolator
from pocket_mesos.containerizer.launcher import (
    Launcher,
    Linux2Launcher,
    LinuxLauncher,
    PosixLauncher,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CgroupSettings:
    """Flags that concern cgroups."""

    hierarchy: Path
    root: str
    enable_cfs: bool
    destroy_timeout: float
    """Seconds."""


def default_launcher(settings: CgroupSettings) -> str:
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


NAMES = ("posix/cpu", "posix/mem", "cgroups/cpu", "cgroups/mem")
"""The isolators that exist; ``posix`` and ``cgroups`` as shorthands stand for two each."""

_SHORTHANDS = {"posix": ("posix/cpu", "posix/mem"), "cgroups": ("cgroups/cpu", "cgroups/mem")}
_CONTROLLERS = {"cgroups/cpu": "cpu", "cgroups/mem": "memory"}


def names(isolation: str) -> tuple[str, ...]:
    """Split the flag into isolators' names, each once.

    Raises:
        IsolationError: a name that this engine lacks.
    """
    found: dict[str, None] = {}
    for name in isolation.split(","):
        for one in _SHORTHANDS.get(name.strip(), (name.strip(),)):
            if one not in NAMES:
                raise IsolationError(f"Unknown or unsupported isolator '{one}' in --isolation")
            found[one] = None
    return tuple(found)


def create(
    isolation: str, launcher: str, settings: CgroupSettings
) -> tuple[Launcher, list[Isolator]]:
    """Make the launcher and the isolators that the flags name.

    Raises:
        IsolationError: the machine lacks what one of them needs.
    """
    wanted = names(isolation)
    controllers = tuple(_CONTROLLERS[name] for name in wanted if name in _CONTROLLERS)
    if (launcher == "linux" or controllers) and v2.mounted(settings.hierarchy):
        return _version2(wanted, controllers, launcher, settings)
    return _launcher1(launcher, settings), [_version1(name, settings) for name in wanted]


def _launcher1(launcher: str, settings: CgroupSettings) -> Launcher:
    if launcher == "posix":
        return PosixLauncher(settings.destroy_timeout)
    freezer = v1.hierarchy(settings.hierarchy, "freezer")
    return LinuxLauncher(freezer, settings.root, settings.destroy_timeout)


def _version1(name: str, settings: CgroupSettings) -> Isolator:
    match name:
        case "posix/cpu":
            return posix.PosixCpu()
        case "posix/mem":
            return posix.PosixMem()
        case "cgroups/cpu":
            return cgroups1.Cpu(settings.hierarchy, settings.root, settings.enable_cfs)
        case _:
            return cgroups1.Mem(settings.hierarchy, settings.root)


def _version2(
    wanted: tuple[str, ...], controllers: tuple[str, ...], launcher: str, settings: CgroupSettings
) -> tuple[Launcher, list[Isolator]]:
    if launcher != "linux":
        raise IsolationError("The isolators cgroups/* on cgroup v2 need --launcher=linux")
    current = v2.own()
    root = v2.root(settings.hierarchy, settings.root, current)
    v2.prepare(settings.hierarchy, root, current, controllers)
    makers: dict[str, Callable[[], Isolator]] = {
        "posix/cpu": posix.PosixCpu,
        "posix/mem": posix.PosixMem,
        "cgroups/cpu": lambda: cgroups2.Cpu(root, settings.enable_cfs),
        "cgroups/mem": lambda: cgroups2.Mem(root),
    }
    isolators = [makers[name]() for name in wanted]
    return Linux2Launcher(root, settings.destroy_timeout), isolators
