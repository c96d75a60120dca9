"""The master's core: subscription, failover, offers and what answers them, removal."""

import pytest
from master_world import MASTER_ID, FakeAgent, FakeScheduler, World, small, task

from pocket_mesos.master import actions, events
from pocket_mesos.master.state import FrameworkState
from pocket_mesos.protocol import link, scheduler
from pocket_mesos.protocol.mesos import FrameworkID

MULTI = [{"type": "MULTI_ROLE"}]


def test_first_subscription_is_greeted_and_offered_what_there_is() -> None:
    """SUBSCRIBED with id and master, one heartbeat at once, then offers of all agents."""
    world = World()
    agent = FakeAgent(world, resources="cpus:4;mem:4096;ports:[31000-31099]").register()
    fw = FakeScheduler(world, roles=["r"], capabilities=MULTI).subscribe()
    assert fw.id == f"{MASTER_ID}-0000"
    kinds = [event["type"] for event in world.told(fw.stream)]
    assert kinds == ["SUBSCRIBED", "HEARTBEAT", "OFFERS"]
    (offer,) = fw.offers()
    allocated = {"role": "*", "allocation_info": {"role": "r"}}
    assert offer == {
        "id": {"value": f"{MASTER_ID}-O0"},
        "framework_id": {"value": fw.id},
        "agent_id": {"value": agent.id},
        "hostname": "host-a",
        "url": {
            "scheme": "http",
            "address": {"hostname": "host-a", "ip": "127.0.0.1", "port": 5051},
            "path": "/slave(1)",
        },
        "resources": [
            {
                "name": "ports",
                "type": "RANGES",
                "ranges": {"range": [{"begin": 31000, "end": 31099}]},
                **allocated,
            },
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 4.0}, **allocated},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 4096.0}, **allocated},
        ],
        "allocation_info": {"role": "r"},
    }


def test_offers_to_a_framework_of_one_role_show_no_allocation() -> None:
    """Without MULTI_ROLE the offer looks as it did before there were roles by offer."""
    world = World()
    FakeAgent(world).register()
    fw = FakeScheduler(world, role="solo").subscribe()
    (offer,) = fw.offers()
    assert "allocation_info" not in offer
    assert all("allocation_info" not in one and one["role"] == "*" for one in offer["resources"])


@pytest.mark.parametrize(
    ("info", "suppressed", "sentence"),
    [
        (
            {"role": "x", "capabilities": MULTI},
            [],
            "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable",
        ),
        (
            {"roles": ["x"]},
            [],
            "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable",
        ),
        (
            {"roles": ["-x"], "capabilities": MULTI},
            [],
            (
                "'FrameworkInfo.roles' contains invalid role: Role component '-x' is invalid "
                "because it starts with a dash"
            ),
        ),
        (
            {"roles": ["a b"], "capabilities": MULTI},
            [],
            (
                "'FrameworkInfo.roles' contains invalid role: Role component 'a b' is invalid "
                "because it contains backspace or whitespace"
            ),
        ),
        (
            {"roles": ["a/"], "capabilities": MULTI},
            [],
            "'FrameworkInfo.roles' contains invalid role: Role 'a/' cannot end with a slash",
        ),
        (
            {"roles": ["x", "x"], "capabilities": MULTI},
            [],
            "'FrameworkInfo.roles' contains duplicate items: { x }",
        ),
        (
            {"roles": ["x"], "capabilities": MULTI},
            ["y"],
            "Suppressed roles { y } are not contained in the set of roles",
        ),
    ],
)
def test_invalid_subscription_gets_error_and_the_end(
    info: dict[str, object], suppressed: list[str], sentence: str
) -> None:
    """The stream carries Mesos' sentence as an ERROR event and is closed."""
    world = World()
    fw = FakeScheduler(world, **info).subscribe(suppressed_roles=suppressed)
    assert world.take() == [
        actions.SendToScheduler(
            stream_id=fw.stream,
            event=scheduler.Event(type="ERROR", error=scheduler.Error(message=sentence)),
        ),
        actions.CloseScheduler(stream_id=fw.stream),
    ]
    assert world.core.state.frameworks == {}


def test_a_framework_of_unknown_id_is_taken_in_with_it() -> None:
    """After a change of leader frameworks come back under the id that they have."""
    world = World()
    fw = FakeScheduler(world, id={"value": "made-up-id"}).subscribe()
    assert fw.id == "made-up-id"


