"""Frameworks: subscription, failover, disconnection, update, end."""

from collections.abc import Iterable

from pocket_mesos.master import actions, offers, subscribers, tasks
from pocket_mesos.master.context import Master
from pocket_mesos.master.events import FailoverTimer
from pocket_mesos.master.state import Framework, FrameworkState, Task, roles_of
from pocket_mesos.master.transitions import move_framework
from pocket_mesos.master.validation import framework as validation
from pocket_mesos.protocol import link, mesos, scheduler
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import FrameworkInfo, TaskState

_LONGEST_TIMEOUT = 10 * 365 * 24 * 3600.0
"""Seconds; more is as good as never, and timers can't count it."""


def subscribe(m: Master, call: scheduler.Subscribe, stream_id: str) -> None:
    """Let a framework subscribe for the first time, again, or in place of its former self."""
    m.count("messages_register_framework")
    info = call.framework_info
    error = validation.validate(
        info,
        call.suppressed_roles,
        root_submissions=m.config.root_submissions,
        allowed_roles=m.config.roles,
    )
    if error is None and info.id is not None and info.id.value in m.state.completed_frameworks:
        error = "Framework has been removed"
    error = error or _unauthorized(m, info)
    known = m.state.frameworks.get(info.id.value) if info.id is not None else None
    if error is None and known is not None:
        error = validation.validate_principal(known.info, info)
    if error is not None:
        m.log(f"Refusing subscription of framework '{info.name}': {error}")
        _send_error(m, stream_id, error)
        return
    if known is None:
        framework = _add(m, info, stream_id, call.suppressed_roles)
    else:
        framework = known
        _take_over(m, framework, info, stream_id, call.suppressed_roles)
    m.state.scheduler_streams[stream_id] = framework.id
    _greet(m, framework)
    m.want_allocation()


def recover(m: Master, info: FrameworkInfo) -> Framework:
    """Enter a framework that an agent tells of and that has not subscribed with this master."""
    assert info.id is not None
    framework = Framework(
        id=info.id.value,
        info=info,
        state=FrameworkState.RECOVERED,
        stream_id=None,
        registered_time=m.now,
    )
    m.state.frameworks[framework.id] = framework
    m.allocator.add_framework(framework.id, roles_of(info), (), gpus=_gpus(info))
    m.allocator.deactivate_framework(framework.id)
    subscribers.framework_added(m, framework)
    wait = max(m.config.agent_reregister_timeout, _failover_timeout(framework))
    m.start_timer(FailoverTimer(framework_id=framework.id, epoch=framework.epoch), wait)
    return framework


def update(m: Master, framework: Framework, call: scheduler.UpdateFramework) -> None:
    """Change a framework's info while it stays connected."""
    info = call.framework_info
    error = validation.validate(
        info,
        call.suppressed_roles,
        root_submissions=m.config.root_submissions,
        allowed_roles=m.config.roles,
    )
    error = error or validation.validate_update(framework.info, info)
    if error is not None:
        m.respond(400, f"FrameworkInfo update is not valid: {error}")
        return
    error = _unauthorized(m, info)
    if error is not None:
        m.respond(403, error)
        return
    _change_info(m, framework, info, call.suppressed_roles)
    subscribers.framework_updated(m, framework)
    m.respond(200)
    m.want_allocation()


def suppress(m: Master, framework: Framework, roles: Iterable[str]) -> None:
    """Stop offers to a framework in some or all of its roles."""
    m.count("messages_suppress_offers")
    m.allocator.suppress(framework.id, roles)


def revive(m: Master, framework: Framework, roles: Iterable[str]) -> None:
    """Drop what a framework has refused or suppressed in some or all of its roles."""
    m.count("messages_revive_offers")
    m.allocator.revive(framework.id, roles)
    m.want_allocation()


def disconnected(m: Master, stream_id: str) -> None:
    """Notice that a framework's stream is gone; it has its failover timeout to come back."""
    framework_id = m.state.scheduler_streams.pop(stream_id, None)
    framework = m.state.frameworks.get(framework_id) if framework_id is not None else None
    if framework is None or framework.stream_id != stream_id:
        return
    wait = _failover_timeout(framework)
    m.log(f"Giving framework {framework.id} ({framework.info.name}) {wait:g}secs to failover")
    framework.stream_id = None
    framework.epoch += 1
    move_framework(framework, FrameworkState.DISCONNECTED)
    m.allocator.deactivate_framework(framework.id)
    offers.end_all(m, framework)
    m.start_timer(FailoverTimer(framework_id=framework.id, epoch=framework.epoch), wait)
    m.want_allocation()


def failover_expired(m: Master, timer: FailoverTimer) -> None:
    """Remove a framework that did not come back in time."""
    framework = m.state.frameworks.get(timer.framework_id)
    if framework is None or framework.connected or framework.epoch != timer.epoch:
        return
    m.log(f"Framework failover timeout, removing framework {framework.id}")
    remove(m, framework)


def remove(m: Master, framework: Framework) -> None:
    """End a framework: its tasks and executors everywhere, its offers, its stream."""
    m.log(f"Removing framework {framework.id} ({framework.info.name})")
    for agent_id in _agents_of(framework):
        identity = mesos.FrameworkID(value=framework.id)
        m.tell(m.state.agents[agent_id], link.ShutdownFramework(framework_id=identity))
    offers.end_all(m, framework)
    for task in list(framework.tasks.values()):
        _kill_on_paper(m, framework, task)
    for (agent_id, _), executor in list(framework.executors.items()):
        tasks.remove_executor(m, m.state.agents[agent_id], executor)
    if framework.stream_id is not None:
        m.actions.append(actions.CloseScheduler(stream_id=framework.stream_id))
        m.state.scheduler_streams.pop(framework.stream_id, None)
        framework.stream_id = None
    m.allocator.remove_framework(framework.id)
    move_framework(framework, FrameworkState.COMPLETED)
    framework.unregistered_time = m.now
    subscribers.framework_removed(m, framework)
    del m.state.frameworks[framework.id]
    _remember(m, framework)
    m.want_allocation()


