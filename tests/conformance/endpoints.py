"""The HTTP endpoints of master and agent: which paths there are, and what they return.

Paths: master/http/ and agent/http/ of the transcripts. Shapes: the GET_*.json files; a key
is required when every recording of the endpoint has it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .expect import JSON_TYPE, NOT_FOUND, TEXT_TYPE, Reply, not_allowed, refused
from .names import AGENT_FLAGS, AGENT_METRICS, MASTER_FLAGS, MASTER_METRICS
from .shape import ANY, FLAG, NUMBER, TEXT, Mapping, Matching, Record, Several, Shape

JSON = Reply(200, content_type=JSON_TYPE)
SCRIPT = Reply(200, content_type="text/javascript")
EMPTY = Reply(200, "")
TO_LEADER = Reply(307, "", location="//$LEADER")
NO_PATH = refused(400, "Expecting 'path=value' in query.\n")


@dataclass(frozen=True)
class Request:
    """A request without a body, and its answer."""

    method: str
    path: str
    reply: Reply

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def both(prefix: str, path: str, reply: Reply) -> tuple[Request, Request]:
    """The same endpoint with and without the process's prefix."""
    return Request("GET", path, reply), Request("GET", prefix + path, reply)


def get(path: str, reply: Reply) -> Request:
    """A GET."""
    return Request("GET", path, reply)


STATE_PATHS = ("/state", "/slaves", "/frameworks", "/tasks", "/flags")
MASTER_PATHS = (
    *(request for path in STATE_PATHS for request in both("/master", path, JSON)),
    *both("/master", "/health", EMPTY),
    *both("/master", "/redirect", TO_LEADER),
    *both("/master", "/api/v1/scheduler", not_allowed("GET", "POST")),
    *(get("/master(1)" + path, NOT_FOUND) for path in (*STATE_PATHS, "/health", "/redirect")),
    # These belong to processes of their own, without a prefix.
    get("/version", JSON),
    get("/master/version", NOT_FOUND),
    get("/metrics/snapshot", JSON),
    get("/master/metrics/snapshot", NOT_FOUND),
    get("/metrics", NOT_FOUND),
    get("/logging/toggle", Reply(200, content_type=TEXT_TYPE)),
    get("/files/debug", JSON),
    get("/master/files/debug", NOT_FOUND),
    get("/files/browse?path=/no/such", refused(404, "")),
    get("/files/browse", NO_PATH),
    get("/files/read?path=/no/such", refused(404, "")),
    get("/files/read", NO_PATH),
    get("/state.json", NOT_FOUND),
    get("/master/state.json", NOT_FOUND),
    get("/nosuch", NOT_FOUND),
    get("/master/nosuch", NOT_FOUND),
    get("/stateX", NOT_FOUND),
    # A deeper path reaches the endpoint above it, but for /version.
    get("/state/nosuch", JSON),
    get("/master/state/nosuch", JSON),
    get("/slaves/x", JSON),
    get("/metrics/snapshot/x", JSON),
    get("/version/x", NOT_FOUND),
    # Filters that match nothing.
    get("/slaves?slave_id=nope", JSON),
    get("/frameworks?framework_id=nope", JSON),
    get("/tasks?limit=0&order=asc", JSON),
    get("/version?jsonp=cb", SCRIPT),
    get("/state?jsonp=cb", SCRIPT),
)

METHODS = ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD")
READABLE = {"/state": JSON, "/version": JSON, "/slaves": JSON, "/metrics/snapshot": JSON}
MASTER_METHODS = (
    *(Request(method, path, reply) for path, reply in READABLE.items() for method in METHODS),
    *(Request(method, "/health", EMPTY) for method in METHODS),
    *(Request(method, "/redirect", TO_LEADER) for method in METHODS),
    *(Request(method, "/nosuch", NOT_FOUND) for method in METHODS if method != "HEAD"),
)

OWN_PATHS = ("/state", "/flags", "/containers", "/monitor/statistics")
AGENT_PATHS = (
    *(request for path in OWN_PATHS for request in both("/slave(1)", path, JSON)),
    *both("/slave(1)", "/health", EMPTY),
    *both("/slave(1)", "/api/v1/executor", not_allowed("GET", "POST")),
    get("/slave/state", NOT_FOUND),
    get("/slave/health", NOT_FOUND),
    get("/slave/flags", NOT_FOUND),
    get("/slave(1)/nosuch", NOT_FOUND),
    get("/nosuch", NOT_FOUND),
    get("/redirect", NOT_FOUND),
    get("/tasks", NOT_FOUND),
    get("/state.json", NOT_FOUND),
    get("/metrics/snapshot", JSON),
    get("/slave(1)/metrics/snapshot", NOT_FOUND),
    get("/version", JSON),
)

