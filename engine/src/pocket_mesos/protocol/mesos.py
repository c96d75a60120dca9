"""Types that the scheduler, executor and operator APIs share.

Source: the v1 protobuf definitions in Mesos' documentation; fields in order of their numbers, so
that JSON comes out in the order that real Mesos shows. Parts that this engine only hands through
(disk sources, reservations, images) are kept as plain objects.
"""

from enum import Enum
from typing import Any

from pocket_mesos.protocol.base import Integer, Message, Real, printed, repeated

Opaque = dict[str, Any]
"""A message that is handed through as it came."""


class FrameworkID(Message, frozen=True, kw_only=True):
    value: str


class AgentID(Message, frozen=True, kw_only=True):
    value: str


class OfferID(Message, frozen=True, kw_only=True):
    value: str


class TaskID(Message, frozen=True, kw_only=True):
    value: str


class ExecutorID(Message, frozen=True, kw_only=True):
    value: str


class OperationID(Message, frozen=True, kw_only=True):
    value: str


class ContainerID(Message, frozen=True, kw_only=True):
    value: str
    parent: "ContainerID | None" = None


class Label(Message, frozen=True, kw_only=True):
    key: str
    value: str | None = None


class Labels(Message, frozen=True, kw_only=True):
    labels: list[Label] = repeated()


# --- values, resources, attributes -----------------------------------------------------------


class ValueType(Enum):
    SCALAR = "SCALAR"
    RANGES = "RANGES"
    SET = "SET"
    TEXT = "TEXT"


class Scalar(Message, frozen=True, kw_only=True):
    value: Real


class Range(Message, frozen=True, kw_only=True):
    begin: Integer
    end: Integer


class Ranges(Message, frozen=True, kw_only=True):
    range: list[Range] = repeated()


class ValueSet(Message, frozen=True, kw_only=True):
    item: list[str] = repeated()


class Text(Message, frozen=True, kw_only=True):
    value: str


class AllocationInfo(Message, frozen=True, kw_only=True):
    role: str | None = None


class Resource(Message, frozen=True, kw_only=True):
    provider_id: Opaque | None = None
    name: str
    type: ValueType
    scalar: Scalar | None = None
    ranges: Ranges | None = None
    set: ValueSet | None = None
    role: str | None = None
    allocation_info: AllocationInfo | None = None
    reservation: Opaque | None = None
    reservations: list[Opaque] = repeated()
    disk: Opaque | None = None
    revocable: Opaque | None = None
    shared: Opaque | None = None


class Attribute(Message, frozen=True, kw_only=True):
    name: str
    type: ValueType
    scalar: Scalar | None = None
    ranges: Ranges | None = None
    set: ValueSet | None = None
    text: Text | None = None


# --- addresses -------------------------------------------------------------------------------


class Address(Message, frozen=True, kw_only=True):
    hostname: str | None = None
    ip: str | None = None
    port: Integer


class Parameter(Message, frozen=True, kw_only=True):
    key: str
    value: str


class URL(Message, frozen=True, kw_only=True):
    scheme: str
    address: Address
    path: str | None = None
    query: list[Parameter] = repeated()
    fragment: str | None = None


class Capability(Message, frozen=True, kw_only=True):
    """A capability of a framework, a master or an agent.

    The type stays text: a peer may have capabilities that this engine does not know.
    """

    type: str | None = None


class MasterInfo(Message, frozen=True, kw_only=True):
    id: str
    ip: Integer
    """IPv4 address as uint32 in network byte order, read as host order: 127.0.0.1 is 16777343."""
    port: Integer = printed(5050)
    pid: str | None = None
    hostname: str | None = None
    version: str | None = None
    address: Address | None = None
    domain: Opaque | None = None
    capabilities: list[Capability] = repeated()


class FrameworkInfo(Message, frozen=True, kw_only=True):
    user: str
    name: str
    id: FrameworkID | None = None
    failover_timeout: Real = printed(0.0)
    """Seconds that the master waits for a disconnected framework to come back."""
    checkpoint: bool = printed(False)
    role: str | None = None
    hostname: str | None = None
    principal: str | None = None
    webui_url: str | None = None
    capabilities: list[Capability] = repeated()
    labels: Labels | None = None
    roles: list[str] = repeated()
    offer_filters: dict[str, Opaque] | None = None


class AgentInfo(Message, frozen=True, kw_only=True):
    hostname: str
    port: Integer = printed(5051)
    resources: list[Resource] = repeated()
    attributes: list[Attribute] = repeated()
    id: AgentID | None = None
    domain: Opaque | None = None


