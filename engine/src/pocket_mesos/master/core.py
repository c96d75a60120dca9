"""The master's core: an event comes in, actions go out. No I/O, no clock, no randomness.

Nothing is awaited between a decision and the change of state that goes with it. What happens is
written in the modules beside this one; here it is only told who deals with what.
"""

from collections.abc import Callable
from typing import Any

from pocket_mesos.allocator import HierarchicalAllocator
from pocket_mesos.master import (
    agents,
    deactivation,
    events,
    framework_metrics,
    frameworks,
    launching,
    offers,
    reconciliation,
    recovery,
    registration,
    removal,
    sharing,
    subscribers,
    tasks,
)
from pocket_mesos.master.actions import Action
from pocket_mesos.master.context import Master
from pocket_mesos.master.state import Agent, Config, Framework, State
from pocket_mesos.protocol import link, scheduler
from pocket_mesos.registry.records import Registry


class Core:
    """A leading master."""

    def __init__(
        self, config: Config, allocator: HierarchicalAllocator, registry: Registry | None = None
    ) -> None:
        """Make the core of a leader that has found this registry."""
        self._master = Master(config, allocator)
        recovery.recover(self._master, registry or Registry())

    @property
    def state(self) -> State:
        """What the master knows; for reading."""
        return self._master.state

    @property
    def config(self) -> Config:
        """The settings."""
        return self._master.config

    @property
    def allocator(self) -> HierarchicalAllocator:
        """The allocator; for reading."""
        return self._master.allocator

    def start(self, now: float) -> list[Action]:
        """Begin to lead."""
        m = self._master
        m.begin(now)
        m.started = now
        recovery.start(m)
        m.start_timer(events.AllocationTimer(), m.config.allocation_interval)
        return self._take_actions()

    def handle(self, event: events.Event, now: float) -> list[Action]:
        """Deal with an event at ``now``, in seconds since the epoch.

        Returns:
            What is to be done about it, in order.
        """
        self._master.begin(now)
        _EVENTS[type(event)](self._master, event)
        deactivation.settle(self._master)
        return self._take_actions()

    def _take_actions(self) -> list[Action]:
        made = self._master.actions
        self._master.actions = []
        return made


# --- schedulers ----------------------------------------------------------------------------


def _subscribed(m: Master, event: events.Subscribed) -> None:
    assert event.call.subscribe is not None
    frameworks.subscribe(m, event.call.subscribe, event.stream_id)


