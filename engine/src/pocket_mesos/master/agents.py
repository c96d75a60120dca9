"""Registered agents: pings, disconnection, leave; ``losses`` has what goes with them."""

from pocket_mesos.master import changes, losses, offers, removal
from pocket_mesos.master.context import Master
from pocket_mesos.master.events import PingTimer
from pocket_mesos.master.state import Agent, AgentState
from pocket_mesos.master.transitions import move_agent
from pocket_mesos.protocol import link


def disconnected(m: Master, stream_id: str) -> None:
    """Notice that an agent's link is gone; pings decide whether it is lost."""
    agent = by_stream(m, stream_id)
    m.state.agent_streams.pop(stream_id, None)
    m.state.opening_streams.discard(stream_id)
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
    removal.cancel(m, agent.id)


def ping_due(m: Master, timer: PingTimer) -> None:
    """Count a ping that was not answered, give a silent agent up, ping the others again."""
    agent = m.state.agents.get(timer.agent_id)
    if agent is None or agent.epoch != timer.epoch:
        return
    if m.postpone([agent.id], lambda: ping_due(m, timer)):
        return
    if not agent.answered:
        agent.missed_pings += 1
        if agent.missed_pings >= m.config.max_agent_ping_timeouts:
            removal.wanted(m, agent.id)
            if agent.id not in m.state.awaiting_removal:
                return
    agent.answered = False
    m.tell(agent, link.Ping(connected=agent.connected))
    m.start_timer(timer, m.config.agent_ping_timeout)


def unregistered(m: Master, agent: Agent) -> None:
    """Let an agent go that says it won't come back."""
    m.count("messages_unregister_slave")
    _let_go(m, agent.id)


def _let_go(m: Master, agent_id: str) -> None:
    if agent_id not in m.state.agents or m.postpone([agent_id], lambda: _let_go(m, agent_id)):
        return

    def go() -> None:
        m.count("slave_removals/reason_unregistered")
        losses.remove(m, m.state.agents[agent_id], "the agent unregistered")

    m.store(changes.remove(agent_id), [agent_id], go)


def by_stream(m: Master, stream_id: str) -> Agent | None:
    """Return the agent whose current link a stream is."""
    agent = m.state.agents.get(m.state.agent_streams.get(stream_id, ""))
    return agent if agent is not None and agent.stream_id == stream_id else None
