"""namespaces/pid and namespaces/ipc: a container sees its own processes and IPC objects only."""

from collections.abc import Mapping
from typing import Any

from pocket_mesos.containerizer.config import ContainerConfig, LaunchInfo
from pocket_mesos.containerizer.errors import IsolationError
from pocket_mesos.containerizer.isolators.base import Isolator

_PROC = ("mount", "-t", "proc", "-o", "nosuid,nodev,noexec", "proc", "/proc")


def linux_info(config: ContainerConfig) -> Mapping[str, Any]:
    """Return what a container wants of the kernel; empty when it says nothing."""
    info = None if config.container is None else config.container.linux_info
    return info or {}


class Pid(Isolator):
    """Processes of the container see and signal each other alone; /proc shows no more."""

    name = "namespaces/pid"

    def __init__(self, disallow_sharing: bool) -> None:
        """Refuse containers that want the agent's namespace if sharing is disallowed."""
        self._disallow_sharing = disallow_sharing

    def prepare(self, config: ContainerConfig) -> LaunchInfo:
        if not linux_info(config).get("share_pid_namespace"):
            return LaunchInfo(namespaces=frozenset({"mount", "pid"}), commands=(_PROC,))
        if self._disallow_sharing:
            raise IsolationError(
                "Sharing agent's pid namespace with top level container is not allowed"
            )
        return LaunchInfo()


class Ipc(Isolator):
    """Shared memory, semaphores and queues of the container are its own."""

    name = "namespaces/ipc"

    def __init__(self, disallow_sharing: bool, shm_size: int | None) -> None:
        """Prepare.

        Args:
            disallow_sharing: refuse containers that want the agent's namespace.
            shm_size: bytes of a private /dev/shm that names none; None: the kernel's default.
        """
        self._disallow_sharing = disallow_sharing
        self._shm_size = shm_size

    def prepare(self, config: ContainerConfig) -> LaunchInfo:
        info = linux_info(config)
        mode = info.get("ipc_mode")
        if mode == "SHARE_PARENT":
            if self._disallow_sharing:
                raise IsolationError(
                    "Sharing agent's IPC namespace with top level container is not allowed"
                )
            return LaunchInfo()
        # A container that does not say what it wants keeps the agent's /dev/shm, as it did before
        # Mesos let it choose.
        commands = (self._mount(info),) if mode == "PRIVATE" else ()
        return LaunchInfo(namespaces=frozenset({"mount", "ipc"}), commands=commands)

    def _mount(self, info: Mapping[str, Any]) -> tuple[str, ...]:
        size = int(info["shm_size"]) << 20 if "shm_size" in info else self._shm_size
        options = "nosuid,nodev,noexec,mode=1777" + ("" if size is None else f",size={size}")
        return ("mount", "-t", "tmpfs", "-o", options, "shm", "/dev/shm")
