"""The operator API of master and agent: calls that read, files, and what is refused."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from . import transcripts
from .cluster import eventually
from .expect import JSON_TYPE, NOT_FOUND, TEXT_TYPE, Reply, not_allowed, refused
from .scheduler import command_task
from .wire import Address, EventStream, Response, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cluster import Cluster
    from .pocket import PocketCluster

MASTER = "master/operator_api/errors_and_files.json"
AGENT = "agent/operator_api_errors.json"
JSON_HEADERS = {"Content-Type": JSON_TYPE, "Accept": JSON_TYPE}
JSON = Reply(200, content_type=JSON_TYPE)

# Name in the recording: the call's body, and the answer.
Table = dict[str, tuple[Any, Reply]]

MASTER_REFUSALS: Table = {
    "no type": (
        {},
        refused(400, "Failed to validate master::Call: Expecting 'type' to be present"),
    ),
    "unknown type": (
        {"type": "NOSUCH"},
        refused(400, "Failed to validate master::Call: Expecting 'type' to be present"),
    ),
    "invalid json": (
        "{bad",
        refused(400, "Failed to parse body into JSON: syntax error at line 1 near: bad"),
    ),
    "LIST_FILES without list_files": (
        {"type": "LIST_FILES"},
        refused(400, "Failed to validate master::Call: Expecting 'list_files' to be present"),
    ),
    "LIST_FILES unknown path": (
        {"type": "LIST_FILES", "list_files": {"path": "/nope"}},
        Reply(404, "", TEXT_TYPE),
    ),
    "READ_FILE unknown": (
        {"type": "READ_FILE", "read_file": {"path": "/nope", "offset": 0}},
        Reply(404, "", TEXT_TYPE),
    ),
    "READ_FILE no offset": (
        {"type": "READ_FILE", "read_file": {"path": "/master/log"}},
        refused(
            400,
            "Failed to convert JSON into Call protobuf: Missing required fields: read_file.offset",
        ),
    ),
    "GET_METRICS without get_metrics": (
        {"type": "GET_METRICS"},
        refused(400, "Failed to validate master::Call: Expecting 'get_metrics' to be present"),
    ),
    "TEARDOWN unknown framework": (
        {"type": "TEARDOWN", "teardown": {"framework_id": {"value": "nope"}}},
        refused(400, "No framework found with specified ID"),
    ),
    "TEARDOWN without body": (
        {"type": "TEARDOWN"},
        refused(400, "Failed to validate master::Call: Expecting 'teardown' to be present"),
    ),
    "MARK_AGENT_GONE unknown": (
        {"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value": "nope"}}},
        refused(404, "Agent 'nope' not found"),
    ),
    "DRAIN_AGENT unknown": (
        {"type": "DRAIN_AGENT", "drain_agent": {"agent_id": {"value": "nope"}}},
        refused(400, "Unknown agent"),
    ),
    "GET_CONTAINERS sent to a master": (
        {"type": "GET_CONTAINERS"},
        refused(400, "Failed to validate master::Call: Expecting 'type' to be present"),
    ),
}
AGENT_REFUSALS: Table = {
    "no type": ({}, refused(400, "Failed to validate agent::Call: Expecting 'type' to be present")),
    "unknown type": (
        {"type": "NOSUCH"},
        refused(400, "Failed to validate agent::Call: Expecting 'type' to be present"),
    ),
    "LIST_FILES unknown": (
        {"type": "LIST_FILES", "list_files": {"path": "/nope"}},
        Reply(404, "", TEXT_TYPE),
    ),
}


def call(address: Address, body: Any) -> Response:
    """POST a call to the operator API."""
    return request(address, "POST", "/api/v1", body, JSON_HEADERS)


def answer(address: Address, type_: str, **fields: Any) -> Any:
    """Make a call that reads and return what it answers under its own name."""
    found = call(address, {"type": type_, **fields})
    assert JSON.problems(found) == []
    assert found.json()["type"] == type_
    return found.json()[type_.lower()]


@pytest.mark.transcript(MASTER)
@pytest.mark.parametrize("name", MASTER_REFUSALS)
def test_a_master_refuses(cluster: Cluster, name: str) -> None:
    """A call that is malformed, unknown or about nothing is answered with Mesos' sentence."""
    body, reply = MASTER_REFUSALS[name]
    assert reply.problems(call(cluster.master, body)) == []


@pytest.mark.transcript(AGENT)
@pytest.mark.parametrize("name", AGENT_REFUSALS)
def test_an_agent_refuses(cluster: Cluster, name: str) -> None:
    """The agent's sentences name its own calls."""
    body, reply = AGENT_REFUSALS[name]
    assert reply.problems(call(cluster.agent.address, body)) == []


