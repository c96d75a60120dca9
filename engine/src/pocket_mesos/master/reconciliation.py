"""RECONCILE: what the master knows of a framework's tasks."""

from pocket_mesos.master import tasks
from pocket_mesos.master.context import Master
from pocket_mesos.master.state import Framework, Task
from pocket_mesos.protocol import mesos, scheduler
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import TaskState, TaskStatus

_REASON = "REASON_RECONCILIATION"


def reconcile(m: Master, framework: Framework, call: scheduler.Reconcile) -> None:
    """Send the latest status of the tasks asked for, or of all known ones."""
    m.count("messages_reconcile_tasks")
    if not call.tasks:
        for task in framework.tasks.values():
            m.send_update(framework, _latest(m, task))
        return
    for asked in call.tasks:
        agent_id = None if asked.agent_id is None else asked.agent_id.value
        explain(m, framework, asked.task_id.value, agent_id)


def explain(m: Master, framework: Framework, task_id: str, agent_id: str | None) -> None:
    """Send what is known of one task; nothing while it may still turn up."""
    status = _status(m, framework, task_id, agent_id)
    if status is not None:
        m.send_update(framework, status)


def _status(
    m: Master, framework: Framework, task_id: str, agent_id: str | None
) -> TaskStatus | None:
    task = framework.tasks.get(task_id)
    if task is not None:
        return _latest(m, task)
    lost = framework.unreachable_tasks.get(task_id)
    if lost is not None:
        agent_id = lost.agent_id
    if agent_id is not None and agent_id in m.state.gone_agents:
        message = "Reconciliation: Task is gone"
        return _absent(m, framework, task_id, TaskState.TASK_GONE_BY_OPERATOR, message, agent_id)
    if agent_id is not None and agent_id in m.state.unreachable_agents:
        return _unreachable(m, framework, task_id, agent_id)
    if agent_id is not None and (agent_id in m.state.agents or agent_id in m.state.removed_agents):
        message = "Reconciliation: Task is unknown to the agent"
        return _absent(m, framework, task_id, TaskState.TASK_GONE, message, agent_id)
    if _may_return(m, framework, agent_id):
        return None
    message = "Reconciliation: Task is unknown"
    return _absent(m, framework, task_id, TaskState.TASK_UNKNOWN, message, agent_id)


def _latest(m: Master, task: Task) -> TaskStatus:
    state = task.status_update_state or task.state
    last = task.statuses[-1] if task.statuses else None
    return TaskStatus(
        task_id=task.info.task_id,
        state=state,
        message="Reconciliation: Latest task state",
        source=mesos.TaskStatusSource.SOURCE_MASTER,
        reason=_REASON,
        agent_id=mesos.AgentID(value=task.agent_id),
        executor_id=(
            None if task.executor_id is None else mesos.ExecutorID(value=task.executor_id)
        ),
        timestamp=m.now,
        healthy=None if last is None else last.healthy,
        check_status=None if last is None else last.check_status,
        container_status=None if last is None else last.container_status,
    )


def _unreachable(m: Master, framework: Framework, task_id: str, agent_id: str) -> TaskStatus:
    since = m.state.unreachable_agents[agent_id]
    message = "Reconciliation: Task is unreachable"
    status = _absent(m, framework, task_id, TaskState.TASK_UNREACHABLE, message, agent_id)
    return replace(status, unreachable_time={"nanoseconds": round(since * 1e9)})


def _absent(
    m: Master,
    framework: Framework,
    task_id: str,
    state: TaskState,
    message: str,
    agent_id: str | None,
) -> TaskStatus:
    """Make the status of a task that is not known; the old word for all such is TASK_LOST."""
    shown = state if framework.partition_aware else TaskState.TASK_LOST
    return tasks.master_status(m, task_id, shown, message, _REASON, agent_id=agent_id)


def _may_return(m: Master, framework: Framework, agent_id: str | None) -> bool:
    """Whether an agent of a former leader's time may yet register again and bring the task."""
    if agent_id in m.state.recovered_agents or (agent_id is None and m.state.recovered_agents):
        return True
    if m.now - m.started > m.config.agent_reregister_timeout:
        return False
    owner = framework.id if agent_id is None else agent_id
    master_id, dash, _ = owner.rpartition("-")
    return (
        bool(dash)
        and len(master_id) == len(m.config.master.id)
        and (master_id != m.config.master.id)
    )
