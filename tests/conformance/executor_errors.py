"""Requests that the suite's executor makes to /api/v1/executor, and the agent's answers.

Names are the notes of executor/errors.json. `$FRAMEWORK`, `$EXECUTOR` and `$UUID` are
filled by the executor itself.
"""

from __future__ import annotations

from typing import Any

from .expect import Reply, accepted, not_allowed, refused
from .scheduler import Json
from .scheduler_errors import BAD_ACCEPT, BAD_TYPE, HTML, NO_JSON, NO_TYPE, WRONG_TYPE

IDS = {"framework_id": {"value": "$FRAMEWORK"}, "executor_id": {"value": "$EXECUTOR"}}
INVALID = "Failed to validate Executor::Call: "
MISSING = "Failed to convert JSON into Call protobuf: Missing required fields: "
OF_EXECUTOR = "executor $EXECUTOR of framework $FRAMEWORK"
BAD_SOURCE = f"Received Call from {OF_EXECUTOR} with invalid source, expecting 'SOURCE_EXECUTOR'"


def call(kind: str | None, **fields: Any) -> Json:
    """A call of this executor; fields of None are left out."""
    body = {"type": kind, **IDS, **fields}
    return {key: value for key, value in body.items() if value is not None}


def status(task_id: str, state: str = "TASK_RUNNING", **fields: Any) -> Json:
    """An UPDATE call."""
    return call(
        "UPDATE", update={"status": {"task_id": {"value": task_id}, "state": state, **fields}}
    )


SUBSCRIBE = call("SUBSCRIBE", subscribe={})
Case = tuple[str, Reply, Json]


def case(name: str, reply: Reply, body: Any, **options: Any) -> Case:
    """A request by name, its answer, and the action that makes it."""
    return name, reply, {"do": "post", "name": name, "body": body, **options}


def bad(name: str, text: str, body: Any) -> Case:
    """A request that is answered with 400."""
    return case(name, refused(400, text), body)


BEFORE_SUBSCRIBE = (
    bad("UPDATE before SUBSCRIBE", INVALID + BAD_SOURCE, status("x", uuid="$UUID")),
    case(
        "MESSAGE before SUBSCRIBE",
        refused(403, "Executor is not subscribed"),
        call("MESSAGE", message={"data": "aGk="}),
    ),
    bad("invalid JSON", NO_JSON + "bad json", "{bad json"),
    bad("no type", INVALID + "Expecting 'type' to be present", call(None)),
    bad("unknown type", INVALID + "Expecting 'type' to be present", call("NOSUCH")),
    bad(
        "no framework_id",
        MISSING + "framework_id",
        call("SUBSCRIBE", subscribe={}, framework_id=None),
    ),
    bad(
        "no executor_id", MISSING + "executor_id", call("SUBSCRIBE", subscribe={}, executor_id=None)
    ),
    bad(
        "SUBSCRIBE without subscribe body",
        INVALID + "Expecting 'subscribe' to be present",
        call("SUBSCRIBE"),
    ),
    bad(
        "unknown framework id",
        "Framework cannot be found",
        {**SUBSCRIBE, "framework_id": {"value": "no-such-framework"}},
    ),
    bad(
        "unknown executor id",
        "Executor cannot be found",
        {**SUBSCRIBE, "executor_id": {"value": "no-such-executor"}},
    ),
    case("wrong Content-Type", refused(415, BAD_TYPE), SUBSCRIBE, headers=WRONG_TYPE),
    case(
        "no Content-Type",
        refused(400, "Expecting 'Content-Type' to be present"),
        SUBSCRIBE,
        headers=NO_TYPE,
    ),
    case("unsupported Accept", refused(406, BAD_ACCEPT), SUBSCRIBE, headers=HTML),
    case("GET", not_allowed("GET", "POST"), "", method="GET"),
)
OWN = {"uuid": "$UUID", "source": "SOURCE_EXECUTOR"}
SUBSCRIBED = (
    bad("UPDATE without uuid", INVALID + "Expecting 'uuid' to be present", status("odd")),
    bad(
        "UPDATE with a 3 byte uuid",
        INVALID + "Not a valid UUID",
        status("odd", **{**OWN, "uuid": "AAAA"}),
    ),
    bad(
        "UPDATE with source SOURCE_MASTER",
        INVALID + BAD_SOURCE,
        status("odd", **{**OWN, "source": "SOURCE_MASTER"}),
    ),
    bad(
        "UPDATE with state TASK_STAGING",
        INVALID + f"Received TASK_STAGING from {OF_EXECUTOR} which is not allowed",
        status("odd", "TASK_STAGING", **OWN),
    ),
    bad("UPDATE without update", INVALID + "Expecting 'update' to be present", call("UPDATE")),
    bad("MESSAGE without message", INVALID + "Expecting 'message' to be present", call("MESSAGE")),
    case("HEARTBEAT call", accepted(), call("HEARTBEAT")),
    case("UPDATE for a task never launched here", accepted(), status("no-such-task", **OWN)),
)
