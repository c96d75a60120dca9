"""Custom executors: the agent's side of the executor API, and what schedulers see of it."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

import pytest

from . import messages, transcripts
from .cluster import eventually
from .custom_executor import RUNNING, actions, executor_info, executor_task, report_of, update
from .expect import Status, from_executor
from .scheduler import bare_task, command_task

if TYPE_CHECKING:
    from .cluster import Cluster
    from .scheduler import Json, Scheduler

LIFE = "executor/life.json"
VIEW = "executor/scheduler_view.json"
SHUTDOWN = "scheduler/custom_executor_message_shutdown.json"

TOLD_RUNNING = from_executor("TASK_RUNNING")
TOLD_FINISHED = from_executor("TASK_FINISHED", "all done")
TERMINATED = Status(
    "TASK_FAILED", "SOURCE_AGENT", "REASON_EXECUTOR_TERMINATED", "Executor terminated"
)


def kinds(report: Json) -> list[str]:
    return [event["type"] for event in report["events"]]


def of_kind(report: Json, kind: str) -> list[Json]:
    return [event[kind.lower()] for event in report["events"] if event["type"] == kind]


@pytest.fixture
def life(cluster: Cluster, scheduler: Scheduler) -> Json:
    """What an executor saw of two tasks: one ran, was messaged and killed, one finished."""
    offer = scheduler.offer(cpus=0.3, mem=96)
    agent_id = cluster.agent.agent_id
    executor = executor_info(
        "x-life",
        scheduler.framework_id,
        environment={"MY_VAR": "42"},
        name="life",
        source="src",
        data=base64.b64encode(b"exec-data").decode(),
        labels={"labels": [{"key": "a", "value": "b"}]},
    )
    finish = update("TASK_FINISHED", "all done", "result")
    scheduler.launch(
        offer,
        executor_task("life1", agent_id, executor, RUNNING),
        executor_task("life2", agent_id, executor, RUNNING, finish),
    )
    scheduler.wait_status("life1", "TASK_RUNNING")
    scheduler.wait_status("life2", "TASK_FINISHED")
    grace = {"grace_period": {"nanoseconds": 1_000_000_000}}
    scheduler.kill("life1", kill_policy=grace)
    scheduler.wait_status("life1", "TASK_KILLED")
    report = report_of(scheduler, agent_id, "x-life")
    report["executor"] = executor
    return report


@pytest.mark.transcript(LIFE)
def test_events_are_messages(life: Json) -> None:
    """Every event that an executor gets is a v1 message."""
    problems = [
        messages.event_problems(event, messages.EXECUTOR_EVENTS) for event in life["events"]
    ]
    assert problems == [[] for _ in life["events"]]


@pytest.mark.transcript(LIFE)
def test_subscribed(cluster: Cluster, scheduler: Scheduler, life: Json) -> None:
    """SUBSCRIBED comes first and gives executor, framework, agent and container."""
    assert kinds(life)[0] == "SUBSCRIBED"
    (subscribed,) = of_kind(life, "SUBSCRIBED")
    told, given = subscribed["executor_info"], life["executor"]
    for key in ("executor_id", "framework_id", "name", "source", "data", "labels", "type"):
        assert told[key] == given[key]
    assert told["command"]["value"] == given["command"]["value"]
    assert told["command"]["shell"] is True
    role = {"role": scheduler.framework_info["roles"][0]}
    assert all(item["allocation_info"] == role for item in told["resources"])
    framework = subscribed["framework_info"]
    assert framework["id"]["value"] == scheduler.framework_id
    for key in ("name", "user", "roles"):
        assert framework[key] == scheduler.framework_info[key]
    assert subscribed["agent_info"]["id"]["value"] == cluster.agent.agent_id
    container = scheduler.statuses("life1")[0]["container_status"]["container_id"]
    assert subscribed["container_id"] == container


@pytest.mark.transcript(LIFE)
def test_launch_event(cluster: Cluster, life: Json) -> None:
    """LAUNCH hands over the task as the scheduler described it, with its executor."""
    tasks = [launch["task"] for launch in of_kind(life, "LAUNCH")]
    assert [task["task_id"]["value"] for task in tasks] == ["life1", "life2"]
    for task in tasks:
        assert task["agent_id"]["value"] == cluster.agent.agent_id
        assert task["executor"]["executor_id"]["value"] == "x-life"
    assert tasks[0]["data"] == actions(RUNNING)


@pytest.mark.transcript(LIFE)
def test_acknowledgements_reach_the_executor(scheduler: Scheduler, life: Json) -> None:
    """Each status that the scheduler acknowledged comes back as ACKNOWLEDGED, in order."""
    told = of_kind(life, "ACKNOWLEDGED")
    for task_id in ("life1", "life2"):
        sent = [status["uuid"] for status in scheduler.statuses(task_id)]
        got = [item["uuid"] for item in told if item["task_id"]["value"] == task_id]
        assert got == sent[: len(got)]
        assert got, "none at all"


@pytest.mark.transcript(LIFE)
def test_kill_event(life: Json) -> None:
    """KILL names the task and hands on the scheduler's kill policy."""
    grace = {"grace_period": {"nanoseconds": 1_000_000_000}}
    assert of_kind(life, "KILL") == [{"task_id": {"value": "life1"}, "kill_policy": grace}]


