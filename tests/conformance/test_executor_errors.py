"""Requests that the executor API refuses, or takes without effect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from . import transcripts
from .cluster import eventually
from .custom_executor import RUNNING, executor_info, executor_task, report_of, update
from .executor_errors import BEFORE_SUBSCRIBE, SUBSCRIBED, Case
from .expect import fill, from_executor
from .scheduler import command_task, small
from .wire import JSON_HEADERS, Response

if TYPE_CHECKING:
    from .cluster import Cluster
    from .pocket import PocketCluster
    from .scheduler import Json, Scheduler

ERRORS = "executor/errors.json"
TOLD_RUNNING = from_executor("TASK_RUNNING")


@pytest.mark.transcript(ERRORS)
def test_requests_of_an_executor(cluster: Cluster, scheduler: Scheduler) -> None:
    """Malformed, early and untrue calls get Mesos' status, text and headers."""
    offer = scheduler.offer(cpus=0.2, mem=64)
    agent_id = cluster.agent.agent_id
    before = [action for _, _, action in BEFORE_SUBSCRIBE]
    executor = executor_info("x-errors", scheduler.framework_id, before=before)
    after = [action for _, _, action in SUBSCRIBED]
    scheduler.launch(offer, executor_task("odd", agent_id, executor, RUNNING, *after))
    scheduler.wait_status("odd", "TASK_RUNNING")
    answers = report_of(scheduler, agent_id, "x-errors")["answers"]
    names = {"FRAMEWORK": scheduler.framework_id, "EXECUTOR": "x-errors"}
    cases = (*BEFORE_SUBSCRIBE, *SUBSCRIBED)
    problems = {}
    for name, reply, _ in cases:
        entry = answers[name]
        headers = tuple((key, value) for key, value in entry["headers"])
        found = Response(entry["status"], entry["reason"], headers, entry["body"])
        problems[name] = reply.problems(found, names)
    assert problems == {name: [] for name, _, _ in cases}
    # The last of them told of a task that never was; the scheduler hears of it all the same.
    assert TOLD_RUNNING.problems(scheduler.wait_status("no-such-task", "TASK_RUNNING")) == []


def recorded_cases() -> dict[str, Json]:
    return {step["note"]: step for step in transcripts.steps(ERRORS, "call") if "note" in step}


@transcripts.recorded
@pytest.mark.transcript(ERRORS)
@pytest.mark.parametrize("case", [*BEFORE_SUBSCRIBE, *SUBSCRIBED], ids=lambda case: case[0])
def test_real_mesos_answers_executors_so(case: Case) -> None:
    """The recorded request is the one made here, and its answer meets the expectation."""
    name, reply, action = case
    step = recorded_cases()[name]
    sent: Any = step["call"]
    if isinstance(sent, dict):
        ids = {"FRAMEWORK": transcripts.load(ERRORS)["steps"][1]["call"]["framework_id"]["value"]}
        ids |= {"EXECUTOR": "x-errors"}
        uuid = sent.get("update", {}).get("status", {}).get("uuid", "")
        assert sent == fill(action["body"], {**ids, "UUID": uuid})
    else:
        assert sent == action["body"]
    assert step.get("headers", JSON_HEADERS) == action.get("headers", JSON_HEADERS)
    _, status, reason = step["response"]["status"].split(" ", 2)
    answer = Response(int(status), reason, (), step["response"]["body"])
    framework_id = sent["framework_id"]["value"] if "framework_id" in sent else ""
    names = {"FRAMEWORK": framework_id, "EXECUTOR": "x-errors"}
    unrecorded = ("Date", "Content-Type", "Allow")
    problems = [item for item in reply.problems(answer, names) if not item.startswith(unrecorded)]
    assert problems == []


MEGABYTE = 2**20
UNHEARD = 150
"""Messages of a megabyte for who does not read; a third of them is what the agent keeps."""
MISBEHAVIOUR: dict[str, list[Json]] = {
    "messages": [{"do": "flood", "kind": "MESSAGE", "count": 100, "size": 200_000}],
    "updates": [{"do": "flood", "kind": "UPDATE", "count": 300, "size": 50_000}],
    "output": [{"do": "print", "size": 50 * MEGABYTE}],
    "half": [{"do": "half"}],
    "deaf": [{"do": "deaf"}],
    "stay": [{"do": "stay"}],
}
"""What each executor does when its task runs; all but one then tell that it is over."""


@pytest.mark.documented("docs/executor-http-api.md")
def test_executors_that_misbehave_disturb_nobody(own_cluster: PocketCluster) -> None:
    """They flood, stop in the middle, do not listen: others' tasks run, memory is bounded."""
    master = own_cluster.start_master()
    agent = own_cluster.start_agent(str(master.address), executor_shutdown_grace_period="1secs")
    cluster = own_cluster.cluster()
    bad = cluster.subscribe("bad")
    before = agent.memory()
    offer = bad.offer(cpus=1, mem=1024)
    bad.launch(offer, *(misbehaving(cluster, bad, name) for name in MISBEHAVIOUR))
    bad.accepted("SUPPRESS")
    bad.wait_status("deaf", "TASK_RUNNING")
    agent_id = cluster.agent.agent_id
    for _ in range(UNHEARD):
        bad.send(agent_id, "deaf", b"x" * MEGABYTE)
    good = cluster.subscribe("good")
    good.launch(good.offer(), command_task("good", agent_id, "true"))
    good.wait_status("good", "TASK_FINISHED")
    for name in MISBEHAVIOUR.keys() - {"deaf"}:
        bad.wait_status(name, "TASK_FINISHED")
    metrics = cluster.agent.get("/metrics/snapshot").json
    eventually(lambda: metrics()["slave/valid_framework_messages"] == UNHEARD, "all messages")
    assert agent.memory() - before < 180 * MEGABYTE
    for name in MISBEHAVIOUR:
        bad.accepted(
            "SHUTDOWN", shutdown={"executor_id": {"value": name}, "agent_id": {"value": agent_id}}
        )
    exited = bad.wait_status("deaf", "TASK_FAILED")
    assert exited["reason"] == "REASON_EXECUTOR_TERMINATED"
    eventually(lambda: not cluster.agent.get("/containers").json(), "no container")


def misbehaving(cluster: Cluster, scheduler: Scheduler, name: str) -> Json:
    executor = executor_info(name, scheduler.framework_id, resources=small(mem=96))
    what = [RUNNING, *MISBEHAVIOUR[name], update("TASK_FINISHED")]
    return executor_task(name, cluster.agent.agent_id, executor, *what)
