"""Requests that the scheduler API refuses, or takes without effect."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from . import transcripts
from .expect import fill
from .scheduler import PATH
from .scheduler_errors import REMOVED, SUBSCRIBED, UNSUBSCRIBED, Case
from .wire import request

if TYPE_CHECKING:
    from .cluster import Cluster
    from .scheduler import Scheduler

RECORDING = "scheduler/errors.json"
CASES = [*UNSUBSCRIBED, *SUBSCRIBED, *REMOVED]


def names_of(scheduler: Scheduler) -> dict[str, str]:
    return {
        "FRAMEWORK": scheduler.framework_id,
        "STREAM": scheduler.stream_id,
        "USER": scheduler.framework_info["user"],
    }


def answer(cluster: Cluster, case: Case, names: dict[str, str]) -> list[str]:
    """Make the request; return what is wrong with its answer."""
    body, headers = fill(case.call, names), fill(case.headers, names)
    found = request(cluster.master, case.method, PATH, body, headers)
    return case.reply.problems(found, names)


@pytest.fixture(scope="module")
def subscribed(shared_cluster: Cluster) -> Scheduler:
    """A framework that all cases of this module share."""
    return shared_cluster.subscribe("errors")


@pytest.mark.transcript(RECORDING)
@pytest.mark.parametrize("case", UNSUBSCRIBED, ids=lambda case: case.name)
def test_request_without_framework(cluster: Cluster, case: Case) -> None:
    """A malformed or misplaced request gets Mesos' status, text and headers."""
    assert answer(cluster, case, {"USER": cluster.user}) == []


@pytest.mark.transcript(RECORDING)
@pytest.mark.parametrize("case", SUBSCRIBED, ids=lambda case: case.name)
def test_request_of_subscribed_framework(
    cluster: Cluster, subscribed: Scheduler, case: Case
) -> None:
    """A call of a connected framework is refused with Mesos' text, or accepted with 202."""
    assert answer(cluster, case, names_of(subscribed)) == []


@pytest.mark.transcript(RECORDING)
def test_calls_after_teardown(cluster: Cluster, scheduler: Scheduler) -> None:
    """A framework that was torn down is unknown to every later call."""
    names = names_of(scheduler)
    scheduler.accepted("TEARDOWN")
    assert scheduler.wait_ended() == "last chunk"
    assert [answer(cluster, case, names) for case in REMOVED] == [[], []]


def decoded(body: Any) -> Any:
    """Bodies are compared as JSON where they are JSON, however they were written down."""
    try:
        return json.loads(body) if isinstance(body, str) else body
    except ValueError:
        return body


def recorded_names(entry: dict[str, Any]) -> dict[str, str]:
    """Take the ids of a recorded request for `$FRAMEWORK` and `$STREAM`."""
    body = decoded(entry["request"].get("body"))
    framework = body.get("framework_id") if isinstance(body, dict) else None
    return {
        "USER": "root",
        "FRAMEWORK": framework["value"] if isinstance(framework, dict) else "",
        "STREAM": dict(entry["request"].get("headers", [])).get("Mesos-Stream-Id", ""),
    }


@transcripts.recorded
@pytest.mark.transcript(RECORDING)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_real_mesos_meets_the_table(case: Case) -> None:
    """The recorded request is the one made here, and its answer meets the expectation."""
    entry = transcripts.load(RECORDING)[case.name]
    names = recorded_names(entry)
    assert decoded(entry["request"].get("body")) == decoded(fill(case.call, names))
    assert dict(entry["request"].get("headers", [])) == fill(case.headers, names)
    assert case.reply.problems(transcripts.response(entry["response"]), names) == []


@transcripts.recorded
@pytest.mark.transcript(RECORDING)
def test_table_is_complete() -> None:
    """Every recorded request has its case, but for those that have a test of their own."""
    elsewhere = {
        "unknown path",  # no error: opens the operator's event stream
        "subscribed: UPDATE_FRAMEWORK changing user",
        "subscribed: TEARDOWN",
    }
    assert transcripts.load(RECORDING).keys() - elsewhere == {case.name for case in CASES}
