"""The master's core and its registry: what waits for a write, and what a next leader goes by."""

from collections.abc import Callable

import pytest
from master_world import BESIDE, MASTER_ID, START, FakeAgent, FakeScheduler, World, task

from pocket_mesos.authorization import OPEN, Viewer
from pocket_mesos.master import actions, changes, events, role_views, views
from pocket_mesos.protocol import link
from pocket_mesos.protocol.deactivation import Deactivation, DrainConfig
from pocket_mesos.protocol.mesos import Scalar
from pocket_mesos.protocol.sharing import QuotaConfig, WeightInfo
from pocket_mesos.registry import records
from pocket_mesos.registry.records import AdmittedAgent, GoneAgent, UnreachableAgent

EVERYBODY = Viewer(OPEN, None)
FORMER = "00000000-0000-0000-0000-000000000000"
"""A former leader's id."""


def successor(world: World, **config: float) -> World:
    """The world of the next leader, at the same time."""
    made = World(world.registry, **config)
    made.now = world.now
    return made


def hold(world: World) -> list[actions.Store]:
    """Have writes wait; return the list of those that do."""
    world.unwritten = []
    return world.unwritten


def kinds(done: list[actions.Action]) -> list[type]:
    return [type(one) for one in done if not isinstance(one, BESIDE)]


def lose(world: World, agent: FakeAgent) -> None:
    """Have an agent miss all its pings."""
    agent.hang()
    world.advance(100)
    assert agent.id in world.core.state.unreachable_agents


def weigh(world: World, **weights: float) -> list[actions.Action]:
    infos = [WeightInfo(role=role, weight=weight) for role, weight in weights.items()]
    return world.feed(events.WeightsRequested(infos=infos))


def grant(world: World, role: str, cpus: float) -> list[actions.Action]:
    config = QuotaConfig(role=role, guarantees={"cpus": Scalar(value=cpus)})
    return world.feed(events.QuotaRequested(configs=[config], force=True))


def answers(done: list[actions.Action]) -> list[int]:
    return [one.status for one in done if isinstance(one, actions.Respond)]


# --- first the write, then the effect -----------------------------------------------------------


def test_an_agent_hears_that_it_is_registered_when_the_registry_has_it() -> None:
    """Before that it is nowhere, and nothing of it is offered."""
    world = World()
    fw = FakeScheduler(world).subscribe()
    waiting = hold(world)
    agent = FakeAgent(world).register()
    assert (agent.id, world.core.state.agents, fw.offers()) == ("", {}, [])
    (store,) = waiting
    (admitted,) = [one for one in store.changes if one.record is not None]
    assert isinstance(admitted.record, AdmittedAgent)
    assert admitted.record.info.hostname == "host-a"
    world.write()
    assert world.told(agent.stream)[0]["type"] == "Registered"
    assert [one["agent_id"]["value"] for one in fw.offers()] == [admitted.key]


def test_an_agent_whose_link_ends_during_the_write_is_admitted_as_disconnected() -> None:
    """The registry has it; it comes back for its id, or pings find that it does not."""
    world = World()
    hold(world)
    agent = FakeAgent(world).register()
    agent.disconnect()
    world.write()
    (known,) = world.core.state.agents.values()
    assert not known.connected
    agent.stream = "link-again"
    agent.register()
    assert list(world.core.state.agents) == [agent.id], "at one address there is one agent"
    assert list(world.registry.of(records.AGENTS, AdmittedAgent)) == [agent.id]


def test_who_registers_twice_during_the_write_gets_one_place() -> None:
    """The second call waits for the end of the first, and then takes its place."""
    world = World()
    hold(world)
    agent = FakeAgent(world).register()
    agent.stream = "link-again"
    agent.register()
    world.write()
    assert len(world.core.state.agents) == 1
    assert len(world.registry.of(records.AGENTS, AdmittedAgent)) == 1
    assert world.told("link-again")[0]["type"] == "Registered"


def test_tasks_are_lost_when_the_registry_knows_that_their_agent_is() -> None:
    """A leader that is deposed meanwhile has told nobody anything."""
    world = World()
    agent = FakeAgent(world).register()
    fw = FakeScheduler(world).subscribe()
    fw.launch(fw.offers()[0], task("t", agent.id))
    agent.update(fw, "t", "TASK_RUNNING")
    world.take()
    waiting = hold(world)
    agent.hang()
    world.advance(100)
    assert world.statuses(fw.stream) == []
    assert len(waiting) == 1, "it is marked once, however many pings are missed meanwhile"
    world.write()
    assert world.statuses(fw.stream) == [("t", "TASK_LOST", "REASON_AGENT_REMOVED")]
    since = world.core.state.unreachable_agents[agent.id]
    recorded = world.registry.of(records.UNREACHABLE, UnreachableAgent)[agent.id]
    assert recorded.timestamp.nanoseconds == round(since * 1e9)