# --- commands --------------------------------------------------------------------------------


class CommandURI(Message, frozen=True, kw_only=True):
    value: str
    executable: bool | None = None
    extract: bool = printed(True)
    cache: bool | None = None
    output_file: str | None = None


class EnvironmentVariable(Message, frozen=True, kw_only=True):
    name: str
    type: str = printed("VALUE")
    value: str | None = None
    secret: Opaque | None = None


class Environment(Message, frozen=True, kw_only=True):
    variables: list[EnvironmentVariable] = repeated()


class CommandInfo(Message, frozen=True, kw_only=True):
    uris: list[CommandURI] = repeated()
    environment: Environment | None = None
    shell: bool = printed(True)
    value: str | None = None
    arguments: list[str] = repeated()
    user: str | None = None


class DurationInfo(Message, frozen=True, kw_only=True):
    nanoseconds: Integer


class Duration(Message, frozen=True, kw_only=True):
    """protobuf's own, where Mesos uses that: in calls of operators."""

    seconds: Integer = 0
    nanos: Integer = 0

    @property
    def nanoseconds(self) -> int:
        return self.seconds * 10**9 + self.nanos


class KillPolicy(Message, frozen=True, kw_only=True):
    grace_period: DurationInfo | None = None


# --- containers, checks ----------------------------------------------------------------------


class Volume(Message, frozen=True, kw_only=True):
    container_path: str
    host_path: str | None = None
    mode: str
    image: Opaque | None = None
    source: Opaque | None = None


class IPAddress(Message, frozen=True, kw_only=True):
    protocol: str | None = None
    ip_address: str | None = None


class NetworkInfo(Message, frozen=True, kw_only=True):
    groups: list[str] = repeated()
    labels: Labels | None = None
    ip_addresses: list[IPAddress] = repeated()
    name: str | None = None
    port_mappings: list[Opaque] = repeated()


class ContainerInfo(Message, frozen=True, kw_only=True):
    type: str
    volumes: list[Volume] = repeated()
    docker: Opaque | None = None
    hostname: str | None = None
    mesos: Opaque | None = None
    network_infos: list[NetworkInfo] = repeated()
    linux_info: Opaque | None = None
    rlimit_info: Opaque | None = None
    tty_info: Opaque | None = None


class HTTPCheckInfo(Message, frozen=True, kw_only=True):
    port: Integer
    path: str | None = None


class TCPCheckInfo(Message, frozen=True, kw_only=True):
    port: Integer


class CommandCheckInfo(Message, frozen=True, kw_only=True):
    command: CommandInfo


class CheckInfo(Message, frozen=True, kw_only=True):
    type: str | None = None
    command: CommandCheckInfo | None = None
    http: HTTPCheckInfo | None = None
    delay_seconds: Real = printed(15.0)
    interval_seconds: Real = printed(10.0)
    timeout_seconds: Real = printed(20.0)
    tcp: TCPCheckInfo | None = None


class HTTPHealthCheck(Message, frozen=True, kw_only=True):
    port: Integer
    path: str | None = None
    scheme: str | None = None
    statuses: list[Integer] = repeated()
    protocol: str | None = None


class TCPHealthCheck(Message, frozen=True, kw_only=True):
    port: Integer
    protocol: str | None = None


class HealthCheck(Message, frozen=True, kw_only=True):
    http: HTTPHealthCheck | None = None
    delay_seconds: Real = printed(15.0)
    interval_seconds: Real = printed(10.0)
    timeout_seconds: Real = printed(20.0)
    consecutive_failures: Integer = printed(3)
    grace_period_seconds: Real = printed(10.0)
    command: CommandInfo | None = None
    type: str | None = None
    tcp: TCPHealthCheck | None = None


class Port(Message, frozen=True, kw_only=True):
    number: Integer
    name: str | None = None
    protocol: str | None = None
    visibility: str | None = None
    labels: Labels | None = None


class Ports(Message, frozen=True, kw_only=True):
    ports: list[Port] = repeated()


class DiscoveryInfo(Message, frozen=True, kw_only=True):
    visibility: str
    name: str | None = None
    environment: str | None = None
    location: str | None = None
    version: str | None = None
    ports: Ports | None = None
    labels: Labels | None = None


# --- executors, tasks ------------------------------------------------------------------------


class ExecutorType(Enum):
    UNKNOWN = "UNKNOWN"
    DEFAULT = "DEFAULT"
    CUSTOM = "CUSTOM"


