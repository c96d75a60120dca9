"""Every endpoint and every call that reads, in the situations in which it was recorded."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from . import situations, transcripts
from .conftest import GIVEN
from .expect import RFC_1123
from .likeness import Likeness
from .names import absent_metric
from .pocket import PocketCluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .situations import Replay
    from .wire import Response

NESTED = "agent/running_task_group/v1_GET_CONTAINERS_nested.json"
"""What not every engine has: tasks of a group in containers of their own."""

FREE = re.compile(
    # How much is offered at this very moment.
    r"offered|offers$|^\$\.frameworks\[\d+\]\.resources|\.roles\[\d+\]\.resources"
    # The suite's own executor carries its program, and says in its own words that it was killed.
    r"|executors\[\d+\](\.executor_info)?\.command\.value|x1.*message$|statuses\[\d+\]\.message$"
    # Where the daemons' files are; the name of the loopback.
    r"|webui_dir|master_hostname|(log_dir|/log)$"
    # How soon an agent that does not answer is given up.
    r"|flags\.max_agent_ping_timeouts$"
    # What stands in a log, and since when.
    r"|^\$\.(data|offset)$|^\$\[0\]\.(mtime|size|uid|gid|mode|nlink|path)$"
)
OPTIONAL = re.compile(
    # Built from a repository; logging to files; flags that name registries of images.
    r"\.git_\w+$|log_dir$|/(master|slave)/log$|docker_registry$|flags\.attributes$"
    # The agent may learn a group's network and process after the group's first status.
    r"|statuses\[0\]\.container_status\.(network_infos|executor_pid)$"
    # Statistics that the kernel's cgroups have or have not.
    r"|mem_(kmem\w*|\w+_pressure_counter|unevictable_bytes|total_memsw\w+)$"
)
LIKENESS = Likeness(FREE, OPTIONAL)
DETECTED = Likeness(re.compile(rf"{FREE.pattern}|disk$|flags|scalar\.value$"), OPTIONAL)
"""As LIKENESS, for a machine whose disk was not told, and whose flags are others."""


def replayed(bring_about: Callable[[PocketCluster], Replay]) -> Iterator[Replay]:
    if GIVEN:
        pytest.skip("kills daemons; the cluster given by MESOS_MASTER is not the suite's to harm")
    run = PocketCluster()
    try:
        yield bring_about(run)
    finally:
        run.close()


@pytest.fixture(scope="module")
def idle() -> Iterator[Replay]:
    """A cluster of one idle agent, and its answers."""
    yield from replayed(situations.replay_idle)


@pytest.fixture(scope="module")
def busy() -> Iterator[Replay]:
    """A cluster of two agents and its answers, while a framework comes, works and goes."""
    yield from replayed(situations.replay_all)


def recordings(*folders: str) -> list[str]:
    return [name for folder in folders for name in situations.requests(folder)]


IDLE = set(recordings(*situations.IDLE_FOLDERS))
BUSY = set(recordings(*situations.RUNNING_FOLDERS, *situations.LATER_FOLDERS))
REGISTRY = "master/http/registry_endpoint.json"
"""The suite's test_registry.py has what is in it."""


@transcripts.recorded
@pytest.mark.transcript("master/idle/GET_state.json")
@pytest.mark.parametrize("name", sorted(IDLE - {REGISTRY}))
def test_idle_cluster_answers_as_recorded(idle: Replay, name: str) -> None:
    """An idle cluster's answer has the recorded head, keys and values."""
    assert problems(idle, name) == []


@transcripts.recorded
@pytest.mark.transcript("master/running/GET_state.json")
@pytest.mark.parametrize("name", [*sorted(BUSY - {NESTED}), situations.TEARDOWN])
def test_busy_cluster_answers_as_recorded(busy: Replay, name: str) -> None:
    """What shows frameworks, tasks and agents through their lives is as recorded."""
    assert problems(busy, name) == []


@pytest.fixture(scope="module")
def disconnected() -> Iterator[Replay]:
    """A master that has just lost its agent, and its answers."""
    yield from replayed(situations.replay_disconnected)


@transcripts.recorded
@pytest.mark.transcript(situations.DISCONNECTED)
@pytest.mark.parametrize("name", ["GET /state", "GET /slaves", "GET /tasks", "GET_AGENTS"])
def test_an_agent_that_has_just_died_is_shown_as_recorded(disconnected: Replay, name: str) -> None:
    """Until its time is over it counts as registered, its tasks as running; it is not active."""
    wanted = disconnected.translate(transcripts.load(situations.DISCONNECTED)[name])
    assert DETECTED.differences(wanted, disconnected.answers[name].json()) == []


@transcripts.recorded
@pytest.mark.transcript(situations.DISCONNECTED)
def test_an_agent_that_has_just_died_is_counted_as_recorded(disconnected: Replay) -> None:
    """Neither active nor unreachable."""
    wanted = transcripts.load(situations.DISCONNECTED)[situations.METRICS]
    found = disconnected.answers[situations.METRICS].json()
    assert {name: found.get(name) for name in wanted} == wanted


def problems(replay: Replay, name: str) -> list[str]:
    """Hold an answer against the recorded one."""
    recorded = transcripts.response(transcripts.load(name)["response"])
    found = replay.answers[name]
    differences = head_problems(recorded, found)
    wanted = decoded(recorded.body)
    if differences or wanted is None:
        return differences + ([] if recorded.body == found.body else [f"body: {found.body!r:.200}"])
    if "metrics" in name.lower():
        names = metrics_of(replay.translate(wanted))
        return metric_problems(names, metrics_of(decoded(found.body)))
    return LIKENESS.differences(replay.translate(wanted), decoded(found.body))


def decoded(body: str) -> Any:
    """Read JSON, as it is or as the argument of a function; None when it is neither."""
    inner = re.fullmatch(r"(\w*)\((.*)\)", body, re.DOTALL)
    try:
        return json.loads(body) if inner is None else {inner[1]: json.loads(inner[2])}
    except ValueError:
        return None


def head_problems(recorded: Response, found: Response) -> list[str]:
    """Hold status, reason and the order of the headers against the recorded ones."""
    problems = []
    if (recorded.status, recorded.reason) != (found.status, found.reason):
        problems.append(f"status: expected {recorded.status}, found {found.status} {found.body}")
    names = [[name for name, _ in answer.headers] for answer in (recorded, found)]
    if names[0] != names[1]:
        problems.append(f"headers: expected {names[0]}, found {names[1]}")
    if recorded.header("Content-Type") != found.header("Content-Type"):
        problems.append(f"Content-Type: {found.header('Content-Type')}")
    if not re.fullmatch(RFC_1123, found.header("Date") or ""):
        problems.append(f"Date: {found.header('Date')}")
    return problems


def metrics_of(answer: Any) -> set[str]:
    """Name the metrics of an answer in either form."""
    if "get_metrics" in answer:
        return {one["name"] for one in answer["get_metrics"]["metrics"]}
    return set(answer)


def metric_problems(recorded: set[str], found: set[str]) -> list[str]:
    """Metrics may be more than the recorded ones, but none of those may be missing."""
    missing = sorted(name for name in recorded - found if not absent_metric(name))
    return [f"metric {name} is missing" for name in missing]
