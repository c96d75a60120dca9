"""The master's core: what operators decide about agents, and what becomes of their tasks."""

import pytest
from master_world import FakeAgent, FakeScheduler, World, task
from test_master_agents import running, told_framework, told_task

from pocket_mesos.authorization import Authorizer, parse
from pocket_mesos.master import actions, events
from pocket_mesos.protocol.deactivation import Deactivation, DrainConfig, DrainInfo, DrainState
from pocket_mesos.protocol.mesos import DurationInfo

CONFIG = DrainConfig(max_grace_period=DurationInfo(nanoseconds=3_000_000_000))
GONE = DrainConfig(mark_gone=True)
FAILURE = "FAILURE"

Answer = tuple[int, str] | None


def ask(world: World, event: events.AgentDecided) -> Answer:
    done = world.feed(event)
    return next(((a.status, a.body) for a in done if isinstance(a, actions.Respond)), None)


def deactivate(world: World, agent_id: str) -> Answer:
    return ask(world, events.DeactivateRequested(agent_id=agent_id))


def reactivate(world: World, agent_id: str) -> Answer:
    return ask(world, events.ReactivateRequested(agent_id=agent_id))


def drain(world: World, agent_id: str, config: DrainConfig = CONFIG) -> Answer:
    return ask(world, events.DrainRequested(agent_id=agent_id, config=config))


def mark_gone(world: World, agent_id: str) -> Answer:
    return ask(world, events.GoneRequested(agent_id=agent_id))


def kinds(world: World, stream: str) -> list[str]:
    return [event["type"] for event in world.told(stream)]


def drain_state(world: World, agent_id: str) -> DrainState | None:
    info = world.core.state.deactivations[agent_id].drain_info
    return None if info is None else info.state


def idle() -> tuple[World, FakeAgent, FakeScheduler]:
    """An agent that is offered and has no task."""
    world = World()
    agent = FakeAgent(world).register()
    fw = FakeScheduler(world, roles=["r"], capabilities=[{"type": "MULTI_ROLE"}]).subscribe()
    world.take()
    return world, agent, fw


# --- deactivation ----------------------------------------------------------------------------


def test_a_deactivated_agent_is_offered_no_more_until_it_is_reactivated() -> None:
    """Offers are rescinded, tasks run on; the agent is told, for the next leader to know."""
    world, agent, fw = running()
    fw.call("REVIVE")
    world.take()
    assert deactivate(world, agent.id) == (200, "")
    assert kinds(world, fw.stream) == ["RESCIND"]
    assert world.told(agent.stream) == [{"type": "Deactivate", "deactivation": {}}]
    assert not world.core.state.is_active(world.core.state.agents[agent.id])
    world.advance(10)
    assert fw.offers() == []
    world.take()
    assert reactivate(world, agent.id) == (200, "")
    assert kinds(world, agent.stream) == ["Reactivate"]
    world.advance(2)
    assert [offer["agent_id"]["value"] for offer in fw.offers()] == [agent.id]


def test_what_operators_decide_about_unknown_agents_is_refused() -> None:
    """Each call has its own words for it."""
    world, agent, _ = idle()
    assert deactivate(world, "nope") == (400, "Unknown agent")
    assert drain(world, "nope") == (400, "Unknown agent")
    assert mark_gone(world, "nope") == (404, "Agent 'nope' not found")
    assert reactivate(world, "nope") == (400, "Agent is not deactivated")
    assert reactivate(world, agent.id) == (400, "Agent is not deactivated")


def test_a_disconnected_agent_stays_deactivated_when_it_comes_back() -> None:
    """The decision is the agent's, not its link's."""
    world, agent, fw = idle()
    deactivate(world, agent.id)
    agent.disconnect()
    world.take()
    agent.reregister("back")
    assert kinds(world, "back") == ["Registered", "Deactivate"]
    world.advance(10)
    assert fw.offers() == []


def test_reactivation_reaches_an_agent_that_was_away() -> None:
    """It is reminded of what holds when it believes something else."""
    world, agent, fw = idle()
    deactivate(world, agent.id)
    agent.disconnect()
    assert reactivate(world, agent.id) == (200, "")
    world.advance(5)
    assert fw.offers() == [], "nobody is there"
    agent.reregister("back", deactivation=Deactivation())
    assert kinds(world, "back") == ["Registered", "Reactivate"]
    world.advance(5)
    assert len(fw.offers()) == 1


# --- draining --------------------------------------------------------------------------------


