"""The master's core: agents that come, hang, leave and come back."""

import pytest
from master_world import MASTER_ID, FakeAgent, FakeScheduler, World, small, task

from pocket_mesos.master import actions
from pocket_mesos.protocol import codec, link, mesos
from pocket_mesos.protocol.mesos import FrameworkID, FrameworkInfo, TaskInfo, TaskState
from pocket_mesos.resources import Resources

AWARE = [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}]
OLD = "22222222-2222-2222-2222-222222222222"


def running(
    *capabilities: str, checkpoint: bool = True, **config: object
) -> tuple[World, FakeAgent, FakeScheduler]:
    """A framework with the task t running."""
    world = World(**config)
    agent = FakeAgent(world).register()
    made = [{"type": name} for name in ("MULTI_ROLE", *capabilities)]
    fw = FakeScheduler(world, roles=["r"], capabilities=made, checkpoint=checkpoint).subscribe()
    fw.launch(fw.offers()[0], task("t", agent.id), refuse=3600)
    agent.update(fw, "t", "TASK_RUNNING")
    world.take()
    return world, agent, fw


def told_task(
    fw_id: str, agent_id: str, state: str = "TASK_RUNNING", cpus: float = 0.1
) -> link.Task:
    body = task("t", agent_id, resources=small(cpus))
    for one in body["resources"]:
        one["allocation_info"] = {"role": "r"}
    return link.Task(
        info=codec.convert(body, TaskInfo),
        framework_id=FrameworkID(value=fw_id),
        state=TaskState(state),
    )


def told_framework(fw_id: str) -> FrameworkInfo:
    return FrameworkInfo(
        user="root",
        name="fw",
        id=FrameworkID(value=fw_id),
        roles=["r"],
        capabilities=[mesos.Capability(type="MULTI_ROLE")],
    )


def test_registered_agent_gets_its_id_and_is_offered() -> None:
    """The id carries the master's; the ping timeout tells when to register again."""
    world = World()
    fw = FakeScheduler(world).subscribe()
    world.take()
    agent = FakeAgent(world).register()
    assert world.told(agent.stream) == [
        {
            "type": "Registered",
            "agent_id": {"value": f"{MASTER_ID}-S0"},
            "total_ping_timeout_seconds": 75.0,
        }
    ]
    assert [o["agent_id"]["value"] for o in fw.offers()] == [agent.id]


def test_agent_that_hangs_is_unreachable_after_its_pings() -> None:
    """Tasks become TASK_LOST, or TASK_UNREACHABLE for whom wants to know; then FAILURE."""
    for capability, state in ((), "TASK_LOST"), (("PARTITION_AWARE",), "TASK_UNREACHABLE"):
        world, agent, fw = running(*capability, agent_ping_timeout=1.0, max_agent_ping_timeouts=3)
        world.advance(10)
        assert agent.id in world.core.state.agents, "it answers"
        agent.hang()
        world.take()
        world.advance(5)
        update, failure = world.told(fw.stream)
        status = update["update"]["status"]
        assert status["state"] == state
        assert status["reason"] == "REASON_AGENT_REMOVED"
        assert status["message"] == "health check timed out"
        assert status["unreachable_time"]["nanoseconds"] > 0
        assert failure == {"type": "FAILURE", "failure": {"agent_id": {"value": agent.id}}}
        assert actions.CloseAgent(stream_id=agent.stream) in world.log
        assert world.core.state.agents == {}


def test_unreachable_agent_that_returns_brings_its_tasks_back() -> None:
    """Frameworks learn that the tasks run; reconciliation knew they were out of sight."""
    for capability, state in ((), "TASK_LOST"), (("PARTITION_AWARE",), "TASK_UNREACHABLE"):
        world, agent, fw = running(*capability, agent_ping_timeout=1.0, max_agent_ping_timeouts=3)
        agent.hang()
        world.advance(5)
        world.take()
        asked = {"tasks": [{"task_id": {"value": "t"}, "agent_id": {"value": agent.id}}]}
        fw.call("RECONCILE", reconcile=asked)
        assert world.statuses(fw.stream) == [("t", state, "REASON_RECONCILIATION")]
        world.take()
        agent.reregister(
            "back", tasks=[told_task(fw.id, agent.id)], frameworks=[told_framework(fw.id)]
        )
        update = world.told(fw.stream)[0]["update"]["status"]
        assert (update["state"], update["reason"]) == ("TASK_RUNNING", "REASON_AGENT_REREGISTERED")
        assert update["message"] == "Unreachable agent re-reregistered"
        assert world.core.state.unreachable_agents == {}
        assert world.core.state.frameworks[fw.id].unreachable_tasks == {}


def test_disconnected_agent_is_offered_no_more_and_kept() -> None:
    """Its offers are rescinded, tasks of checkpointing frameworks wait for its return."""
    world, agent, fw = running()
    fw.call("REVIVE")
    world.take()
    agent.disconnect()
    assert [event["type"] for event in world.told(fw.stream)] == ["RESCIND"]
    world.advance(5)
    assert fw.offers() == []
    assert not world.core.state.agents[agent.id].connected
    world.take()
    agent.reregister("back", tasks=[told_task(fw.id, agent.id)])
    assert world.statuses(fw.stream) == []
    assert len(fw.offers()) == 1


def test_tasks_without_checkpoint_do_not_survive_their_agents_disconnection() -> None:
    """They are lost at once, partition-aware or not."""
    for capabilities in ((), ("PARTITION_AWARE",)):
        world, agent, fw = running(*capabilities, checkpoint=False)
        agent.disconnect()
        (update,) = world.told(fw.stream)
        status = update["update"]["status"]
        assert (status["state"], status["reason"]) == ("TASK_LOST", "REASON_AGENT_DISCONNECTED")
        assert status["message"] == "Agent host-a disconnected"