def _scheduler_called(m: Master, event: events.SchedulerCalled) -> None:
    call = event.call
    assert call.framework_id is not None
    framework = m.state.frameworks.get(call.framework_id.value)
    if framework is None:
        m.respond(400, "Framework cannot be found")
    elif event.principal is not None and event.principal != framework.info.principal:
        m.respond(
            400,
            f"Authenticated principal '{event.principal}' does not match principal "
            f"'{framework.info.principal or ''}' set in `FrameworkInfo`",
        )
    elif not framework.connected:
        m.respond(403, "Framework is not subscribed")
    elif event.stream_id is None:
        m.respond(400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header")
    elif event.stream_id != framework.stream_id:
        m.respond(
            400,
            f"The stream ID '{event.stream_id}' included in this request didn't match the stream "
            f"ID currently associated with framework ID {framework.id}",
        )
    else:
        framework_metrics.called(framework, call)
        _CALLS[call.type](m, framework, call)


def _kill(m: Master, framework: Framework, call: scheduler.Call) -> None:
    kill = call.kill
    assert kill is not None
    if not tasks.kill(m, framework, kill):
        agent_id = None if kill.agent_id is None else kill.agent_id.value
        reconciliation.explain(m, framework, kill.task_id.value, agent_id)


def _revive(m: Master, framework: Framework, call: scheduler.Call) -> None:
    frameworks.revive(m, framework, call.revive.roles if call.revive is not None else ())


def _suppress(m: Master, framework: Framework, call: scheduler.Call) -> None:
    frameworks.suppress(m, framework, call.suppress.roles if call.suppress is not None else ())


def _teardown(m: Master, framework: Framework, _call: scheduler.Call) -> None:
    m.count("messages_unregister_framework")
    frameworks.remove(m, framework)


def _request(m: Master, _framework: Framework, _call: scheduler.Call) -> None:
    """Take note of a wish; as in Mesos, the allocator pays it no heed."""
    m.count("messages_resource_request")


_CALLS: dict[str | None, Callable[[Master, Framework, Any], None]] = {
    "ACCEPT": lambda m, f, call: launching.accept(m, f, call.accept),
    "DECLINE": lambda m, f, call: launching.decline(m, f, call.decline),
    "REVIVE": _revive,
    "SUPPRESS": _suppress,
    "KILL": _kill,
    "SHUTDOWN": lambda m, f, call: tasks.shut_down_executor(m, f, call.shutdown),
    "ACKNOWLEDGE": lambda m, f, call: tasks.acknowledged(m, f, call.acknowledge),
    "RECONCILE": lambda m, f, call: reconciliation.reconcile(m, f, call.reconcile),
    "MESSAGE": lambda m, f, call: tasks.send_message(m, f, call.message),
    "REQUEST": _request,
    "TEARDOWN": _teardown,
    "UPDATE_FRAMEWORK": lambda m, f, call: frameworks.update(m, f, call.update_framework),
}


# --- agents --------------------------------------------------------------------------------


def _agent_subscribed(m: Master, event: events.AgentSubscribed) -> None:
    if isinstance(event.call, link.Register):
        registration.register(m, event.call, event.stream_id, event.principal)
    else:
        registration.reregister(m, event.call, event.stream_id, event.principal)


def _agent_called(m: Master, event: events.AgentCalled) -> None:
    agent = agents.by_stream(m, event.stream_id)
    if agent is None:
        m.respond(403, "Agent is not registered on this stream")
        return
    agents.ponged(m, agent)
    act = _AGENT_CALLS.get(type(event.call))
    if act is None:
        m.respond(400, f"{type(event.call).__name__} opens a stream; it can't be sent on one")
        return
    act(m, agent, event.call)


_AGENT_CALLS: dict[type, Callable[[Master, Agent, Any], None]] = {
    link.Pong: lambda _m, _agent, _call: None,
    link.StatusUpdate: tasks.updated,
    link.ExecutorToFramework: tasks.deliver_message,
    link.ExitedExecutor: tasks.executor_exited,
    link.Unregister: lambda m, agent, _call: agents.unregistered(m, agent),
}


# --- operators, timers ---------------------------------------------------------------------


def _teardown_requested(m: Master, event: events.TeardownRequested) -> None:
    framework = m.state.frameworks.get(event.framework_id)
    if framework is None:
        m.respond(400, "No framework found with specified ID")
    elif not m.config.authorizer.approver("teardown_frameworks", event.principal).approves(
        framework.info.principal
    ):
        m.respond(403, "403 Forbidden.")
    else:
        frameworks.remove(m, framework)


def _allocation_due(m: Master, _event: events.AllocationDue) -> None:
    wanted = m.take_wanted()
    if wanted:
        offers.allocate(m, wanted)


def _timer_fired(m: Master, event: events.TimerFired) -> None:
    match event.timer:
        case events.AllocationTimer():
            m.start_timer(event.timer, m.config.allocation_interval)
            m.take_wanted()
            offers.allocate(m, None)
        case events.PingTimer() as timer:
            agents.ping_due(m, timer)
        case events.OfferTimer() as timer:
            offers.expired(m, timer)
        case events.FailoverTimer() as timer:
            frameworks.failover_expired(m, timer)
        case events.ReregisterTimer():
            recovery.reregister_expired(m)
        case events.RemovalTimer():
            removal.go_on(m)
        case events.AllocatorRecoveryTimer():
            recovery.release_offers(m)
        case events.RegistryGcTimer():
            recovery.collect_garbage(m)


_EVENTS: dict[type, Callable[[Master, Any], None]] = {
    events.Subscribed: _subscribed,
    events.SchedulerCalled: _scheduler_called,
    events.SchedulerDisconnected: lambda m, event: frameworks.disconnected(m, event.stream_id),
    events.AgentSubscribed: _agent_subscribed,
    events.AgentCalled: _agent_called,
    events.AgentDisconnected: lambda m, event: agents.disconnected(m, event.stream_id),
    events.OperatorSubscribed: subscribers.subscribe,
    events.OperatorUnsubscribed: subscribers.unsubscribe,
    events.TeardownRequested: _teardown_requested,
    events.DeactivateRequested: deactivation.deactivate,
    events.ReactivateRequested: deactivation.reactivate,
    events.DrainRequested: deactivation.drain,
    events.GoneRequested: deactivation.mark_gone,
    events.WeightsRequested: sharing.update_weights,
    events.QuotaRequested: sharing.update_quota,
    events.GuaranteeRequested: sharing.set_quota,
    events.QuotaRemovalRequested: sharing.remove_quota,
    events.Stored: lambda m, event: m.stored(event.number),
    events.AllocationDue: _allocation_due,
    events.TimerFired: _timer_fired,
}