def test_an_agent_that_returns_while_it_is_being_marked_unreachable_waits() -> None:
    """Then it is welcome again, and the registry has it once."""
    world = World()
    agent = FakeAgent(world).register()
    agent.hang()
    hold(world)
    world.advance(100)
    agent.reregister("link-back")
    assert world.told("link-back") == []
    world.write()
    assert agent.id in world.core.state.agents
    assert world.core.state.unreachable_agents == {}
    assert list(world.registry.of(records.AGENTS, AdmittedAgent)) == [agent.id]
    assert not world.registry.of(records.UNREACHABLE, UnreachableAgent)


DECISIONS: list[Callable[[World, str], list[actions.Action]]] = [
    lambda world, agent: world.feed(events.GoneRequested(agent_id=agent)),
    lambda world, agent: world.feed(events.DeactivateRequested(agent_id=agent)),
    lambda world, agent: world.feed(events.DrainRequested(agent_id=agent, config=DrainConfig())),
    lambda world, _: weigh(world, dev=2.0),
    lambda world, _: grant(world, "dev", 1.0),
]


@pytest.mark.parametrize("decide", DECISIONS)
def test_operators_are_answered_when_the_registry_has_it(
    decide: Callable[[World, str], list[actions.Action]],
) -> None:
    """Nothing of a decision is to be seen before, and its answer names the request."""
    world = World()
    agent = FakeAgent(world).register()
    before = views.slaves(world.core.state, EVERYBODY), world.core.state.weights.copy()
    hold(world)
    done = decide(world, agent.id)
    (later,) = [one for one in done if isinstance(one, actions.AnswerLater)]
    assert answers(done) == []
    assert (views.slaves(world.core.state, EVERYBODY), world.core.state.weights) == before
    assert world.core.state.quotas == {}
    world.log.clear()
    world.write()
    assert [one for one in world.log if isinstance(one, actions.Respond)] == [
        actions.Respond(status=200, ticket=later.ticket)
    ]


def test_decisions_about_one_agent_take_their_turns() -> None:
    """The second is made when the first is safe, by what holds then; both are answered."""
    world = World()
    agent = FakeAgent(world).register()
    hold(world)
    world.feed(events.GoneRequested(agent_id=agent.id))
    world.feed(events.DrainRequested(agent_id=agent.id, config=DrainConfig()))
    world.feed(events.GoneRequested(agent_id=agent.id))
    world.log.clear()
    world.write()
    found = [one for one in world.log if isinstance(one, actions.Respond)]
    assert [(one.status, one.body) for one in found] == [
        (200, ""),
        (400, "Unknown agent"),
        (200, ""),
    ]
    assert len({one.ticket for one in found}) == 3


def test_an_agent_is_written_as_drained_once() -> None:
    """However much happens until that is safe."""
    world = World()
    agent = FakeAgent(world).register()
    world.feed(events.DeactivateRequested(agent_id=agent.id))
    waiting = hold(world)
    world.feed(events.DrainRequested(agent_id=agent.id, config=DrainConfig()))
    (draining,) = waiting
    world.feed(events.Stored(number=draining.number))
    world.advance(10)
    assert len(waiting) == 2
    (drained,) = [one.record for one in waiting[1].changes if one.kind == records.AGENTS]
    assert isinstance(drained, AdmittedAgent)
    assert drained.deactivation is not None and drained.deactivation.drain_info is not None
    assert drained.deactivation.drain_info.state.value == "DRAINED"


def test_a_leave_taken_during_a_write_comes_after_it() -> None:
    """The agent says once that it goes."""
    world = World()
    agent = FakeAgent(world).register()
    hold(world)
    world.feed(events.DeactivateRequested(agent_id=agent.id))
    agent.call(link.Unregister())
    assert agent.id in world.core.state.agents
    world.write()
    assert world.core.state.agents == {}
    assert not world.registry.of(records.AGENTS, AdmittedAgent)


def test_a_second_guarantee_waits_for_the_first() -> None:
    """Whether a guarantee can be met depends on those that are being written."""
    world = World()
    FakeAgent(world).register()
    hold(world)
    for role in ("a", "b"):
        config = QuotaConfig(role=role, guarantees={"cpus": Scalar(value=3)})
        world.feed(events.QuotaRequested(configs=[config]))
    world.log.clear()
    world.write()
    assert answers(world.log) == [200, 400], "of 4 CPUs"


