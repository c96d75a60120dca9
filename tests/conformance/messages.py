"""The v1 messages that masters send to schedulers and agents to executors.

Fields and their names are those of the public v1 protobuf messages; `required` holds
what a message never lacks. Transcripts: every event stream in scheduler/ and executor/.
"""

from __future__ import annotations

import json
from typing import Any

from .shape import ANY, FLAG, NUMBER, TEXT, Base64, Mapping, Matching, Record, Several, message

IDENTIFIER = message({"value": TEXT})
AGENT_ID = IDENTIFIER
UUID = Base64(length=16)
TASK_STATE = Matching(r"TASK_[A-Z_]+")
ROLE_ALLOCATION = message({}, {"role": TEXT})
LABELS = message({}, {"labels": Several(message({"key": TEXT}, {"value": TEXT}))})

RESOURCE = message(
    {"name": TEXT, "type": Matching("SCALAR|RANGES|SET")},
    {
        "provider_id": IDENTIFIER,
        "scalar": message({"value": NUMBER}),
        "ranges": message({}, {"range": Several(message({"begin": NUMBER, "end": NUMBER}))}),
        "set": message({}, {"item": Several(TEXT)}),
        "role": TEXT,
        "allocation_info": ROLE_ALLOCATION,
        "reservation": ANY,
        "reservations": Several(ANY),
        "disk": ANY,
        "revocable": ANY,
        "shared": ANY,
    },
)
ATTRIBUTE = message(
    {"name": TEXT, "type": Matching("SCALAR|RANGES|SET|TEXT")},
    {"scalar": ANY, "ranges": ANY, "set": ANY, "text": message({"value": TEXT})},
)
ADDRESS = message({"port": NUMBER}, {"hostname": TEXT, "ip": TEXT})
URL = message(
    {"scheme": TEXT, "address": ADDRESS},
    {"path": TEXT, "query": Several(ANY), "fragment": TEXT},
)
OFFER = message(
    {
        "id": IDENTIFIER,
        "framework_id": IDENTIFIER,
        "agent_id": AGENT_ID,
        "hostname": TEXT,
        "url": URL,
        "resources": Several(RESOURCE),
    },
    {
        "attributes": Several(ATTRIBUTE),
        "executor_ids": Several(IDENTIFIER),
        "allocation_info": ROLE_ALLOCATION,
        "domain": ANY,
        "unavailability": ANY,
    },
)

CONTAINER_ID = message({"value": TEXT})
CONTAINER_ID.optional["parent"] = CONTAINER_ID
CONTAINER_STATUS = message(
    {},
    {
        "container_id": CONTAINER_ID,
        "network_infos": Several(ANY),
        "cgroup_info": ANY,
        "executor_pid": NUMBER,
    },
)
TASK_STATUS = message(
    {"task_id": IDENTIFIER, "state": TASK_STATE},
    {
        "message": TEXT,
        "source": Matching("SOURCE_(MASTER|AGENT|EXECUTOR)"),
        "reason": Matching(r"REASON_[A-Z_]+"),
        "data": Base64(),
        "agent_id": AGENT_ID,
        "executor_id": IDENTIFIER,
        "timestamp": NUMBER,
        "uuid": UUID,
        "healthy": FLAG,
        "check_status": ANY,
        "labels": LABELS,
        "container_status": CONTAINER_STATUS,
        "unreachable_time": message({"nanoseconds": NUMBER}),
        "limitation": message({}, {"resources": Several(RESOURCE)}),
    },
)

MASTER_INFO = message(
    {
        "id": TEXT,
        "ip": NUMBER,
        "port": NUMBER,
        "pid": Matching(r"master@.+:\d+"),
        "hostname": TEXT,
        "version": Matching(r"[0-9.]+"),
        "address": ADDRESS,
        "capabilities": Several(message({"type": TEXT})),
    },
    {"domain": ANY},
)

