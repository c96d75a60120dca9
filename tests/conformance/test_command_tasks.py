"""Command tasks: how they start, how they end, and what the scheduler is told."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from . import transcripts
from .cluster import eventually
from .expect import Status, from_executor, reconciled
from .scheduler import command_task

if TYPE_CHECKING:
    from .cluster import Cluster
    from .scheduler import Json, Scheduler

RECORDING = "scheduler/task_terminal_states.json"
RUNNING = from_executor("TASK_RUNNING")
KILLING = from_executor("TASK_KILLING")
EXIT_0 = "Command exited with status 0"
TERMINATED = from_executor("TASK_KILLED", "Command terminated with signal Terminated")


def launch_failed(text: str) -> Status:
    pattern = re.compile("Failed to launch container: " + text)
    return Status("TASK_FAILED", "SOURCE_AGENT", "REASON_CONTAINER_LAUNCH_FAILED", pattern)


NO_SUCH_USER = Status(
    "TASK_DROPPED",
    "SOURCE_AGENT",
    "REASON_EXECUTOR_TERMINATED",
    re.compile(
        r"Failed to create executor directory '.+/runs/[0-9a-f-]+': "
        r"Failed to chown directory to 'nosuchuser': No such user 'nosuchuser'"
    ),
)
KILLED_EARLY = Status(
    "TASK_KILLED",
    "SOURCE_AGENT",
    "REASON_TASK_KILLED_DURING_LAUNCH",
    "Killed before delivery to the executor",
)


@dataclass(frozen=True)
class Ending:
    """A command and the statuses it leads to (TASK_STARTING apart)."""

    name: str
    command: str | Json
    statuses: tuple[Status, ...]
    fields: dict[str, Any] = field(default_factory=dict)


def ran(end: Status) -> tuple[Status, ...]:
    return (RUNNING, end)


ENDINGS = (
    Ending("finish0", "exit 0", ran(from_executor("TASK_FINISHED", EXIT_0))),
    Ending("exit3", "exit 3", ran(from_executor("TASK_FAILED", "Command exited with status 3"))),
    Ending(
        "segv",
        "kill -SEGV $$",
        ran(from_executor("TASK_FAILED", "Command terminated with signal Segmentation fault")),
    ),
    Ending(
        "notfound",
        "/no/such/program",
        ran(from_executor("TASK_FAILED", "Command exited with status 127")),
    ),
    Ending(
        "noshell",
        {"shell": False, "value": "/bin/echo", "arguments": ["echo", "a b"]},
        ran(from_executor("TASK_FINISHED", EXIT_0)),
    ),
    Ending(
        "fetchfail",
        {"value": "true", "uris": [{"value": "file:///no/such/file"}]},
        (
            launch_failed(
                r"Failed to fetch all URIs for container '[0-9a-f-]+': exited with status 1"
            ),
        ),
    ),
)


def history_problems(statuses: list[Json], expected: tuple[Status, ...]) -> list[str]:
    """Hold a task's statuses against what was expected, one by one."""
    told = [status for status in statuses if status["state"] != "TASK_STARTING"]
    if [status["state"] for status in told] != [status.state for status in expected]:
        return [f"states: {[status['state'] for status in statuses]}"]
    pairs = zip(expected, told, strict=True)
    return [problem for wanted, status in pairs for problem in wanted.problems(status)]


def shared_fields_problems(statuses: list[Json], agent_id: str) -> list[str]:
    """What all statuses of one command task have: agent, executor, one container."""
    found = []
    containers = set()
    for status in statuses:
        task_id = status["task_id"]["value"]
        if status["agent_id"]["value"] != agent_id:
            found.append(f"{task_id}: agent_id {status['agent_id']}")
        if status.get("executor_id", {}).get("value") != task_id:
            found.append(f"{task_id}: executor_id {status.get('executor_id')}")
        if status["source"] == "SOURCE_EXECUTOR":
            containers.add(status["container_status"]["container_id"]["value"])
    return found if len(containers) <= 1 else [*found, f"containers: {containers}"]


@pytest.mark.transcript(RECORDING)
def test_endings(cluster: Cluster, scheduler: Scheduler) -> None:
    """However a command ends, state, source, reason and message are Mesos'."""
    offer = scheduler.offer(cpus=0.1 * len(ENDINGS), mem=32 * len(ENDINGS))
    agent_id = cluster.agent.agent_id
    tasks = [command_task(item.name, agent_id, item.command) for item in ENDINGS]
    scheduler.launch(offer, *tasks)
    problems = {}
    for item in ENDINGS:
        scheduler.wait_status(item.name, item.statuses[-1].state)
        statuses = scheduler.statuses(item.name)
        problems[item.name] = history_problems(statuses, item.statuses)
        problems[item.name] += shared_fields_problems(statuses, agent_id)
    assert problems == {item.name: [] for item in ENDINGS}


