"""Frameworks, executors and tasks as the agent knows them."""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from pocket_mesos.agent.errors import IllegalTransitionError
from pocket_mesos.agent.paths import RunPaths
from pocket_mesos.containerizer.config import Limits
from pocket_mesos.protocol.mesos import (
    TERMINAL_STATES,
    ExecutorInfo,
    FrameworkInfo,
    Resource,
    TaskGroupInfo,
    TaskInfo,
    TaskState,
    TaskStatus,
)
from pocket_mesos.resources import EMPTY, Resources

MAX_COMPLETED_FRAMEWORKS = 50
MAX_COMPLETED_TASKS = 200
"""Kept for each executor."""


class Phase(Enum):
    """How the agent stands with the master."""

    RECOVERING = "RECOVERING"
    """Executors of the previous agent may still come back; no registration yet."""
    DISCONNECTED = "DISCONNECTED"
    RUNNING = "RUNNING"
    TERMINATING = "TERMINATING"
    """Shutting everything down, to exit when nothing is left."""


class ExecutorState(Enum):
    """Where an executor is in its life."""

    REGISTERING = "REGISTERING"
    """Launched, or found at recovery, but not subscribed yet."""
    RUNNING = "RUNNING"
    TERMINATING = "TERMINATING"
    """Told to shut down, or being destroyed."""
    TERMINATED = "TERMINATED"
    """No process left; kept until its tasks' updates are acknowledged."""


EXECUTOR_TRANSITIONS = {
    ExecutorState.REGISTERING: {
        ExecutorState.RUNNING,
        ExecutorState.TERMINATING,
        ExecutorState.TERMINATED,
    },
    ExecutorState.RUNNING: {ExecutorState.TERMINATING, ExecutorState.TERMINATED},
    ExecutorState.TERMINATING: {ExecutorState.TERMINATED},
    ExecutorState.TERMINATED: set(),
}


@dataclass(slots=True)
class Task:
    """A task that the agent has taken responsibility for."""

    info: TaskInfo
    state: TaskState = TaskState.TASK_STAGING
    statuses: list[TaskStatus] = field(default_factory=list)
    """One for each state it went through, oldest first."""

    @property
    def id(self) -> str:
        return self.info.task_id.value

    @property
    def terminal(self) -> bool:
        return self.state in TERMINAL_STATES


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingTermination:
    """Why the agent itself ends an executor; told by its tasks' updates."""

    reason: str
    message: str
    state: TaskState = TaskState.TASK_FAILED


@dataclass(slots=True, kw_only=True)
class Executor:
    """One run of an executor.

    A task is in exactly one of ``queued``, ``launched``, ``terminated`` and ``completed``.
    """

    info: ExecutorInfo
    framework: "Framework"
    container_id: str
    directory: str
    """The sandbox."""
    command: bool
    """Whether the agent made it for a command task."""
    run: RunPaths | None
    """Where it is checkpointed; None for frameworks that do not checkpoint."""
    state: ExecutorState = ExecutorState.REGISTERING
    pid: int | None = None
    recovered: bool = False
    queued: dict[str, Task] = field(default_factory=dict)
    """Not yet delivered to the executor."""
    queued_groups: list[TaskGroupInfo] = field(default_factory=list)
    """Task groups whose tasks are all in ``queued``."""
    launched: dict[str, Task] = field(default_factory=dict)
    terminated: dict[str, Task] = field(default_factory=dict)
    """Ended, with updates that are not acknowledged."""
    completed: deque[Task] = field(default_factory=lambda: deque(maxlen=MAX_COMPLETED_TASKS))
    pending: PendingTermination | None = None
    history: list[str] = field(default_factory=list)
    """States it went through, for the message of an illegal transition."""
    resources: Resources = EMPTY
    """What it is allotted: itself and its live tasks; kept as a sum, since tasks may be many."""

    def __post_init__(self) -> None:
        self.resources = Resources.of(self.info.resources)

    @property
    def id(self) -> str:
        return self.info.executor_id.value

    def become(self, state: ExecutorState) -> None:
        """Change state.

        Raises:
            IllegalTransitionError: the table does not allow it.
        """
        if state not in EXECUTOR_TRANSITIONS[self.state]:
            raise IllegalTransitionError(
                f"executor {self.id} can't go from {self.state.name} to {state.name}; "
                f"it went through {', '.join(self.history) or 'nothing'}"
            )
        self.history.append(self.state.name)
        self.state = state

    @property
    def live_tasks(self) -> list[Task]:
        """Tasks that have not ended, in the order they came."""
        return [*self.queued.values(), *self.launched.values()]

    def take(self, task: Task) -> None:
        """Queue a new task; the container may use its resources from now on."""
        self.queued[task.id] = task
        self.resources += Resources.of(task.info.resources)

    def give_back(self, task: Task) -> None:
        """Move a task that has ended to ``terminated``; its resources are free."""
        self.queued.pop(task.id, None)
        self.launched.pop(task.id, None)
        self.terminated[task.id] = task
        self.resources -= Resources.of(task.info.resources)

    @property
    def limits(self) -> Limits:
        """What its container may use."""
        resources = self.resources
        return Limits(
            cpus=resources.scalar("cpus"),
            mem=int(resources.scalar("mem") * 1024 * 1024),
            disk=int(resources.scalar("disk") * 1024 * 1024),
        )

    def find(self, task_id: str) -> Task | None:
        """Return a task that is not completed."""
        return (
            self.queued.get(task_id) or self.launched.get(task_id) or self.terminated.get(task_id)
        )


@dataclass(slots=True, kw_only=True)
class Framework:
    """A framework that has executors here."""

    info: FrameworkInfo
    executors: dict[str, Executor] = field(default_factory=dict)
    completed: deque[Executor]
    terminating: bool = False

    @property
    def id(self) -> str:
        assert self.info.id is not None
        return self.info.id.value

    def has_capability(self, name: str) -> bool:
        return any(one.type == name for one in self.info.capabilities)

    @property
    def lost_state(self) -> TaskState:
        """State of a task that never began: what a framework understands by it."""
        if self.has_capability("PARTITION_AWARE"):
            return TaskState.TASK_DROPPED
        return TaskState.TASK_LOST

    def executor_of(self, task_id: str) -> Executor | None:
        """Return the executor that has a task which is not completed."""
        for executor in self.executors.values():
            if executor.find(task_id) is not None:
                return executor
        return None


def allocated(frameworks: dict[str, Framework]) -> Resources:
    """Add up what all executors and their live tasks hold."""
    total = EMPTY
    for framework in frameworks.values():
        for executor in framework.executors.values():
            if executor.state is not ExecutorState.TERMINATED:
                total += executor.resources
    return total


def role_of(resources: list[Resource]) -> str | None:
    """Return the role that resources are allocated to."""
    for resource in resources:
        if resource.allocation_info is not None:
            return resource.allocation_info.role
    return None
