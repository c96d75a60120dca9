"""What the master knows: agents, frameworks, their tasks, executors and offers.

Records are mutable and plain; only the core's modules change them. Lookups that hot paths need are
dictionaries, never scans.
"""

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass, field
from enum import Enum

from pocket_mesos.allocator import Quota
from pocket_mesos.authorization import OPEN, Authorizer, Viewer
from pocket_mesos.protocol.deactivation import Deactivation
from pocket_mesos.protocol.mesos import (
    TERMINAL_STATES,
    AgentInfo,
    Capability,
    ExecutorInfo,
    FrameworkInfo,
    MasterInfo,
    TaskInfo,
    TaskState,
    TaskStatus,
)
from pocket_mesos.resources import Resources

TaskKey = tuple[str, str]
"""Framework id and task id."""

ExecutorKey = tuple[str, str]
"""Framework id and executor id."""


class FrameworkState(Enum):
    """Life of a framework; see ``transitions``."""

    ACTIVE = "ACTIVE"
    """Connected and taking offers."""
    DISCONNECTED = "DISCONNECTED"
    """Its stream is gone; its failover timeout runs."""
    RECOVERED = "RECOVERED"
    """Told of by agents after a change of leader; not yet subscribed with this master."""
    COMPLETED = "COMPLETED"


class AgentState(Enum):
    """Life of an agent; see ``transitions``."""

    CONNECTED = "CONNECTED"
    DISCONNECTED = "DISCONNECTED"
    """Its link is gone; pings still count."""
    REMOVED = "REMOVED"
    """Unreachable, unregistered, replaced or gone: no longer among the registered."""


@dataclass(slots=True)
class Task:
    """A task, from launch until it is completed."""

    info: TaskInfo
    framework_id: str
    agent_id: str
    role: str
    executor_id: str | None
    """None for a command task."""
    resources: Resources
    state: TaskState = TaskState.TASK_STAGING
    """Latest state that the agent knows."""
    status_update_state: TaskState | None = None
    """State of the latest update that was sent to the framework."""
    status_update_uuid: bytes | None = None
    statuses: list[TaskStatus] = field(default_factory=list)
    """The latest status of each stretch of equal states, oldest first."""

    @property
    def id(self) -> str:
        """Task id."""
        return self.info.task_id.value

    @property
    def terminal(self) -> bool:
        """Whether it uses nothing any more."""
        return self.state in TERMINAL_STATES


@dataclass(slots=True)
class Executor:
    """A custom or default executor; its resources are used until it exits."""

    info: ExecutorInfo
    framework_id: str
    agent_id: str
    role: str
    resources: Resources

    @property
    def id(self) -> str:
        """Executor id."""
        return self.info.executor_id.value


@dataclass(slots=True)
class Offer:
    """Resources offered and not yet answered."""

    id: str
    framework_id: str
    agent_id: str
    role: str
    resources: Resources


@dataclass(slots=True)
class Agent:
    """A registered agent."""

    id: str
    info: AgentInfo
    pid: str
    version: str
    capabilities: list[Capability]
    total: Resources
    stream_id: str | None
    registered_time: float
    reregistered_time: float | None = None
    state: AgentState = AgentState.CONNECTED
    tasks: dict[TaskKey, Task] = field(default_factory=dict)
    executors: dict[ExecutorKey, Executor] = field(default_factory=dict)
    offers: set[str] = field(default_factory=set)
    epoch: int = 0
    """Number of this registration, so that ping timers of a former one are known as such."""
    answered: bool = True
    """Whether the latest ping was answered."""
    missed_pings: int = 0

    @property
    def connected(self) -> bool:
        """Whether the link stands."""
        return self.state is AgentState.CONNECTED


@dataclass(slots=True)
class Framework:
    """A framework, from its first subscription (or an agent's tale of it) on."""

    id: str
    info: FrameworkInfo
    state: FrameworkState
    stream_id: str | None
    registered_time: float
    reregistered_time: float | None = None
    unregistered_time: float = 0.0
    tasks: dict[str, Task] = field(default_factory=dict)
    unreachable_tasks: "OrderedDict[str, Task]" = field(default_factory=OrderedDict)
    completed_tasks: deque[Task] = field(default_factory=deque)
    executors: dict[ExecutorKey, Executor] = field(default_factory=dict)
    """By agent id and executor id."""
    offers: set[str] = field(default_factory=set)
    epoch: int = 0
    """Counts connections, so that failover timers of a former one are known as such."""
    counters: Counter[str] = field(default_factory=Counter)
    """What it has done and was told; see ``framework_metrics``."""

    @property
    def connected(self) -> bool:
        """Whether its stream stands."""
        return self.stream_id is not None

    @property
    def active(self) -> bool:
        """Whether it gets offers."""
        return self.state is FrameworkState.ACTIVE

    @property
    def capabilities(self) -> frozenset[str]:
        """Names of its capabilities."""
        return frozenset(c.type for c in self.info.capabilities if c.type is not None)

    @property
    def multi_role(self) -> bool:
        """Whether it declares several roles and is told which one an offer is for."""
        return "MULTI_ROLE" in self.capabilities

    @property
    def partition_aware(self) -> bool:
        """Whether it wants to know what TASK_LOST would hide."""
        return "PARTITION_AWARE" in self.capabilities

    @property
    def roles(self) -> list[str]:
        """Roles that it subscribed to."""
        return roles_of(self.info)


