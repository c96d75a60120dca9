"""The master's core: what operators who watch are told, and what they are not."""

import json

from master_world import FakeAgent, FakeScheduler, World, task
from test_master_agents import running, told_framework, told_task
from test_master_deactivation import deactivate, drain, mark_gone

from pocket_mesos.authorization import Authorizer, parse
from pocket_mesos.master import actions, events
from pocket_mesos.protocol import codec, link
from pocket_mesos.protocol.mesos import FrameworkID, TaskID, TaskState, TaskStatus

Json = dict[str, object]


def watch(world: World, stream: str = "watch", principal: str | None = None) -> None:
    world.feed(events.OperatorSubscribed(stream_id=stream, principal=principal))


def told(world: World, stream: str = "watch") -> list[Json]:
    return [
        codec.to_builtins(one.event)
        for one in world.log
        if isinstance(one, actions.SendToOperator) and one.stream_id == stream
    ]


def kinds(world: World, stream: str = "watch") -> list[object]:
    return [event["type"] for event in told(world, stream)]


def test_a_subscriber_is_told_everything_first() -> None:
    """What it missed is in the first event, whose state is what GET_STATE shows."""
    world, agent, fw = running()
    watch(world)
    subscribed, heartbeat = told(world)
    shown = subscribed["subscribed"]["get_state"]
    assert [one["task_id"]["value"] for one in shown["get_tasks"]["tasks"]] == ["t"]
    assert [one["agent_info"]["id"]["value"] for one in shown["get_agents"]["agents"]] == [agent.id]
    ids = [one["framework_info"]["id"]["value"] for one in shown["get_frameworks"]["frameworks"]]
    assert ids == [fw.id]
    assert heartbeat == {"type": "HEARTBEAT"}


def test_whoever_is_gone_is_told_nothing_more() -> None:
    """Nor does it count as a subscriber."""
    world = World()
    watch(world)
    world.feed(events.OperatorUnsubscribed(stream_id="watch"))
    world.take()
    FakeAgent(world).register()
    assert told(world) == []
    assert world.core.state.subscribers == {}


def test_the_oldest_makes_room() -> None:
    """Its stream ends; the newest is told everything."""
    world = World(max_subscribers=2)
    for stream in ("a", "b", "c"):
        watch(world, stream)
    assert actions.CloseOperator(stream_id="a") in world.log
    world.take()
    FakeAgent(world).register()
    assert [kinds(world, stream) for stream in ("a", "b", "c")] == [
        [],
        ["AGENT_ADDED"],
        ["AGENT_ADDED"],
    ]


def test_a_status_that_comes_again_is_told_once() -> None:
    """The agent sends it until it is acknowledged; the framework gets every one."""
    world, agent, fw = running()
    watch(world)
    world.take()
    status = TaskStatus(
        task_id=TaskID(value="t"),
        state=TaskState.TASK_FINISHED,
        uuid=b"0123456789abcdef",
        data=b"x",
    )
    for _ in range(2):
        identity = FrameworkID(value=fw.id)
        agent.call(
            link.StatusUpdate(framework_id=identity, status=status, latest_state=status.state)
        )
    assert len(world.statuses(fw.stream)) == 2
    (event,) = told(world)
    assert event["task_updated"]["state"] == "TASK_FINISHED"
    assert "data" not in event["task_updated"]["status"], "that is between task and framework"


def test_a_framework_that_is_removed_takes_its_tasks_along() -> None:
    """They are told of first."""
    world, _, fw = running()
    watch(world)
    world.take()
    fw.call("TEARDOWN")
    assert kinds(world) == ["TASK_UPDATED", "FRAMEWORK_REMOVED"]


def test_an_agent_brings_what_a_new_leader_does_not_know() -> None:
    """The framework it tells of, itself, its task."""
    world = World()
    watch(world)
    world.take()
    FakeAgent(world).reregister(
        "back", id_="old-S0", tasks=[told_task("old-1", "old-S0")],
        frameworks=[told_framework("old-1")],
    )  # fmt: skip
    assert kinds(world) == ["FRAMEWORK_ADDED", "AGENT_ADDED", "TASK_ADDED"]
    assert told(world)[0]["framework_added"]["framework"]["recovered"] is True


def test_what_mesos_does_not_tell_is_not_told() -> None:
    """Of agents that are away, deactivated, drained or gone; of their tasks it is."""
    world, agent, fw = running("PARTITION_AWARE")
    watch(world)
    world.take()
    agent.disconnect()
    agent.reregister("back", tasks=[told_task(fw.id, agent.id)])
    deactivate(world, agent.id)
    drain(world, agent.id)
    assert told(world) == []
    mark_gone(world, agent.id)
    assert [event["task_updated"]["state"] for event in told(world)] == ["TASK_GONE_BY_OPERATOR"]


def test_everybody_is_told_what_it_may_see() -> None:
    """Frameworks and tasks by the users that they run as."""
    everything = {"type": "ANY"}
    boss = {"principals": {"values": ["boss"]}, "users": everything}
    other = {"principals": {"values": ["other"]}, "users": {"values": ["www"]}}
    half = {"principals": {"values": ["half"]}, "users": everything}
    anybody = [{"principals": everything, "users": everything}]
    roles = [{"principals": everything, "roles": everything}]
    lists = {
        "permissive": False,
        "view_frameworks": [boss, other, half],
        "view_tasks": [boss, other],
        "run_tasks": anybody,
        "register_frameworks": roles,
        "register_agents": [{"principals": everything, "agents": everything}],
    }
    world = World(authorizer=Authorizer(parse(json.dumps(lists))))
    for principal in ("boss", "other", "half"):
        watch(world, principal, principal)
    world.take()
    agent = FakeAgent(world).register()
    fw = FakeScheduler(world).subscribe()
    fw.launch(fw.offers()[0], task("t", agent.id))
    assert kinds(world, "boss") == ["AGENT_ADDED", "FRAMEWORK_ADDED", "TASK_ADDED"]
    assert kinds(world, "other") == ["AGENT_ADDED"]
    assert kinds(world, "half") == ["AGENT_ADDED", "FRAMEWORK_ADDED"]