# Shapes.

AMOUNTS = Record(
    {"cpus": NUMBER, "mem": NUMBER, "disk": NUMBER, "gpus": NUMBER},
    {"ports": Matching(r"\[\d+-\d+(, \d+-\d+)*\]")},
)
PROTOBUF_RESOURCES = Several(ANY)
AGENT_PID = Matching(r"slave\(\d+\)@.+:\d+")
MASTER_PID = Matching(r"master@.+:\d+")
BUILD: dict[str, Shape] = {
    "version": Matching(r"\d+(\.\d+)+"),
    "build_date": TEXT,
    "build_time": NUMBER,
    "build_user": TEXT,
}
BUILT_FROM: dict[str, Shape] = {"git_sha": TEXT, "git_branch": TEXT, "git_tag": TEXT}

STATUS = Record({"state": TEXT}, {"timestamp": NUMBER, "container_status": Record()})
TASK = Record(
    {
        "id": TEXT,
        "name": TEXT,
        "framework_id": TEXT,
        "executor_id": TEXT,
        "slave_id": TEXT,
        "state": Matching("TASK_[A-Z_]+"),
        "resources": AMOUNTS,
        "statuses": Several(STATUS),
    },
    {"role": TEXT, "labels": Several(ANY), "discovery": Record()},
)
FRAMEWORK = Record(
    {
        "id": TEXT,
        "name": TEXT,
        "user": TEXT,
        "hostname": TEXT,
        "webui_url": TEXT,
        "active": FLAG,
        "connected": FLAG,
        "recovered": FLAG,
        "checkpoint": FLAG,
        "failover_timeout": NUMBER,
        "registered_time": NUMBER,
        "unregistered_time": NUMBER,
        "capabilities": Several(TEXT),
        "used_resources": AMOUNTS,
        "offered_resources": AMOUNTS,
        "resources": AMOUNTS,
        "tasks": Several(TASK),
        "unreachable_tasks": Several(TASK),
        "completed_tasks": Several(TASK),
        "offers": Several(
            Record({"id": TEXT, "framework_id": TEXT, "slave_id": TEXT, "resources": AMOUNTS})
        ),
        "executors": Several(
            Record(
                {
                    "executor_id": TEXT,
                    "name": TEXT,
                    "framework_id": TEXT,
                    "slave_id": TEXT,
                    "command": Record({"argv": Several(TEXT), "uris": Several(ANY)}),
                    "resources": AMOUNTS,
                }
            )
        ),
    },
    {"roles": Several(TEXT), "role": TEXT, "principal": TEXT, "labels": Several(ANY)},
)
AGENT_SUMMARY = Record(
    {
        "id": TEXT,
        "hostname": TEXT,
        "port": NUMBER,
        "pid": AGENT_PID,
        "attributes": Record(),
        "registered_time": NUMBER,
        "resources": AMOUNTS,
        "used_resources": AMOUNTS,
        "offered_resources": AMOUNTS,
        "unreserved_resources": AMOUNTS,
        "reserved_resources": Mapping(AMOUNTS),
        "active": FLAG,
        "deactivated": FLAG,
        "version": TEXT,
        "capabilities": Several(TEXT),
    },
    {"reregistered_time": NUMBER},
)
AGENT_DETAILS = Record(
    {
        **AGENT_SUMMARY.required,
        "reserved_resources_full": Mapping(PROTOBUF_RESOURCES),
        "unreserved_resources_full": PROTOBUF_RESOURCES,
        "used_resources_full": PROTOBUF_RESOURCES,
        "offered_resources_full": PROTOBUF_RESOURCES,
    }
)
FRAMEWORK_LISTS: dict[str, Shape] = {
    "frameworks": Several(FRAMEWORK),
    "completed_frameworks": Several(FRAMEWORK),
    "unregistered_frameworks": Several(ANY),
}
MASTER_STATE = Record(
    {
        **BUILD,
        **FRAMEWORK_LISTS,
        "start_time": NUMBER,
        "elected_time": NUMBER,
        "id": TEXT,
        "pid": MASTER_PID,
        "hostname": TEXT,
        "capabilities": Several(TEXT),
        "activated_slaves": NUMBER,
        "deactivated_slaves": NUMBER,
        "unreachable_slaves": NUMBER,
        "leader": MASTER_PID,
        "leader_info": Record({"id": TEXT, "pid": MASTER_PID, "port": NUMBER, "hostname": TEXT}),
        "flags": Mapping(TEXT, MASTER_FLAGS),
        "slaves": Several(AGENT_SUMMARY),
        "recovered_slaves": Several(Record({"id": TEXT, "hostname": TEXT, "port": NUMBER})),
        "orphan_tasks": Several(ANY),
    },
    {**BUILT_FROM, "log_dir": TEXT, "cluster": TEXT},
)
MASTER_SHAPES: dict[str, Shape] = {
    "/version": Record(BUILD, BUILT_FROM),
    "/state": MASTER_STATE,
    "/slaves": Record(
        {
            "slaves": Several(AGENT_DETAILS),
            "recovered_slaves": MASTER_STATE.required["recovered_slaves"],
        }
    ),
    "/frameworks": Record(FRAMEWORK_LISTS),
    "/tasks": Record({"tasks": Several(TASK)}),
    "/flags": Record({"flags": Mapping(TEXT, MASTER_FLAGS)}),
    "/metrics/snapshot": Mapping(NUMBER, MASTER_METRICS),
    "/files/debug": Mapping(TEXT),
}