@pytest.mark.transcript(VIEW)
def test_statuses_of_an_executor(scheduler: Scheduler, life: Json) -> None:
    """What the executor says reaches the scheduler unchanged: state, message and data."""
    first, second = scheduler.statuses("life2")
    assert TOLD_RUNNING.problems(first) == []
    assert TOLD_FINISHED.problems(second) == []
    assert base64.b64decode(second["data"]) == b"result"
    killed = from_executor("TASK_KILLED", "killed by the executor")
    assert killed.problems(scheduler.statuses("life1")[-1]) == []
    containers = {
        status["container_status"]["container_id"]["value"]
        for status in scheduler.statuses("life1") + scheduler.statuses("life2")
    }
    assert len(containers) == 1


@pytest.mark.transcript("executor/environment.json")
def test_environment(cluster: Cluster, scheduler: Scheduler, life: Json) -> None:
    """The executor's environment tells it who it is and where its agent is."""
    seen = life["environment"]
    agent = cluster.agent.state()
    wanted = {
        "MESOS_FRAMEWORK_ID": scheduler.framework_id,
        "MESOS_EXECUTOR_ID": "x-life",
        "MESOS_SLAVE_ID": agent["id"],
        "MESOS_SLAVE_PID": agent["pid"],
        "MESOS_CHECKPOINT": "0",
        "MESOS_HTTP_COMMAND_EXECUTOR": "0",
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": agent["flags"]["executor_shutdown_grace_period"],
        "MESOS_SANDBOX": seen["MESOS_DIRECTORY"],
        "LIBPROCESS_PORT": "0",
        "MY_VAR": "42",
    }
    assert {name: seen.get(name) for name in wanted} == wanted
    assert re.fullmatch(r".+:\d+", seen["MESOS_AGENT_ENDPOINT"])
    (framework,) = (item for item in agent["frameworks"] if item["id"] == scheduler.framework_id)
    (executor,) = framework["executors"]
    assert seen["MESOS_DIRECTORY"] == executor["directory"]
    assert seen["PWD"] == executor["directory"]


@pytest.mark.transcript(SHUTDOWN)
def test_messages(scheduler: Scheduler) -> None:
    """Bytes travel both ways; a message to an executor that is not there is taken and lost."""
    offer = scheduler.offer(cpus=0.2, mem=64)
    agent_id = offer["agent_id"]["value"]
    executor = executor_info("talker", scheduler.framework_id)
    scheduler.launch(offer, executor_task("m1", agent_id, executor, RUNNING))
    scheduler.wait_status("m1", "TASK_RUNNING")
    scheduler.send(agent_id, "none", b"x")
    payload = bytes(range(256))
    scheduler.send(agent_id, "talker", payload)
    event = scheduler.wait_kind("MESSAGE")
    assert base64.b64decode(event["data"]) == b"echo:" + payload
    assert event["agent_id"]["value"] == agent_id
    assert event["executor_id"]["value"] == "talker"


