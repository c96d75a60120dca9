"""What operators decide about agents: no offers, drain, offers again, gone.

The decision is in the registry before it takes effect, and known to the agent as well: an agent
that no registry knows brings along what it was told (see ``link.Reregister``).
"""

from collections.abc import Callable

from pocket_mesos.master import changes, events, losses, offers
from pocket_mesos.master.context import Master
from pocket_mesos.master.state import Agent
from pocket_mesos.protocol import link
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.deactivation import Deactivation, DrainInfo, DrainState


def deactivate(m: Master, event: events.DeactivateRequested) -> None:
    """Let an agent get no more offers; what runs there runs on."""
    if not _permitted(m, event, "deactivate_agents"):
        return
    if m.postpone([event.agent_id], lambda: deactivate(m, event)):
        return
    if not _is_known(m, event.agent_id):
        m.respond(400, "Unknown agent")
        return
    # Of one that is drained already, the draining stays known.
    decided = m.state.deactivations.get(event.agent_id, Deactivation())
    _enter(m, event.agent_id, decided, lambda: m.respond(200))


def reactivate(m: Master, event: events.ReactivateRequested) -> None:
    """Let an agent get offers again."""
    if not _permitted(m, event, "reactivate_agents"):
        return
    if m.postpone([event.agent_id], lambda: reactivate(m, event)):
        return
    if event.agent_id not in m.state.deactivations:
        m.respond(400, "Agent is not deactivated")
        return
    if event.agent_id in m.state.draining:
        m.respond(400, "Agent is still in the DRAINING state")
        return
    made = changes.deactivate(m, event.agent_id, None)
    m.store(made, [event.agent_id], lambda: _reactivate(m, event.agent_id))


def _reactivate(m: Master, agent_id: str) -> None:
    m.decide(agent_id, None)
    agent = m.state.agents.get(agent_id)
    if agent is None:
        m.respond(409, "Agent removed while processing the call")
        return
    m.log(f"Reactivating agent {agent.id} ({agent.info.hostname})")
    m.tell(agent, link.Reactivate())
    if agent.connected:
        m.allocator.activate_agent(agent.id)
    m.respond(200)


def drain(m: Master, event: events.DrainRequested) -> None:
    """Have an agent end its tasks; one that is away learns of it when it comes back."""
    if not _permitted(m, event, "drain_agents"):
        return
    if event.config.mark_gone and not _permitted(m, event, "mark_agents_gone"):
        return
    if m.postpone([event.agent_id], lambda: drain(m, event)):
        return
    if not _is_known(m, event.agent_id):
        m.respond(400, "Unknown agent")
        return
    m.log(f"Transitioning agent {event.agent_id} to the DRAINING state")
    info = DrainInfo(state=DrainState.DRAINING, config=event.config)
    decided = Deactivation(drain_info=info, drain_start=m.now)
    _enter(m, event.agent_id, decided, lambda: m.respond(200))


def mark_gone(m: Master, event: events.GoneRequested) -> None:
    """Strike an agent off that will never come back."""
    if not _permitted(m, event, "mark_agents_gone"):
        return
    if m.postpone([event.agent_id], lambda: mark_gone(m, event)):
        return
    if event.agent_id in m.state.gone_agents:
        m.respond(200)
    elif not _is_known(m, event.agent_id):
        m.respond(404, f"Agent '{event.agent_id}' not found")
    else:
        _mark_gone(m, event.agent_id, lambda: m.respond(200))


def remind(m: Master, agent: Agent, told: Deactivation | None) -> None:
    """Tell an agent that has registered again what holds, if it believes something else."""
    known = m.state.deactivations.get(agent.id)
    if known == told:
        return
    m.tell(agent, link.Reactivate() if known is None else link.Deactivate(deactivation=known))


def settle(m: Master) -> None:
    """Move on draining agents that have nothing left: the end of every task is acknowledged."""
    for agent_id in sorted(m.state.draining):
        agent = m.state.agents.get(agent_id)
        if agent is not None and not agent.tasks and not m.is_busy(agent_id):
            _drained(m, agent)


def _drained(m: Master, agent: Agent) -> None:
    deactivation = m.state.deactivations[agent.id]
    info = deactivation.drain_info
    assert info is not None, "it is draining"
    if info.config.mark_gone:
        _mark_gone(m, agent.id, lambda: None)
        return
    m.log(f"Transitioning agent {agent.id} to the DRAINED state")
    drained = replace(deactivation, drain_info=replace(info, state=DrainState.DRAINED))
    _enter(m, agent.id, drained, lambda: None)


def _mark_gone(m: Master, agent_id: str, then: Callable[[], None]) -> None:
    def go() -> None:
        losses.mark_gone(m, agent_id)
        then()

    m.store(changes.mark_gone(m, agent_id), [agent_id], go)


def _enter(m: Master, agent_id: str, deactivation: Deactivation, then: Callable[[], None]) -> None:
    """Write a deactivation down and take it into effect, here and on the agent."""

    def take_effect() -> None:
        m.decide(agent_id, deactivation)
        agent = m.state.agents.get(agent_id)
        if agent is not None:
            m.allocator.deactivate_agent(agent_id)
            offers.rescind_all(m, agent)
            m.tell(agent, link.Deactivate(deactivation=deactivation))
        then()

    m.store(changes.deactivate(m, agent_id, deactivation), [agent_id], take_effect)


def _permitted(m: Master, event: events.AgentDecided, action: str) -> bool:
    permitted = m.config.authorizer.approver(action, event.principal).approves()
    if not permitted:
        m.respond(403, "403 Forbidden.")
    return permitted


def _is_known(m: Master, agent_id: str) -> bool:
    return any(
        agent_id in where
        for where in (m.state.agents, m.state.recovered_agents, m.state.unreachable_agents)
    )