class ExecutorInfo(Message, frozen=True, kw_only=True):
    type: ExecutorType | None = None
    executor_id: ExecutorID
    framework_id: FrameworkID | None = None
    command: CommandInfo | None = None
    container: ContainerInfo | None = None
    resources: list[Resource] = repeated()
    name: str | None = None
    source: str | None = None
    data: bytes | None = None
    discovery: DiscoveryInfo | None = None
    shutdown_grace_period: DurationInfo | None = None
    labels: Labels | None = None


class TaskInfo(Message, frozen=True, kw_only=True):
    name: str
    task_id: TaskID
    agent_id: AgentID
    resources: list[Resource] = repeated()
    limits: dict[str, Scalar] | None = None
    executor: ExecutorInfo | None = None
    command: CommandInfo | None = None
    container: ContainerInfo | None = None
    data: bytes | None = None
    health_check: HealthCheck | None = None
    check: CheckInfo | None = None
    labels: Labels | None = None
    discovery: DiscoveryInfo | None = None
    kill_policy: KillPolicy | None = None
    max_completion_time: DurationInfo | None = None


class TaskGroupInfo(Message, frozen=True, kw_only=True):
    tasks: list[TaskInfo] = repeated()


class TaskState(Enum):
    TASK_STAGING = "TASK_STAGING"
    TASK_STARTING = "TASK_STARTING"
    TASK_RUNNING = "TASK_RUNNING"
    TASK_KILLING = "TASK_KILLING"
    TASK_FINISHED = "TASK_FINISHED"
    TASK_FAILED = "TASK_FAILED"
    TASK_KILLED = "TASK_KILLED"
    TASK_ERROR = "TASK_ERROR"
    TASK_LOST = "TASK_LOST"
    TASK_DROPPED = "TASK_DROPPED"
    TASK_UNREACHABLE = "TASK_UNREACHABLE"
    TASK_GONE = "TASK_GONE"
    TASK_GONE_BY_OPERATOR = "TASK_GONE_BY_OPERATOR"
    TASK_UNKNOWN = "TASK_UNKNOWN"


TERMINAL_STATES = frozenset(
    {
        TaskState.TASK_FINISHED,
        TaskState.TASK_FAILED,
        TaskState.TASK_KILLED,
        TaskState.TASK_ERROR,
        TaskState.TASK_LOST,
        TaskState.TASK_DROPPED,
        TaskState.TASK_GONE,
        TaskState.TASK_GONE_BY_OPERATOR,
    }
)
"""States after which a task uses nothing; TASK_UNREACHABLE may still come back."""


class TaskStatusSource(Enum):
    SOURCE_MASTER = "SOURCE_MASTER"
    SOURCE_AGENT = "SOURCE_AGENT"
    SOURCE_EXECUTOR = "SOURCE_EXECUTOR"


class CgroupInfo(Message, frozen=True, kw_only=True):
    net_cls: Opaque | None = None


class ContainerStatus(Message, frozen=True, kw_only=True):
    container_id: ContainerID | None = None
    network_infos: list[NetworkInfo] = repeated()
    cgroup_info: CgroupInfo | None = None
    executor_pid: Integer | None = None


class ResourceLimitation(Message, frozen=True, kw_only=True):
    resources: list[Resource] = repeated()


class TaskStatus(Message, frozen=True, kw_only=True):
    task_id: TaskID
    state: TaskState
    message: str | None = None
    source: TaskStatusSource | None = None
    reason: str | None = None
    data: bytes | None = None
    agent_id: AgentID | None = None
    executor_id: ExecutorID | None = None
    timestamp: Real | None = None
    """Seconds since the epoch."""
    uuid: bytes | None = None
    """16 bytes; absent in updates that the master makes and nobody acknowledges."""
    healthy: bool | None = None
    check_status: Opaque | None = None
    labels: Labels | None = None
    container_status: ContainerStatus | None = None
    unreachable_time: Opaque | None = None
    limitation: ResourceLimitation | None = None


class Filters(Message, frozen=True, kw_only=True):
    refuse_seconds: Real = printed(5.0)


class Offer(Message, frozen=True, kw_only=True):
    id: OfferID
    framework_id: FrameworkID
    agent_id: AgentID
    hostname: str
    url: URL | None = None
    resources: list[Resource] = repeated()
    attributes: list[Attribute] = repeated()
    executor_ids: list[ExecutorID] = repeated()
    allocation_info: AllocationInfo | None = None
    domain: Opaque | None = None


class Request(Message, frozen=True, kw_only=True):
    agent_id: AgentID | None = None
    resources: list[Resource] = repeated()