SCHEDULER_EVENTS: dict[str, Record] = {
    "SUBSCRIBED": message(
        {"framework_id": IDENTIFIER, "heartbeat_interval_seconds": NUMBER},
        {"master_info": MASTER_INFO},
    ),
    "OFFERS": message({"offers": Several(OFFER)}),
    "RESCIND": message({"offer_id": IDENTIFIER}),
    "UPDATE": message({"status": TASK_STATUS}),
    "MESSAGE": message({"agent_id": AGENT_ID, "executor_id": IDENTIFIER, "data": Base64()}),
    "FAILURE": message({}, {"agent_id": AGENT_ID, "executor_id": IDENTIFIER, "status": NUMBER}),
    "ERROR": message({"message": TEXT}),
    # Offer operations and inverse offers belong to a later version of this suite.
    "UPDATE_OPERATION_STATUS": Record(),
    "INVERSE_OFFERS": Record(),
    "RESCIND_INVERSE_OFFER": Record(),
}

COMMAND = message(
    {},
    {
        "value": TEXT,
        "shell": FLAG,
        "arguments": Several(TEXT),
        "environment": message({}, {"variables": Several(ANY)}),
        "uris": Several(ANY),
        "user": TEXT,
    },
)
EXECUTOR_INFO = message(
    {"executor_id": IDENTIFIER, "framework_id": IDENTIFIER},
    {
        "type": Matching("DEFAULT|CUSTOM"),
        "command": COMMAND,
        "container": ANY,
        "resources": Several(RESOURCE),
        "name": TEXT,
        "source": TEXT,
        "data": Base64(),
        "discovery": ANY,
        "shutdown_grace_period": ANY,
        "labels": LABELS,
    },
)
TASK_INFO = message(
    {"name": TEXT, "task_id": IDENTIFIER, "agent_id": AGENT_ID},
    {
        "resources": Several(RESOURCE),
        "limits": Mapping(ANY),
        "executor": EXECUTOR_INFO,
        "command": COMMAND,
        "container": ANY,
        "health_check": ANY,
        "check": ANY,
        "kill_policy": ANY,
        "data": Base64(),
        "labels": LABELS,
        "discovery": ANY,
        "max_completion_time": ANY,
    },
)
FRAMEWORK_INFO = message(
    {"user": TEXT, "name": TEXT, "id": IDENTIFIER},
    {
        "failover_timeout": NUMBER,
        "checkpoint": FLAG,
        "role": TEXT,
        "roles": Several(TEXT),
        "hostname": TEXT,
        "principal": TEXT,
        "webui_url": TEXT,
        "capabilities": Several(message({"type": TEXT})),
        "labels": LABELS,
        "offer_filters": Mapping(ANY),
    },
)
AGENT_INFO = message(
    {"hostname": TEXT, "id": AGENT_ID, "resources": Several(RESOURCE)},
    {"port": NUMBER, "attributes": Several(ATTRIBUTE), "domain": ANY},
)

