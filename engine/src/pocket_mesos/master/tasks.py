"""Tasks: from ACCEPT through status updates to their acknowledged end."""

from pocket_mesos.master import framework_metrics, subscribers
from pocket_mesos.master.context import Master
from pocket_mesos.master.state import Agent, Executor, Framework, Task
from pocket_mesos.protocol import link, mesos, scheduler
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import TaskState, TaskStatus, TaskStatusSource


def add(m: Master, agent: Agent, framework: Framework, task: Task) -> None:
    """Enter a task into the books; the allocator knows of its resources already."""
    agent.tasks[(framework.id, task.id)] = task
    framework.tasks[task.id] = task


def add_executor(agent: Agent, framework: Framework, executor: Executor) -> None:
    """Enter an executor into the books; the allocator knows of its resources already."""
    agent.executors[(framework.id, executor.id)] = executor
    framework.executors[(agent.id, executor.id)] = executor


def remove_executor(m: Master, agent: Agent, executor: Executor) -> None:
    """Strike an executor off and free its resources."""
    del agent.executors[(executor.framework_id, executor.id)]
    m.state.frameworks[executor.framework_id].executors.pop((agent.id, executor.id), None)
    m.allocator.recover(executor.framework_id, executor.role, agent.id, executor.resources)


def master_status(
    m: Master,
    task_id: str,
    state: TaskState,
    message: str,
    reason: str,
    *,
    agent_id: str | None = None,
    executor_id: str | None = None,
) -> TaskStatus:
    """Make a status of the master's own, which nobody acknowledges."""
    return TaskStatus(
        task_id=mesos.TaskID(value=task_id),
        state=state,
        message=message,
        source=TaskStatusSource.SOURCE_MASTER,
        reason=reason,
        agent_id=None if agent_id is None else mesos.AgentID(value=agent_id),
        executor_id=None if executor_id is None else mesos.ExecutorID(value=executor_id),
        timestamp=m.now,
    )


def updated(m: Master, agent: Agent, update: link.StatusUpdate) -> None:
    """Hand an agent's status update on to the framework and enter it into the books."""
    m.count("messages_status_update")
    framework = m.state.frameworks.get(update.framework_id.value)
    if framework is None:
        m.count("invalid_status_updates")
        m.tell(agent, link.ShutdownFramework(framework_id=update.framework_id))
        return
    m.count("valid_status_updates")
    m.send_update(framework, update.status)
    task = agent.tasks.get((framework.id, update.status.task_id.value))
    if task is None:
        m.log(
            f"Status update for unknown task {update.status.task_id.value} of framework "
            f"{framework.id} from agent {agent.id}",
            "WARNING",
        )
        return
    again = update.status.uuid is not None and update.status.uuid == task.status_update_uuid
    enter_status(m, agent, task, update.status, update.latest_state, again=again)
    task.status_update_state = update.status.state
    task.status_update_uuid = update.status.uuid


def enter_status(
    m: Master,
    agent: Agent,
    task: Task,
    status: TaskStatus,
    latest: TaskState,
    *,
    again: bool = False,
) -> None:
    """Give a task its new state; one that ends frees its resources at once.

    ``again``: the status came before and was not acknowledged.
    """
    was_terminal = task.terminal
    if not was_terminal:
        task.state = latest
    if task.statuses and task.statuses[-1].state is status.state:
        task.statuses.pop()
    task.statuses.append(replace(status, data=None))
    if task.terminal and not was_terminal:
        m.count(f"tasks_{task.state.value.removeprefix('TASK_').lower()}")
        framework_metrics.ended(m.state.frameworks[task.framework_id], task.state)
        m.allocator.recover(task.framework_id, task.role, agent.id, task.resources)
        m.want_allocation([agent.id])
    if not again:
        subscribers.task_updated(m, task, status)


def acknowledged(m: Master, framework: Framework, call: scheduler.Acknowledge) -> None:
    """Hand an acknowledgement on to the agent; that of the end completes the task."""
    m.count("messages_status_update_acknowledgement")
    agent = m.state.agents.get(call.agent_id.value)
    if agent is None or not agent.connected:
        m.count("invalid_status_update_acknowledgements")
        return
    m.count("valid_status_update_acknowledgements")
    task = agent.tasks.get((framework.id, call.task_id.value))
    if (
        task is not None
        and task.status_update_uuid == call.uuid
        and task.status_update_state in mesos.TERMINAL_STATES
    ):
        complete(m, agent, task)
    m.tell(
        agent,
        link.StatusUpdateAcknowledgement(
            framework_id=mesos.FrameworkID(value=framework.id),
            task_id=call.task_id,
            uuid=call.uuid,
        ),
    )