def test_second_scheduler_with_the_id_takes_over() -> None:
    """The old stream gets ERROR and ends, offers are withdrawn without a word and made anew."""
    world = World()
    FakeAgent(world).register()
    fw = FakeScheduler(world, roles=["r"], capabilities=MULTI).subscribe()
    world.take()
    fw.subscribe("second")
    old = world.told("stream-fw")
    assert old == [{"type": "ERROR", "error": {"message": "Framework failed over"}}]
    assert actions.CloseScheduler(stream_id="stream-fw") in world.log
    kinds = [event["type"] for event in world.told("second")]
    assert kinds == ["SUBSCRIBED", "HEARTBEAT", "OFFERS"]
    assert len(world.core.state.offers) == 1
    answer = fw.call("REVIVE", stream="stream-fw")
    assert answer is not None
    assert answer.status == 400
    assert answer.body == (
        "The stream ID 'stream-fw' included in this request didn't match the stream ID currently "
        f"associated with framework ID {fw.id}"
    )


def test_disconnected_framework_has_its_failover_timeout_to_come_back() -> None:
    """Its offers go to others, its tasks run on, calls are forbidden until it is back."""
    world = World()
    agent = FakeAgent(world).register()
    fw = FakeScheduler(world, failover_timeout=60.0).subscribe()
    fw.launch(fw.offers()[0], task("t", agent.id))
    fw.disconnect()
    answer = fw.call("REVIVE")
    assert answer == actions.Respond(status=403, body="Framework is not subscribed")
    assert world.core.state.offers == {}
    world.advance(59)
    world.take()
    fw.subscribe("again")
    world.advance(100)
    assert [t.id for t in world.core.state.frameworks[fw.id].tasks.values()] == ["t"]


def test_framework_that_does_not_come_back_is_removed_with_its_tasks() -> None:
    """The agent is told to end what it runs for it; a later subscription is refused."""
    world = World()
    agent = FakeAgent(world).register()
    fw = FakeScheduler(world, failover_timeout=4.0).subscribe()
    fw.launch(fw.offers()[0], task("t", agent.id))
    fw.disconnect()
    world.take()
    world.advance(4.0)
    assert {"type": "ShutdownFramework", "framework_id": {"value": fw.id}} in world.told(
        agent.stream
    )
    removed = world.core.state.completed_frameworks[fw.id]
    assert removed.state is FrameworkState.COMPLETED
    assert [(t.id, t.state.value) for t in removed.completed_tasks] == [("t", "TASK_KILLED")]
    fw.subscribe("late")
    assert world.told("late") == [
        {"type": "ERROR", "error": {"message": "Framework has been removed"}}
    ]


def test_framework_without_failover_timeout_is_removed_at_once() -> None:
    """The default timeout is zero."""
    world = World()
    fw = FakeScheduler(world).subscribe()
    fw.disconnect()
    world.advance(0.0)
    assert world.core.state.frameworks == {}


def test_timer_of_a_former_disconnection_removes_nobody() -> None:
    """Who came back and left again has the whole timeout anew."""
    world = World()
    fw = FakeScheduler(world, failover_timeout=10.0).subscribe()
    fw.disconnect()
    world.advance(8)
    fw.subscribe("second")
    fw.disconnect()
    world.advance(8)
    assert fw.id in world.core.state.frameworks
    world.advance(2)
    assert fw.id not in world.core.state.frameworks


def test_teardown_ends_everything_and_closes_the_stream() -> None:
    """The framework's own call and an operator's do the same."""
    world = World()
    agent = FakeAgent(world).register()
    fw = FakeScheduler(world).subscribe()
    world.take()
    fw.call("TEARDOWN")
    assert world.take() == [actions.CloseScheduler(stream_id=fw.stream)]
    assert fw.call("TEARDOWN") == actions.Respond(status=400, body="Framework cannot be found")
    other = FakeScheduler(world, "other").subscribe()
    other.launch(other.offers()[0], task("t", agent.id))
    world.take()
    world.feed(events.TeardownRequested(framework_id=other.id))
    assert world.take() == [
        actions.SendToAgent(
            stream_id=agent.stream,
            event=link.ShutdownFramework(framework_id=FrameworkID(value=other.id)),
        ),
        actions.CloseScheduler(stream_id=other.stream),
    ]
    (refused,) = world.feed(events.TeardownRequested(framework_id="nope"))
    assert refused == actions.Respond(status=400, body="No framework found with specified ID")


def test_only_so_many_completed_frameworks_are_remembered() -> None:
    """Memory is bounded; the oldest goes first."""
    world = World(max_completed_frameworks=2)
    for name in ("a", "b", "c"):
        FakeScheduler(world, name).subscribe().call("TEARDOWN")
    names = [f.info.name for f in world.core.state.completed_frameworks.values()]
    assert names == ["b", "c"]


