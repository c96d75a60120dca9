"""What operators decide about agents: no more offers, drained, offers again, gone for good."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from . import transcripts
from .cluster import Cluster, eventually
from .expect import Reply, Status, reconciled
from .scheduler import NEVER, Json, Scheduler, command_task
from .shape import FLAG, NUMBER, Mapping, Matching, message
from .test_operator_api import answer, call

if TYPE_CHECKING:
    from .pocket import PocketCluster
    from .wire import Address

RECORDING = "master/operator_api/drain_deactivate_gone.json"
MAINTENANCE = "docs/maintenance"

DONE = Reply(200, "")
KILLED = Status(
    "TASK_KILLED",
    "SOURCE_EXECUTOR",
    "REASON_AGENT_DRAINING",
    "Command terminated with signal Terminated",
)
GONE = Status(
    "TASK_GONE_BY_OPERATOR",
    "SOURCE_MASTER",
    "REASON_AGENT_REMOVED_BY_OPERATOR",
    "Agent has been marked gone",
    acknowledged=False,
)
STILL_GONE = reconciled("TASK_GONE_BY_OPERATOR", "Task is gone")

DRAIN_INFO = message(
    {
        "state": Matching("DRAINING|DRAINED"),
        "config": message({"mark_gone": FLAG}, {"max_grace_period": Mapping(NUMBER)}),
    }
)
DRAINED = {
    "state": "DRAINED",
    "config": {"max_grace_period": {"nanoseconds": 3_000_000_000}, "mark_gone": False},
}


def decided(type_: str, agent_id: str, **fields: Any) -> Json:
    """Make the call by which an operator decides about an agent."""
    return {"type": type_, type_.lower(): {"agent_id": {"value": agent_id}, **fields}}


def decide(master: Address, type_: str, agent_id: str, **fields: Any) -> None:
    """Have it decided."""
    assert DONE.problems(call(master, decided(type_, agent_id, **fields))) == []


def listed(master: Address, agent_id: str) -> Json | None:
    """Return an agent as GET_AGENTS shows it; None when it does not."""
    agents = answer(master, "GET_AGENTS").get("agents", [])
    return next((one for one in agents if one["agent_info"]["id"]["value"] == agent_id), None)


def drained_problems(agent: Json | None, shown: Json | None) -> list[str]:
    """Say what is wrong with an agent drained within 3 s, as GET_AGENTS and /slaves show it."""
    if agent is None or shown is None:
        return ["the agent is not listed"]
    problems = [
        f"{key}: expected {value}, found {one.get(key)}"
        for key, value in (("active", False), ("deactivated", True), ("drain_info", DRAINED))
        for one in (agent, shown)
        if one.get(key) != value
    ]
    begun = agent.get("estimated_drain_start_time", {}).get("nanoseconds", 0.5)
    if begun % 1_000_000_000:
        problems.append(f"estimated_drain_start_time: {begun} is not whole seconds")
    exact = shown.get("estimated_drain_start_time_seconds", 0.0)
    if not 0 <= exact - begun / 1e9 < 1:
        problems.append(f"estimated_drain_start_time_seconds: {exact} is not within {begun}")
    problems += [key for key in ("allocated_resources", "offered_resources") if key in agent]
    return problems


def is_drained(master: Address, agent_id: str) -> bool:
    """Say whether the agent is DRAINED; whatever it is must be said in Mesos' shape."""
    info = (listed(master, agent_id) or {}).get("drain_info")
    if info is None:
        return False
    assert DRAIN_INFO.problems(info) == []
    return bool(info["state"] == "DRAINED")


def kinds(scheduler: Scheduler) -> list[str]:
    """Return the types of what was told so far, without heartbeats."""
    return [event.kind for event in list(scheduler.events) if event.kind != "HEARTBEAT"]


def offered_again(scheduler: Scheduler, since: int) -> None:
    """Wait for an offer of the agent under test."""
    scheduler.accepted("REVIVE")
    scheduler.wait(
        lambda event: (
            event.kind == "OFFERS"
            and any(one["agent_id"]["value"] == scheduler.agent_id for one in event["offers"])
        ),
        "offer of the agent",
        since=since,
    )