@pytest.mark.transcript("master/idle/v1_GET_HEALTH.json")
@pytest.mark.parametrize("which", ["master", "agent"])
def test_both_answer_who_they_are(cluster: Cluster, which: str) -> None:
    """Health, version, flags, logging level and metrics are those that the endpoints show."""
    address = cluster.master if which == "master" else cluster.agent.address
    assert answer(address, "GET_HEALTH") == {"healthy": True}
    version = request(address, "GET", "/version").json()
    assert answer(address, "GET_VERSION")["version_info"]["version"] == version["version"]
    flags = {pair["name"]: pair["value"] for pair in answer(address, "GET_FLAGS")["flags"]}
    assert flags == request(address, "GET", "/flags").json()["flags"]
    assert isinstance(answer(address, "GET_LOGGING_LEVEL")["level"], int)
    metrics = answer(address, "GET_METRICS", get_metrics={})["metrics"]
    shown = request(address, "GET", "/metrics/snapshot").json()
    assert {metric["name"] for metric in metrics} == set(shown)


@pytest.mark.transcript(MASTER)
@pytest.mark.parametrize("which", ["master", "agent"])
def test_the_logging_level_is_changed_for_a_while(own_cluster: PocketCluster, which: str) -> None:
    """The daemon says more until the time is over."""
    master = own_cluster.start_master()
    daemon = own_cluster.start_agent(str(master.address)) if which == "agent" else master
    assert answer(daemon.address, "GET_LOGGING_LEVEL") == {"level": 0}
    for level, seconds in ((1, 60), (2, 0.2)):
        wanted = {"level": level, "duration": {"nanoseconds": int(seconds * 1e9)}}
        body = {"type": "SET_LOGGING_LEVEL", "set_logging_level": wanted}
        assert Reply(200, "").problems(call(daemon.address, body)) == []
        if seconds > 1:
            assert answer(daemon.address, "GET_LOGGING_LEVEL") == {"level": level}
    eventually(
        lambda: answer(daemon.address, "GET_LOGGING_LEVEL") == {"level": 0}, "the level as before"
    )


DEEPER = "master/http/unknown_path_with_body.json"
NO_TYPE = refused(400, "Failed to validate master::Call: Expecting 'type' to be present")
PATHS = {
    "POST /nosuch with a JSON body": ("POST", "/nosuch", {"a": 1}, NOT_FOUND),
    "POST /nosuch empty": ("POST", "/nosuch", "", NOT_FOUND),
    "POST /api/v1/nosuch": ("POST", "/api/v1/nosuch", {"a": 1}, NO_TYPE),
    "GET /api/v1/nosuch": ("GET", "/api/v1/nosuch", None, not_allowed("GET", "POST")),
}


@pytest.mark.transcript(DEEPER)
@pytest.mark.parametrize("name", PATHS)
def test_deeper_paths_reach_the_api(cluster: Cluster, name: str) -> None:
    """What lies below /api/v1 and is no API of its own is the operator API; a body is let go."""
    method, path, body, reply = PATHS[name]
    assert reply.problems(request(cluster.master, method, path, body, JSON_HEADERS)) == []


@pytest.mark.transcript(DEEPER)
def test_another_name_than_schedulers_opens_the_operators_stream(cluster: Cluster) -> None:
    """A scheduler that mistypes its path subscribes as an operator."""
    stream = EventStream(cluster.master, "/api/v1/schedulerx", {"type": "SUBSCRIBE"}, JSON_HEADERS)
    try:
        assert "get_state" in json.loads(next(stream.records()))["subscribed"]
    finally:
        stream.close()


@transcripts.recorded
@pytest.mark.transcript(DEEPER)
@pytest.mark.parametrize("name", PATHS)
def test_real_mesos_routes_so(name: str) -> None:
    """The recorded request is the one made here, and so is its answer."""
    method, path, body, reply = PATHS[name]
    entry = transcripts.load(DEEPER)[name]
    assert (entry["request"]["method"], entry["request"]["path"]) == (method, path)
    assert entry["request"].get("body") == body
    assert reply.problems(transcripts.response(entry["response"])) == []


TOGGLE = "/logging/toggle"
TOGGLES = {
    "?level=1": refused(400, "Expecting 'duration=value' in query.\n"),
    "?duration=1secs": refused(400, "Expecting 'level=value' in query.\n"),
    "?level=x&duration=1secs": refused(400, "Failed to convert 'x' to number.\n"),
    "?level=-1&duration=1secs": refused(400, "Invalid level '-1'.\n"),
}


@pytest.mark.documented("docs/endpoints/logging/toggle.md")
@pytest.mark.parametrize("which", ["master", "agent"])
def test_the_logging_level_is_toggled(own_cluster: PocketCluster, which: str) -> None:
    """The older way to have a daemon say more for a while, and what it refuses."""
    master = own_cluster.start_master()
    daemon = own_cluster.start_agent(str(master.address)) if which == "agent" else master
    for query, reply in TOGGLES.items():
        assert reply.problems(request(daemon.address, "GET", TOGGLE + query)) == []
    assert (
        Reply(200, "").problems(request(daemon.address, "POST", f"{TOGGLE}?level=2&duration=1mins"))
        == []
    )
    assert request(daemon.address, "GET", TOGGLE).body == "2\n"
    assert answer(daemon.address, "GET_LOGGING_LEVEL") == {"level": 2}
    request(daemon.address, "GET", f"{TOGGLE}?level=0&duration=1mins")
    assert request(daemon.address, "GET", TOGGLE).body == "0\n"