@pytest.mark.transcript(SHUTDOWN)
def test_shutdown(scheduler: Scheduler) -> None:
    """SHUTDOWN ends an executor: its running tasks fail, and a FAILURE gives its status."""
    offer = scheduler.offer(cpus=0.4, mem=128)
    agent_id = offer["agent_id"]["value"]
    executor = executor_info("rawx", scheduler.framework_id)
    finish = update("TASK_FINISHED", "all done")
    scheduler.launch(
        offer,
        executor_task("m1", agent_id, executor, RUNNING),
        executor_task("m2", agent_id, executor, RUNNING, finish),
        executor_task("m3", agent_id, executor, RUNNING),
    )
    for task_id, state in {"m1": "RUNNING", "m2": "FINISHED", "m3": "RUNNING"}.items():
        scheduler.wait_status(task_id, f"TASK_{state}")
    ids = {"executor_id": {"value": "rawx"}, "agent_id": {"value": agent_id}}
    scheduler.accepted("SHUTDOWN", shutdown=ids)
    assert scheduler.wait_kind("FAILURE").body["failure"] == {**ids, "status": 0}
    for task_id in ("m1", "m3"):
        assert TERMINATED.problems(scheduler.wait_status(task_id, "TASK_FAILED")) == []
    assert scheduler.states("m2") == ["TASK_RUNNING", "TASK_FINISHED"]
    nobody = {**ids, "executor_id": {"value": "none"}}
    scheduler.accepted("SHUTDOWN", shutdown=nobody)


@pytest.mark.transcript(VIEW)
@pytest.mark.parametrize(
    ("command", "status"),
    [("exit 7", 7 << 8), ("/no/such/executor", 127 << 8)],
    ids=["exits before it subscribes", "does not exist"],
)
def test_executor_that_never_was(scheduler: Scheduler, command: str, status: int) -> None:
    """An executor that ends before it subscribed fails its task; FAILURE has the wait status."""
    offer = scheduler.offer(cpus=0.2, mem=64)
    agent_id = offer["agent_id"]["value"]
    executor = executor_info("x-exit", scheduler.framework_id, command=command)
    scheduler.launch(offer, bare_task("exit", agent_id, executor=executor))
    failure = scheduler.wait_kind("FAILURE").body["failure"]
    assert failure["status"] == status
    assert (failure["agent_id"]["value"], failure["executor_id"]["value"]) == (agent_id, "x-exit")
    assert TERMINATED.problems(scheduler.wait_status("exit", "TASK_FAILED")) == []


@pytest.mark.transcript(VIEW)
def test_executor_that_exits(scheduler: Scheduler) -> None:
    """An executor that ends takes its running task along."""
    offer = scheduler.offer(cpus=0.2, mem=64)
    agent_id = offer["agent_id"]["value"]
    executor = executor_info("x-texit", scheduler.framework_id)
    scheduler.launch(offer, executor_task("texit", agent_id, executor, RUNNING))
    scheduler.wait_status("texit", "TASK_RUNNING")
    exits = json.dumps([{"do": "exit", "status": 3}])
    scheduler.send(agent_id, "x-texit", exits.encode())
    assert scheduler.wait_kind("FAILURE")["status"] == 3 << 8
    assert TERMINATED.problems(scheduler.wait_status("texit", "TASK_FAILED")) == []


@pytest.mark.transcript("scheduler/framework_life.json")
def test_executor_in_offers(scheduler: Scheduler) -> None:
    """An agent's offers name the framework's executors that already run there."""
    offer = scheduler.offer(cpus=0.2, mem=64)
    assert "executor_ids" not in offer
    agent_id = offer["agent_id"]["value"]
    executor = executor_info("raw-executor", scheduler.framework_id)
    scheduler.launch(
        offer,
        executor_task("x1", agent_id, executor, RUNNING),
    )
    scheduler.wait_status("x1", "TASK_RUNNING")
    assert scheduler.offer()["executor_ids"] == [{"value": "raw-executor"}]


@pytest.mark.transcript(LIFE)
def test_executor_stays_for_the_next_task(scheduler: Scheduler) -> None:
    """A later task of the same executor runs in the process that is already there."""
    offer = scheduler.offer(cpus=0.2, mem=64)
    agent_id = offer["agent_id"]["value"]
    executor = executor_info("stays", scheduler.framework_id)
    finish = update("TASK_FINISHED")
    scheduler.launch(offer, executor_task("one", agent_id, executor, RUNNING, finish))
    one = scheduler.wait_status("one", "TASK_FINISHED")
    scheduler.launch(scheduler.offer(), executor_task("two", agent_id, executor, RUNNING, finish))
    two = scheduler.wait_status("two", "TASK_FINISHED")
    assert one["container_status"] == two["container_status"]


