"""Agents: registration, pings, disconnection and return; ``losses`` has what goes with them."""

from pocket_mesos.master import (
    actions,
    deactivation,
    frameworks,
    losses,
    offers,
    subscribers,
    tasks,
)
from pocket_mesos.master.context import Master
from pocket_mesos.master.events import PingTimer
from pocket_mesos.master.state import (
    Agent,
    AgentState,
    Executor,
    Framework,
    Task,
)
from pocket_mesos.master.transitions import move_agent
from pocket_mesos.protocol import link, mesos
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import TERMINAL_STATES
from pocket_mesos.resources import EMPTY, Resources, validate

Held = dict[tuple[str, str], Resources]


def register(m: Master, call: link.Register, stream_id: str, principal: str | None) -> None:
    """Admit an agent that has no id yet."""
    m.count("messages_register_slave")
    if not _authorized(m, call, stream_id, principal):
        return
    error = validate(call.agent_info.resources)
    if error is not None:
        _refuse(m, stream_id, f"Agent's resources are invalid: {error}")
        return
    _replace_namesake(m, call.pid, None)
    identity = f"{m.config.master.id}-S{m.state.next_agent}"
    m.state.next_agent += 1
    m.count("slave_registrations")
    _admit(m, _make(m, call, identity, stream_id), {})


def reregister(m: Master, call: link.Reregister, stream_id: str, principal: str | None) -> None:
    """Welcome an agent back: after a pause, after having been unreachable, or a new leader."""
    m.count("messages_reregister_slave")
    if not _authorized(m, call, stream_id, principal):
        return
    if call.agent_info.id is None:
        _refuse(m, stream_id, "Agent registers again without an id")
        return
    identity = call.agent_info.id.value
    error = validate(call.agent_info.resources) or _validate_use(call)
    if identity in m.state.removed_agents:
        error = "Agent attempted to re-register after removal"
    if identity in m.state.gone_agents:
        error = losses.GONE
    if error is not None:
        _refuse(m, stream_id, error)
        return
    known = m.state.agents.get(identity)
    if known is not None:
        _reconnect(m, known, call, stream_id)
        return
    _replace_namesake(m, call.pid, identity)
    _readmit(m, call, identity, stream_id)


def disconnected(m: Master, stream_id: str) -> None:
    """Notice that an agent's link is gone; pings decide whether it is lost."""
    agent = by_stream(m, stream_id)
    m.state.agent_streams.pop(stream_id, None)
    if agent is None:
        return
    m.log(f"Agent {agent.id} at {agent.pid} ({agent.info.hostname}) disconnected", "WARNING")
    move_agent(agent, AgentState.DISCONNECTED)
    agent.stream_id = None
    m.allocator.deactivate_agent(agent.id)
    offers.rescind_all(m, agent)
    for framework in losses.frameworks_on(m, agent):
        if not framework.info.checkpoint:
            message = f"Agent {agent.info.hostname} disconnected"
            losses.lose_tasks(m, agent, framework, message, "REASON_AGENT_DISCONNECTED")


def ponged(m: Master, agent: Agent) -> None:
    """Notice that an agent has answered."""
    agent.answered = True
    agent.missed_pings = 0


def ping_due(m: Master, timer: PingTimer) -> None:
    """Count a ping that was not answered, give a silent agent up, ping the others again."""
    agent = m.state.agents.get(timer.agent_id)
    if agent is None or agent.epoch != timer.epoch:
        return
    if not agent.answered:
        agent.missed_pings += 1
        if agent.missed_pings >= m.config.max_agent_ping_timeouts:
            losses.mark_unreachable(m, agent)
            return
    agent.answered = False
    m.tell(agent, link.Ping(connected=agent.connected))
    m.start_timer(timer, m.config.agent_ping_timeout)


def unregistered(m: Master, agent: Agent) -> None:
    """Let an agent go that says it won't come back."""
    m.count("messages_unregister_slave")
    m.count("slave_removals/reason_unregistered")
    losses.remove(m, agent, "the agent unregistered")


def by_stream(m: Master, stream_id: str) -> Agent | None:
    """Return the agent whose current link a stream is."""
    agent = m.state.agents.get(m.state.agent_streams.get(stream_id, ""))
    return agent if agent is not None and agent.stream_id == stream_id else None


# --- coming --------------------------------------------------------------------------------


def _refuse(m: Master, stream_id: str, message: str) -> None:
    m.log(f"Refusing agent: {message}", "WARNING")
    m.actions.append(actions.SendToAgent(stream_id=stream_id, event=link.Shutdown(message=message)))
    m.actions.append(actions.CloseAgent(stream_id=stream_id))