def test_the_registry_takes_no_record_that_it_could_not_hold() -> None:
    """A leader must not stumble over what one agent or operator sends."""
    world = World()
    huge = "x" * (records.MAX_BYTES + 1)
    agent = FakeAgent(world, domain={"name": huge}).register()
    assert [event["type"] for event in world.told(agent.stream)] == ["Shutdown"]
    assert answers(weigh(world, **{huge: 2.0})) == [400]
    assert not world.registry.of(records.AGENTS, AdmittedAgent)


@pytest.mark.parametrize("identity", ["", "..", "a/b", "x" * 300])
def test_an_id_that_could_be_no_record_is_refused(identity: str) -> None:
    """Ids come from agents, and become names of records."""
    world = World()
    agent = FakeAgent(world).reregister("link", id_=identity or None)
    assert [event["type"] for event in world.told(agent.stream)] == ["Shutdown"]


# --- what a next leader goes by -----------------------------------------------------------------


def test_gone_agents_stay_gone() -> None:
    """No leader takes one back, and tasks on it are gone."""
    world = World()
    agent = FakeAgent(world).register()
    world.feed(events.GoneRequested(agent_id=agent.id))
    world = successor(world)
    agent.world = world
    agent.reregister("link-2")
    (told,) = world.told("link-2")
    assert (told["type"], told["message"]) == ("Shutdown", "Agent has been marked gone")
    fw = FakeScheduler(world, capabilities=[{"type": "PARTITION_AWARE"}]).subscribe()
    world.take()
    fw.call(
        "RECONCILE",
        reconcile={"tasks": [{"task_id": {"value": "t"}, "agent_id": {"value": agent.id}}]},
    )
    assert world.statuses(fw.stream) == [("t", "TASK_GONE_BY_OPERATOR", "REASON_RECONCILIATION")]


def test_unreachable_agents_stay_unreachable_since_when_they_were() -> None:
    """The oldest first; one that comes back is welcome."""
    world = World()
    first, second = FakeAgent(world, "a").register(), FakeAgent(world, "b").register()
    lose(world, second)
    lose(world, first)
    since = dict(world.core.state.unreachable_agents)
    world = successor(world)
    assert list(world.core.state.unreachable_agents) == [second.id, first.id]
    assert world.core.state.unreachable_agents == pytest.approx(since)
    first.world = world
    first.reregister("link-2")
    assert list(world.core.state.unreachable_agents) == [second.id]
    assert first.id in world.core.state.agents


def test_agents_that_unregistered_are_forgotten() -> None:
    """The next leader knows nothing of them."""
    world = World()
    agent = FakeAgent(world).register()
    agent.call(link.Unregister())
    state = successor(world).core.state
    assert (state.recovered_agents, state.unreachable_agents, state.gone_agents) == ({}, {}, {})


def test_weights_and_quota_survive() -> None:
    """Both for those who ask and for those who are offered something."""
    world = World()
    FakeAgent(world).register()
    weigh(world, dev=2.5, **{"a/b": 0.5})
    grant(world, "dev", 1.5)
    grant(world, "gone", 1.0)
    world.feed(events.QuotaRemovalRequested(role="gone"))
    shown = [view(world.core.state, EVERYBODY) for view in (role_views.weights, role_views.quota)]
    world = successor(world)
    assert [
        view(world.core.state, EVERYBODY) for view in (role_views.weights, role_views.quota)
    ] == shown
    assert world.core.state.quotas["dev"].guarantees == {"cpus": 1500}


def test_weights_of_the_command_line_hold_until_operators_say_otherwise() -> None:
    """They go into a registry that has none; one that has some knows better."""
    world = World(weights=(("dev", 3.0),))
    assert world.core.state.weights == {"dev": 3.0}
    world = successor(world, weights=(("dev", 7.0), ("ops", 2.0)))
    assert world.core.state.weights == {"dev": 3.0}
    assert any(
        isinstance(one, actions.Log) and "Ignoring --weights" in one.message for one in world.begun
    )


def test_what_was_decided_about_an_agent_that_is_away_survives() -> None:
    """The agent could not tell the next leader of it."""
    world = World()
    agent = FakeAgent(world).register()
    agent.disconnect()
    world.feed(events.DeactivateRequested(agent_id=agent.id))
    world = successor(world)
    agent.world = world
    agent.reregister("link-2")
    assert world.core.state.deactivations == {agent.id: Deactivation()}
    told = [event["type"] for event in world.told("link-2")]
    assert told[:2] == ["Registered", "Deactivate"]
    fw = FakeScheduler(world).subscribe()
    assert fw.offers() == []


