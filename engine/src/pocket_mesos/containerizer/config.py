"""Values that the agent hands to the containerizer, and gets back from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pocket_mesos.protocol.mesos import ContainerInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a container may use: the sum over its executor and its live tasks."""

    cpus: float = 0.0
    mem: int = 0
    """Bytes."""
    disk: int = 0
    """Bytes; 0: it was given none, and none is enforced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class URI:
    """A file to fetch into the sandbox; fields as in Mesos' CommandInfo.URI."""

    value: str
    executable: bool = False
    extract: bool = True
    cache: bool = False
    output_file: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerConfig:
    """All that it takes to launch an executor."""

    container_id: str
    agent_id: str = ""
    argv: tuple[str, ...]
    """Program, searched in the container's PATH, and its arguments (``argv[0]`` first)."""
    executable: str | None = None
    """File to run when it is not ``argv[0]``."""
    environment: dict[str, str]
    directory: Path
    """The sandbox."""
    user: str | None
    """User to run as; None is the agent's own."""
    limits: Limits
    uris: tuple[URI, ...] = ()
    container: ContainerInfo | None = None
    """What the framework wants of isolators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchInfo:
    """What isolators want done between the fork and the program."""

    namespaces: frozenset[str] = frozenset()
    """New ones, by unshare(1)'s options: mount, pid, ipc."""
    commands: tuple[tuple[str, ...], ...] = ()
    """Run in order within the namespaces, by the agent's user."""
    rlimits: tuple[tuple[int, int, int], ...] = ()
    """(resource, soft, hard) as in resource.prlimit."""


def joined(infos: Iterable[LaunchInfo]) -> LaunchInfo:
    """Put together what several isolators want, in their order."""
    every = tuple(infos)
    return LaunchInfo(
        namespaces=frozenset(name for one in every for name in one.namespaces),
        commands=tuple(command for one in every for command in one.commands),
        rlimits=tuple(limit for one in every for limit in one.rlimits),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limitation:
    """A container went over a limit and has to die."""

    reason: str
    message: str
    resource: str
    """Whose limit, such as ``mem``."""
    limit: float
    """In MB, for the update's ``limitation``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Termination:
    """How a container ended."""

    status: int | None
    """Wait status as wait(2) gives it; None when nobody could collect it."""
    limitation: Limitation | None = None
