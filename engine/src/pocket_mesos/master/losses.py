"""Agents that go: unreachable, removed, gone, or away with tasks that can't outlive it.

``give_up`` and its like write to the registry first; the rest takes what is written into effect.
"""

from pocket_mesos.master import actions, changes, offers, subscribers, tasks
from pocket_mesos.master.context import Master
from pocket_mesos.master.state import MAX_REMOVED_AGENTS, Agent, AgentState, Framework, Task
from pocket_mesos.master.transitions import move_agent
from pocket_mesos.protocol import link, mesos, scheduler
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import TaskState

GONE = "Agent has been marked gone"


def give_up(m: Master, agent: Agent) -> None:
    """Give up an agent that answers no pings; it may come back with its tasks."""
    m.log(f"Marking agent {agent.id} ({agent.info.hostname}) unreachable: health check timed out")
    since = m.now
    m.store(changes.lose(m, agent.id), [agent.id], lambda: _mark_unreachable(m, agent, since))


def give_up_recovered(m: Master, agent_id: str) -> None:
    """Give up an agent of the registry that has never registered with this master."""
    since = m.now
    m.log(
        f"Marking agent {agent_id} unreachable: did not reregister within "
        f"{m.config.agent_reregister_timeout:g}secs after master failover"
    )

    def mark() -> None:
        m.count("slave_unreachable_completed")
        m.count("recovery_slave_removals")
        del m.state.recovered_agents[agent_id]
        m.state.unreachable_agents[agent_id] = since
        _tell_failure(m, agent_id)

    m.store(changes.lose(m, agent_id), [agent_id], mark)


def forget_unreachable(m: Master, agent_id: str) -> None:
    """Remember an unreachable agent, and its tasks, no more."""
    m.state.unreachable_agents.pop(agent_id, None)
    m.decide(agent_id, None)
    for framework in m.state.frameworks.values():
        lost = [t.id for t in framework.unreachable_tasks.values() if t.agent_id == agent_id]
        for task_id in lost:
            del framework.unreachable_tasks[task_id]


def _mark_unreachable(m: Master, agent: Agent, when: float) -> None:
    m.count("slave_unreachable_completed")
    m.count("slave_removals/reason_unhealthy")
    m.state.unreachable_agents[agent.id] = when
    since = {"nanoseconds": round(when * 1e9)}
    offers.rescind_all(m, agent)
    for task in list(agent.tasks.values()):
        framework = m.state.frameworks[task.framework_id]
        aware = framework.partition_aware
        state = TaskState.TASK_UNREACHABLE if aware else TaskState.TASK_LOST
        _lose_task(m, agent, task, state, "health check timed out", "REASON_AGENT_REMOVED", since)
    _strike_off(m, agent)


def remove(m: Master, agent: Agent, why: str) -> None:
    """Strike an agent off for good."""
    m.log(f"Removing agent {agent.id} ({agent.info.hostname}): {why}")
    m.state.removed_agents[agent.id] = m.now
    while len(m.state.removed_agents) > MAX_REMOVED_AGENTS:
        m.state.removed_agents.popitem(last=False)
    m.decide(agent.id, None)
    offers.rescind_all(m, agent)
    message = f"Agent {agent.info.hostname} removed: {why}"
    for task in list(agent.tasks.values()):
        _lose_task(m, agent, task, TaskState.TASK_LOST, message, "REASON_AGENT_REMOVED", None)
    _strike_off(m, agent)
    subscribers.agent_removed(m, agent)


def mark_gone(m: Master, agent_id: str) -> None:
    """Strike an agent off at an operator's word, registered or not, never to come back."""
    m.log(f"Marking agent {agent_id} gone")
    m.state.gone_agents[agent_id] = m.now
    m.state.unreachable_agents.pop(agent_id, None)
    m.state.recovered_agents.pop(agent_id, None)
    m.decide(agent_id, None)
    agent = m.state.agents.get(agent_id)
    if agent is None:
        return
    for task in list(agent.tasks.values()):
        aware = m.state.frameworks[task.framework_id].partition_aware
        state = TaskState.TASK_GONE_BY_OPERATOR if aware else TaskState.TASK_LOST
        _lose_task(m, agent, task, state, GONE, "REASON_AGENT_REMOVED_BY_OPERATOR", None)
    offers.rescind_all(m, agent)
    m.tell(agent, link.Shutdown(message=GONE))
    _strike_off(m, agent)


def _strike_off(m: Master, agent: Agent) -> None:
    """Take an agent without tasks and offers off the books and tell the frameworks."""
    for executor in list(agent.executors.values()):
        tasks.remove_executor(m, agent, executor)
    if agent.stream_id is not None:
        m.state.agent_streams.pop(agent.stream_id, None)
        m.actions.append(actions.CloseAgent(stream_id=agent.stream_id))
        agent.stream_id = None
    move_agent(agent, AgentState.REMOVED)
    m.allocator.remove_agent(agent.id)
    del m.state.agents[agent.id]
    if m.state.agent_pids.get(agent.pid) == agent.id:
        del m.state.agent_pids[agent.pid]
    m.count("slave_removals")
    _tell_failure(m, agent.id)


def _tell_failure(m: Master, agent_id: str) -> None:
    failure = scheduler.Failure(agent_id=mesos.AgentID(value=agent_id))
    for framework in m.state.frameworks.values():
        m.send(framework, scheduler.Event(type="FAILURE", failure=failure))


def frameworks_on(m: Master, agent: Agent) -> list[Framework]:
    """Return the frameworks that have something on an agent."""
    keys = [framework_id for framework_id, _ in (*agent.tasks, *agent.executors)]
    return [m.state.frameworks[framework_id] for framework_id in dict.fromkeys(keys)]


def lose_tasks(m: Master, agent: Agent, framework: Framework, message: str, reason: str) -> None:
    """Give up what a framework has on an agent: it can't outlive the agent's restart."""
    for task in [t for t in agent.tasks.values() if t.framework_id == framework.id]:
        _lose_task(m, agent, task, TaskState.TASK_LOST, message, reason, None)
    for executor in [e for e in agent.executors.values() if e.framework_id == framework.id]:
        tasks.remove_executor(m, agent, executor)


def _lose_task(
    m: Master,
    agent: Agent,
    task: Task,
    state: TaskState,
    message: str,
    reason: str,
    unreachable_time: mesos.Opaque | None,
) -> None:
    if task.terminal:
        tasks.complete(m, agent, task)
        return
    status = tasks.master_status(
        m,
        task.id,
        state,
        message,
        reason,
        agent_id=agent.id,
        executor_id=task.executor_id,
    )
    status = replace(status, unreachable_time=unreachable_time)
    tasks.enter_status(m, agent, task, status, state)
    m.send_update(m.state.frameworks[task.framework_id], status)
    if state is TaskState.TASK_UNREACHABLE:
        tasks.lose_sight(m, agent, task)
    else:
        tasks.complete(m, agent, task)