def _authorized(
    m: Master, call: link.Register | link.Reregister, stream_id: str, principal: str | None
) -> bool:
    """Turn an agent away that may not register; it asks again later, as with Mesos."""
    if m.config.authorizer.approver("register_agents", principal).approves():
        return True
    who = "without a principal" if principal is None else f"with principal '{principal}'"
    m.log(
        f"Refusing registration of agent at {call.pid} ({call.agent_info.hostname}): "
        f"Not authorized to register agent {who}",
        "WARNING",
    )
    m.actions.append(actions.CloseAgent(stream_id=stream_id))
    return False


def _validate_use(call: link.Reregister) -> str | None:
    """Return why an agent's tale of its tasks can't be true."""
    lists = [one.info.resources for one in call.executors]
    lists += [one.info.resources for one in call.tasks]
    for resources in lists:
        error = validate(resources)
        if error is not None:
            return f"Agent's tasks are invalid: {error}"
    used = EMPTY
    for executor in call.executors:
        used = used + Resources.of(executor.info.resources)
    for task in call.tasks:
        if task.state not in TERMINAL_STATES:
            used = used + Resources.of(task.info.resources)
    total = Resources.of(call.agent_info.resources)
    if not total.contains(used):
        return f"Agent's tasks use {used}, which is more than its resources {total}"
    return None


def _make(m: Master, call: link.Register | link.Reregister, identity: str, stream_id: str) -> Agent:
    return Agent(
        id=identity,
        info=replace(call.agent_info, id=mesos.AgentID(value=identity)),
        pid=call.pid,
        version=call.version,
        capabilities=call.capabilities,
        total=Resources.of(call.agent_info.resources),
        stream_id=stream_id,
        registered_time=m.now,
    )


def _admit(m: Master, agent: Agent, held: Held) -> None:
    m.log(f"Registered agent {agent.id} at {agent.pid} ({agent.info.hostname}) with {agent.total}")
    agent.epoch = m.state.next_epoch
    m.state.next_epoch += 1
    m.state.agents[agent.id] = agent
    m.allocator.add_agent(agent.id, agent.total, held)
    if not m.state.is_active(agent):
        m.allocator.deactivate_agent(agent.id)
    _connect(m, agent)
    subscribers.agent_added(m, agent)
    m.start_timer(PingTimer(agent_id=agent.id, epoch=agent.epoch), m.config.agent_ping_timeout)


def _connect(m: Master, agent: Agent) -> None:
    """Answer a registration on the agent's current stream."""
    assert agent.stream_id is not None
    m.state.agent_streams[agent.stream_id] = agent.id
    m.state.agent_pids[agent.pid] = agent.id
    registered = link.Registered(
        agent_id=mesos.AgentID(value=agent.id),
        total_ping_timeout_seconds=(m.config.agent_ping_timeout * m.config.max_agent_ping_timeouts),
    )
    m.tell(agent, registered)
    m.want_allocation([agent.id])


def _replace_namesake(m: Master, pid: str, identity: str | None) -> None:
    """Remove a registered agent whose address another one has now."""
    namesake = m.state.agents.get(m.state.agent_pids.get(pid, ""))
    if namesake is not None and namesake.id != identity:
        m.count("slave_removals/reason_registered")
        losses.remove(m, namesake, "a new agent registered at the same address")


def _reconnect(m: Master, agent: Agent, call: link.Reregister, stream_id: str) -> None:
    """Give a registered agent its new link and bring both sides' tasks together."""
    if agent.stream_id is not None:
        m.state.agent_streams.pop(agent.stream_id, None)
        m.actions.append(actions.CloseAgent(stream_id=agent.stream_id))
    move_agent(agent, AgentState.CONNECTED)
    agent.stream_id = stream_id
    agent.pid, agent.version, agent.capabilities = call.pid, call.version, call.capabilities
    agent.reregistered_time = m.now
    m.count("slave_reregistrations")
    ponged(m, agent)
    if m.state.is_active(agent):
        m.allocator.activate_agent(agent.id)
    _connect(m, agent)
    deactivation.remind(m, agent, call.deactivation)
    _reconcile(m, agent, call)


