"""What the agent's core is told. Times are seconds since the epoch unless said otherwise."""

from dataclasses import dataclass

from pocket_mesos.containerizer.config import Limitation
from pocket_mesos.protocol import executor as executor_api
from pocket_mesos.protocol import link
from pocket_mesos.protocol.mesos import MasterInfo, TaskStatus

TimerKey = tuple[str, ...]
"""What a timer is for, and whose it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MasterDetected:
    """Another leader, or none."""

    leader: MasterInfo | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLost:
    """The stream from the master ended or could not be opened."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FromMaster:
    """The master said something."""

    event: link.Event
    refusal: str | None = None
    """Why no task can be taken in at the moment, if it is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorSubscribed:
    """An executor that ``Agent.refusal`` let through opened its event stream."""

    framework_id: str
    executor_id: str
    subscribe: executor_api.Subscribe


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorUpdated:
    """A subscribed executor sent a status update."""

    framework_id: str
    executor_id: str
    status: TaskStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorMessaged:
    """A subscribed executor sent a message to its framework."""

    framework_id: str
    executor_id: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLaunched:
    """The process of a container has been forked; nothing of the executor has run yet."""

    container_id: str
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerLaunchFailed:
    """No process, and nothing is left of the container."""

    container_id: str
    message: str
    dropped: bool
    """Whether not even the sandbox could be made, so that the tasks never began."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerTerminated:
    """The last process of a container is gone."""

    container_id: str
    status: int | None
    limitation: Limitation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerFired:
    """A timer that an action started has run out."""

    key: TimerKey


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthenticationRefused:
    """The master does not take this agent's credential."""

    master: MasterInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRequested:
    """The process is about to end (SIGTERM); a successor may take over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutdownRequested:
    """The operator wants the agent gone for good (SIGUSR1)."""


Event = (
    MasterDetected
    | LinkLost
    | AuthenticationRefused
    | FromMaster
    | ExecutorSubscribed
    | ExecutorUpdated
    | ExecutorMessaged
    | ContainerLaunched
    | ContainerLaunchFailed
    | ContainerTerminated
    | TimerFired
    | StopRequested
    | ShutdownRequested
)
