"""Agents that come: for the first time, back after a pause, or to a new leader.

An agent is admitted in the registry before it hears that it is registered.
"""

from collections.abc import Callable

from pocket_mesos.master import (
    actions,
    agents,
    changes,
    deactivation,
    frameworks,
    losses,
    offers,
    recovery,
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
from pocket_mesos.master.validation.agent import validate_use
from pocket_mesos.master.validation.task import validate_id
from pocket_mesos.protocol import link, mesos
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.deactivation import Deactivation
from pocket_mesos.registry.records import Change
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
    m.state.opening_streams.add(stream_id)
    _register(m, call, stream_id)


def reregister(m: Master, call: link.Reregister, stream_id: str, principal: str | None) -> None:
    """Welcome an agent back: after a pause, after having been unreachable, or a new leader."""
    m.count("messages_reregister_slave")
    if not _authorized(m, call, stream_id, principal):
        return
    if call.agent_info.id is None:
        _refuse(m, stream_id, "Agent registers again without an id")
        return
    m.state.opening_streams.add(stream_id)
    _reregister(m, call, call.agent_info.id.value, stream_id)


def _register(m: Master, call: link.Register, stream_id: str) -> None:
    namesake = _namesake(m, call.pid, None)
    about = [call.pid, *namesake]
    if m.postpone(about, lambda: _register(m, call, stream_id)):
        return
    if stream_id not in m.state.opening_streams:
        return  # it hung up while it waited, and will call again
    identity = f"{m.config.master.id}-S{m.state.next_agent}"
    m.state.next_agent += 1

    def admit() -> None:
        _remove_namesake(m, namesake)
        m.count("slave_registrations")
        _admit(m, _make(m, call, identity, stream_id), {})

    _store(m, changes.admit(_named(call, identity), None), namesake, about, stream_id, admit)


def _reregister(m: Master, call: link.Reregister, identity: str, stream_id: str) -> None:
    namesake = _namesake(m, call.pid, identity)
    about = [identity, call.pid, *namesake]
    if m.postpone(about, lambda: _reregister(m, call, identity, stream_id)):
        return
    if stream_id not in m.state.opening_streams:
        return
    error = _validate_return(m, call, identity)
    if error is not None:
        _refuse(m, stream_id, error)
        return
    info = _named(call, identity)
    known = m.state.agents.get(identity)
    kept = m.state.recovered_agents.get(identity) if known is None else known.info

    def welcome() -> None:
        _remove_namesake(m, namesake)
        if known is None:
            _readmit(m, call, identity, stream_id)
        else:
            _reconnect(m, known, call, stream_id)

    if kept == info and not namesake:
        _finish(m, stream_id, welcome)
        return
    made = changes.admit(info, _deactivation(m, call, identity))
    _store(m, made, namesake, about, stream_id, welcome)


def _store(
    m: Master,
    made: list[Change],
    namesake: list[str],
    about: list[str],
    stream_id: str,
    then: Callable[[], None],
) -> None:
    """Write that an agent is admitted, in place of its namesake; it hears of it afterwards."""
    if changes.too_large(made):
        _refuse(m, stream_id, "Agent's info is larger than the registry takes")
        return
    for one in namesake:
        made = [*made, *changes.remove(one)]
    m.store(made, about, lambda: _finish(m, stream_id, then))


def _finish(m: Master, stream_id: str, then: Callable[[], None]) -> None:
    """Welcome an agent, whose link may have ended meanwhile."""
    then()
    if stream_id in m.state.opening_streams:
        m.state.opening_streams.discard(stream_id)
    else:
        agents.disconnected(m, stream_id)


def _validate_return(m: Master, call: link.Reregister, identity: str) -> str | None:
    """Return why an agent may not come back."""
    if identity in m.state.gone_agents:
        return losses.GONE
    if identity in m.state.removed_agents:
        return "Agent attempted to re-register after removal"
    error = validate_id(identity)
    if error is not None:
        return f"Agent has an invalid id: {error}"
    return validate(call.agent_info.resources) or validate_use(call, m.state.agents.get(identity))


def _deactivation(m: Master, call: link.Reregister, identity: str) -> Deactivation | None:
    """Return what operators have decided about an agent: one that is unknown says it itself."""
    known = (m.state.agents, m.state.recovered_agents, m.state.unreachable_agents)
    if any(identity in where for where in known):
        return m.state.deactivations.get(identity)
    return call.deactivation


def _named(call: link.Register | link.Reregister, identity: str) -> mesos.AgentInfo:
    return replace(call.agent_info, id=mesos.AgentID(value=identity))


def _refuse(m: Master, stream_id: str, message: str) -> None:
    m.state.opening_streams.discard(stream_id)
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


def _make(m: Master, call: link.Register | link.Reregister, identity: str, stream_id: str) -> Agent:
    return Agent(
        id=identity,
        info=_named(call, identity),
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
    recovery.agent_back(m)
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


def _namesake(m: Master, pid: str, identity: str | None) -> list[str]:
    """Return the id of a registered agent whose address another one has now, if there is one."""
    namesake = m.state.agent_pids.get(pid)
    return [namesake] if namesake in m.state.agents and namesake != identity else []


def _remove_namesake(m: Master, namesake: list[str]) -> None:
    for one in namesake:
        m.count("slave_removals/reason_registered")
        losses.remove(m, m.state.agents[one], "a new agent registered at the same address")


def _reconnect(m: Master, agent: Agent, call: link.Reregister, stream_id: str) -> None:
    """Give a registered agent its new link and bring both sides' tasks together."""
    if agent.stream_id is not None:
        m.state.agent_streams.pop(agent.stream_id, None)
        m.actions.append(actions.CloseAgent(stream_id=agent.stream_id))
    if m.state.agent_pids.get(agent.pid) == agent.id:
        del m.state.agent_pids[agent.pid]
    move_agent(agent, AgentState.CONNECTED)
    _take_info(m, agent, _named(call, agent.id))
    agent.stream_id = stream_id
    agent.pid, agent.version, agent.capabilities = call.pid, call.version, call.capabilities
    agent.reregistered_time = m.now
    m.count("slave_reregistrations")
    agents.ponged(m, agent)
    if m.state.is_active(agent):
        m.allocator.activate_agent(agent.id)
    _connect(m, agent)
    deactivation.remind(m, agent, call.deactivation)
    _reconcile(m, agent, call)


def _take_info(m: Master, agent: Agent, info: mesos.AgentInfo) -> None:
    """Let an agent have what it has now, such as more resources than before."""
    if agent.info == info:
        return
    offers.rescind_all(m, agent)
    held = dict(m.allocator.held(agent.id))
    agent.info, agent.total = info, Resources.of(info.resources)
    m.allocator.remove_agent(agent.id)
    m.allocator.add_agent(agent.id, agent.total, held)
    if agent.id in m.state.deactivations:
        m.allocator.deactivate_agent(agent.id)


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
    m.decide(identity, _deactivation(m, call, identity))
    was_unreachable = m.state.unreachable_agents.pop(identity, None) is not None
    m.state.recovered_agents.pop(identity, None)
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