EXECUTOR_EVENTS: dict[str, Record] = {
    "SUBSCRIBED": message(
        {
            "executor_info": EXECUTOR_INFO,
            "framework_info": FRAMEWORK_INFO,
            "agent_info": AGENT_INFO,
        },
        {"container_id": CONTAINER_ID},
    ),
    "LAUNCH": message({"task": TASK_INFO}),
    "LAUNCH_GROUP": message({"task_group": message({"tasks": Several(TASK_INFO)})}),
    "KILL": message({"task_id": IDENTIFIER}, {"kill_policy": ANY}),
    "ACKNOWLEDGED": message({"task_id": IDENTIFIER, "uuid": UUID}),
    "MESSAGE": message({"data": Base64()}),
    "ERROR": message({"message": TEXT}),
}
TIME = message({"nanoseconds": NUMBER})
AGENT = message(
    {
        "agent_info": AGENT_INFO,
        "active": FLAG,
        "deactivated": FLAG,
        "version": TEXT,
        "pid": Matching(r"slave\(\d+\)@.+:\d+"),
        "registered_time": TIME,
        "total_resources": Several(RESOURCE),
    },
    {
        "reregistered_time": TIME,
        "allocated_resources": Several(RESOURCE),
        "offered_resources": Several(RESOURCE),
        "capabilities": Several(message({"type": TEXT})),
        "resource_providers": Several(ANY),
        "drain_info": ANY,
        "estimated_drain_start_time": TIME,
    },
)
FRAMEWORK = message(
    {
        "framework_info": FRAMEWORK_INFO,
        "active": FLAG,
        "connected": FLAG,
        "recovered": FLAG,
        "registered_time": TIME,
        "reregistered_time": TIME,
        "unregistered_time": TIME,
    },
    {
        "offers": Several(OFFER),
        "allocated_resources": Several(RESOURCE),
        "offered_resources": Several(RESOURCE),
        "offer_constraints": ANY,
    },
)
TASK = message(
    {
        "name": TEXT,
        "task_id": IDENTIFIER,
        "framework_id": IDENTIFIER,
        "agent_id": AGENT_ID,
        "state": TASK_STATE,
        "resources": Several(RESOURCE),
    },
    {
        "executor_id": IDENTIFIER,
        "statuses": Several(TASK_STATUS),
        "status_update_state": TASK_STATE,
        "status_update_uuid": UUID,
        "labels": LABELS,
        "discovery": ANY,
        "container": ANY,
        "health_check": ANY,
        "kill_policy": ANY,
        "limits": Mapping(ANY),
        "user": TEXT,
    },
)
STATE = message(
    {
        "get_tasks": Mapping(Several(TASK), frozenset({"tasks"})),
        "get_executors": message({}, {"executors": Several(ANY)}),
        "get_frameworks": Mapping(Several(ANY), frozenset({"frameworks"})),
        "get_agents": Mapping(Several(ANY), frozenset({"agents"})),
    }
)

OPERATOR_EVENTS: dict[str, Record] = {
    "SUBSCRIBED": message({"get_state": STATE, "heartbeat_interval_seconds": NUMBER}),
    "AGENT_ADDED": message({"agent": AGENT}),
    "AGENT_REMOVED": message({"agent_id": AGENT_ID}),
    "FRAMEWORK_ADDED": message({"framework": FRAMEWORK}),
    "FRAMEWORK_UPDATED": message({"framework": FRAMEWORK}),
    "FRAMEWORK_REMOVED": message({"framework_info": FRAMEWORK_INFO}),
    "TASK_ADDED": message({"task": TASK}),
    "TASK_UPDATED": message(
        {"framework_id": IDENTIFIER, "status": TASK_STATUS, "state": TASK_STATE}
    ),
}
BARE_EVENTS = {"HEARTBEAT", "SHUTDOWN"}  # carry nothing but their type


def record_problems(record: bytes, kinds: dict[str, Record]) -> list[str]:
    """Hold a record of a stream against what an event is: JSON on one line, a known message."""
    if b"\n" in record:
        return [f"a record spans lines: {record!r:.200}"]
    try:
        return event_problems(json.loads(record), kinds)
    except ValueError:
        return [f"no JSON: {record!r:.200}"]


def event_problems(event: Any, kinds: dict[str, Record]) -> list[str]:
    """Hold an event against its message: the type, and one field named after it."""
    if not isinstance(event, dict) or not isinstance(event.get("type"), str):
        return [f"no event: {event!r:.200}"]
    kind = event["type"]
    if kind in BARE_EVENTS:
        return message({"type": TEXT}).problems(event, kind)
    if kind not in kinds:
        return [f"unknown event type '{kind}'"]
    return message({"type": TEXT, kind.lower(): kinds[kind]}).problems(event, kind)