@pytest.mark.transcript(SHUTDOWN)
def test_teardown_ends_executors(cluster: Cluster, scheduler: Scheduler) -> None:
    """TEARDOWN ends the stream, and every executor and task of the framework."""
    offer = scheduler.offer(cpus=0.3, mem=96)
    agent_id = offer["agent_id"]["value"]
    executor = executor_info("doomed", scheduler.framework_id)
    scheduler.launch(
        offer,
        executor_task("with-executor", agent_id, executor, RUNNING),
        command_task("command", agent_id, "sleep 1000"),
    )
    for task_id in ("with-executor", "command"):
        scheduler.wait_status(task_id, "TASK_RUNNING")
    framework_id = scheduler.framework_id
    scheduler.accepted("TEARDOWN")
    assert scheduler.wait_ended() == "last chunk"
    assert cluster.framework(framework_id) is None
    over = cluster.completed(framework_id) or {}
    assert (over["active"], over["connected"], over["tasks"]) == (False, False, [])
    assert over["unregistered_time"] > over["registered_time"]
    assert {task["state"] for task in over["completed_tasks"]} == {"TASK_KILLED"}

    def gone() -> bool:
        state = cluster.agent.state()
        return all(item["id"] != framework_id for item in state["frameworks"])

    eventually(gone, "the framework gone from its agent")
    assert framework_id in {item["id"] for item in cluster.agent.state()["completed_frameworks"]}


# The same expectations, held against recordings.


@transcripts.recorded
@pytest.mark.transcript(VIEW)
@pytest.mark.parametrize(
    ("name", "task_id", "expected"),
    [
        (VIEW, "life2", [TOLD_RUNNING, TOLD_FINISHED]),
        (VIEW, "texit", [TOLD_RUNNING, TERMINATED]),
        (VIEW, "exit", [TERMINATED]),
        (VIEW, "nocmd", [TERMINATED]),
        (VIEW, "no-such-task", [TOLD_RUNNING]),
        (SHUTDOWN, "m1", [TOLD_RUNNING, TERMINATED]),
        (SHUTDOWN, "m2", [TOLD_RUNNING, TOLD_FINISHED]),
    ],
)
def test_real_mesos_tells_of_executors_so(name: str, task_id: str, expected: list[Status]) -> None:
    """The recorded statuses of the same deed meet the expectation."""
    pairs = zip(expected, transcripts.updates(name, task_id), strict=True)
    assert [wanted.problems(status) for wanted, status in pairs] == [[] for _ in expected]


@transcripts.recorded
@pytest.mark.transcript(VIEW)
def test_real_mesos_gives_such_wait_statuses() -> None:
    """Recorded FAILURE events carry the wait statuses asserted here."""
    failures = [event["failure"] for event in transcripts.events(VIEW, "FAILURE")]
    statuses = {item["executor_id"]["value"]: item["status"] for item in failures}
    wanted = {"x-life": 0, "x-exit": 7 << 8, "x-texit": 3 << 8, "x-nocmd": 127 << 8}
    assert {key: statuses[key] for key in wanted} == wanted


@transcripts.recorded
@pytest.mark.transcript("executor/environment.json")
def test_real_mesos_sets_such_variables() -> None:
    """The recorded environment has every variable asserted here."""
    whole = transcripts.load("executor/environment.json")
    (seen,) = (value for key, value in whole.items() if key.startswith("custom executor"))
    assert seen["MESOS_SANDBOX"] == seen["MESOS_DIRECTORY"] == seen["PWD"]
    for name, value in {"MESOS_CHECKPOINT": "0", "LIBPROCESS_PORT": "0", "MY_VAR": "42"}.items():
        assert seen[name] == value
    for name in ("MESOS_AGENT_ENDPOINT", "MESOS_SLAVE_PID", "MESOS_HTTP_COMMAND_EXECUTOR"):
        assert seen[name]
