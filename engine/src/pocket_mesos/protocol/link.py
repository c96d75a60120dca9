"""The master-agent link: Pocket's own protocol, in the style of the v1 APIs.

The agent POSTs ``Register`` or ``Reregister`` (the body is the call alone, as JSON) to
``/pocket/v1/agent`` of the leading master and keeps the answer open: a RecordIO stream of events,
whose first is ``Registered`` and whose header ``Mesos-Stream-Id`` the agent's other calls carry.
Further calls go in order, one POST at a time, each body one or more RecordIO records; the answer
is 202, or 403 once the stream is no longer the agent's current one, upon which the agent registers
again. A master that is not the leader answers as everywhere: 307 to the leader, 503 without one.

Names are those of Mesos' own internal messages, which do the same jobs.
"""

import msgspec

from pocket_mesos.protocol.deactivation import Deactivation
from pocket_mesos.protocol.mesos import (
    AgentID,
    AgentInfo,
    Capability,
    ExecutorID,
    ExecutorInfo,
    FrameworkID,
    FrameworkInfo,
    KillPolicy,
    TaskGroupInfo,
    TaskID,
    TaskInfo,
    TaskState,
    TaskStatus,
)

PATH = "/pocket/v1/agent"


class LinkMessage(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag=str
):
    """A call or event; the class's name is its type on the wire."""


class Task(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task as the agent knows it, sent when it registers again."""

    info: TaskInfo
    framework_id: FrameworkID
    executor_id: ExecutorID | None = None
    """Absent for a command task, as in Mesos."""
    state: TaskState
    """Latest state that the agent knows."""
    status_update_state: TaskState | None = None
    status_update_uuid: bytes | None = None
    """State and UUID of the latest update sent but not acknowledged."""
    statuses: list[TaskStatus] = msgspec.field(default_factory=list)


class Executor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An executor as the agent knows it; its resources stay allocated until it exits."""

    info: ExecutorInfo
    framework_id: FrameworkID


# --- agent to master -------------------------------------------------------------------------


class Register(LinkMessage, frozen=True, kw_only=True):
    agent_info: AgentInfo
    pid: str
    """``slave(1)@ip:port``: where the agent's HTTP API listens."""
    version: str
    capabilities: list[Capability] = msgspec.field(default_factory=list)


class Reregister(LinkMessage, frozen=True, kw_only=True):
    agent_info: AgentInfo
    pid: str
    version: str
    capabilities: list[Capability] = msgspec.field(default_factory=list)
    frameworks: list[FrameworkInfo] = msgspec.field(default_factory=list)
    executors: list[Executor] = msgspec.field(default_factory=list)
    tasks: list[Task] = msgspec.field(default_factory=list)
    """All that are not completed, terminal ones with unacknowledged updates included."""
    deactivation: Deactivation | None = None
    """What the agent was told last; a master that does not know the agent goes by it."""


class Unregister(LinkMessage, frozen=True, kw_only=True):
    """The agent leaves for good (SIGUSR1, SIGTERM is a mere restart)."""


class Pong(LinkMessage, frozen=True, kw_only=True):
    pass


class StatusUpdate(LinkMessage, frozen=True, kw_only=True):
    framework_id: FrameworkID
    executor_id: ExecutorID | None = None
    status: TaskStatus
    """The update to hand on; retried by the agent until it is acknowledged."""
    latest_state: TaskState


class ExecutorToFramework(LinkMessage, frozen=True, kw_only=True):
    framework_id: FrameworkID
    executor_id: ExecutorID
    data: bytes


class ExitedExecutor(LinkMessage, frozen=True, kw_only=True):
    framework_id: FrameworkID
    executor_id: ExecutorID
    status: int
    """Wait status as wait(2) gives it."""


Call = (
    Register | Reregister | Unregister | Pong | StatusUpdate | ExecutorToFramework | ExitedExecutor
)

# --- master to agent -------------------------------------------------------------------------


class Registered(LinkMessage, frozen=True, kw_only=True):
    """First event of a stream, after Register and Reregister alike."""

    agent_id: AgentID
    total_ping_timeout_seconds: float
    """The agent registers again when it has heard no Ping for so long."""


class Ping(LinkMessage, frozen=True, kw_only=True):
    """The agent answers Pong; as in Mesos, it tells whether the master sees the agent connected."""

    connected: bool


class RunTask(LinkMessage, frozen=True, kw_only=True):
    framework: FrameworkInfo
    executor: ExecutorInfo | None = None
    """Absent for a command task: the agent makes its command executor."""
    task: TaskInfo


class RunTaskGroup(LinkMessage, frozen=True, kw_only=True):
    framework: FrameworkInfo
    executor: ExecutorInfo
    task_group: TaskGroupInfo


class KillTask(LinkMessage, frozen=True, kw_only=True):
    framework_id: FrameworkID
    task_id: TaskID
    kill_policy: KillPolicy | None = None


class StatusUpdateAcknowledgement(LinkMessage, frozen=True, kw_only=True):
    framework_id: FrameworkID
    task_id: TaskID
    uuid: bytes


class FrameworkToExecutor(LinkMessage, frozen=True, kw_only=True):
    framework_id: FrameworkID
    executor_id: ExecutorID
    data: bytes


class ShutdownExecutor(LinkMessage, frozen=True, kw_only=True):
    framework_id: FrameworkID
    executor_id: ExecutorID


class ShutdownFramework(LinkMessage, frozen=True, kw_only=True):
    framework_id: FrameworkID


class UpdateFramework(LinkMessage, frozen=True, kw_only=True):
    framework: FrameworkInfo


class ReconcileTasks(LinkMessage, frozen=True, kw_only=True):
    """Tasks that the master believes to be on the agent.

    The agent answers TASK_DROPPED (or TASK_LOST, for a framework that is not partition-aware) for
    each that it does not know.
    """

    framework_id: FrameworkID
    tasks: list[TaskID] = msgspec.field(default_factory=list)


class Deactivate(LinkMessage, frozen=True, kw_only=True):
    """Operators have decided this about the agent; while it is draining, it kills its tasks."""

    deactivation: Deactivation


class Reactivate(LinkMessage, frozen=True, kw_only=True):
    """Operators have taken the deactivation back."""


class Shutdown(LinkMessage, frozen=True, kw_only=True):
    """The agent kills its tasks and exits: it was removed, or another took its place."""

    message: str | None = None


Event = (
    Registered
    | Ping
    | RunTask
    | RunTaskGroup
    | KillTask
    | StatusUpdateAcknowledgement
    | FrameworkToExecutor
    | ShutdownExecutor
    | ShutdownFramework
    | UpdateFramework
    | ReconcileTasks
    | Deactivate
    | Reactivate
    | Shutdown
)