def roles_of(info: FrameworkInfo) -> list[str]:
    """Return the roles that a FrameworkInfo asks for."""
    if any(c.type == "MULTI_ROLE" for c in info.capabilities):
        return list(info.roles)
    return [info.role if info.role is not None else "*"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The master's settings; times in seconds."""

    master: MasterInfo
    allocation_interval: float = 1.0
    offer_timeout: float | None = None
    agent_ping_timeout: float = 15.0
    max_agent_ping_timeouts: int = 5
    agent_reregister_timeout: float = 600.0
    agent_removal_interval: float = 0.0
    """Between two agents that are given up; 0 for none."""
    max_completed_frameworks: int = 50
    max_completed_tasks: int = 1000
    max_unreachable_tasks: int = 1000
    root_submissions: bool = True
    roles: frozenset[str] | None = None
    """Roles that frameworks may have; None for any."""
    authorizer: Authorizer = OPEN
    max_subscribers: int = 1000
    """Operators' event streams at a time."""
    framework_metrics: bool = True
    """Whether /metrics/snapshot shows each framework."""
    weights: tuple[tuple[str, float], ...] = ()
    """Of roles, for a registry that has none."""
    registry_gc_interval: float = 900.0
    registry_max_agent_age: float = 1_209_600.0
    registry_max_agent_count: int = 102_400
    recovery_agent_removal_limit: float = 1.0
    """Share of the registry's agents that may be given up after a change of leader."""
    allocator_agent_recovery_factor: float = 0.8
    """Share of the registry's agents to wait for before anything is offered."""
    allocator_recovery_timeout: float = 600.0


@dataclass(slots=True)
class State:
    """Everything."""

    agents: dict[str, Agent] = field(default_factory=dict)
    """Registered agents, connected or not."""
    recovered_agents: dict[str, AgentInfo] = field(default_factory=dict)
    """Agents of the registry that have not registered with this master yet."""
    recovered_count: int = 0
    """How many there were when this master began to lead."""
    opening_streams: set[str] = field(default_factory=set)
    """Links of agents whose registration is under way."""
    unreachable_agents: "OrderedDict[str, float]" = field(default_factory=OrderedDict)
    """Time since when, by id."""
    awaiting_removal: dict[str, None] = field(default_factory=dict)
    """Agents to be given up, in their order, that the rate limit holds back."""
    next_removal: float = 0.0
    """When the limit lets the next one go."""
    removed_agents: "OrderedDict[str, float]" = field(default_factory=OrderedDict)
    """Agents that unregistered or were replaced; they may not come back under that id."""
    gone_agents: "OrderedDict[str, float]" = field(default_factory=OrderedDict)
    """Agents that an operator marked gone; they may not come back either."""
    deactivations: dict[str, Deactivation] = field(default_factory=dict)
    """By id of an agent that is registered, recovered or unreachable."""
    draining: set[str] = field(default_factory=set)
    """Agents whose deactivation says that they are draining."""
    frameworks: dict[str, Framework] = field(default_factory=dict)
    completed_frameworks: "OrderedDict[str, Framework]" = field(default_factory=OrderedDict)
    offers: dict[str, Offer] = field(default_factory=dict)
    scheduler_streams: dict[str, str] = field(default_factory=dict)
    """Framework id by stream id."""
    agent_streams: dict[str, str] = field(default_factory=dict)
    """Agent id by stream id."""
    agent_pids: dict[str, str] = field(default_factory=dict)
    """Agent id by PID: two agents can't listen at one address."""
    weights: dict[str, float] = field(default_factory=dict)
    quotas: dict[str, Quota] = field(default_factory=dict)
    """Those that were emptied rather than removed stay, as in Mesos."""
    holding_offers: bool = False
    """Whether nothing is offered until more agents of the registry are back."""
    subscribers: dict[str, Viewer] = field(default_factory=dict)
    """What operators see on their event streams, by stream id, the oldest first."""
    next_framework: int = 0
    next_agent: int = 0
    next_offer: int = 0
    next_epoch: int = 0
    counters: dict[str, int] = field(default_factory=dict)
    """Counts of what happened, by the name that /metrics/snapshot gives it."""

    def is_active(self, agent: Agent) -> bool:
        """Whether an agent gets offers."""
        return agent.connected and agent.id not in self.deactivations


MAX_REMOVED_AGENTS = 100_000
"""Removed agents that are kept in mind; the registry does not have them."""