def _reconcile(m: Master, agent: Agent, call: link.Reregister) -> None:
    """Ask for tasks that the agent does not tell of, strike off executors that it lacks."""
    told = {(task.framework_id.value, task.info.task_id.value) for task in call.tasks}
    missing: dict[str, list[mesos.TaskID]] = {}
    for (framework_id, task_id), task in agent.tasks.items():
        if (framework_id, task_id) not in told:
            missing.setdefault(framework_id, []).append(task.info.task_id)
    for framework_id, task_ids in missing.items():
        identity = mesos.FrameworkID(value=framework_id)
        m.tell(agent, link.ReconcileTasks(framework_id=identity, tasks=task_ids))
    alive = {(one.framework_id.value, one.info.executor_id.value) for one in call.executors}
    for key, executor in list(agent.executors.items()):
        if key not in alive:
            tasks.remove_executor(m, agent, executor)
    _end_strangers(m, agent, [key[0] for key in (*told, *alive)])


def _end_strangers(m: Master, agent: Agent, framework_ids: list[str]) -> None:
    """Have an agent end what it runs for frameworks that exist no more."""
    for framework_id in sorted(set(framework_ids) - m.state.frameworks.keys()):
        identity = mesos.FrameworkID(value=framework_id)
        m.tell(agent, link.ShutdownFramework(framework_id=identity))


def _readmit(m: Master, call: link.Reregister, identity: str, stream_id: str) -> None:
    """Admit an agent with the tasks that it brings along."""
    was_unreachable = m.state.unreachable_agents.pop(identity, None) is not None
    if not was_unreachable:
        # This master has never seen the agent: what a former leader told it still holds.
        m.decide(identity, call.deactivation)
    agent = _make(m, call, identity, stream_id)
    agent.reregistered_time = m.now
    m.count("slave_reregistrations")
    for info in call.frameworks:
        _know_framework(m, info)
    held: Held = {}
    for told_executor in call.executors:
        _bring_executor(m, agent, told_executor, held)
    for told_task in call.tasks:
        _bring_task(m, agent, told_task, held)
    _admit(m, agent, held)
    deactivation.remind(m, agent, call.deactivation)
    _end_strangers(
        m,
        agent,
        [one.framework_id.value for one in call.tasks]
        + [one.framework_id.value for one in call.executors],
    )
    if was_unreachable:
        _report_return(m, agent)


def _know_framework(m: Master, info: mesos.FrameworkInfo) -> None:
    if info.id is None or info.id.value in m.state.completed_frameworks:
        return
    if info.id.value not in m.state.frameworks:
        frameworks.recover(m, info)


def _bring_executor(m: Master, agent: Agent, told: link.Executor, held: Held) -> None:
    framework = m.state.frameworks.get(told.framework_id.value)
    if framework is None:
        return
    executor = Executor(
        info=told.info,
        framework_id=framework.id,
        agent_id=agent.id,
        role=_role_of(framework, told.info.resources),
        resources=Resources.of(told.info.resources),
    )
    tasks.add_executor(agent, framework, executor)
    _hold(held, framework.id, executor.role, executor.resources)


def _bring_task(m: Master, agent: Agent, told: link.Task, held: Held) -> None:
    framework = m.state.frameworks.get(told.framework_id.value)
    if framework is None or told.info.task_id.value in framework.tasks:
        return
    task = Task(
        info=told.info,
        framework_id=framework.id,
        agent_id=agent.id,
        role=_role_of(framework, told.info.resources),
        executor_id=None if told.executor_id is None else told.executor_id.value,
        resources=Resources.of(told.info.resources),
        state=told.state,
        status_update_state=told.status_update_state,
        status_update_uuid=told.status_update_uuid,
        statuses=list(told.statuses),
    )
    framework.unreachable_tasks.pop(task.id, None)
    tasks.add(m, agent, framework, task)
    if not task.terminal:
        _hold(held, framework.id, task.role, task.resources)


def _role_of(framework: Framework, resources: list[mesos.Resource]) -> str:
    for one in resources:
        if one.allocation_info is not None and one.allocation_info.role is not None:
            return one.allocation_info.role
    return (framework.roles or ["*"])[0]


def _hold(held: Held, framework_id: str, role: str, resources: Resources) -> None:
    key = (framework_id, role)
    held[key] = held.get(key, EMPTY) + resources


def _report_return(m: Master, agent: Agent) -> None:
    for task in agent.tasks.values():
        status = tasks.master_status(
            m,
            task.id,
            task.state,
            "Unreachable agent re-reregistered",
            "REASON_AGENT_REREGISTERED",
            agent_id=agent.id,
            executor_id=task.executor_id,
        )
        last = task.statuses[-1].container_status if task.statuses else None
        m.send_update(m.state.frameworks[task.framework_id], replace(status, container_status=last))