@pytest.mark.transcript(RECORDING)
def test_unknown_user(cluster: Cluster, scheduler: Scheduler, offer: Json) -> None:
    """A task of a user that the agent does not have is dropped, since it cannot own a sandbox."""
    if cluster.agent.flags["switch_user"] != "true" or cluster.user != "root":
        pytest.skip("needs an agent of root with --switch_user")
    command = {"value": "true", "user": "nosuchuser"}
    scheduler.launch(offer, command_task("baduser", offer["agent_id"]["value"], command))
    assert NO_SUCH_USER.problems(scheduler.wait_status("baduser", "TASK_DROPPED")) == []


@pytest.mark.transcript(RECORDING)
def test_kill(scheduler: Scheduler, offer: Json) -> None:
    """KILL ends the command by SIGTERM, and says so with TASK_KILLING to who understands it."""
    agent_id = offer["agent_id"]["value"]
    scheduler.launch(offer, command_task("victim", agent_id, "sleep 1000"))
    scheduler.wait_status("victim", "TASK_RUNNING")
    scheduler.kill("victim", agent_id={"value": agent_id})
    scheduler.wait_status("victim", "TASK_KILLED")
    told = scheduler.statuses("victim")
    assert history_problems(told, (RUNNING, KILLING, TERMINATED)) == []


@pytest.mark.transcript("scheduler/acknowledge_and_reconcile.json")
def test_kill_without_killing_state(cluster: Cluster) -> None:
    """A framework without TASK_KILLING_STATE hears of the end only."""
    scheduler = cluster.subscribe(capabilities=("MULTI_ROLE", "PARTITION_AWARE"))
    offer = scheduler.offer()
    scheduler.launch(offer, command_task("r1", offer["agent_id"]["value"], "sleep 1000"))
    scheduler.wait_status("r1", "TASK_RUNNING")
    scheduler.kill("r1")
    scheduler.wait_status("r1", "TASK_KILLED")
    assert history_problems(scheduler.statuses("r1"), (RUNNING, TERMINATED)) == []


def wait_printed(cluster: Cluster, scheduler: Scheduler, task_id: str, text: str) -> None:
    """Wait until the task has written this to its stdout."""
    path = cluster.agent.sandbox(scheduler.framework_id, task_id) + "/stdout"
    eventually(lambda: cluster.agent.read(path) == text, f"{text!r} from {task_id}")


@pytest.mark.transcript(RECORDING)
def test_kill_policies(cluster: Cluster, scheduler: Scheduler) -> None:
    """A task that ignores SIGTERM is killed after its grace period, or KILL's own."""
    offer = scheduler.offer(cpus=0.3, mem=96)
    agent_id = offer["agent_id"]["value"]
    ignores = "trap '' TERM; echo ready; while true; do sleep 0.2; done"
    exits = "trap 'exit 0' TERM; echo ready; while true; do sleep 0.1; done"
    grace = {"grace_period": {"nanoseconds": 2_000_000_000}}
    shorter = {"grace_period": {"nanoseconds": 1_000_000_000}}
    scheduler.launch(
        offer,
        command_task("stubborn", agent_id, ignores, kill_policy=grace),
        command_task("stubborn2", agent_id, ignores),
        command_task("polite", agent_id, exits),
    )
    for task_id in ("stubborn", "stubborn2", "polite"):
        scheduler.wait_status(task_id, "TASK_RUNNING")
        wait_printed(cluster, scheduler, task_id, "ready\n")
    asked = time.monotonic()
    scheduler.kill("stubborn")
    scheduler.kill("stubborn2", kill_policy=shorter)
    scheduler.kill("polite")
    killed = from_executor("TASK_KILLED", "Command terminated with signal Killed")
    ends = {
        "polite": from_executor("TASK_KILLED", EXIT_0),
        "stubborn2": killed,
        "stubborn": killed,
    }
    for task_id, end in ends.items():
        scheduler.wait_status(task_id, "TASK_KILLED")
        assert history_problems(scheduler.statuses(task_id), (RUNNING, KILLING, end)) == []
    took = time.monotonic() - asked
    assert took >= 2


@pytest.mark.transcript(RECORDING)
def test_kill_of_unknown_tasks(cluster: Cluster, scheduler: Scheduler) -> None:
    """KILL of a task that nobody knows is answered as a question about it would be."""
    scheduler.kill("nobody")
    expected = reconciled("TASK_UNKNOWN", "Task is unknown")
    assert expected.problems(scheduler.wait_status("nobody", "TASK_UNKNOWN")) == []
    scheduler.kill("nobody2", agent_id={"value": cluster.agent.agent_id})
    expected = reconciled("TASK_GONE", "Task is unknown to the agent")
    assert expected.problems(scheduler.wait_status("nobody2", "TASK_GONE")) == []