def test_draining_ends_when_the_last_end_is_acknowledged() -> None:
    """Until then the agent can't be reactivated; drained, it waits for just that."""
    world, agent, fw = running()
    drain(world, agent.id)
    (told,) = world.told(agent.stream)
    assert told["deactivation"]["drain_info"]["config"] == {
        "max_grace_period": {"nanoseconds": 3_000_000_000},
        "mark_gone": False,
    }
    uuid = agent.update(fw, "t", "TASK_KILLED")
    assert drain_state(world, agent.id) is DrainState.DRAINING
    assert reactivate(world, agent.id) == (400, "Agent is still in the DRAINING state")
    world.take()
    fw.acknowledge(agent, "t", uuid)
    assert drain_state(world, agent.id) is DrainState.DRAINED
    assert kinds(world, agent.stream) == ["StatusUpdateAcknowledgement", "Deactivate"]
    fw.call("REVIVE")
    world.advance(5)
    assert fw.offers() == []
    assert reactivate(world, agent.id) == (200, "")
    assert world.core.state.deactivations == {}
    world.advance(2)
    assert len(fw.offers()) == 1


def test_an_idle_agent_is_drained_at_once() -> None:
    """There is nothing to wait for; its offers are withdrawn all the same."""
    world, agent, fw = idle()
    assert drain(world, agent.id) == (200, "")
    assert kinds(world, fw.stream) == ["RESCIND"]
    assert drain_state(world, agent.id) is DrainState.DRAINED


def test_draining_goes_on_when_a_framework_takes_its_tasks_along() -> None:
    """A framework that is torn down acknowledges nothing, and nothing of it is waited for."""
    world, agent, fw = running()
    drain(world, agent.id)
    fw.call("TEARDOWN")
    assert drain_state(world, agent.id) is DrainState.DRAINED


def test_an_agent_that_is_away_is_drained_when_it_comes_back() -> None:
    """Disconnected or unreachable: it is told on its return, and kills what it brings."""
    for away in ("disconnected", "unreachable"):
        world, agent, fw = running(agent_ping_timeout=1.0, max_agent_ping_timeouts=3)
        if away == "disconnected":
            agent.disconnect()
        else:
            agent.hang()
            world.advance(5)
            assert agent.id in world.core.state.unreachable_agents
        assert drain(world, agent.id) == (200, "")
        assert drain_state(world, agent.id) is DrainState.DRAINING
        world.take()
        agent.reregister(
            "back", tasks=[told_task(fw.id, agent.id)], frameworks=[told_framework(fw.id)]
        )
        assert kinds(world, "back")[:2] == ["Registered", "Deactivate"]
        fw.acknowledge(agent, "t", agent.update(fw, "t", "TASK_KILLED"))
        assert drain_state(world, agent.id) is DrainState.DRAINED


def test_draining_again_begins_anew() -> None:
    """An operator may shorten the grace period."""
    world, agent, _ = running()
    drain(world, agent.id)
    world.take()
    assert drain(world, agent.id, DrainConfig(max_grace_period=DurationInfo(nanoseconds=0)))
    (told,) = world.told(agent.stream)
    config = told["deactivation"]["drain_info"]["config"]
    assert config["max_grace_period"] == {"nanoseconds": 0}


def test_a_new_leader_goes_by_what_the_agent_was_told() -> None:
    """It learns of the agent with its registration only; draining goes on, drained stays so."""
    info = DrainInfo(state=DrainState.DRAINING, config=CONFIG)
    told = Deactivation(drain_info=info, drain_start=5.0)
    world = World()
    fw = FakeScheduler(world, roles=["r"], capabilities=[{"type": "MULTI_ROLE"}]).subscribe()
    world.take()
    agent = FakeAgent(world).reregister(
        "back",
        id_="old-S1",
        tasks=[told_task(fw.id, "old-S1")],
        frameworks=[told_framework(fw.id)],
        deactivation=told,
    )
    assert world.core.state.deactivations == {"old-S1": told}
    assert kinds(world, "back") == ["Registered"], "it knows already"
    fw.acknowledge(agent, "t", agent.update(fw, "t", "TASK_KILLED"))
    assert drain_state(world, "old-S1") is DrainState.DRAINED
    world.advance(10)
    assert fw.offers() == []


# --- gone ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capabilities", "state"), [((), "TASK_LOST"), (("PARTITION_AWARE",), "TASK_GONE_BY_OPERATOR")]
)
def test_an_agent_marked_gone_takes_its_tasks_along(
    capabilities: tuple[str, ...], state: str
) -> None:
    """First the tasks' updates, then the offers, then FAILURE; the agent is told to end."""
    world, agent, fw = running(*capabilities)
    fw.call("REVIVE")
    world.take()
    assert mark_gone(world, agent.id) == (200, "")
    assert kinds(world, fw.stream) == ["UPDATE", "RESCIND", "FAILURE"]
    assert world.statuses(fw.stream) == [("t", state, "REASON_AGENT_REMOVED_BY_OPERATOR")]
    status = world.told(fw.stream)[0]["update"]["status"]
    assert status["message"] == "Agent has been marked gone"
    assert "uuid" not in status
    assert world.told(agent.stream) == [
        {"type": "Shutdown", "message": "Agent has been marked gone"}
    ]
    assert actions.CloseAgent(stream_id=agent.stream) in world.log
    assert world.core.state.agents == {}
    world.take()
    asked = {"tasks": [{"task_id": {"value": "t"}, "agent_id": {"value": agent.id}}]}
    fw.call("RECONCILE", reconcile=asked)
    assert world.statuses(fw.stream) == [("t", state, "REASON_RECONCILIATION")]
    assert world.told(fw.stream)[0]["update"]["status"]["message"] == "Reconciliation: Task is gone"


