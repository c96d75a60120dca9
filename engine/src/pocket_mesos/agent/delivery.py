"""Status updates on their way to the master, and the acknowledgements that come back."""

import logging
from typing import TYPE_CHECKING

from pocket_mesos.agent import actions
from pocket_mesos.agent.state import Executor, Framework, Task
from pocket_mesos.agent.updates import Stream, is_terminal
from pocket_mesos.protocol import codec, link
from pocket_mesos.protocol import executor as executor_api
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import (
    AgentID,
    ContainerID,
    ContainerStatus,
    ExecutorID,
    FrameworkID,
    IPAddress,
    NetworkInfo,
    TaskID,
    TaskState,
    TaskStatus,
    TaskStatusSource,
)

if TYPE_CHECKING:
    from pocket_mesos.agent.core import Agent

log = logging.getLogger(__name__)


def make(
    agent: "Agent",
    task_id: str,
    state: TaskState,
    now: float,
    *,
    reason: str,
    message: str,
    executor_id: ExecutorID | None = None,
) -> TaskStatus:
    """Make an update of the agent's own."""
    return TaskStatus(
        task_id=TaskID(value=task_id),
        state=state,
        message=message,
        source=TaskStatusSource.SOURCE_AGENT,
        reason=reason,
        agent_id=AgentID(value=agent.id),
        executor_id=executor_id,
        timestamp=now,
        uuid=agent.new_uuid(),
    )


def from_executor(agent: "Agent", executor: Executor, status: TaskStatus, now: float) -> None:
    """Take over an executor's update: from here on it is the agent's to deliver."""
    assert status.uuid is not None, "the API lets no update without UUID through"
    uuid = status.uuid
    framework = executor.framework
    stream = agent.streams.find(framework.id, status.task_id.value)
    # As in Mesos an executor may speak of a task that is another's, of the same framework.
    owner = executor
    if executor.find(status.task_id.value) is None:
        owner = framework.executor_of(status.task_id.value) or executor
    task = owner.find(status.task_id.value)
    if stream is not None and status.uuid in stream.received:
        log.info("Ignoring duplicate update %s of task %s", status.state.value, stream.task_id)
    elif task is not None and task.terminal:
        log.warning("Ignoring update of task %s, which has already ended", task.id)
    elif framework.terminating:
        log.info("Ignoring update of framework %s, which is terminating", framework.id)
    else:
        agent.counters["valid_status_updates"] += 1
        status = _completed(agent, owner, task, status, now)
        send(agent, framework, owner if task is not None else None, status)
    acknowledged = executor_api.Acknowledged(task_id=status.task_id, uuid=uuid)
    agent.emit(
        actions.SendExecutor(
            container_id=executor.container_id,
            event=executor_api.Event(type="ACKNOWLEDGED", acknowledged=acknowledged),
        )
    )


def _completed(
    agent: "Agent", executor: Executor, task: Task | None, status: TaskStatus, now: float
) -> TaskStatus:
    """Add what the agent knows better than the executor."""
    container = status.container_status
    if task is not None:
        container = _container_status(agent, executor, container)
    return replace(
        status,
        agent_id=AgentID(value=agent.id),
        timestamp=now if status.timestamp is None else status.timestamp,
        container_status=container,
    )


def _container_status(
    agent: "Agent", executor: Executor, given: ContainerStatus | None
) -> ContainerStatus:
    address = IPAddress(protocol="IPv4", ip_address=agent.settings.ip)
    own = ContainerStatus(
        container_id=ContainerID(value=executor.container_id),
        network_infos=[NetworkInfo(ip_addresses=[address])],
        executor_pid=executor.pid,
    )
    if given is None:
        return own
    nested = given.container_id is not None and given.container_id.parent is not None
    if nested and given.executor_pid is None:
        return given
    return replace(
        given,
        container_id=given.container_id or own.container_id,
        network_infos=given.network_infos or own.network_infos,
        executor_pid=given.executor_pid or own.executor_pid,
    )


def send(
    agent: "Agent", framework: Framework, executor: Executor | None, status: TaskStatus
) -> None:
    """Apply an update to its task, checkpoint it and deliver it in its turn.

    Args:
        agent: the agent.
        framework: whose task it is.
        executor: the task's; None for a task that the agent does not know.
        status: not received before.
    """
    status = _explained(agent, framework, status)
    task = None if executor is None else executor.find(status.task_id.value)
    if executor is not None and task is not None:
        apply(agent, executor, task, status)
    stream = _open(agent, framework, executor, status)
    stream.add(status)
    if stream.path is not None:
        data = codec.encode({"type": "UPDATE", "status": status})
        agent.emit(actions.AppendLine(path=stream.path, data=data))
    if stream.head is status:
        forward(agent, stream)


