"""agent_removal_rate_limit: agents that seem lost are given up one after the other."""

import pytest
from master_world import FakeAgent, FakeScheduler, World

from pocket_mesos.flags.base import FlagsError
from pocket_mesos.flags.master import MasterFlags
from pocket_mesos.flags.types import parse_rate
from pocket_mesos.protocol import link

PINGS = {"agent_ping_timeout": 1.0, "max_agent_ping_timeouts": 3}
PATIENCE = 5.0
"""Longer than an agent has to answer."""


def lost(count: int, interval: float) -> tuple[World, list[FakeAgent]]:
    """A master whose agents have stopped to answer, of which one may go in a time."""
    world = World(**PINGS, agent_removal_interval=interval)
    agents = [FakeAgent(world, name).register() for name in "abc"[:count]]
    world.advance(1)
    for agent in agents:
        agent.hang()
    return world, agents


def counted(world: World, what: str) -> int:
    return world.core.state.counters.get(f"slave_unreachable_{what}", 0)


def test_agents_go_one_after_the_other() -> None:
    """The first at once, each other one when its time has come; all were counted at once."""
    world, agents = lost(3, 60.0)
    FakeScheduler(world).subscribe()
    left = []
    for seconds in (PATIENCE, 60.0, 60.0):
        world.advance(seconds)
        left.append(len(world.core.state.agents))
    assert left == [2, 1, 0]
    assert list(world.core.state.unreachable_agents) == [agent.id for agent in agents]
    assert (counted(world, "scheduled"), counted(world, "completed")) == (3, 3)


def test_without_a_limit_all_go_at_once() -> None:
    """Mesos' default."""
    world, _ = lost(3, 0.0)
    world.advance(PATIENCE)
    assert world.core.state.agents == {}


def test_who_answers_meanwhile_is_kept() -> None:
    """It is pinged on while it waits; the next in the line goes in its stead."""
    world, (_, second, third) = lost(3, 60.0)
    world.advance(PATIENCE)
    world.answering[second.stream] = second
    world.advance(PATIENCE)
    assert counted(world, "canceled") == 1
    world.advance(60)
    assert list(world.core.state.agents) == [second.id]
    assert third.id in world.core.state.unreachable_agents
    world.advance(300)
    assert list(world.core.state.agents) == [second.id]


def test_the_limit_outlasts_an_empty_line() -> None:
    """Whoever is lost soon after another waits, also when nobody else did."""
    world, (_, second) = lost(2, 60.0)
    world.answering[second.stream] = second
    second.call(link.Pong())
    world.advance(PATIENCE)
    assert list(world.core.state.agents) == [second.id]
    second.hang()
    world.advance(30)
    assert list(world.core.state.agents) == [second.id]
    world.advance(60)
    assert world.core.state.agents == {}


def test_an_agent_that_went_by_other_ways_takes_nobodys_turn() -> None:
    """Its place in the line is free."""
    world, (_, second, third) = lost(3, 60.0)
    world.advance(PATIENCE)
    second.call(link.Unregister())
    world.advance(60)
    assert world.core.state.agents == {}
    assert third.id in world.core.state.unreachable_agents


@pytest.mark.parametrize(
    ("text", "seconds"), [("1/10mins", 600.0), ("2/1mins", 30.0), (" 4 / 1secs", 0.25)]
)
def test_rates_are_read_as_in_mesos(text: str, seconds: float) -> None:
    """So many agents in such a time."""
    assert parse_rate(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "1/", "/1mins", "0/1mins", "x/1mins", "1/1", "1/0secs"])
def test_rates_that_make_no_sense_stop_the_start(text: str) -> None:
    """The message names the flag."""
    with pytest.raises(FlagsError, match="agent_removal_rate_limit"):
        MasterFlags.load([f"--agent_removal_rate_limit={text}", "--work_dir=/w"], {})