def test_a_gone_agent_may_not_come_back() -> None:
    """Marking it again changes nothing; nor can it be deactivated or drained."""
    world, agent, _ = idle()
    mark_gone(world, agent.id)
    world.take()
    agent.reregister("back")
    assert kinds(world, "back") == ["Shutdown"]
    assert world.core.state.agents == {}
    assert mark_gone(world, agent.id) == (200, "")
    assert deactivate(world, agent.id) == (400, "Unknown agent")
    assert drain(world, agent.id) == (400, "Unknown agent")


def test_an_unreachable_agent_can_be_marked_gone() -> None:
    """Its tasks, out of sight until now, are gone; it will not return."""
    world, agent, fw = running("PARTITION_AWARE", agent_ping_timeout=1.0, max_agent_ping_timeouts=3)
    agent.hang()
    world.advance(5)
    world.take()
    assert mark_gone(world, agent.id) == (200, "")
    fw.call("RECONCILE", reconcile={"tasks": [{"task_id": {"value": "t"}}]})
    assert world.statuses(fw.stream) == [("t", "TASK_GONE_BY_OPERATOR", "REASON_RECONCILIATION")]
    assert world.core.state.unreachable_agents == {}
    agent.reregister("back")
    assert kinds(world, "back") == ["Shutdown"]


def test_an_agent_drained_to_be_gone_goes_with_its_last_task() -> None:
    """An idle one goes at once."""
    world, agent, fw = running("PARTITION_AWARE")
    drain(world, agent.id, GONE)
    assert agent.id in world.core.state.agents
    uuid = agent.update(fw, "t", "TASK_GONE_BY_OPERATOR")
    world.take()
    fw.acknowledge(agent, "t", uuid)
    assert kinds(world, fw.stream) == [FAILURE]
    assert kinds(world, agent.stream) == ["StatusUpdateAcknowledgement", "Shutdown"]
    assert agent.id in world.core.state.gone_agents
    world, agent, fw = idle()
    drain(world, agent.id, GONE)
    assert kinds(world, fw.stream) == ["RESCIND", FAILURE]
    assert agent.id in world.core.state.gone_agents


def test_a_former_unreachable_agent_that_is_forgotten_leaves_nothing() -> None:
    """What is remembered of agents that are away is bounded, their deactivations too."""
    world = World(
        agent_ping_timeout=1.0,
        max_agent_ping_timeouts=3,
        registry_max_agent_count=1,
        registry_gc_interval=60.0,
    )
    for name in ("a", "b"):
        agent = FakeAgent(world, name).register()
        agent.hang()
        drain(world, agent.id) if name == "b" else deactivate(world, agent.id)
        world.advance(5)
    world.advance(60)
    assert list(world.core.state.unreachable_agents) == [agent.id]
    assert list(world.core.state.deactivations) == [agent.id]


# --- rights ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "event"),
    [
        ("deactivate_agents", events.DeactivateRequested(agent_id="nope")),
        ("reactivate_agents", events.ReactivateRequested(agent_id="nope")),
        ("drain_agents", events.DrainRequested(agent_id="nope", config=CONFIG)),
        ("mark_agents_gone", events.DrainRequested(agent_id="nope", config=GONE)),
        ("mark_agents_gone", events.GoneRequested(agent_id="nope")),
    ],
)
def test_each_decision_needs_its_right(action: str, event: events.AgentDecided) -> None:
    """Whoever lacks it does not even learn whether there is such an agent."""
    lists = f'{{"{action}": [{{"principals": {{"type": "ANY"}}, "agents": {{"type": "NONE"}}}}]}}'
    world = World(authorizer=Authorizer(parse(lists)))
    assert ask(world, event) == (403, "403 Forbidden.")


def test_launches_on_offers_from_before_the_draining_are_refused() -> None:
    """The offer is rescinded; a framework that crossed it learns that its task was lost."""
    world = World()
    agent = FakeAgent(world).register()
    fw = FakeScheduler(world).subscribe()
    (offer,) = fw.offers()
    drain(world, agent.id)
    world.take()
    fw.launch(offer, task("late", agent.id))
    assert world.statuses(fw.stream) == [("late", "TASK_LOST", "REASON_INVALID_OFFERS")]