def _explained(agent: "Agent", framework: Framework, status: TaskStatus) -> TaskStatus:
    """Say in a status that the task was killed because its agent is draining."""
    config = agent.draining
    if config is None or status.state not in (TaskState.TASK_KILLING, TaskState.TASK_KILLED):
        return status
    status = replace(status, reason="REASON_AGENT_DRAINING")
    gone = config.mark_gone and status.state is TaskState.TASK_KILLED
    if gone and framework.has_capability("PARTITION_AWARE"):
        return replace(status, state=TaskState.TASK_GONE_BY_OPERATOR)
    return status


def record(task: Task, status: TaskStatus) -> None:
    """Let a task have the state of an update."""
    task.state = status.state
    if task.statuses and task.statuses[-1].state is status.state:
        task.statuses.pop()
    # The data may be large and is delivered from elsewhere; kept is what can be shown.
    task.statuses.append(replace(status, data=None))


def apply(agent: "Agent", executor: Executor, task: Task, status: TaskStatus) -> None:
    """Change a task's state; one that has ended gives its resources back."""
    record(task, status)
    if not is_terminal(status):
        return
    agent.counters[f"tasks_{status.state.value.removeprefix('TASK_').lower()}"] += 1
    executor.give_back(task)
    if executor.container_id in agent.containers:
        agent.emit(
            actions.UpdateContainer(container_id=executor.container_id, limits=executor.limits)
        )


def _open(
    agent: "Agent", framework: Framework, executor: Executor | None, status: TaskStatus
) -> Stream:
    path = None
    if executor is not None and executor.run is not None:
        path = executor.run.task_updates(status.task_id.value)
    executor_id = status.executor_id
    if executor is not None:
        executor_id = None if executor.command else executor.info.executor_id
    return agent.streams.open(framework.id, status.task_id.value, executor_id, path)


def forward(agent: "Agent", stream: Stream) -> None:
    """Send the head of a stream, if a master is there to take it."""
    if not agent.connected or stream.head is None or stream.latest_state is None:
        return
    agent.emit(
        actions.SendMaster(
            call=link.StatusUpdate(
                framework_id=FrameworkID(value=stream.framework_id),
                executor_id=stream.executor_id,
                status=stream.head,
                latest_state=stream.latest_state,
            )
        )
    )
    agent.emit(actions.StartTimer(key=stream.timer, seconds=stream.next_interval()))


def retry(agent: "Agent", framework_id: str, task_id: str) -> None:
    """Send again what was not acknowledged in time."""
    stream = agent.streams.find(framework_id, task_id)
    if stream is not None:
        log.warning("Resending update of task %s of framework %s", task_id, framework_id)
        forward(agent, stream)


def resume(agent: "Agent") -> None:
    """Send the heads of all streams: a master has just taken the agent in."""
    for stream in agent.streams:
        forward(agent, stream)


def acknowledged(agent: "Agent", event: link.StatusUpdateAcknowledgement) -> bool:
    """Go on with the task's next update; return True when that was its last."""
    stream = agent.streams.find(event.framework_id.value, event.task_id.value)
    status = None if stream is None else stream.acknowledge(event.uuid)
    if stream is None or status is None:
        log.warning("Ignoring unexpected acknowledgement for task %s", event.task_id.value)
        return False
    if stream.path is not None:
        data = codec.encode({"type": "ACK", "uuid": event.uuid})
        agent.emit(actions.AppendLine(path=stream.path, data=data))
    agent.emit(actions.StopTimer(key=stream.timer))
    if not (is_terminal(status) or _stray(agent, stream)):
        forward(agent, stream)
        return False
    agent.streams.close(stream)
    return True


def _stray(agent: "Agent", stream: Stream) -> bool:
    """Whether a stream without updates is about a task that is not here: it will never end."""
    framework = agent.framework(stream.framework_id)
    return stream.head is None and (
        framework is None or framework.executor_of(stream.task_id) is None
    )


def drop(agent: "Agent", framework_id: str) -> None:
    """Forget all updates of a framework: nobody waits for them."""
    for stream in agent.streams.of_framework(framework_id):
        agent.emit(actions.StopTimer(key=stream.timer))
        agent.streams.close(stream)


def reconcile(agent: "Agent", event: link.ReconcileTasks, now: float) -> None:
    """Tell the master about tasks that it believes to be here and that are not."""
    framework = agent.framework(event.framework_id.value)
    for task_id in event.tasks:
        if framework is not None and framework.executor_of(task_id.value) is not None:
            continue
        if agent.streams.find(event.framework_id.value, task_id.value) is not None:
            continue
        # Without its framework here, the agent can't know what the framework understands; the
        # master turns the state into what it does.
        state = TaskState.TASK_DROPPED if framework is None else framework.lost_state
        status = make(
            agent,
            task_id.value,
            state,
            now,
            reason="REASON_RECONCILIATION",
            message="Reconciliation: task unknown to the agent",
        )
        stream = agent.streams.open(event.framework_id.value, task_id.value, None, None)
        stream.add(status)
        forward(agent, stream)
