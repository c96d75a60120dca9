"""The operator's event stream: agents, frameworks and tasks as they come, change and go."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from . import messages, transcripts
from .cluster import eventually
from .expect import JSON_TYPE
from .scheduler import NEVER, Scheduler, command_task
from .test_operator_api import answer
from .watcher import Watcher, identity, told_of
from .wire import request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cluster import Cluster
    from .pocket import PocketCluster
    from .scheduler import Json

STREAM = "master/subscribe/event_stream.json"
SECOND = "master/subscribe/event_stream_2.json"

KILLED_TASK = ["TASK_ADDED", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING", "TASK_KILLED"]
LOST_TASK = ["TASK_ADDED", "TASK_STARTING", "TASK_RUNNING", "TASK_LOST"]
CHANGED_FRAMEWORK = [
    "FRAMEWORK_ADDED",
    "FRAMEWORK_UPDATED",
    "FRAMEWORK_UPDATED",
    "FRAMEWORK_REMOVED",
]


def framework_problems(added: Json, updated: Json, again: Json, removed: Json) -> list[str]:
    """Say what is wrong with what was told of a framework that changed its roles.

    It subscribed with one role, took another by UPDATE_FRAMEWORK, subscribed again with one.
    """
    frameworks = [one["framework"] for one in (added, updated, again)]
    roles = [len(one["framework_info"]["roles"]) for one in frameworks]
    problems = [] if roles == [1, 2, 1] else [f"roles: {roles}"]
    first, same, later = (one["reregistered_time"]["nanoseconds"] for one in frameworks)
    if not first == same < later:
        problems.append(f"reregistered_time: {first}, {same}, {later}")
    problems += [
        f"not active, or recovered: {one}"
        for one in frameworks
        if (one["active"], one["connected"], one["recovered"]) != (True, True, False)
    ]
    if removed["framework_info"] != frameworks[2]["framework_info"]:
        problems.append(f"removed: {removed}")
    return problems


@pytest.fixture
def watcher(cluster: Cluster) -> Iterator[Watcher]:
    """An operator that watches the cluster."""
    made = Watcher(cluster.master)
    yield made
    made.close()
    assert made.problems == [], "events that no v1 message describes"


@pytest.mark.transcript(STREAM)
def test_the_first_event_tells_everything(cluster: Cluster, watcher: Watcher) -> None:
    """What GET_STATE shows; then comes a heartbeat, which follows every 15 s."""
    first = watcher.wait(lambda event: event["type"] == "SUBSCRIBED", "SUBSCRIBED")["subscribed"]
    assert first["heartbeat_interval_seconds"] == 15
    known = answer(cluster.master, "GET_AGENTS")["agents"]
    told = first["get_state"]["get_agents"]["agents"]
    ids = [[one["agent_info"]["id"]["value"] for one in agents] for agents in (told, known)]
    assert sorted(ids[0]) == sorted(ids[1])
    watcher.wait(lambda event: event["type"] == "HEARTBEAT", "HEARTBEAT")
    assert [event["type"] for event in watcher.events[:2]] == ["SUBSCRIBED", "HEARTBEAT"]
    assert watcher.head.header("Content-Type") == JSON_TYPE
    assert watcher.head.header("Mesos-Stream-Id") is None
    metrics = cluster.get("/metrics/snapshot").json()
    assert metrics["master/operator_event_stream_subscribers"] >= 1


@pytest.mark.transcript(SECOND)
def test_a_framework_is_told_of_from_its_first_day_to_its_last(
    cluster: Cluster, watcher: Watcher
) -> None:
    """Added, changed by itself, changed by subscribing again, removed; nothing in between."""
    info = cluster.framework_info("told", failover_timeout=600.0)
    scheduler = cluster.subscribe(info=info)
    framework_id = scheduler.framework_id
    added = watcher.wait_for("FRAMEWORK_ADDED", framework_id)
    two = {**scheduler.info_with_id(), "roles": [*info["roles"], f"{info['roles'][0]}-2"]}
    scheduler.accepted("UPDATE_FRAMEWORK", update_framework={"framework_info": two})
    updated = watcher.wait_for("FRAMEWORK_UPDATED", framework_id)
    again = scheduler.info_with_id()
    scheduler.close()
    eventually(
        lambda: not (cluster.framework(framework_id) or {})["connected"], "the stream missed"
    )
    later = cluster.subscribe(info=again)
    later.wait_kind("SUBSCRIBED")
    later.accepted("TEARDOWN")
    removed = watcher.wait_for("FRAMEWORK_REMOVED", framework_id)
    assert watcher.story(framework_id) == CHANGED_FRAMEWORK
    told = watcher.about(framework_id)[2]["framework_updated"]
    assert framework_problems(added, updated, told, removed) == []


@pytest.mark.transcript(STREAM)
def test_a_task_is_told_of_state_by_state(cluster: Cluster, watcher: Watcher) -> None:
    """Added as it is launched; each status once, with the latest state that is known."""
    scheduler = cluster.subscribe("told")
    agent_id = cluster.agent.agent_id
    task_id = f"told-{scheduler.framework_id}"
    scheduler.launch(
        scheduler.offer(), command_task(task_id, agent_id, "sleep 1000"), refuse_seconds=NEVER
    )
    added = watcher.wait_for("TASK_ADDED", task_id)["task"]
    assert (added["state"], added["agent_id"]["value"]) == ("TASK_STAGING", agent_id)
    assert "statuses" not in added and "executor_id" not in added
    running = watcher.wait_for("TASK_RUNNING", task_id)
    assert running["framework_id"]["value"] == scheduler.framework_id
    assert running["state"] == "TASK_RUNNING"
    assert running["status"] == scheduler.wait_status(task_id, "TASK_RUNNING")
    scheduler.kill(task_id)
    watcher.wait_for("TASK_KILLED", task_id)
    assert [one for one in watcher.story(task_id) if one != "TASK_STARTING"] == [
        one for one in KILLED_TASK if one != "TASK_STARTING"
    ]


@pytest.mark.transcript(SECOND)
def test_an_agent_is_told_of_when_it_comes_and_when_it_leaves(own_cluster: PocketCluster) -> None:
    """One that leaves for good takes its task along first."""
    master = own_cluster.start_master().address
    watcher = Watcher(master)
    daemon = own_cluster.start_agent(str(master))
    cluster = own_cluster.cluster()
    agent_id = cluster.agent.agent_id
    added = watcher.wait_for("AGENT_ADDED", agent_id)["agent"]
    assert (added["active"], added["deactivated"]) == (True, False)
    assert added["pid"] == f"slave(1)@{daemon.address}"
    scheduler: Scheduler = cluster.subscribe("left", checkpoint=True)
    scheduler.launch(
        scheduler.offer(), command_task("d-cmd", agent_id, "sleep 1000"), refuse_seconds=NEVER
    )
    watcher.wait_for("TASK_RUNNING", "d-cmd")
    daemon.signal(signal.SIGUSR1)
    watcher.wait_for("AGENT_REMOVED", agent_id)
    assert watcher.story("d-cmd") == LOST_TASK
    told = [told_of(event) for event in watcher.events if identity(event) in (agent_id, "d-cmd")]
    assert told[-2:] == ["TASK_LOST", "AGENT_REMOVED"]
    assert cluster.teardown() == []
    watcher.close()
    assert watcher.problems == []


@pytest.mark.documented("docs/configuration/master")
def test_the_oldest_subscriber_makes_room_for_the_newest(own_cluster: PocketCluster) -> None:
    """A master has as many as its flag says."""
    master = own_cluster.start_master(max_operator_event_stream_subscribers="1").address
    first = Watcher(master)
    first.wait(lambda event: event["type"] == "HEARTBEAT", "HEARTBEAT")
    second = Watcher(master)
    second.wait(lambda event: event["type"] == "HEARTBEAT", "HEARTBEAT")
    first.wait_ended()
    metrics = request(master, "GET", "/metrics/snapshot").json()
    assert metrics["master/operator_event_stream_subscribers"] == 1
    second.close()


# The same expectations, held against recordings.


@transcripts.recorded
@pytest.mark.transcript(STREAM)
@pytest.mark.parametrize("name", [STREAM, SECOND])
def test_real_mesos_tells_in_these_messages(name: str) -> None:
    """Every recorded event is one of those described."""
    for event in transcripts.events(name):
        assert messages.event_problems(event, messages.OPERATOR_EVENTS) == []
    assert [event["type"] for event in transcripts.events(name)][:2] == ["SUBSCRIBED", "HEARTBEAT"]


@transcripts.recorded
@pytest.mark.transcript(STREAM)
def test_real_mesos_tells_of_tasks_so() -> None:
    """The recorded stories of a killed and of a lost task are those asserted here."""
    told = [(identity(event), told_of(event)) for event in transcripts.events(STREAM)]
    assert [said for who, said in told if who == "t-sleep"] == KILLED_TASK
    second = [(identity(event), told_of(event)) for event in transcripts.events(SECOND)]
    assert [said for who, said in second if who == "d-cmd"] == LOST_TASK
    at = second.index(("d-cmd", "TASK_LOST"))
    assert second[at + 1][1] == "AGENT_REMOVED"
    drained = [said for _, said in told if said.startswith("AGENT")]
    assert drained == ["AGENT_ADDED"] * 3, "nothing of deactivation, draining, or gone agents"


@transcripts.recorded
@pytest.mark.transcript(SECOND)
def test_real_mesos_tells_of_frameworks_so() -> None:
    """The recorded story of a framework that changed itself is the one asserted here."""
    found = transcripts.events(SECOND)
    who = next(identity(one) for one in found if one["type"] == "FRAMEWORK_ADDED")
    mine = [event for event in found if identity(event) == who]
    assert [told_of(event) for event in mine] == CHANGED_FRAMEWORK
    added, updated, again, removed = (event[event["type"].lower()] for event in mine)
    assert framework_problems(added, updated, again, removed) == []