def test_a_reactivation_that_the_agent_has_not_heard_of_survives_too() -> None:
    """The registry knows better than the agent."""
    world = World()
    agent = FakeAgent(world).register()
    world.feed(events.DeactivateRequested(agent_id=agent.id))
    agent.disconnect()
    world.feed(events.ReactivateRequested(agent_id=agent.id))
    world = successor(world)
    agent.world = world
    agent.reregister("link-2", deactivation=Deactivation())
    assert world.core.state.deactivations == {}
    assert "Reactivate" in [event["type"] for event in world.told("link-2")]


def recovered() -> tuple[World, FakeAgent]:
    """A new leader, and an agent that it knows from the registry alone."""
    world = World()
    agent = FakeAgent(world).register()
    world = successor(world, agent_reregister_timeout=600.0)
    agent.world = world
    return world, agent


def test_recovered_agents_are_shown_until_they_return() -> None:
    """What the registry says of them; a return writes nothing that is there already."""
    world, agent = recovered()
    shown = views.slaves(world.core.state, EVERYBODY)
    assert shown["slaves"] == []
    assert shown["recovered_slaves"] == [
        {"id": agent.id, "hostname": "host-a", "port": 5051, "attributes": {}}
    ]
    done = hold(world)
    agent.reregister("link-2")
    assert done == []
    assert list(world.core.state.agents) == [agent.id]
    assert views.slaves(world.core.state, EVERYBODY)["recovered_slaves"] == []


def test_recovered_agents_that_do_not_return_become_unreachable() -> None:
    """After agent_reregister_timeout; frameworks are told, and the registry as well."""
    world, agent = recovered()
    fw = FakeScheduler(world).subscribe()
    world.advance(599)
    assert agent.id in world.core.state.recovered_agents
    world.take()
    world.advance(2)
    assert [event["type"] for event in world.told(fw.stream)] == ["FAILURE"]
    assert list(world.core.state.unreachable_agents) == [agent.id]
    assert list(world.registry.of(records.UNREACHABLE, UnreachableAgent)) == [agent.id]
    counters = world.core.state.counters
    assert counters["recovery_slave_removals"] == counters["slave_unreachable_completed"] == 1


def test_a_leader_gives_up_rather_than_most_agents() -> None:
    """recovery_agent_removal_limit: somebody should look before so many are given up."""
    world = World()
    for name in "abc":
        FakeAgent(world, name).register()
    world = successor(world, recovery_agent_removal_limit=0.5, agent_reregister_timeout=600.0)
    world.advance(601)
    (abort,) = [one for one in world.log if isinstance(one, actions.Abort)]
    assert "Post-recovery agent removal limit exceeded" in abort.message
    assert "3 (100%)" in abort.message
    assert world.core.state.unreachable_agents == {}


def test_operators_decide_about_recovered_agents_too() -> None:
    """Gone is gone, whether it has been back or not."""
    world, agent = recovered()
    assert answers(world.feed(events.GoneRequested(agent_id=agent.id))) == [200]
    assert world.core.state.recovered_agents == {}
    assert list(world.registry.of(records.GONE, GoneAgent)) == [agent.id]
    world.advance(601)
    assert world.core.state.unreachable_agents == {}


def test_tasks_of_recovered_agents_may_turn_up() -> None:
    """Nothing is said about them before their agent has had its time."""
    world, agent = recovered()
    fw = FakeScheduler(world).subscribe()
    world.take()
    ask = {"tasks": [{"task_id": {"value": "t"}, "agent_id": {"value": agent.id}}]}
    fw.call("RECONCILE", reconcile=ask)
    assert world.statuses(fw.stream) == []
    world.advance(601)
    fw.call("RECONCILE", reconcile=ask)
    assert world.statuses(fw.stream) == [("t", "TASK_LOST", "REASON_RECONCILIATION")]


def test_where_there_is_quota_nothing_is_offered_before_most_agents_are_back() -> None:
    """Offers made too early could be what a guarantee needs; they do not wait for ever."""
    world = World()
    agents = [FakeAgent(world, name).register() for name in "abcde"]
    grant(world, "dev", 1.0)
    for late in (False, True):
        next_world = successor(world, allocator_recovery_timeout=300.0)
        fw = FakeScheduler(next_world).subscribe()
        back = agents[:3] if late else agents[:4]
        for number, agent in enumerate(back):
            agent.world = next_world
            assert fw.offers() == []
            agent.reregister(f"link-{late}-{number}")
        if late:
            next_world.advance(299)
            assert fw.offers() == []
            next_world.advance(2)
        assert {one["agent_id"]["value"] for one in fw.offers()} == {one.id for one in back}