def test_agent_that_unregisters_is_gone_for_good() -> None:
    """Its tasks are lost, frameworks get FAILURE, and the id may not come back."""
    world, agent, fw = running("PARTITION_AWARE")
    agent.call(link.Unregister())
    update, failure = world.told(fw.stream)
    status = update["update"]["status"]
    assert status["state"] == "TASK_LOST"
    assert status["message"] == "Agent host-a removed: the agent unregistered"
    assert failure["failure"] == {"agent_id": {"value": agent.id}}
    world.take()
    agent.reregister("zombie")
    assert [event["type"] for event in world.told("zombie")] == ["Shutdown"]
    assert actions.CloseAgent(stream_id="zombie") in world.log


def test_new_agent_at_an_old_address_replaces_the_old_one() -> None:
    """Two agents can't listen in one place: the old one's tasks are lost."""
    world, agent, fw = running()
    again = FakeAgent(world, "z", pid=agent.pid).register()
    assert world.statuses(fw.stream) == [("t", "TASK_LOST", "REASON_AGENT_REMOVED")]
    assert list(world.core.state.agents) == [again.id]
    assert again.id != agent.id


def test_agents_of_a_former_leader_bring_tasks_and_frameworks() -> None:
    """They are admitted under their ids; frameworks are known before they subscribe."""
    world = World()
    fw_id, agent_id = f"{OLD}-0000", f"{OLD}-S7"
    agent = FakeAgent(world)
    agent.reregister(
        "link",
        id_=agent_id,
        tasks=[told_task(fw_id, agent_id)],
        frameworks=[told_framework(fw_id)],
    )
    assert world.core.state.frameworks[fw_id].state.value == "RECOVERED"
    assert world.core.allocator.available(agent_id) == Resources({"cpus": 3900, "mem": 4064_000})
    world.take()
    fw = FakeScheduler(world, id={"value": fw_id}, roles=["r"], capabilities=AWARE).subscribe()
    fw.call("RECONCILE", reconcile={"tasks": []})
    assert world.statuses(fw.stream) == [("t", "TASK_RUNNING", "REASON_RECONCILIATION")]
    assert fw.offers()[0]["resources"][0]["scalar"]["value"] == 3.9


def test_recovered_framework_that_never_subscribes_is_removed() -> None:
    """It has as long as agents have, or its own failover timeout if that is longer."""
    world = World(agent_reregister_timeout=600.0)
    fw_id, agent_id = f"{OLD}-0000", f"{OLD}-S7"
    FakeAgent(world).reregister(
        "link",
        id_=agent_id,
        tasks=[told_task(fw_id, agent_id)],
        frameworks=[told_framework(fw_id)],
    )
    world.advance(599)
    assert fw_id in world.core.state.frameworks
    world.advance(1)
    assert fw_id in world.core.state.completed_frameworks


def test_agent_is_told_to_end_what_nobody_owns() -> None:
    """Tasks of removed frameworks are not taken into the books."""
    world, agent, fw = running()
    fw.call("TEARDOWN")
    world.take()
    agent.disconnect()
    agent.reregister("back", tasks=[told_task(fw.id, agent.id)], frameworks=[told_framework(fw.id)])
    kinds = [event["type"] for event in world.told("back")]
    assert kinds == ["Registered", "ShutdownFramework"]
    assert world.core.state.frameworks == {}


def test_tasks_that_a_returning_agent_does_not_know_are_asked_for() -> None:
    """The agent answers for each; the books wait for that."""
    world, agent, fw = running()
    agent.disconnect()
    agent.reregister("back")
    asked = [event for event in world.told("back") if event["type"] == "ReconcileTasks"]
    assert asked == [
        {
            "type": "ReconcileTasks",
            "framework_id": {"value": fw.id},
            "tasks": [{"value": "t"}],
        }
    ]


@pytest.mark.parametrize(
    "what",
    [
        {"tasks": [told_task(f"{OLD}-0000", f"{OLD}-S1", cpus=100)]},
        {"tasks": [told_task(f"{OLD}-0000", f"{OLD}-S1", cpus=-1)]},
    ],
)
def test_agent_whose_tale_can_not_be_true_is_refused(what: dict[str, object]) -> None:
    """More in use than there is, or less than nothing, never gets into the books."""
    world = World()
    agent = FakeAgent(world)
    agent.reregister("link", id_=f"{OLD}-S1", frameworks=[told_framework(f"{OLD}-0000")], **what)
    assert [event["type"] for event in world.told("link")] == ["Shutdown"]
    assert world.core.state.agents == {}


def test_calls_on_a_link_that_is_not_the_agents_are_refused() -> None:
    """A former link's calls would be about another life of the agent."""
    world, agent, fw = running()
    old = agent.stream
    agent.reregister("new", tasks=[told_task(fw.id, agent.id)])
    agent.stream = old
    answer = agent.call(link.Pong())
    assert answer is not None
    assert answer.status == 403
    agent.disconnect()
    assert world.core.state.agents[agent.id].connected, "the old link's end means nothing"


def test_ping_timers_of_a_former_life_are_ignored() -> None:
    """An agent that was removed and came back is pinged at the usual pace."""
    world, agent, _ = running(agent_ping_timeout=10.0, max_agent_ping_timeouts=2)
    agent.hang()
    world.advance(35)
    agent.reregister("back", frameworks=[])
    world.take()
    world.advance(20)
    pings = [event for event in world.told("back") if event["type"] == "Ping"]
    assert len(pings) == 2
