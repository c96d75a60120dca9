"""Calls and events of the v1 scheduler API.

A call or event is a ``type`` and the field of the same name. The type stays text here: a type that
nobody knows is, for real Mesos, one that is absent, and validation says so.
"""

from pocket_mesos.protocol.base import Integer, Message, Real, printed, repeated
from pocket_mesos.protocol.mesos import (
    AgentID,
    ExecutorID,
    ExecutorInfo,
    Filters,
    FrameworkID,
    FrameworkInfo,
    KillPolicy,
    MasterInfo,
    Offer,
    OfferID,
    Opaque,
    OperationID,
    Request,
    TaskGroupInfo,
    TaskID,
    TaskInfo,
    TaskStatus,
)

# --- calls -----------------------------------------------------------------------------------


class Subscribe(Message, frozen=True, kw_only=True):
    framework_info: FrameworkInfo
    force: bool | None = None
    suppressed_roles: list[str] = repeated()
    offer_constraints: Opaque | None = None


class Launch(Message, frozen=True, kw_only=True):
    task_infos: list[TaskInfo] = repeated()


class LaunchGroup(Message, frozen=True, kw_only=True):
    executor: ExecutorInfo
    task_group: TaskGroupInfo


class Operation(Message, frozen=True, kw_only=True):
    """What an ACCEPT does with its offers; operations on reservations and volumes stay opaque."""

    type: str | None = None
    id: OperationID | None = None
    launch: Launch | None = None
    launch_group: LaunchGroup | None = None
    reserve: Opaque | None = None
    unreserve: Opaque | None = None
    create: Opaque | None = None
    destroy: Opaque | None = None


class Accept(Message, frozen=True, kw_only=True):
    offer_ids: list[OfferID] = repeated()
    operations: list[Operation] = repeated()
    filters: Filters | None = None


class Decline(Message, frozen=True, kw_only=True):
    offer_ids: list[OfferID] = repeated()
    filters: Filters | None = None


class Revive(Message, frozen=True, kw_only=True):
    roles: list[str] = repeated()


class Suppress(Message, frozen=True, kw_only=True):
    roles: list[str] = repeated()


class Kill(Message, frozen=True, kw_only=True):
    task_id: TaskID
    agent_id: AgentID | None = None
    kill_policy: KillPolicy | None = None


class Shutdown(Message, frozen=True, kw_only=True):
    executor_id: ExecutorID
    agent_id: AgentID


class Acknowledge(Message, frozen=True, kw_only=True):
    agent_id: AgentID
    task_id: TaskID
    uuid: bytes


class ReconcileTask(Message, frozen=True, kw_only=True):
    task_id: TaskID
    agent_id: AgentID | None = None


class Reconcile(Message, frozen=True, kw_only=True):
    tasks: list[ReconcileTask] = repeated()


class SchedulerMessage(Message, frozen=True, kw_only=True):
    agent_id: AgentID
    executor_id: ExecutorID
    data: bytes


class RequestResources(Message, frozen=True, kw_only=True):
    requests: list[Request] = repeated()


class UpdateFramework(Message, frozen=True, kw_only=True):
    framework_info: FrameworkInfo
    suppressed_roles: list[str] = repeated()
    offer_constraints: Opaque | None = None


class Call(Message, frozen=True, kw_only=True):
    framework_id: FrameworkID | None = None
    type: str | None = None
    subscribe: Subscribe | None = None
    accept: Accept | None = None
    decline: Decline | None = None
    accept_inverse_offers: Opaque | None = None
    decline_inverse_offers: Opaque | None = None
    revive: Revive | None = None
    suppress: Suppress | None = None
    kill: Kill | None = None
    shutdown: Shutdown | None = None
    acknowledge: Acknowledge | None = None
    acknowledge_operation_status: Opaque | None = None
    reconcile: Reconcile | None = None
    reconcile_operations: Opaque | None = None
    message: SchedulerMessage | None = None
    request: RequestResources | None = None
    update_framework: UpdateFramework | None = None


# --- events ----------------------------------------------------------------------------------


class Subscribed(Message, frozen=True, kw_only=True):
    framework_id: FrameworkID
    heartbeat_interval_seconds: Real = printed(15.0)
    master_info: MasterInfo | None = None


class Offers(Message, frozen=True, kw_only=True):
    offers: list[Offer] = repeated()


class Rescind(Message, frozen=True, kw_only=True):
    offer_id: OfferID


class Update(Message, frozen=True, kw_only=True):
    status: TaskStatus


class ExecutorMessage(Message, frozen=True, kw_only=True):
    agent_id: AgentID
    executor_id: ExecutorID
    data: bytes


class Failure(Message, frozen=True, kw_only=True):
    agent_id: AgentID | None = None
    executor_id: ExecutorID | None = None
    status: Integer | None = None
    """Wait status of the executor's process, as wait(2) gives it."""


class Error(Message, frozen=True, kw_only=True):
    message: str


class Event(Message, frozen=True, kw_only=True):
    type: str
    subscribed: Subscribed | None = None
    offers: Offers | None = None
    rescind: Rescind | None = None
    update: Update | None = None
    message: ExecutorMessage | None = None
    failure: Failure | None = None
    error: Error | None = None
