"""The agent and its master: finding, registering, staying in touch, leaving."""

import logging
from typing import TYPE_CHECKING

from pocket_mesos import MESOS_VERSION
from pocket_mesos.agent import actions, delivery, executors
from pocket_mesos.agent.settings import CAPABILITIES
from pocket_mesos.agent.state import Executor, Phase, Task
from pocket_mesos.protocol import codec, link
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import Capability, FrameworkID, MasterInfo

if TYPE_CHECKING:
    from pocket_mesos.agent.core import Agent

log = logging.getLogger(__name__)

_REGISTER = ("register",)
_PING = ("ping",)


def detected(agent: "Agent", leader: MasterInfo | None) -> None:
    """Turn to another leader, or wait for one."""
    agent.leader = leader
    agent.emit(actions.Disconnect())
    agent.emit(actions.StopTimer(key=_PING))
    agent.emit(actions.StopTimer(key=_REGISTER))
    if agent.phase is Phase.RUNNING:
        agent.phase = Phase.DISCONNECTED
    if leader is None:
        log.info("Lost leading master")
        return
    log.info("New master detected at %s", leader.pid)
    agent.register_interval = agent.settings.registration_backoff_factor
    if agent.phase is Phase.DISCONNECTED:
        agent.emit(actions.StartTimer(key=_REGISTER, seconds=agent.backoff()))


def lost(agent: "Agent") -> None:
    """Register again, a little later each time."""
    agent.emit(actions.StopTimer(key=_PING))
    if agent.phase is Phase.RUNNING:
        agent.phase = Phase.DISCONNECTED
    if agent.phase is Phase.DISCONNECTED and agent.leader is not None:
        agent.emit(actions.StartTimer(key=_REGISTER, seconds=agent.backoff()))


def refused(agent: "Agent", master: MasterInfo) -> None:
    """Give up: asking again won't help. Executors live on for an agent with a good credential."""
    message = f"Master {master.pid} refused authentication"
    agent.emit(actions.Exit(status=1, message=message))


def recovered(agent: "Agent") -> None:
    """Begin to register: recovery is over."""
    if agent.phase is not Phase.RECOVERING:
        return
    agent.phase = Phase.DISCONNECTED
    if agent.leader is not None:
        agent.emit(actions.StartTimer(key=_REGISTER, seconds=agent.backoff()))


def register(agent: "Agent") -> None:
    """Open the stream to the leader."""
    if agent.leader is not None and not agent.connected:
        agent.emit(actions.Connect(leader=agent.leader, call=_call(agent)))


def _call(agent: "Agent") -> link.Register | link.Reregister:
    capabilities = [Capability(type=name) for name in CAPABILITIES]
    if agent.info.id is None:
        return link.Register(
            agent_info=agent.info,
            pid=agent.settings.pid,
            version=MESOS_VERSION,
            capabilities=capabilities,
        )
    frameworks = list(agent.frameworks.values())
    all_executors = [one for framework in frameworks for one in framework.executors.values()]
    return link.Reregister(
        agent_info=agent.info,
        pid=agent.settings.pid,
        version=MESOS_VERSION,
        capabilities=capabilities,
        frameworks=[framework.info for framework in frameworks],
        executors=[
            link.Executor(info=one.info, framework_id=FrameworkID(value=one.framework.id))
            for one in all_executors
            if one.container_id in agent.containers and not one.command
        ],
        tasks=[
            _task(agent, one, task)
            for one in all_executors
            for task in (*one.live_tasks, *one.terminated.values())
        ],
        deactivation=agent.deactivation,
    )


def _task(agent: "Agent", executor: Executor, task: Task) -> link.Task:
    stream = agent.streams.find(executor.framework.id, task.id)
    head = None if stream is None else stream.head
    return link.Task(
        info=task.info,
        framework_id=FrameworkID(value=executor.framework.id),
        executor_id=None if executor.command else executor.info.executor_id,
        state=task.state,
        status_update_state=None if head is None else head.state,
        status_update_uuid=None if head is None else head.uuid,
        statuses=task.statuses,
    )


def registered(agent: "Agent", event: link.Registered) -> None:
    """Take the id that the master gives, and send what has waited."""
    if agent.phase is Phase.TERMINATING:
        # The wish to leave came while the registration was under way: now the master can be told.
        agent.emit(actions.SendMaster(call=link.Unregister()))
        return
    if agent.info.id is None:
        agent.info = replace(agent.info, id=event.agent_id)
        log.info("Registered with master; given agent ID %s", agent.id)
        agent.emit(
            actions.WriteFile(path=agent.paths.agent_info(agent.id), data=codec.encode(agent.info))
        )
        agent.emit(
            actions.MakeLink(path=agent.paths.latest, target=agent.paths.agent_meta(agent.id))
        )
    elif agent.info.id != event.agent_id:
        message = f"Re-registered but got wrong id: {event.agent_id.value} (expected: {agent.id})"
        agent.emit(actions.Exit(status=1, message=message))
        return
    else:
        log.info("Re-registered with master")
    agent.phase = Phase.RUNNING
    agent.register_interval = agent.settings.registration_backoff_factor
    agent.ping_timeout = event.total_ping_timeout_seconds
    agent.emit(actions.StartTimer(key=_PING, seconds=agent.ping_timeout))
    delivery.resume(agent)


def pinged(agent: "Agent", event: link.Ping) -> None:
    """Answer, and register again when the master takes this agent for disconnected."""
    agent.emit(actions.SendMaster(call=link.Pong()))
    if agent.ping_timeout is not None:
        agent.emit(actions.StartTimer(key=_PING, seconds=agent.ping_timeout))
    if not event.connected:
        log.info("Master marked the agent as disconnected; registering again")
        _start_over(agent)


def ping_timeout(agent: "Agent") -> None:
    """Give up a master that has been silent for too long."""
    log.info("No pings from master received within %ssecs", agent.ping_timeout)
    _start_over(agent)


def _start_over(agent: "Agent") -> None:
    agent.emit(actions.Disconnect())
    lost(agent)


def unregister(agent: "Agent") -> None:
    """Leave for good at the operator's wish."""
    if agent.connected:
        agent.emit(actions.SendMaster(call=link.Unregister()))
    shut_down(agent, "Received SIGUSR1 signal; unregistering and shutting down")


def shut_down(agent: "Agent", message: str | None) -> None:
    """End all executors and forget the agent id; the core exits when nothing is left."""
    log.info("Agent shutting down: %s", message)
    agent.phase = Phase.TERMINATING
    agent.emit(actions.StopTimer(key=_PING))
    agent.emit(actions.StopTimer(key=_REGISTER))
    agent.emit(actions.RemoveFile(path=agent.paths.latest))
    for framework_id in list(agent.frameworks):
        executors.shutdown_framework(agent, framework_id)