@pytest.mark.transcript(RECORDING)
def test_a_deactivated_agent_is_offered_to_nobody(cluster: Cluster) -> None:
    """Its offers are rescinded, and come again when it is reactivated; its tasks run on."""
    agent_id = cluster.agent.agent_id
    scheduler = cluster.subscribe("deactivation")
    scheduler.launch(scheduler.offer(), command_task("stays", agent_id, "sleep 1000"))
    scheduler.wait_status("stays", "TASK_RUNNING")
    rest = scheduler.offer()["id"]["value"]
    decide(cluster.master, "DEACTIVATE_AGENT", agent_id)
    try:
        scheduler.wait(
            lambda event: event.kind == "RESCIND" and event["offer_id"]["value"] == rest,
            "rescission of the offer",
        )
        agent = listed(cluster.master, agent_id) or {}
        assert (agent["active"], agent["deactivated"]) == (False, True)
        assert "drain_info" not in agent and "offered_resources" not in agent
        seen = len(scheduler.events)
    finally:
        decide(cluster.master, "REACTIVATE_AGENT", agent_id)
    offered_again(scheduler, seen)
    agent = listed(cluster.master, agent_id) or {}
    assert (agent["active"], agent["deactivated"]) == (True, False)
    assert scheduler.states("stays") == ["TASK_RUNNING"]


@pytest.fixture
def drainable(own_cluster: PocketCluster) -> Cluster:
    """A cluster of the suite's own, with one agent."""
    own_cluster.start_agent(str(own_cluster.start_master().address))
    return own_cluster.cluster()


@pytest.mark.transcript(RECORDING)
def test_a_drained_agent_waits_to_be_reactivated(drainable: Cluster) -> None:
    """Its tasks are killed and say why; it is DRAINED when that is acknowledged."""
    master, agent_id = drainable.master, drainable.agent.agent_id
    scheduler = drainable.subscribe("draining", acknowledge=lambda s: s["state"] != "TASK_KILLED")
    scheduler.launch(
        scheduler.offer(), command_task("d1", agent_id, "sleep 1000"), refuse_seconds=NEVER
    )
    scheduler.wait_status("d1", "TASK_RUNNING")
    decide(master, "DRAIN_AGENT", agent_id, max_grace_period={"seconds": 3})
    killed = scheduler.wait_status("d1", "TASK_KILLED")
    assert KILLED.problems(killed) == []
    assert not is_drained(master, agent_id), "nobody has acknowledged the task's end"
    scheduler.acknowledge_status(killed)
    eventually(lambda: is_drained(master, agent_id), "the agent drained")
    (shown,) = drainable.get("/slaves").json()["slaves"]
    assert drained_problems(listed(master, agent_id), shown) == []
    seen = len(scheduler.events)
    decide(master, "REACTIVATE_AGENT", agent_id)
    offered_again(scheduler, seen)
    assert "drain_info" not in (listed(master, agent_id) or {})
    assert drainable.teardown() == []


@pytest.mark.documented(MAINTENANCE)
def test_draining_limits_the_grace_period(drainable: Cluster) -> None:
    """A task that would take an hour to end is given what the operator says."""
    master, agent_id = drainable.master, drainable.agent.agent_id
    scheduler = drainable.subscribe("grace")
    stubborn = command_task(
        "stubborn",
        agent_id,
        "trap '' TERM; echo ready; while true; do sleep 0.2; done",
        kill_policy={"grace_period": {"nanoseconds": 3_600_000_000_000}},
    )
    scheduler.launch(scheduler.offer(), stubborn, refuse_seconds=NEVER)
    scheduler.wait_status("stubborn", "TASK_RUNNING")
    printed = f"{drainable.agent.sandbox(scheduler.framework_id, 'stubborn')}/stdout"
    eventually(lambda: "ready" in drainable.agent.read(printed), "the task's trap set")
    decide(master, "DRAIN_AGENT", agent_id, max_grace_period={"seconds": 1})
    killed = scheduler.wait_status("stubborn", "TASK_KILLED")
    assert killed["message"] == "Command terminated with signal Killed"
    assert killed["reason"] == "REASON_AGENT_DRAINING"
    assert drainable.teardown() == []


@pytest.mark.transcript(RECORDING)
def test_an_agent_marked_gone_is_no_more(drainable: Cluster, own_cluster: PocketCluster) -> None:
    """Its task is gone, its offer rescinded, its process ends; asked again, nothing changes."""
    master, agent_id = drainable.master, drainable.agent.agent_id
    scheduler = drainable.subscribe("gone")
    scheduler.launch(scheduler.offer(), command_task("d2", agent_id, "sleep 1000"))
    scheduler.wait_status("d2", "TASK_RUNNING")
    scheduler.offer()
    decide(master, "MARK_AGENT_GONE", agent_id)
    failure = scheduler.wait_kind("FAILURE")
    assert failure.body["failure"] == {"agent_id": {"value": agent_id}}
    assert kinds(scheduler)[-3:] == ["UPDATE", "RESCIND", "FAILURE"]
    gone = scheduler.wait_status("d2", "TASK_GONE_BY_OPERATOR")
    assert GONE.problems(gone) == []
    assert own_cluster.agents[0].wait_ended() == 0
    seen = len(scheduler.events)
    scheduler.reconcile({"task_id": {"value": "d2"}, "agent_id": {"value": agent_id}})
    assert STILL_GONE.problems(scheduler.wait_answer("d2", since=seen)) == []
    decide(master, "MARK_AGENT_GONE", agent_id)
    assert answer(master, "GET_AGENTS") == {"agents": [], "recovered_agents": []}
    assert drainable.teardown() == []


