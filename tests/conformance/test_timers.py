"""What takes Mesos' own time: heartbeats, resent statuses, executors that never come.

Their frameworks are set going together before the first test waits, and hold no offers
while they wait.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from . import transcripts
from .cluster import duration
from .custom_executor import executor_info
from .expect import Status, from_executor
from .scheduler import NEVER, Scheduler, bare_task, command_task

if TYPE_CHECKING:
    from .cluster import Cluster
    from .scheduler import Json

RETRY = "scheduler/acknowledge_and_reconcile.json"
HEARTBEATS = "scheduler/heartbeats.json"
VIEW = "executor/scheduler_view.json"


def never_registered(timeout: str) -> Status:
    text = f"Executor did not register within {timeout}"
    reason = "REASON_EXECUTOR_REGISTRATION_TIMEOUT"
    return Status("TASK_FAILED", "SOURCE_AGENT", reason, text)


@dataclass
class Waiting:
    """Frameworks that wait for something, and a time before anything was sent to them.

    Pauses are counted from there: a busy machine may come late to whatever it reads.
    """

    begun: float
    heartbeats: Scheduler
    retry: Scheduler
    registration: Scheduler


@pytest.fixture(scope="module")
def waiting(shared_cluster: Cluster) -> Waiting:
    """One framework for each thing that is waited for."""
    begun = time.monotonic()
    info = shared_cluster.framework_info("idle")
    heartbeats = shared_cluster.subscribe(info=info, suppressed_roles=info["roles"])

    retry = shared_cluster.subscribe("retry", acknowledge=lambda status: False)
    task = command_task("r1", shared_cluster.agent.agent_id, "sleep 1000")
    launch_only(retry, task)

    registration = shared_cluster.subscribe("registration")
    executor = executor_info("x-never", registration.framework_id, command="exec sleep 1000")
    task = bare_task("never", shared_cluster.agent.agent_id, executor=executor)
    launch_only(registration, task)

    return Waiting(begun, heartbeats, retry, registration)


def launch_only(scheduler: Scheduler, task: Json) -> None:
    """Launch a task and want nothing else."""
    scheduler.launch(scheduler.offer(cpus=0.2, mem=64), task, refuse_seconds=NEVER)
    scheduler.accepted("SUPPRESS")


@pytest.mark.transcript(RETRY)
def test_unacknowledged_status_comes_again(cluster: Cluster, waiting: Waiting) -> None:
    """A status that is not acknowledged is sent again after 10 s, and later ones wait for it."""
    scheduler = waiting.retry
    first = scheduler.wait(lambda event: event.kind == "UPDATE", "status")
    seen = scheduler.events.index(first) + 1
    again = scheduler.wait(
        lambda event: event.kind == "UPDATE", "the same status again", since=seen
    )
    assert again.body == first.body
    assert again.at - waiting.begun >= 10
    assert {status["uuid"] for status in scheduler.statuses("r1")} == {again["status"]["uuid"]}
    scheduler.acknowledge = lambda status: True
    scheduler.acknowledge_status(again["status"])
    if first["status"]["state"] == "TASK_STARTING":
        scheduler.wait_status("r1", "TASK_RUNNING")
    scheduler.kill("r1")
    end = scheduler.wait_status("r1", "TASK_KILLED")
    expected = from_executor("TASK_KILLED", "Command terminated with signal Terminated")
    assert expected.problems(end) == []


@pytest.mark.transcript(VIEW)
def test_executor_that_never_registers(cluster: Cluster, waiting: Waiting) -> None:
    """An executor that does not subscribe in time is killed, and its task fails."""
    timeout = cluster.agent.flags["executor_registration_timeout"]
    if duration(timeout) > 20:
        pytest.skip(f"the agent gives executors {timeout} to register")
    scheduler = waiting.registration
    failure = scheduler.wait_kind("FAILURE").body["failure"]
    assert failure["executor_id"]["value"] == "x-never"
    assert failure["status"] == 9, "the wait status of a process killed by SIGKILL"
    status = scheduler.wait_status("never", "TASK_FAILED")
    assert never_registered(timeout).problems(status) == []


@pytest.mark.transcript(HEARTBEATS)
def test_heartbeats(cluster: Cluster, waiting: Waiting) -> None:
    """An idle stream carries a heartbeat every 15 s, at the interval that SUBSCRIBED tells."""
    scheduler = waiting.heartbeats
    interval = scheduler.wait_kind("SUBSCRIBED")["heartbeat_interval_seconds"]
    first = scheduler.wait_kind("HEARTBEAT")
    seen = scheduler.events.index(first) + 1
    second = scheduler.wait_kind("HEARTBEAT", since=seen)
    assert second.at - waiting.begun >= interval
    assert {event.kind for event in scheduler.events} == {"SUBSCRIBED", "HEARTBEAT"}


@transcripts.recorded
@pytest.mark.transcript(RETRY)
def test_real_mesos_sends_again() -> None:
    """The recorded status came again unchanged, within the times asserted here."""
    steps = [
        step for step in transcripts.steps(RETRY, "event") if step["event"]["type"] == "UPDATE"
    ]
    first, again = steps[:2]
    assert first["event"] == again["event"]
    assert 9.0 <= again["t"] - first["t"] <= 15.0


@transcripts.recorded
@pytest.mark.transcript(HEARTBEATS)
def test_real_mesos_beats_so() -> None:
    """Recorded heartbeats keep the interval."""
    beats = [
        step["t"]
        for step in transcripts.steps(HEARTBEATS, "event")
        if step["event"]["type"] == "HEARTBEAT"
    ]
    assert len(beats) >= 2
    for before, after in itertools.pairwise(beats):
        assert 14 <= after - before <= 18


@transcripts.recorded
@pytest.mark.transcript(VIEW)
def test_real_mesos_gives_up_on_executors_so() -> None:
    """The recorded end of the same task meets the expectation."""
    (status,) = transcripts.updates(VIEW, "never")
    assert never_registered("5secs").problems(status) == []
    failures = [event["failure"] for event in transcripts.events(VIEW, "FAILURE")]
    (never,) = (item for item in failures if item["executor_id"]["value"] == "x-never")
    assert never["status"] == 9