@pytest.mark.transcript(RECORDING)
def test_kill_right_after_launch(scheduler: Scheduler, offer: Json) -> None:
    """A task that is killed while it is launched ends as TASK_KILLED, wherever it was."""
    scheduler.launch(offer, command_task("early", offer["agent_id"]["value"], "sleep 1000"))
    scheduler.kill("early")
    status = scheduler.wait_status("early", "TASK_KILLED")
    if status["source"] == "SOURCE_AGENT":
        assert KILLED_EARLY.problems(status) == []


@pytest.mark.transcript("executor/environment.json")
def test_environment(cluster: Cluster, scheduler: Scheduler, offer: Json) -> None:
    """A command sees its sandbox, its ids and its own variables, and starts in the sandbox."""
    agent_id = offer["agent_id"]["value"]
    checks = ['test "$(pwd)" = "$MESOS_SANDBOX"', 'test "$MESOS_DIRECTORY" = "$MESOS_SANDBOX"']
    variables = {
        "MESOS_SLAVE_ID": agent_id,
        "MESOS_FRAMEWORK_ID": scheduler.framework_id,
        "MESOS_EXECUTOR_ID": "envtask",
        "MESOS_ALLOCATION_ROLE": scheduler.framework_info["roles"][0],
        "MY_VAR": "42",
    }
    checks += [f'test "${name}" = "{value}"' for name, value in variables.items()]
    command = {
        "value": " && ".join(checks) + " || exit 9",
        "environment": {"variables": [{"name": "MY_VAR", "value": "42"}]},
    }
    scheduler.launch(offer, command_task("envtask", agent_id, command))
    status = scheduler.wait(
        lambda event: event.kind == "UPDATE" and event["status"]["state"] in ENDED, "end"
    )["status"]
    assert (status["state"], status["message"]) == ("TASK_FINISHED", EXIT_0)


ENDED = {"TASK_FINISHED", "TASK_FAILED", "TASK_LOST", "TASK_DROPPED", "TASK_ERROR", "TASK_GONE"}


@pytest.mark.transcript("master/running/GET_tasks.json")
def test_labels_and_discovery(cluster: Cluster, scheduler: Scheduler, offer: Json) -> None:
    """What a task says of itself for others to find is shown in /tasks."""
    labels = [{"key": "k", "value": "v"}, {"key": "only-key"}]
    ports = {"ports": [{"number": 31000, "name": "http", "protocol": "tcp"}]}
    discovery = {"visibility": "CLUSTER", "name": "labelled", "ports": ports}
    task = command_task(
        "labelled",
        offer["agent_id"]["value"],
        "exit 0",
        labels={"labels": labels},
        discovery=discovery,
    )
    scheduler.launch(offer, task)
    scheduler.wait_status("labelled", "TASK_FINISHED")
    tasks = cluster.get(f"/tasks?framework_id={scheduler.framework_id}").json()["tasks"]
    assert [(task["labels"], task["discovery"]) for task in tasks] == [(labels, discovery)]


# The same expectations, held against recordings.


def recorded_command(task_id: str) -> Json | None:
    for step in transcripts.steps(RECORDING, "call"):
        for operation in step["call"].get("accept", {}).get("operations", []):
            for task in operation["launch"]["task_infos"]:
                if task["task_id"]["value"] == task_id:
                    return dict(task["command"])
    return None


@transcripts.recorded
@pytest.mark.transcript(RECORDING)
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda ending: ending.name)
def test_real_mesos_ends_so(ending: Ending) -> None:
    """The recorded command is the one run here, and so are its statuses."""
    command = ending.command if isinstance(ending.command, dict) else {"value": ending.command}
    assert recorded_command(ending.name) == command
    statuses = transcripts.updates(RECORDING, ending.name)
    assert history_problems(statuses, ending.statuses) == []
    agent_id = statuses[0]["agent_id"]["value"]
    assert shared_fields_problems(statuses, agent_id) == []


@transcripts.recorded
@pytest.mark.transcript(RECORDING)
@pytest.mark.parametrize(
    ("name", "task_id", "expected"),
    [
        (RECORDING, "baduser", (NO_SUCH_USER,)),
        (RECORDING, "early", (KILLED_EARLY,)),
        (RECORDING, "nobody", (reconciled("TASK_UNKNOWN", "Task is unknown"),)),
        (RECORDING, "nobody2", (reconciled("TASK_GONE", "Task is unknown to the agent"),)),
        (RECORDING, "polite", (RUNNING, KILLING, from_executor("TASK_KILLED", EXIT_0))),
        (
            RECORDING,
            "stubborn",
            (
                RUNNING,
                KILLING,
                from_executor("TASK_KILLED", "Command terminated with signal Killed"),
            ),
        ),
        ("scheduler/framework_life.json", "t-sleep", (RUNNING, KILLING, TERMINATED)),
    ],
)
def test_real_mesos_tells_so(name: str, task_id: str, expected: tuple[Status, ...]) -> None:
    """The recorded statuses of the same deed meet the expectation."""
    assert history_problems(transcripts.updates(name, task_id), expected) == []
