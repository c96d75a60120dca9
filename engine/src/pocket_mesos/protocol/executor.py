"""Calls and events of the v1 executor API."""

from pocket_mesos.protocol.base import Message, repeated
from pocket_mesos.protocol.mesos import (
    AgentInfo,
    ContainerID,
    ExecutorID,
    ExecutorInfo,
    FrameworkID,
    FrameworkInfo,
    KillPolicy,
    TaskGroupInfo,
    TaskID,
    TaskInfo,
    TaskStatus,
)


class UpdateStatus(Message, frozen=True, kw_only=True):
    status: TaskStatus


class Subscribe(Message, frozen=True, kw_only=True):
    unacknowledged_tasks: list[TaskInfo] = repeated()
    unacknowledged_updates: list[UpdateStatus] = repeated()


class Data(Message, frozen=True, kw_only=True):
    data: bytes


class Call(Message, frozen=True, kw_only=True):
    executor_id: ExecutorID
    framework_id: FrameworkID
    type: str | None = None
    subscribe: Subscribe | None = None
    update: UpdateStatus | None = None
    message: Data | None = None


class Subscribed(Message, frozen=True, kw_only=True):
    executor_info: ExecutorInfo
    framework_info: FrameworkInfo
    agent_info: AgentInfo
    container_id: ContainerID | None = None


class Launch(Message, frozen=True, kw_only=True):
    task: TaskInfo


class LaunchGroup(Message, frozen=True, kw_only=True):
    task_group: TaskGroupInfo


class Kill(Message, frozen=True, kw_only=True):
    task_id: TaskID
    kill_policy: KillPolicy | None = None


class Acknowledged(Message, frozen=True, kw_only=True):
    task_id: TaskID
    uuid: bytes


class Error(Message, frozen=True, kw_only=True):
    message: str


class Event(Message, frozen=True, kw_only=True):
    type: str
    subscribed: Subscribed | None = None
    acknowledged: Acknowledged | None = None
    launch: Launch | None = None
    launch_group: LaunchGroup | None = None
    kill: Kill | None = None
    message: Data | None = None
    error: Error | None = None