def complete(m: Master, agent: Agent, task: Task) -> None:
    """Move a task to the completed ones; frees what it still uses."""
    _strike_off(m, agent, task)
    framework = m.state.frameworks[task.framework_id]
    framework.completed_tasks.append(task)
    while len(framework.completed_tasks) > m.config.max_completed_tasks:
        framework.completed_tasks.popleft()


def lose_sight(m: Master, agent: Agent, task: Task) -> None:
    """Move a task to the unreachable ones; its resources are nobody's until it is back."""
    _strike_off(m, agent, task)
    framework = m.state.frameworks[task.framework_id]
    framework.unreachable_tasks[task.id] = task
    while len(framework.unreachable_tasks) > m.config.max_unreachable_tasks:
        framework.unreachable_tasks.popitem(last=False)


def kill(m: Master, framework: Framework, call: scheduler.Kill) -> bool:
    """Tell the agent to kill a task.

    Returns:
        Whether the task is known; of one that is not, the framework is to learn what is known.
    """
    m.count("messages_kill_task")
    task = framework.tasks.get(call.task_id.value)
    if task is None:
        return False
    agent = m.state.agents[task.agent_id]
    m.tell(
        agent,
        link.KillTask(
            framework_id=mesos.FrameworkID(value=framework.id),
            task_id=call.task_id,
            kill_policy=call.kill_policy,
        ),
    )
    return True


def send_message(m: Master, framework: Framework, call: scheduler.SchedulerMessage) -> None:
    """Hand a framework's message on to one of its executors."""
    m.count("messages_framework_to_executor")
    agent = m.state.agents.get(call.agent_id.value)
    if agent is None or not agent.connected:
        m.count("invalid_framework_to_executor_messages")
        return
    m.count("valid_framework_to_executor_messages")
    m.tell(
        agent,
        link.FrameworkToExecutor(
            framework_id=mesos.FrameworkID(value=framework.id),
            executor_id=call.executor_id,
            data=call.data,
        ),
    )


def shut_down_executor(m: Master, framework: Framework, call: scheduler.Shutdown) -> None:
    """Tell the agent to end an executor."""
    agent = m.state.agents.get(call.agent_id.value)
    if agent is not None:
        m.tell(
            agent,
            link.ShutdownExecutor(
                framework_id=mesos.FrameworkID(value=framework.id), executor_id=call.executor_id
            ),
        )


def executor_exited(m: Master, agent: Agent, call: link.ExitedExecutor) -> None:
    """Strike off an executor that has ended and tell its framework."""
    m.count("messages_exited_executor")
    executor = agent.executors.get((call.framework_id.value, call.executor_id.value))
    if executor is None:
        return
    remove_executor(m, agent, executor)
    m.want_allocation([agent.id])
    failure = scheduler.Failure(
        agent_id=mesos.AgentID(value=agent.id), executor_id=call.executor_id, status=call.status
    )
    framework = m.state.frameworks[executor.framework_id]
    m.send(framework, scheduler.Event(type="FAILURE", failure=failure))


def deliver_message(m: Master, agent: Agent, call: link.ExecutorToFramework) -> None:
    """Hand an executor's message on to its framework."""
    m.count("messages_executor_to_framework")
    framework = m.state.frameworks.get(call.framework_id.value)
    if framework is None or not framework.connected:
        m.count("invalid_executor_to_framework_messages")
        return
    m.count("valid_executor_to_framework_messages")
    message = scheduler.ExecutorMessage(
        agent_id=mesos.AgentID(value=agent.id), executor_id=call.executor_id, data=call.data
    )
    m.send(framework, scheduler.Event(type="MESSAGE", message=message))


def _strike_off(m: Master, agent: Agent, task: Task) -> None:
    del agent.tasks[(task.framework_id, task.id)]
    del m.state.frameworks[task.framework_id].tasks[task.id]
    if not task.terminal:
        m.allocator.recover(task.framework_id, task.role, agent.id, task.resources)