def test_what_no_registry_knows_may_come_back_all_the_same() -> None:
    """As in Mesos, where an agent that is unknown is admitted, and by what it says of itself."""
    world = World()
    agent = FakeAgent(world).reregister("link", id_=f"{FORMER}-S0", deactivation=Deactivation())
    assert world.core.state.deactivations == {agent.id: Deactivation()}
    recorded = world.registry.of(records.AGENTS, AdmittedAgent)[agent.id]
    assert recorded.deactivation == Deactivation()


# --- more and less ------------------------------------------------------------------------------


def test_an_agent_that_has_more_than_before_is_written_and_offered() -> None:
    """It was back before it was missed; its tasks go on."""
    world = World()
    fw = FakeScheduler(world, failover_timeout=1000.0).subscribe()
    agent = FakeAgent(world, resources="cpus:2;mem:1024").register()
    agent.disconnect()
    world.take()
    more = FakeAgent(world, resources="cpus:6;mem:1024")
    more.id = agent.id
    more.reregister("link-2")
    assert (
        views.agent(world.core.state, world.core.state.agents[agent.id])["resources"]["cpus"] == 6
    )
    (offer,) = fw.offers()
    assert {"cpus": 6.0}.items() <= {
        one["name"]: one.get("scalar", {}).get("value") for one in offer["resources"]
    }.items()
    recorded = world.registry.of(records.AGENTS, AdmittedAgent)[agent.id].info
    assert recorded.resources == more.info.resources


def test_old_and_too_many_records_are_discarded() -> None:
    """By age and by number, the oldest first; gone agents likewise."""
    limits = {"registry_max_agent_age": 5000.0, "registry_gc_interval": 900.0}
    world = World(registry_max_agent_count=2, **limits)
    for name in "abc":
        lose(world, FakeAgent(world, name).register())
    gone = FakeAgent(world, "d").register()
    world.feed(events.GoneRequested(agent_id=gone.id))
    world.advance(900)
    kept = list(world.core.state.unreachable_agents)
    assert kept == [f"{MASTER_ID}-S1", f"{MASTER_ID}-S2"]
    assert sorted(world.registry.of(records.UNREACHABLE, UnreachableAgent)) == kept
    assert list(world.core.state.gone_agents) == [gone.id]
    world.advance(5000 + 900)
    assert world.core.state.unreachable_agents == world.core.state.gone_agents == {}
    assert not world.registry.of(records.UNREACHABLE, UnreachableAgent)
    assert not world.registry.of(records.GONE, GoneAgent)


def test_the_registry_is_shown_as_mesos_shows_it() -> None:
    """The message Registry as JSON; empty lists are left out, empty messages are not."""
    world = World()
    assert records.shown(world.registry) == {}, "no leader has it yet"
    info = world.core.config.master
    world.registry.apply(records.Change(kind=records.MASTER, key=records.LEADER, record=info))
    assert records.shown(world.registry) == {
        "gone": {},
        "machines": {},
        "master": {"info": info},
        "slaves": {},
        "unreachable": {},
    }
    agent, away, gone = [FakeAgent(world, name).register() for name in "abc"]
    world.feed(events.GoneRequested(agent_id=gone.id))
    world.feed(events.DrainRequested(agent_id=agent.id, config=DrainConfig()))
    lose(world, away)
    weigh(world, dev=2.0)
    grant(world, "dev", 1.0)
    shown = records.shown(world.registry)
    assert list(shown) == sorted(shown)
    (listed,) = shown["slaves"]["slaves"]
    assert (listed["info"].id.value, listed["deactivated"]) == (agent.id, True)
    assert listed["drain_info"].state.value == "DRAINED"
    (lost,) = shown["unreachable"]["slaves"]
    assert lost["id"] == {"value": away.id}
    (left,) = shown["gone"]["slaves"]
    assert left == {
        "id": {"value": gone.id},
        "timestamp": records.TimeInfo(nanoseconds=round(START * 1e9)),
    }
    needed = [one.capability for one in shown["minimum_capabilities"]]
    assert needed == ["AGENT_DRAINING", "QUOTA_V2"]
    assert [one["info"].role for one in shown["weights"]] == ["dev"]
    assert [one.role for one in shown["quota_configs"]] == ["dev"]


def test_size_is_judged_by_what_is_written() -> None:
    """What fits, fits."""
    fits = records.Change(
        kind=records.WEIGHTS, key="dev", record=WeightInfo(role="dev", weight=1.0)
    )
    assert not changes.too_large([fits, records.Change(kind=records.AGENTS, key="gone")])
