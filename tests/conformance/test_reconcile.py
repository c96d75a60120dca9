"""RECONCILE: what the master answers about tasks, known and unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import transcripts
from .expect import Status, from_executor, reconciled
from .scheduler import command_task

if TYPE_CHECKING:
    from .cluster import Cluster
    from .scheduler import Json, Scheduler

RECORDING = "scheduler/acknowledge_and_reconcile.json"
LATEST = reconciled("TASK_RUNNING", "Latest task state")
GONE = reconciled("TASK_GONE", "Task is unknown to the agent")
UNKNOWN = reconciled("TASK_UNKNOWN", "Task is unknown")
LOST_ON_AGENT = reconciled("TASK_LOST", "Task is unknown to the agent")
LOST = reconciled("TASK_LOST", "Task is unknown")


def question(task_id: str, agent_id: str | None = None) -> Json:
    """Describe a task that is asked about."""
    ids = {"task_id": {"value": task_id}}
    return ids if agent_id is None else {**ids, "agent_id": {"value": agent_id}}


@pytest.fixture
def running(scheduler: Scheduler, offer: Json) -> Scheduler:
    """A framework with the running task `r1`."""
    scheduler.launch(offer, command_task("r1", offer["agent_id"]["value"], "sleep 1000"))
    scheduler.wait_status("r1", "TASK_RUNNING")
    return scheduler


@pytest.mark.transcript(RECORDING)
def test_explicit(cluster: Cluster, running: Scheduler) -> None:
    """Each task asked about gets its latest state, or which kind of unknown it is."""
    agent_id = cluster.agent.agent_id
    seen = len(running.events)
    running.reconcile(
        question("r1", agent_id),
        question("ghost1", agent_id),
        question("ghost2"),
        question("ghost3", "ghost-agent"),
    )
    r1 = running.wait_answer("r1", since=seen)
    assert LATEST.problems(r1) == []
    told = running.wait_status("r1", "TASK_RUNNING")
    assert r1["container_status"] == told["container_status"]
    assert r1["agent_id"]["value"] == agent_id
    assert GONE.problems(running.wait_answer("ghost1", since=seen)) == []
    ghost2 = running.wait_answer("ghost2", since=seen)
    assert UNKNOWN.problems(ghost2) == []
    assert "agent_id" not in ghost2
    ghost3 = running.wait_answer("ghost3", since=seen)
    assert UNKNOWN.problems(ghost3) == []
    assert ghost3["agent_id"]["value"] == "ghost-agent"


@pytest.mark.transcript(RECORDING)
def test_implicit(running: Scheduler) -> None:
    """An empty question is one about all tasks that run, and only those."""
    running.kill("r1")
    running.wait_status("r1", "TASK_KILLED")
    offer = running.offer()
    running.launch(offer, command_task("r2", offer["agent_id"]["value"], "sleep 1000"))
    running.wait_status("r2", "TASK_RUNNING")
    seen = len(running.events)
    running.reconcile()
    assert LATEST.problems(running.wait_answer("r2", since=seen)) == []
    running.reconcile(question("ghost2"))  # its answer comes after all of the first question's
    running.wait_answer("ghost2", since=seen)
    asked = [event["status"] for event in running.events[seen:] if event.kind == "UPDATE"]
    assert {status["task_id"]["value"] for status in asked} == {"r2", "ghost2"}


@pytest.mark.transcript(RECORDING)
def test_finished_task(cluster: Cluster, running: Scheduler) -> None:
    """A task whose end was acknowledged is unknown to the agent."""
    running.kill("r1")
    running.wait_status("r1", "TASK_KILLED")
    seen = len(running.events)
    running.reconcile(question("r1", cluster.agent.agent_id))
    assert GONE.problems(running.wait_answer("r1", since=seen)) == []


@pytest.mark.transcript(RECORDING)
def test_not_partition_aware(cluster: Cluster) -> None:
    """A framework that is not partition-aware is told TASK_LOST of every unknown task."""
    scheduler = cluster.subscribe(capabilities=("MULTI_ROLE",))
    scheduler.wait_kind("SUBSCRIBED")
    scheduler.reconcile(question("ghost1", cluster.agent.agent_id), question("ghost2"))
    assert LOST_ON_AGENT.problems(scheduler.wait_answer("ghost1")) == []
    assert LOST.problems(scheduler.wait_answer("ghost2")) == []


@transcripts.recorded
@pytest.mark.transcript(RECORDING)
@pytest.mark.parametrize(
    ("task_id", "expected"),
    [
        (
            "r1",
            [
                from_executor("TASK_STARTING"),
                from_executor("TASK_STARTING"),  # sent again, not having been acknowledged
                from_executor("TASK_RUNNING"),
                LATEST,
                LATEST,
                from_executor("TASK_KILLED", "Command terminated with signal Terminated"),
                GONE,
            ],
        ),
        ("ghost1", [GONE, LOST_ON_AGENT]),
        ("ghost2", [UNKNOWN, LOST]),
        ("ghost3", [UNKNOWN]),
    ],
)
def test_real_mesos_answers_so(task_id: str, expected: list[Status]) -> None:
    """The recorded answers to the same questions meet the expectations."""
    statuses = transcripts.updates(RECORDING, task_id)
    pairs = zip(expected, statuses, strict=True)
    assert [wanted.problems(status) for wanted, status in pairs] == [[] for _ in expected]
