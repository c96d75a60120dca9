"""How fast agents are given up: ``agent_removal_rate_limit``.

When the master itself is cut off, all agents seem lost at once. The limit gives operators time to
look, and agents time to answer.
"""

from pocket_mesos.master import losses
from pocket_mesos.master.context import Master
from pocket_mesos.master.events import RemovalTimer


def wanted(m: Master, agent_id: str) -> None:
    """Give an agent up, at once or when its turn comes."""
    if agent_id in m.state.awaiting_removal:
        return
    m.count("slave_unreachable_scheduled")
    m.state.awaiting_removal[agent_id] = None
    if len(m.state.awaiting_removal) == 1:
        go_on(m)  # otherwise its turn comes by the timer of the one before


def cancel(m: Master, agent_id: str) -> None:
    """Keep an agent that has answered after all."""
    if agent_id in m.state.awaiting_removal:
        m.log(f"Canceling transition of agent {agent_id} to UNREACHABLE: it has answered")
        m.count("slave_unreachable_canceled")
        del m.state.awaiting_removal[agent_id]


def go_on(m: Master) -> None:
    """Give up the first of those that wait, if it is time, and let the next one wait."""
    waiting = m.state.awaiting_removal
    if m.now >= m.state.next_removal:
        for agent_id in [one for one in waiting if not m.is_busy(one)]:
            del waiting[agent_id]
            if _give_up(m, agent_id):
                m.state.next_removal = m.now + m.config.agent_removal_interval
                break
    if waiting:
        wait = max(m.state.next_removal - m.now, 0.0)
        m.start_timer(RemovalTimer(), wait or m.config.agent_removal_interval)


def _give_up(m: Master, agent_id: str) -> bool:
    """Give an agent up that is still to be; return whether it was."""
    agent = m.state.agents.get(agent_id)
    if agent is not None and agent.missed_pings >= m.config.max_agent_ping_timeouts:
        losses.give_up(m, agent)
        return True
    if agent_id in m.state.recovered_agents:
        losses.give_up_recovered(m, agent_id)
        return True
    return False
