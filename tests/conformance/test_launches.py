"""ACCEPT with tasks that are invalid, and with offers that are gone."""

from __future__ import annotations

import copy
import re
from typing import TYPE_CHECKING, Any

import pytest

from . import transcripts
from .custom_executor import RUNNING, executor_info, executor_task
from .expect import Status, fill
from .launches import INVALID, Launch, invalid, stale
from .scheduler import command_task

if TYPE_CHECKING:
    from .cluster import Cluster
    from .scheduler import Json, Scheduler

RECORDING = "scheduler/launch_invalid_and_stale.json"
INCOMPATIBLE = re.compile(
    r"ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID\.\n.+",
    re.DOTALL,
)
NOT_AWARE = ("MULTI_ROLE",)
NO_OFFERS = Status(
    "TASK_LOST",
    "SOURCE_MASTER",
    "REASON_INVALID_OFFERS",
    "Task launched with invalid offers: No offers specified",
    acknowledged=False,
)
DUPLICATE = invalid("Task has duplicate ID: dup")


def launch_operation(*tasks: Json) -> Json:
    return {"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}


@pytest.mark.transcript(RECORDING)
def test_invalid_tasks(cluster: Cluster, scheduler: Scheduler, offer: Json) -> None:
    """Each kind of invalid task gets TASK_ERROR from the master with Mesos' reason in words."""
    names = {
        "FRAMEWORK": scheduler.framework_id,
        "AGENT": cluster.agent.agent_id,
        "ROLE": scheduler.framework_info["roles"][0],
    }
    scheduler.launch(offer, *(fill(launch.task(), names) for launch in INVALID))
    problems = {}
    for launch in INVALID:
        status = scheduler.wait_status(launch.name, "TASK_ERROR")
        assert status["agent_id"]["value"] == fill(launch.agent_id, names)
        problems[launch.name] = launch.problems(status, names)
    assert problems == {launch.name: [] for launch in INVALID}
    assert scheduler.offer()["id"] != offer["id"], "the resources come back"


@pytest.mark.transcript(RECORDING)
def test_duplicate_task_id(scheduler: Scheduler, offer: Json) -> None:
    """An id that a task of the framework has is refused, in one LAUNCH and in a later one."""
    task = command_task("dup", offer["agent_id"]["value"], "sleep 1000")
    scheduler.launch(offer, task, task)
    assert DUPLICATE.problems(scheduler.wait_status("dup", "TASK_ERROR")) == []
    scheduler.wait_status("dup", "TASK_RUNNING")
    seen = len(scheduler.events)
    scheduler.launch(scheduler.offer(), task)
    assert DUPLICATE.problems(scheduler.wait_status("dup", "TASK_ERROR", since=seen)) == []


@pytest.mark.transcript(RECORDING)
def test_incompatible_executors(scheduler: Scheduler) -> None:
    """Two tasks that describe one executor differently: the first runs, the second is refused."""
    offer = scheduler.offer(cpus=0.3, mem=96)
    agent_id = offer["agent_id"]["value"]
    one = executor_info("shared", scheduler.framework_id)
    other = executor_info("shared", scheduler.framework_id, name="other")
    scheduler.launch(
        offer,
        executor_task("x-a", agent_id, one, RUNNING),
        executor_task("x-b", agent_id, other, RUNNING),
    )
    status = scheduler.wait_status("x-b", "TASK_ERROR")
    assert invalid(INCOMPATIBLE).problems(status) == []
    scheduler.wait_status("x-a", "TASK_RUNNING")


@pytest.mark.transcript(RECORDING)
@pytest.mark.parametrize("aware", [False, True], ids=["not partition-aware", "partition-aware"])
def test_offers_that_are_gone(cluster: Cluster, aware: bool) -> None:
    """Unknown, used, declined and mixed offers end in TASK_LOST, or TASK_DROPPED when aware."""
    options: dict[str, Any] = {} if aware else {"capabilities": NOT_AWARE}
    scheduler = cluster.subscribe("stale", **options)
    agent_id = cluster.agent.agent_id
    state = "TASK_DROPPED" if aware else "TASK_LOST"

    def refused(task_id: str, offer_ids: list[str], blamed: str) -> None:
        task = command_task(task_id, agent_id, "sleep 1000")
        scheduler.accept(offer_ids, [launch_operation(task)])
        status = scheduler.wait_status(task_id, state)
        assert stale(state).problems(status, {"OFFER": blamed}) == []
        assert status["agent_id"]["value"] == agent_id

    refused("unknown", ["no-such-offer"], "no-such-offer")
    used = scheduler.offer()["id"]["value"]
    scheduler.accept([used], [])
    refused("used", [used], used)
    declined = scheduler.offer()
    scheduler.decline(declined, 0)
    refused("declined", [declined["id"]["value"]], declined["id"]["value"])
    refused("mixed", [scheduler.offer()["id"]["value"], "nope"], "nope")


@pytest.mark.transcript(RECORDING)
def test_no_offers(cluster: Cluster) -> None:
    """ACCEPT without any offer loses its tasks."""
    scheduler = cluster.subscribe(capabilities=NOT_AWARE)
    task = command_task("nooffer", cluster.agent.agent_id, "sleep 1000")
    scheduler.accept([], [launch_operation(task)])
    assert NO_OFFERS.problems(scheduler.wait_status("nooffer", "TASK_LOST")) == []


# The same expectations, held against the recording.


def recorded_tasks() -> dict[str, Json]:
    """Every task of the recording's LAUNCH operations by its id; the first of each id."""
    found: dict[str, Json] = {}
    for step in transcripts.steps(RECORDING, "call"):
        operations = step["call"].get("accept", {}).get("operations", [])
        for operation in operations:
            for task in operation.get("launch", {}).get("task_infos", []):
                found.setdefault(task["task_id"]["value"], copy.deepcopy(task))
    return found


def recorded_names(task_id: str) -> dict[str, str]:
    """The ids in force when this task was launched."""
    for step in transcripts.steps(RECORDING, "call"):
        if f'"{task_id}"' in str(step).replace("'", '"'):
            framework_id = step["call"]["framework_id"]["value"]
            break
    else:
        raise LookupError(task_id)
    offer = transcripts.events(RECORDING, "OFFERS")[0]["offers"]["offers"][0]
    agent_id = offer["agent_id"]["value"]
    return {"FRAMEWORK": framework_id, "AGENT": agent_id, "ROLE": "r"}


@transcripts.recorded
@pytest.mark.transcript(RECORDING)
@pytest.mark.parametrize("launch", INVALID, ids=lambda launch: launch.name)
def test_real_mesos_refuses_such_tasks(launch: Launch) -> None:
    """The recorded task is the one launched here (but for the executor's program)."""
    names = recorded_names(launch.name)
    mine, theirs = fill(launch.task(), names), recorded_tasks()[launch.name]
    for task in (mine, theirs):
        task.get("executor", {}).get("command", {}).pop("value", None)
    assert mine == theirs
    (status,) = transcripts.updates(RECORDING, launch.name)
    assert launch.problems(status, names) == []


@transcripts.recorded
@pytest.mark.transcript(RECORDING)
@pytest.mark.parametrize(
    ("task_id", "expected", "blamed"),
    [
        ("stale1", stale("TASK_LOST"), "no-such-offer"),
        ("stale2", stale("TASK_DROPPED"), "no-such-offer"),
        ("mixed", stale("TASK_LOST"), "nope"),
        ("nooffer", NO_OFFERS, ""),
        ("dup", DUPLICATE, ""),
        ("x-b", invalid(INCOMPATIBLE), ""),
    ],
)
def test_real_mesos_sends_such_statuses(task_id: str, expected: Status, blamed: str) -> None:
    """The recorded status of the same launch meets the expectation."""
    status = transcripts.updates(RECORDING, task_id)[0]
    assert expected.problems(status, {"OFFER": blamed}) == []


@transcripts.recorded
@pytest.mark.transcript(RECORDING)
@pytest.mark.parametrize("task_id", ["second", "declined", "rescinded"])
def test_real_mesos_blames_the_offer(task_id: str) -> None:
    """A used, a declined and a rescinded offer are named in the status."""
    for step in transcripts.steps(RECORDING, "call"):
        accept = step["call"].get("accept", {})
        if f"'{task_id}'" in str(accept.get("operations")):
            names = {"OFFER": accept["offer_ids"][0]["value"]}
    (status,) = transcripts.updates(RECORDING, task_id)
    assert stale("TASK_LOST").problems(status, names) == []