@pytest.mark.transcript(RECORDING)
def test_an_agent_drained_to_be_gone_goes(drainable: Cluster, own_cluster: PocketCluster) -> None:
    """One without tasks goes at once."""
    scheduler = drainable.subscribe("leaving")
    offer = scheduler.offer()
    decide(drainable.master, "DRAIN_AGENT", drainable.agent.agent_id, mark_gone=True)
    scheduler.wait_kind("FAILURE")
    assert kinds(scheduler)[-2:] == ["RESCIND", "FAILURE"]
    assert scheduler.wait_kind("RESCIND")["offer_id"] == offer["id"]
    assert own_cluster.agents[0].wait_ended() == 0
    assert listed(drainable.master, drainable.agent.agent_id) is None
    assert drainable.teardown() == []


@pytest.mark.documented(MAINTENANCE)
def test_an_agent_that_is_away_is_drained_when_it_returns(
    drainable: Cluster, own_cluster: PocketCluster
) -> None:
    """The operator need not wait for it; its tasks, which live on, are killed then."""
    master, agent_id = drainable.master, drainable.agent.agent_id
    scheduler = drainable.subscribe("away", checkpoint=True)
    scheduler.launch(
        scheduler.offer(), command_task("waits", agent_id, "sleep 1000"), refuse_seconds=NEVER
    )
    scheduler.wait_status("waits", "TASK_RUNNING")
    own_cluster.agents[0].kill()
    eventually(lambda: not (listed(master, agent_id) or {})["active"], "the agent missed")
    decide(master, "DRAIN_AGENT", agent_id, max_grace_period={"seconds": 3})
    own_cluster.agents[0].start()
    assert KILLED.problems(scheduler.wait_status("waits", "TASK_KILLED")) == []
    eventually(lambda: is_drained(master, agent_id), "the agent drained")
    assert drainable.teardown() == []


# The same expectations, held against recordings.


def operators() -> list[Json]:
    return list(transcripts.steps(RECORDING, "operator"))


@transcripts.recorded
@pytest.mark.transcript(RECORDING)
def test_real_mesos_drains_so() -> None:
    """The recorded statuses, and the agent as it was shown when drained, meet what is asserted."""
    (killed,) = [one for one in transcripts.updates(RECORDING, "d1") if "KILLED" in one["state"]]
    assert KILLED.problems(killed) == []
    asked = [
        one["response"]["body"] for one in operators() if one["operator"]["type"] == "GET_AGENTS"
    ]
    found = [one for body in asked for one in body["get_agents"]["agents"] if "drain_info" in one]
    assert DRAIN_INFO.problems(found[0]["drain_info"]) == []
    (slaves,) = transcripts.steps(RECORDING, "master_GET")
    shown = next(one for one in slaves["body"]["slaves"] if "drain_info" in one)
    assert drained_problems(found[0], shown) == []
    deactivated = next(one for one in asked[0]["get_agents"]["agents"] if one["deactivated"])
    assert not deactivated["active"]
    assert "drain_info" not in deactivated and "offered_resources" not in deactivated


@transcripts.recorded
@pytest.mark.transcript(RECORDING)
def test_real_mesos_lets_agents_go_so() -> None:
    """Every recorded decision was answered alike; what followed came in the asserted order."""
    calls = [one for one in operators() if one["operator"]["type"] != "GET_AGENTS"]
    for one in calls:
        response = one["response"] | {"reason": "OK"}
        assert DONE.problems(transcripts.response(response)) == []
    assert operators()[-1]["response"]["body"]["get_agents"] == {
        "agents": [],
        "recovered_agents": [],
    }
    gone, still = [s for s in transcripts.updates(RECORDING, "d2") if "GONE" in s["state"]]
    assert GONE.problems(gone) == []
    assert STILL_GONE.problems(still) == []
    told = " ".join(event["type"] for event in transcripts.events(RECORDING))
    reconciled_d2_and_d1 = "UPDATE UPDATE"
    assert told.endswith(f"UPDATE RESCIND FAILURE {reconciled_d2_and_d1} RESCIND FAILURE")
    (note,) = (step["note"] for step in transcripts.steps(RECORDING, "note"))
    assert note.endswith("exited with status 0")