def test_decline_holds_for_its_time_and_revive_ends_it() -> None:
    """Declined resources come back with the first allocation after refuse_seconds."""
    world = World()
    FakeAgent(world).register()
    fw = FakeScheduler(world).subscribe()
    offer = fw.offers()[0]
    fw.call("DECLINE", decline={"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 3}})
    world.take()
    world.advance(2.9)
    assert fw.offers() == []
    world.advance(1.0)
    (offer,) = fw.offers()
    fw.call("DECLINE", decline={"offer_ids": [offer["id"]]})
    world.take()
    world.advance(4.9)
    assert fw.offers() == [], "five seconds are the default"
    fw.call("REVIVE")
    assert len(fw.offers()) == 1


def test_a_refusal_of_nothing_waits_for_the_next_allocation() -> None:
    """A framework that declines for zero seconds can't keep the master busy."""
    world = World()
    FakeAgent(world).register()
    fw = FakeScheduler(world).subscribe()
    offer = fw.offers()[0]
    world.take()
    fw.call("DECLINE", decline={"offer_ids": [offer["id"]], "filters": {"refuse_seconds": 0}})
    assert fw.offers() == []
    world.advance(1.0)
    assert len(fw.offers()) == 1


@pytest.mark.parametrize("seconds", [-1.0, 1e300])
def test_odd_refusals_stay_within_bounds(seconds: float) -> None:
    """No number of a client's ends up in the books as it came."""
    world = World()
    FakeAgent(world).register()
    fw = FakeScheduler(world).subscribe()
    offer = fw.offers()[0]
    fw.call("DECLINE", decline={"offer_ids": [offer["id"]], "filters": {"refuse_seconds": seconds}})
    world.take()
    world.leap(366 * 24 * 3600 if seconds > 0 else 6)
    assert fw.offers()


def test_suppressed_framework_keeps_its_offers_and_gets_no_more() -> None:
    """SUPPRESS is about future offers."""
    world = World()
    FakeAgent(world, "a").register()
    fw = FakeScheduler(world).subscribe()
    fw.call("SUPPRESS")
    world.take()
    FakeAgent(world, "b").register()
    world.advance(5)
    assert world.told(fw.stream) == []
    assert len(world.core.state.offers) == 1
    fw.call("REVIVE")
    assert len(fw.offers()) == 1


def test_unanswered_offer_is_rescinded_after_the_offer_timeout() -> None:
    """It is withdrawn with RESCIND and its resources are offered anew."""
    world = World(offer_timeout=20.0)
    FakeAgent(world).register()
    fw = FakeScheduler(world).subscribe()
    (first,) = fw.offers()
    world.take()
    world.advance(20.0)
    kinds = [event["type"] for event in world.told(fw.stream)]
    assert kinds == ["RESCIND", "OFFERS"]
    assert world.told(fw.stream)[0]["rescind"]["offer_id"] == first["id"]


def test_update_framework_changes_roles_and_withdraws_their_offers() -> None:
    """Offers of a role that is left are rescinded; those of new roles come at once."""
    world = World()
    FakeAgent(world).register()
    fw = FakeScheduler(world, roles=["r"], capabilities=MULTI).subscribe()
    world.take()
    info = fw.info | {"roles": ["s"], "name": "renamed"}
    answer = fw.call("UPDATE_FRAMEWORK", update_framework={"framework_info": info})
    assert answer == actions.Respond(status=200)
    assert [event["type"] for event in world.told(fw.stream)] == ["RESCIND", "OFFERS"]
    assert fw.offers()[0]["allocation_info"] == {"role": "s"}
    answer = fw.call("UPDATE_FRAMEWORK", update_framework={"framework_info": info | {"user": "x"}})
    assert answer == actions.Respond(
        status=400,
        body="FrameworkInfo update is not valid: Updating 'FrameworkInfo.user' is unsupported; "
        "attempted to update from 'root' to 'x'",
    )


def test_freed_resources_are_offered_at_once_and_to_whom_they_are_due() -> None:
    """The classic example: 4 CPUs and 4 GB, two tasks, the rest goes on to the next framework."""
    world = World()
    agent = FakeAgent(world, resources="cpus:4;mem:4096").register()
    first = FakeScheduler(world, "first").subscribe()
    second = FakeScheduler(world, "second").subscribe()
    (offer,) = first.offers()
    assert second.offers() == []
    first.launch(
        offer,
        task("t1", agent.id, resources=small(2, 1024)),
        task("t2", agent.id, resources=small(1, 2048)),
        refuse=5.0,
    )
    world.take()
    world.advance(1.0)
    (rest,) = second.offers()
    assert {r["name"]: r["scalar"]["value"] for r in rest["resources"]} == {"cpus": 1, "mem": 1024}
