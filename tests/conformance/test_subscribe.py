"""SUBSCRIBE: the stream it opens, and the frameworks that are not let in."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from . import messages, transcripts
from .expect import RFC_1123
from .scheduler import PATH
from .wire import EventStream, Response

if TYPE_CHECKING:
    from .cluster import Cluster
    from .scheduler import Scheduler

UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
MULTI_ROLE = [{"type": "MULTI_ROLE"}]


def head_problems(head: Response) -> list[str]:
    """Say what is wrong with the head of an event stream."""
    wanted = {
        "Transfer-Encoding": "chunked",
        "Content-Type": "application/json",
        "Mesos-Stream-Id": UUID,
        "Date": RFC_1123,
    }
    return [
        f"{name}: {head.header(name)!r}"
        for name, pattern in wanted.items()
        if not re.fullmatch(pattern, head.header(name) or "")
    ]


def subscribed_problems(event: dict[str, Any]) -> list[str]:
    """Say what is wrong with a SUBSCRIBED event."""
    found = messages.event_problems(event, messages.SCHEDULER_EVENTS)
    subscribed = event["subscribed"]
    if subscribed["heartbeat_interval_seconds"] != 15.0:
        found.append(f"heartbeats: {subscribed['heartbeat_interval_seconds']}")
    info = subscribed["master_info"]
    if info["pid"] != f"master@{info['address']['ip']}:{info['port']}":
        found.append(f"pid: {info['pid']}")
    octets = info["address"]["ip"].split(".")
    if info["ip"] != int.from_bytes(bytes(int(octet) for octet in octets), "little"):
        found.append(f"ip: {info['ip']} is not {info['address']['ip']} in network order")
    return found


@pytest.mark.transcript("scheduler/framework_life.json")
def test_stream_opens(cluster: Cluster, scheduler: Scheduler) -> None:
    """SUBSCRIBE opens a chunked stream with an id, whose first event says who the master is."""
    assert scheduler.head.status == 200
    assert head_problems(scheduler.head) == []
    first = scheduler.wait(lambda event: True, "event")
    assert first.kind == "SUBSCRIBED"
    assert subscribed_problems(first.body) == []
    state = cluster.state()
    assert first["master_info"]["id"] == state["id"]
    assert first["master_info"]["hostname"] == state["hostname"]
    assert re.fullmatch(re.escape(state["id"]) + r"-\d{4,}", scheduler.framework_id)


@pytest.mark.transcript("scheduler/heartbeats.json")
def test_first_heartbeat_comes_at_once(cluster: Cluster) -> None:
    """A HEARTBEAT follows SUBSCRIBED before the interval has passed."""
    scheduler = cluster.subscribe()
    heartbeat = scheduler.wait_kind("HEARTBEAT")
    subscribed = scheduler.wait_kind("SUBSCRIBED")
    assert heartbeat.at - subscribed.at < subscribed["heartbeat_interval_seconds"]
    assert heartbeat.body == {"type": "HEARTBEAT"}


@pytest.mark.transcript("scheduler/subscribe_variants.json")
def test_accept_header_may_be_left_out(cluster: Cluster) -> None:
    """Without Accept the events are JSON."""
    call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": cluster.framework_info("bare")}}
    stream = EventStream(cluster.master, PATH, call, {"Content-Type": "application/json"})
    try:
        assert head_problems(stream.head) == []
        assert json.loads(next(stream.records()))["type"] == "SUBSCRIBED"
    finally:
        stream.close()


@pytest.mark.transcript("scheduler/subscribe_variants.json")
@pytest.mark.parametrize("roles", [["*"], []])
def test_default_role(cluster: Cluster, roles: list[str]) -> None:
    """A MULTI_ROLE framework may have the role `*`, or none."""
    if not roles and "permissive: false" in (cluster.flag("acls") or ""):
        pytest.skip("lists that are not permissive grant nothing to a framework without a role")
    scheduler = cluster.subscribe(roles=roles)
    assert scheduler.wait(lambda event: True, "event").kind == "SUBSCRIBED"


@pytest.mark.transcript("scheduler/subscribe_variants.json")
def test_id_of_its_own(cluster: Cluster) -> None:
    """A framework that brings an id the master has never seen keeps it."""
    framework_id = f"made-up-{uuid.uuid4()}"
    info = {**cluster.framework_info("id"), "id": {"value": framework_id}}
    assert cluster.subscribe(info=info).framework_id == framework_id


@pytest.mark.transcript("scheduler/framework_life.json")
def test_removed_framework_stays_out(cluster: Cluster, scheduler: Scheduler) -> None:
    """A framework that was torn down is told so on a stream that ends at once."""
    info = scheduler.info_with_id()
    scheduler.accepted("TEARDOWN")
    assert scheduler.wait_ended() == "last chunk"
    again = cluster.subscribe(info=info)
    assert again.wait_ended() == "last chunk"
    assert [event.body for event in again.events] == [
        {"type": "ERROR", "error": {"message": "Framework has been removed"}}
    ]


@dataclass(frozen=True)
class Refusal:
    """A framework that is not let in: its name in the recording, its fields, the reason."""

    name: str
    info: dict[str, Any]
    message: str
    suppressed: tuple[str, ...] = ()


ROLES = "'FrameworkInfo.roles' contains invalid role: "
REFUSALS = (
    Refusal(
        "role and MULTI_ROLE",
        {"role": "x", "capabilities": MULTI_ROLE},
        "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable",
    ),
    Refusal(
        "roles without MULTI_ROLE",
        {"roles": ["x"]},
        "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable",
    ),
    Refusal(
        "invalid role",
        {"roles": ["-x"], "capabilities": MULTI_ROLE},
        ROLES + "Role component '-x' is invalid because it starts with a dash",
    ),
    Refusal(
        "role with a space",
        {"roles": ["a b"], "capabilities": MULTI_ROLE},
        ROLES + "Role component 'a b' is invalid because it contains backspace or whitespace",
    ),
    Refusal(
        "role with slash at the end",
        {"roles": ["a/"], "capabilities": MULTI_ROLE},
        ROLES + "Role 'a/' cannot end with a slash",
    ),
    Refusal(
        "duplicate roles",
        {"roles": ["x", "x"], "capabilities": MULTI_ROLE},
        "'FrameworkInfo.roles' contains duplicate items: { x }",
    ),
    Refusal(
        "suppressed role not in roles",
        {"roles": ["x"], "capabilities": MULTI_ROLE},
        "Suppressed roles { y } are not contained in the set of roles",
        ("y",),
    ),
)


def error(message: str) -> dict[str, Any]:
    return {"type": "ERROR", "error": {"message": message}}


@pytest.mark.transcript("scheduler/subscribe_variants.json")
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_invalid_framework_is_refused(cluster: Cluster, refusal: Refusal) -> None:
    """An invalid FrameworkInfo is answered with a stream that holds one ERROR and ends."""
    info = {"user": cluster.user, "name": "e", **refusal.info}
    scheduler = cluster.subscribe(info=info, suppressed_roles=refusal.suppressed)
    assert head_problems(scheduler.head) == []
    scheduler.wait_ended()
    assert [event.body for event in scheduler.events] == [error(refusal.message)]


@transcripts.recorded
@pytest.mark.transcript("scheduler/subscribe_variants.json")
@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.name)
def test_real_mesos_refuses_so(refusal: Refusal) -> None:
    """The recorded SUBSCRIBE is the one made here, and so is its ERROR."""
    entry = transcripts.load("scheduler/subscribe_variants.json")[refusal.name]
    subscribe: dict[str, Any] = {"framework_info": {"user": "root", "name": "e", **refusal.info}}
    if refusal.suppressed:
        subscribe["suppressed_roles"] = list(refusal.suppressed)
    assert entry["request"]["subscribe"] == subscribe
    assert entry["events"] == [error(refusal.message)]
    assert entry["stream_closed_by_master"]


@transcripts.recorded
@pytest.mark.transcript("scheduler/framework_life.json")
@pytest.mark.parametrize("name", transcripts.files("scheduler", ".json"))
def test_real_mesos_opens_streams_so(name: str) -> None:
    """Every recorded stream has the head and the first event that are asserted here."""
    whole = transcripts.load(name)
    for step in whole.get("steps", []):
        if "subscribe" in step.get("event", {}).get("type", "").lower():
            assert subscribed_problems(step["event"]) == []
        if "stream" in step and "headers" in step.get("response", {}):
            headers = tuple((key, value) for key, value in step["response"]["headers"])
            assert head_problems(Response(200, "OK", headers, "")) == []


@transcripts.recorded
@pytest.mark.transcript("scheduler/framework_life.A.recordio")
@pytest.mark.parametrize(
    "name",
    [
        name
        for folder in ("scheduler", "ha", "executor", "master")
        for name in transcripts.files(folder, ".recordio")
    ],
)
def test_real_mesos_sends_these_messages(name: str) -> None:
    """Every event of every recorded stream is a v1 message on one line."""
    own = messages.SCHEDULER_EVENTS
    if name.endswith("events.recordio"):
        operators = name.startswith("master/")
        own = messages.OPERATOR_EVENTS if operators else messages.EXECUTOR_EVENTS
    records = transcripts.records(name)
    assert records
    for record in records:
        assert messages.record_problems(record, own) == []