def _unauthorized(m: Master, info: FrameworkInfo) -> str | None:
    """Return that a framework's principal may not have the framework's roles."""
    roles = roles_of(info)
    if m.config.authorizer.may_register(info.principal, roles):
        return None
    framework_id = "" if info.id is None else info.id.value
    shown = ", ".join(sorted(roles))
    return f"Not authorized to register framework {framework_id} with roles {{ {shown} }}"


def _add(m: Master, info: FrameworkInfo, stream_id: str, suppressed: Iterable[str]) -> Framework:
    if info.id is None:
        number = m.state.next_framework
        m.state.next_framework += 1
        info = replace(info, id=mesos.FrameworkID(value=f"{m.config.master.id}-{number:04d}"))
    assert info.id is not None
    framework = Framework(
        id=info.id.value,
        info=info,
        state=FrameworkState.ACTIVE,
        stream_id=stream_id,
        registered_time=m.now,
    )
    m.log(f"Adding framework {framework.id} ({info.name}) with roles {roles_of(info)}")
    m.state.frameworks[framework.id] = framework
    m.allocator.add_framework(framework.id, roles_of(info), suppressed, gpus=_gpus(info))
    subscribers.framework_added(m, framework)
    return framework


def _take_over(
    m: Master,
    framework: Framework,
    info: FrameworkInfo,
    stream_id: str,
    suppressed: Iterable[str],
) -> None:
    """Connect a known framework to a new stream; an old one ends."""
    m.count("messages_reregister_framework")
    if framework.stream_id is not None:
        m.state.scheduler_streams.pop(framework.stream_id, None)
        _send_error(m, framework.stream_id, "Framework failed over")
    offers.end_all(m, framework)
    if framework.state is FrameworkState.RECOVERED:
        framework.registered_time = m.now
    framework.reregistered_time = m.now
    framework.stream_id = stream_id
    framework.epoch += 1
    move_framework(framework, FrameworkState.ACTIVE)
    # What can't change stays as it was, as in Mesos: the framework learns by asking.
    kept = replace(info, user=framework.info.user, checkpoint=framework.info.checkpoint)
    _change_info(m, framework, kept, suppressed)
    m.allocator.activate_framework(framework.id)
    subscribers.framework_updated(m, framework)


def _change_info(
    m: Master, framework: Framework, info: FrameworkInfo, suppressed: Iterable[str]
) -> None:
    roles = set(roles_of(info))
    for offer_id in sorted(framework.offers):
        offer = m.state.offers[offer_id]
        if offer.role not in roles:
            offers.rescind(m, offer)
    framework.info = info
    m.allocator.update_framework(framework.id, roles, suppressed, gpus=_gpus(info))
    # Unchanged, too: agents then send again what this framework has not acknowledged.
    for agent_id in _agents_of(framework):
        m.tell(m.state.agents[agent_id], link.UpdateFramework(framework=info))


def _greet(m: Master, framework: Framework) -> None:
    subscribed = scheduler.Subscribed(
        framework_id=mesos.FrameworkID(value=framework.id), master_info=m.config.master
    )
    m.send(framework, scheduler.Event(type="SUBSCRIBED", subscribed=subscribed))
    m.send(framework, scheduler.Event(type="HEARTBEAT"))


def _send_error(m: Master, stream_id: str, message: str) -> None:
    error = scheduler.Event(type="ERROR", error=scheduler.Error(message=message))
    m.actions.append(actions.SendToScheduler(stream_id=stream_id, event=error))
    m.actions.append(actions.CloseScheduler(stream_id=stream_id))


def _kill_on_paper(m: Master, framework: Framework, task: Task) -> None:
    """Complete a task whose agent has been told to end all of the framework's."""
    agent = m.state.agents[task.agent_id]
    if not task.terminal:
        message = f"Framework {framework.id} removed"
        status = tasks.master_status(
            m,
            task.id,
            TaskState.TASK_KILLED,
            message,
            "REASON_FRAMEWORK_REMOVED",
            agent_id=agent.id,
            executor_id=task.executor_id,
        )
        tasks.enter_status(m, agent, task, status, TaskState.TASK_KILLED)
    tasks.complete(m, agent, task)


def _remember(m: Master, framework: Framework) -> None:
    m.state.completed_frameworks[framework.id] = framework
    while len(m.state.completed_frameworks) > m.config.max_completed_frameworks:
        m.state.completed_frameworks.popitem(last=False)


def _agents_of(framework: Framework) -> list[str]:
    """Return the registered agents where a framework has something, each once."""
    found = dict.fromkeys(task.agent_id for task in framework.tasks.values())
    found.update(dict.fromkeys(agent_id for agent_id, _ in framework.executors))
    return list(found)


def _failover_timeout(framework: Framework) -> float:
    seconds = framework.info.failover_timeout
    return min(seconds, _LONGEST_TIMEOUT) if seconds > 0 else 0.0


def _gpus(info: FrameworkInfo) -> bool:
    return any(c.type == "GPU_RESOURCES" for c in info.capabilities)
