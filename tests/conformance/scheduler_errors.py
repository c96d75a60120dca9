"""Requests to /api/v1/scheduler that a master answers at once, and its answers.

Names are those of scheduler/errors.json. `$FRAMEWORK`, `$STREAM` and `$USER` stand for a
subscribed framework's id, stream id and user.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from .expect import Reply, accepted, not_allowed, refused
from .wire import JSON_HEADERS

INFO = {"user": "$USER", "name": "err", "roles": ["r"], "capabilities": [{"type": "MULTI_ROLE"}]}
SUBSCRIBE = {"type": "SUBSCRIBE", "subscribe": {"framework_info": INFO}}
NO_TYPE = {"Accept": "application/json"}
WRONG_TYPE = {**JSON_HEADERS, "Content-Type": "text/plain"}
CHARSET = {**JSON_HEADERS, "Content-Type": "application/json; charset=utf-8"}
HTML = {**JSON_HEADERS, "Accept": "text/html"}
RECORDIO = {**JSON_HEADERS, "Accept": "application/recordio"}

BAD_TYPE = "Expecting 'Content-Type' of application/json or application/x-protobuf"
BAD_ACCEPT = "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'"
INVALID = "Failed to validate scheduler::Call: "
UNREADABLE = "Failed to convert JSON into Call protobuf: "
NO_JSON = "Failed to parse body into JSON: syntax error at line 1 near: "


@dataclass(frozen=True)
class Case:
    """One request and its answer; `call` is a JSON value, or text as it is."""

    name: str
    reply: Reply
    call: Any = None
    headers: dict[str, str] = field(default_factory=lambda: dict(JSON_HEADERS))
    method: str = "POST"


def bad(name: str, text: str, call: Any, headers: dict[str, str] | None = None) -> Case:
    """A request that is answered with 400."""
    return Case(name, refused(400, text), call, headers or dict(JSON_HEADERS))


def bare(kind: str, framework_id: str = "$FRAMEWORK", **fields: Any) -> dict[str, Any]:
    """A call of a framework."""
    return {"type": kind, "framework_id": {"value": framework_id}, **fields}


def subscribe(info: Any, **fields: Any) -> dict[str, Any]:
    """A SUBSCRIBE call."""
    return {"type": "SUBSCRIBE", **fields, "subscribe": {"framework_info": info}}


ABC, DEF = {"value": "abc"}, {"value": "def"}
DIFFERS = INVALID + "'framework_id' differs from 'subscribe.framework_info.id'"
MISSING = UNREADABLE + "Missing required fields: "

UNSUBSCRIBED = (
    Case("GET", not_allowed("GET", "POST"), None, {}, "GET"),
    Case("PUT", not_allowed("PUT", "POST"), "{}", method="PUT"),
    bad("no type", INVALID + "Expecting 'type' to be present", {}),
    bad("invalid JSON", NO_JSON + "bad", "{bad"),
    bad("empty body", NO_JSON, ""),
    bad("JSON array", UNREADABLE + "Expecting a JSON object", "[]"),
    bad("unknown type", INVALID + "Expecting 'type' to be present", bare("NOSUCH", "x")),
    bad("lower case type", INVALID + "Expecting 'type' to be present", {"type": "subscribe"}),
    bad(
        "SUBSCRIBE without subscribe",
        INVALID + "Expecting 'subscribe' to be present",
        {"type": "SUBSCRIBE"},
    ),
    bad(
        "SUBSCRIBE without framework_info",
        MISSING + "subscribe.framework_info",
        {"type": "SUBSCRIBE", "subscribe": {}},
    ),
    bad(
        "SUBSCRIBE framework_info without name",
        MISSING + "subscribe.framework_info.name",
        subscribe({"user": "$USER"}),
    ),
    bad(
        "SUBSCRIBE framework_info without user",
        MISSING + "subscribe.framework_info.user",
        subscribe({"name": "x"}),
    ),
    bad("SUBSCRIBE framework_id only in call", DIFFERS, subscribe(INFO, framework_id=ABC)),
    bad(
        "SUBSCRIBE framework ids differ",
        DIFFERS,
        subscribe({**INFO, "id": DEF}, framework_id=ABC),
    ),
    bad("SUBSCRIBE framework_id only in framework_info", DIFFERS, subscribe({**INFO, "id": DEF})),
    Case("wrong Content-Type", refused(415, BAD_TYPE), SUBSCRIBE, WRONG_TYPE),
    bad("no Content-Type", "Expecting 'Content-Type' to be present", SUBSCRIBE, NO_TYPE),
    Case("Content-Type with charset", refused(415, BAD_TYPE), SUBSCRIBE, CHARSET),
    Case("unsupported Accept", refused(406, BAD_ACCEPT), SUBSCRIBE, HTML),
    Case("Accept application/recordio", refused(406, BAD_ACCEPT), SUBSCRIBE, RECORDIO),
    bad(
        "Mesos-Stream-Id sent with SUBSCRIBE",
        "Subscribe calls should not include the 'Mesos-Stream-Id' header",
        SUBSCRIBE,
        {**JSON_HEADERS, "Mesos-Stream-Id": "abc"},
    ),
    bad(
        "call with no framework_id",
        INVALID + "Expecting 'framework_id' to be present",
        {"type": "REVIVE"},
    ),
    bad("call with unknown framework_id", "Framework cannot be found", bare("REVIVE", "nope")),
    bad(
        "ACCEPT without accept",
        INVALID + "Expecting 'accept' to be present",
        bare("ACCEPT", "nope"),
    ),
    bad(
        "wrong field type",
        UNREADABLE + "Not expecting a JSON string for field 'offer_ids'",
        bare("DECLINE", "nope", decline={"offer_ids": "notalist"}),
    ),
    bad(
        "framework_id as a string",
        UNREADABLE + "Not expecting a JSON string for field 'framework_id'",
        {"type": "REVIVE", "framework_id": "nope"},
    ),
)

STREAM = {**JSON_HEADERS, "Mesos-Stream-Id": "$STREAM"}
NO_STREAM = "All non-subscribe calls should include the 'Mesos-Stream-Id' header"
OTHER_STREAM = "00000000-0000-0000-0000-000000000000"
STALE = (
    "The stream ID '{}' included in this request didn't match the stream ID currently"
    " associated with framework ID $FRAMEWORK"
)
TASK = {"agent_id": {"value": "a"}, "task_id": {"value": "t"}}
UUID = "MDEyMzQ1Njc4OWFiY2RlZg=="
ONE_CPU = [{"resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}]}]
OWN_INFO = {**INFO, "name": "ok"}


def absent(kind: str) -> Case:
    """A call that lacks the field named after its type."""
    name, field_name = f"{kind} without {kind.lower()}", kind.lower()
    return bad(name, INVALID + f"Expecting '{field_name}' to be present", bare(kind), STREAM)


def recorded_as(prefix: str, *cases: Case) -> tuple[Case, ...]:
    """Name cases as the transcript does, which tells by a prefix when they were asked."""
    return tuple(replace(case, name=f"{prefix}: {case.name}") for case in cases)


def good(name: str, call: Any, headers: dict[str, str] | None = None) -> Case:
    """A call that is accepted."""
    return Case(name, accepted(), call, headers or STREAM)


SUBSCRIBED = recorded_as(
    "subscribed",
    bad("call without Mesos-Stream-Id", NO_STREAM, bare("REVIVE")),
    bad(
        "wrong Mesos-Stream-Id",
        STALE.format(OTHER_STREAM),
        bare("REVIVE"),
        {**JSON_HEADERS, "Mesos-Stream-Id": OTHER_STREAM},
    ),
    bad("unknown type", INVALID + "Expecting 'type' to be present", bare("NOSUCH"), STREAM),
    *(absent(kind) for kind in ("ACCEPT", "DECLINE", "KILL", "MESSAGE", "SHUTDOWN", "RECONCILE")),
    good("DECLINE without offer_ids", bare("DECLINE", decline={})),
    good(
        "DECLINE of an unknown offer", bare("DECLINE", decline={"offer_ids": [{"value": "nope"}]})
    ),
    bad("KILL without task_id", MISSING + "kill.task_id", bare("KILL", kill={}), STREAM),
    bad(
        "ACKNOWLEDGE without uuid",
        MISSING + "acknowledge.uuid",
        bare("ACKNOWLEDGE", acknowledge=TASK),
        STREAM,
    ),
    bad(
        "ACKNOWLEDGE with a bad uuid",
        INVALID + "Not a valid UUID",
        bare("ACKNOWLEDGE", acknowledge={**TASK, "uuid": "AAAA"}),
        STREAM,
    ),
    good("ACKNOWLEDGE of an unknown task", bare("ACKNOWLEDGE", acknowledge={**TASK, "uuid": UUID})),
    good("REQUEST", bare("REQUEST", request={"requests": ONE_CPU})),
    good("SUPPRESS unknown role", bare("SUPPRESS", suppress={"roles": ["other"]})),
    good("REVIVE unknown role", bare("REVIVE", revive={"roles": ["other"]})),
    good("SUPPRESS invalid role", bare("SUPPRESS", suppress={"roles": ["-"]})),
    bad(
        "UPDATE_FRAMEWORK other id",
        INVALID + "'framework_id' differs from 'update_framework.framework_info.id'",
        bare(
            "UPDATE_FRAMEWORK",
            update_framework={"framework_info": {**OWN_INFO, "id": {"value": "zz"}}},
        ),
        STREAM,
    ),
    Case("wrong Content-Type", refused(415, BAD_TYPE), bare("REVIVE"), {**STREAM, **WRONG_TYPE}),
    good("unsupported Accept", bare("REVIVE"), {**STREAM, "Accept": "text/html"}),
    good("a good call", bare("REVIVE")),
    good(
        "good call without Accept",
        bare("REVIVE"),
        {key: value for key, value in STREAM.items() if key != "Accept"},
    ),
)

GONE = "Framework cannot be found"
REMOVED = recorded_as(
    "after TEARDOWN",
    bad("REVIVE", GONE, bare("REVIVE"), STREAM),
    bad("TEARDOWN again", GONE, bare("TEARDOWN"), STREAM),
)
