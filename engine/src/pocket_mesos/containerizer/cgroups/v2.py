"""Version 2: one tree. Processes sit in leaves only: a container's in ``<root>/<container>/leaf``.

Where the root is: a process may not join a cgroup that enables controllers for its children. So
systemd could not start a unit again in whose own cgroup containers still live. Containers below
the unit's cgroup therefore take a unit whose processes have a subgroup of their own
(``DelegateSubgroup=``, systemd 254); otherwise they live beside the units, as real Mesos' do.
"""

from pathlib import Path

from pocket_mesos.containerizer.cgroups import files
from pocket_mesos.containerizer.errors import IsolationError

LEAF = "leaf"
AGENT = "agent"
"""The agent's own cgroup, for when it would sit above its containers."""


def mounted(base: Path) -> bool:
    """Tell whether ``base`` itself is the version 2 hierarchy."""
    return (base / "cgroup.controllers").is_file()


def offered(base: Path) -> set[str]:
    """Return the controllers that the kernel offers in the hierarchy."""
    return set(files.read(base, "cgroup.controllers").split())


def own(text: str | None = None) -> str:
    """Return the path of this process' cgroup within the hierarchy, such as ``/init.scope``."""
    lines = (Path("/proc/self/cgroup").read_text() if text is None else text).splitlines()
    for line in lines:
        if line.startswith("0::"):
            return line[3:]
    raise IsolationError("This process has no cgroup in the version 2 hierarchy")


def root(base: Path, cgroups_root: str, current: str) -> Path:
    """Return the cgroup below which containers live.

    Args:
        base: where the hierarchy is mounted.
        cgroups_root: the flag.
        current: path of the agent's own cgroup.
    """
    unit = Path(current.lstrip("/")).parent
    return (base / unit if unit.suffix == ".service" else base) / cgroups_root


def prepare(base: Path, containers: Path, current: str, controllers: tuple[str, ...]) -> None:
    """Make the containers' root, with controllers for what will live in it.

    Raises:
        IsolationError: the kernel does not offer a controller here, or the tree is not writable.
    """
    files.create(containers)
    source = base / current.lstrip("/")
    if containers.is_relative_to(source):
        _move_processes(source, containers / AGENT / LEAF)
    enable(containers, base, controllers)


def enable(cgroup: Path, base: Path, controllers: tuple[str, ...]) -> None:
    """Make ``controllers`` available to the children of ``cgroup`` and of all above it."""
    parts = cgroup.relative_to(base).parts
    for folder in (base.joinpath(*parts[:count]) for count in range(len(parts) + 1)):
        active = files.read(folder, "cgroup.subtree_control").split()
        for controller in controllers:
            if controller not in active:
                files.write(folder, "cgroup.subtree_control", f"+{controller}")


def _move_processes(source: Path, target: Path) -> None:
    files.create(target)
    for pid in files.processes(source):
        try:
            files.write(target, "cgroup.procs", pid)
        except IsolationError:
            if Path(f"/proc/{pid}").exists():
                raise


async def destroy(cgroup: Path, seconds: float) -> None:
    """Kill every process of a container's cgroup and remove it.

    Raises:
        DestroyError: something survived ``seconds``.
    """

    def kill_all() -> None:
        try:
            files.write(cgroup, "cgroup.kill", 1)
        except IsolationError:
            # Kernels before 5.14 have no cgroup.kill.
            for folder in files.nested(cgroup):
                files.kill(files.processes(folder))

    await files.remove(cgroup, kill_all, seconds)