@transcripts.recorded
@pytest.mark.transcript(MASTER)
def test_real_mesos_changes_its_logging_level_so() -> None:
    """The recorded answers are those asserted here."""
    entries = transcripts.load(MASTER)
    response = transcripts.response(entries["SET_LOGGING_LEVEL"]["response"])
    assert Reply(200, "").problems(response) == []
    shown = entries["GET_LOGGING_LEVEL after"]["response"]["body"]["get_logging_level"]
    assert shown == {"level": 1}


@pytest.fixture
def running(cluster: Cluster) -> Iterator[dict[str, str]]:
    """A command task that runs until the test is over: the ids of its framework and container."""
    scheduler = cluster.subscribe("operator")
    agent_id = cluster.agent.agent_id
    scheduler.launch(scheduler.offer(), command_task("t-op", agent_id, "echo started; sleep 600"))
    status = scheduler.wait_status("t-op", "TASK_RUNNING")
    container = status["container_status"]["container_id"]["value"]
    yield {"framework": scheduler.framework_id, "container": container}


@pytest.mark.transcript("master/running/v1_GET_STATE.json")
def test_a_master_tells_what_runs(cluster: Cluster, running: dict[str, str]) -> None:
    """The master's calls show the framework, its task and its agent; GET_STATE holds them all."""
    master = cluster.master
    state = answer(master, "GET_STATE")
    for frameworks in (answer(master, "GET_FRAMEWORKS"), state["get_frameworks"]):
        ids = [one["framework_info"]["id"]["value"] for one in frameworks["frameworks"]]
        assert running["framework"] in ids
    for tasks in (answer(master, "GET_TASKS"), state["get_tasks"]):
        mine = [t for t in tasks["tasks"] if t["framework_id"]["value"] == running["framework"]]
        assert [(t["task_id"]["value"], t["state"]) for t in mine] == [("t-op", "TASK_RUNNING")]
    for agents in (answer(master, "GET_AGENTS"), state["get_agents"]):
        ids = [one["agent_info"]["id"]["value"] for one in agents["agents"]]
        assert cluster.agent.agent_id in ids
    assert answer(master, "GET_MASTER")["master_info"]["port"] == master.port


@pytest.mark.transcript("agent/running/v1_GET_STATE.json")
def test_an_agent_tells_what_runs(cluster: Cluster, running: dict[str, str]) -> None:
    """The agent's calls show the task among the launched ones, its executor and container."""
    agent = cluster.agent.address
    tasks = answer(agent, "GET_TASKS")["launched_tasks"]
    mine = [t for t in tasks if t["framework_id"]["value"] == running["framework"]]
    assert [t["task_id"]["value"] for t in mine] == ["t-op"]
    executors = answer(agent, "GET_EXECUTORS")["executors"]
    names = [one["executor_info"]["executor_id"]["value"] for one in executors]
    assert "t-op" in names
    containers = answer(agent, "GET_CONTAINERS")["containers"]
    assert running["container"] in [one["container_id"]["value"] for one in containers]
    assert answer(agent, "GET_AGENT")["agent_info"]["id"]["value"] == cluster.agent.agent_id


@pytest.mark.transcript("agent/running/files_endpoints.json")
def test_an_agent_hands_out_sandboxes(cluster: Cluster, running: dict[str, str]) -> None:
    """LIST_FILES and READ_FILE give the sandbox's files, their sizes, and bytes in base64."""
    folder = f"{cluster.agent.sandbox(running['framework'], 't-op')}"
    agent = cluster.agent.address
    eventually(lambda: "started\n" in cluster.agent.read(f"{folder}/stdout"), "its output")
    infos = answer(agent, "LIST_FILES", list_files={"path": folder})["file_infos"]
    assert {f"{folder}/stdout", f"{folder}/stderr"} <= {info["path"] for info in infos}
    whole = answer(agent, "READ_FILE", read_file={"path": f"{folder}/stdout", "offset": 0})
    data = base64.b64decode(whole["data"])
    assert b"started\n" in data and whole["size"] == len(data)
    piece = {"path": f"{folder}/stdout", "offset": 0, "length": 3}
    found = answer(agent, "READ_FILE", read_file=piece)
    assert base64.b64decode(found["data"]) == data[:3] and found["size"] >= len(data)
    behind = {"path": f"{folder}/stdout", "offset": 100_000}
    assert answer(agent, "READ_FILE", read_file=behind)["data"] == ""


@transcripts.recorded
@pytest.mark.transcript(MASTER)
@pytest.mark.parametrize(
    ("recording", "name", "reply"),
    [(MASTER, name, reply) for name, (_, reply) in MASTER_REFUSALS.items()]
    + [(AGENT, name, reply) for name, (_, reply) in AGENT_REFUSALS.items()],
)
def test_real_mesos_refuses_operator_calls_so(recording: str, name: str, reply: Reply) -> None:
    """The recorded answers meet what is asserted here."""
    entry = transcripts.load(recording)[name]
    assert reply.problems(transcripts.response(entry["response"])) == []