AGENT_EXECUTOR = Record(
    {
        "id": TEXT,
        "name": TEXT,
        "source": TEXT,
        "container": TEXT,
        "directory": Matching(r"/.+/slaves/.+/frameworks/.+/executors/.+/runs/.+"),
        "resources": AMOUNTS,
        "tasks": Several(TASK),
        "queued_tasks": Several(ANY),
        "completed_tasks": Several(TASK),
    },
    {"role": TEXT, "type": TEXT, "labels": Several(ANY)},
)
AGENT_FRAMEWORK = Record(
    {
        "id": TEXT,
        "name": TEXT,
        "user": TEXT,
        "failover_timeout": NUMBER,
        "checkpoint": FLAG,
        "hostname": TEXT,
        "executors": Several(AGENT_EXECUTOR),
        "completed_executors": Several(AGENT_EXECUTOR),
    },
    {"roles": Several(TEXT), "role": TEXT, "principal": TEXT},
)
CONTAINER_USAGE = Record(
    {
        "executor_id": TEXT,
        "executor_name": TEXT,
        "framework_id": TEXT,
        "source": TEXT,
        "statistics": Record({"timestamp": NUMBER}),
    }
)
AGENT_SHAPES: dict[str, Shape] = {
    "/version": Record(BUILD, BUILT_FROM),
    "/state": Record(
        {
            **BUILD,
            "start_time": NUMBER,
            "id": TEXT,
            "pid": AGENT_PID,
            "hostname": TEXT,
            "capabilities": Several(TEXT),
            "resources": AMOUNTS,
            "reserved_resources": Mapping(AMOUNTS),
            "unreserved_resources": AMOUNTS,
            "reserved_resources_full": Mapping(PROTOBUF_RESOURCES),
            "unreserved_resources_full": PROTOBUF_RESOURCES,
            "reserved_resources_allocated": Mapping(AMOUNTS),
            "unreserved_resources_allocated": AMOUNTS,
            "resource_providers": Several(ANY),
            "attributes": Record(),
            "master_hostname": TEXT,
            "flags": Mapping(TEXT, AGENT_FLAGS),
            "frameworks": Several(AGENT_FRAMEWORK),
            "completed_frameworks": Several(AGENT_FRAMEWORK),
        },
        {**BUILT_FROM, "log_dir": TEXT},
    ),
    "/flags": Record({"flags": Mapping(TEXT, AGENT_FLAGS)}),
    "/metrics/snapshot": Mapping(NUMBER, AGENT_METRICS),
    "/containers": Several(
        Record({**CONTAINER_USAGE.required, "container_id": TEXT, "status": Record()})
    ),
    "/monitor/statistics": Several(CONTAINER_USAGE),
    "/files/debug": Mapping(TEXT),
}
