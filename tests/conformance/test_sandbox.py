"""Sandboxes as the agent's /files endpoints show them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from . import transcripts
from .endpoints import NO_PATH
from .expect import JSON_TYPE, Reply, refused
from .scheduler import command_task
from .shape import NUMBER, TEXT, Matching, Record, Several

if TYPE_CHECKING:
    from .cluster import Cluster

RECORDING = "agent/running/files_endpoints.json"
ENTRIES = Several(
    Record(
        {
            "path": TEXT,
            "size": NUMBER,
            "mtime": NUMBER,
            "nlink": NUMBER,
            "mode": Matching(r"[-dlpsbc]([-r][-w][-xsStT]){3}"),
            "uid": TEXT,
            "gid": TEXT,
        }
    )
)
JSON = Reply(200, content_type=JSON_TYPE)


@pytest.fixture(scope="module")
def sandbox(shared_cluster: Cluster) -> dict[str, str]:
    """The real and the virtual path of a running task's sandbox."""
    scheduler = shared_cluster.subscribe("sandbox")
    agent_id = shared_cluster.agent.agent_id
    # The task tells by its end that it has written everything.
    command = "echo started; echo note >&2; mkdir sub; echo in > sub/file"
    scheduler.launch(scheduler.offer(), command_task("t-files", agent_id, command))
    status = scheduler.wait_status("t-files", "TASK_FINISHED")
    container = status["container_status"]["container_id"]["value"]
    framework_id = scheduler.framework_id
    work_dir = shared_cluster.agent.flags["work_dir"]
    own = f"/frameworks/{framework_id}/executors/t-files/runs/"
    real = f"{work_dir}/slaves/{agent_id}{own}{container}"
    return {"real": real, "virtual": own + "latest", "latest": real.replace(container, "latest")}


def sandbox_problems(entries: Any, folder: str) -> list[str]:
    """Say what is wrong with the listing of a sandbox."""
    found = ENTRIES.problems(entries)
    paths = [entry["path"] for entry in entries]
    if paths != sorted(paths):
        found.append(f"not in order: {paths}")
    for name in ("stdout", "stderr"):
        if f"{folder}/{name}" not in paths:
            found.append(f"no {name} in {paths}")
    return found


@pytest.mark.transcript(RECORDING)
@pytest.mark.parametrize("which", ["real", "virtual", "latest"])
def test_browse(cluster: Cluster, sandbox: dict[str, str], which: str) -> None:
    """A sandbox is found by its path on disk, through `latest`, and by its virtual path."""
    folder = sandbox[which]
    answer = cluster.agent.get(f"/files/browse?path={folder}")
    assert JSON.problems(answer) == []
    assert sandbox_problems(answer.json(), folder) == []
    inner = cluster.agent.get(f"/files/browse?path={folder}/sub").json()
    assert [(entry["path"], entry["size"]) for entry in inner] == [(f"{folder}/sub/file", 3)]


@pytest.mark.transcript(RECORDING)
def test_read(cluster: Cluster, sandbox: dict[str, str]) -> None:
    """/files/read gives pieces of a file, its size for offset -1, and nothing behind its end."""
    path = f"{sandbox['real']}/stdout"
    expected = {
        "offset=0&length=200": {"data": "started\n", "offset": 0},
        "offset=-1": {"data": "", "offset": 8},
        "offset=100000&length=10": {"data": "", "offset": 100000},
    }
    for query, body in expected.items():
        assert cluster.agent.get(f"/files/read?path={path}&{query}").json() == body
    assert "note\n" in cluster.agent.read(f"{sandbox['virtual']}/stderr")


@pytest.mark.transcript(RECORDING)
def test_download(cluster: Cluster, sandbox: dict[str, str]) -> None:
    """/files/download sends the bytes under the file's name."""
    answer = cluster.agent.get(f"/files/download?path={sandbox['real']}/stdout")
    assert Reply(200, "started\n", "application/octet-stream").problems(answer) == []
    assert answer.header("Content-Disposition") == "attachment; filename=stdout"


@pytest.mark.transcript(RECORDING)
def test_browse_with_jsonp(cluster: Cluster, sandbox: dict[str, str]) -> None:
    """With `jsonp` a listing is a call of that function."""
    answer = cluster.agent.get(f"/files/browse?jsonp=cb&path={sandbox['real']}")
    assert answer.header("Content-Type") == "text/javascript"
    assert answer.body.startswith("cb([") and answer.body.endswith("])")
    assert sandbox_problems(json.loads(answer.body[3:-1]), sandbox["real"]) == []


# Requests that are refused: name in the recording, path, answer. `$SANDBOX` is its real path.
REFUSALS = {
    "read a directory": (
        "/files/read?path=$SANDBOX&offset=0",
        refused(400, "Cannot read a directory.\n"),
    ),
    "download a directory": (
        "/files/download?path=$SANDBOX",
        refused(400, "Cannot download a directory.\n"),
    ),
    "path escape": (
        "/files/read?path=$SANDBOX/../../../../../../../../meta&offset=0",
        refused(400, "'$SANDBOX/../../../../../../../../meta' is inaccessible.\n"),
    ),
    "browse a file": (
        "/files/browse?path=$SANDBOX/stdout",
        Reply(200, "[]", JSON_TYPE),
    ),
}


@pytest.mark.transcript(RECORDING)
@pytest.mark.parametrize("name", REFUSALS)
def test_refusals(cluster: Cluster, sandbox: dict[str, str], name: str) -> None:
    """What is no file, or not in the sandbox, is refused with Mesos' text."""
    path, reply = REFUSALS[name]
    found = cluster.agent.get(path.replace("$SANDBOX", sandbox["real"]))
    assert reply.problems(found, {"SANDBOX": sandbox["real"]}) == []


@pytest.mark.transcript(RECORDING)
def test_work_dir_is_not_served(cluster: Cluster) -> None:
    """Only what was attached is served, not the folders above."""
    answer = cluster.agent.get(f"/files/browse?path={cluster.agent.flags['work_dir']}")
    assert refused(404, "").problems(answer) == []


@pytest.mark.transcript("master/http/files_browse_missing_path.json")
@pytest.mark.parametrize("path", ["/files/browse", "/files/read"])
def test_path_is_required(cluster: Cluster, path: str) -> None:
    """A request without a path is told what is missing."""
    assert NO_PATH.problems(cluster.get(path)) == []


# What the master's own log answers, by request: name of the recording, query, answer.
LOG = "/files/read?path=/master/log&"
LOG_REFUSALS = {
    "files_read_bad_length": (
        LOG + "offset=0&length=-5",
        refused(400, "Negative length provided: -5.\n"),
    ),
    "files_read_bad_offset": (
        LOG + "offset=x",
        refused(400, "Failed to parse offset: Failed to convert 'x' to number.\n"),
    ),
}


@pytest.fixture
def log(cluster: Cluster) -> str:
    """The virtual path of the master's log, where it writes one."""
    path = "/master/log"
    if path not in cluster.get("/files/debug").json():
        pytest.skip("the master was started without --log_dir")
    return path


@pytest.mark.transcript("master/http/files_read_noargs.json")
def test_log(cluster: Cluster, log: str) -> None:
    """The log is read like any file; without an offset its size is told."""
    found = cluster.get(f"/files/read?path={log}&offset=0&length=10").json()
    assert found["offset"] == 0
    assert len(found["data"]) == 10
    whole = cluster.get(f"/files/read?path={log}").json()
    assert (whole["data"], whole["offset"] >= 10) == ("", True)
    assert cluster.get(f"/files/browse?path={log}").json() == []


@pytest.mark.transcript("master/http/files_read_bad_length.json")
@pytest.mark.parametrize("name", LOG_REFUSALS)
def test_log_refusals(cluster: Cluster, log: str, name: str) -> None:
    """Numbers that make no sense are refused with Mesos' text."""
    path, reply = LOG_REFUSALS[name]
    assert reply.problems(cluster.get(path)) == []


# The same expectations, held against recordings.


def recorded_sandbox() -> str:
    path = transcripts.load(RECORDING)["browse sandbox"]["request"]["path"]
    return str(path).split("path=")[1]


@transcripts.recorded
@pytest.mark.transcript(RECORDING)
@pytest.mark.parametrize("name", REFUSALS)
def test_real_mesos_refuses_files_so(name: str) -> None:
    """The recorded request is the one made here, and its answer meets the expectation."""
    path, reply = REFUSALS[name]
    entry = transcripts.load(RECORDING)[name]
    names = {"SANDBOX": recorded_sandbox()}
    assert entry["request"]["path"] == path.replace("$SANDBOX", names["SANDBOX"])
    assert reply.problems(transcripts.response(entry["response"]), names) == []


@transcripts.recorded
@pytest.mark.transcript("master/http/files_read_bad_length.json")
@pytest.mark.parametrize("name", LOG_REFUSALS)
def test_real_mesos_refuses_log_reads_so(name: str) -> None:
    """The recorded request is the one made here, and its answer meets the expectation."""
    path, reply = LOG_REFUSALS[name]
    entry = transcripts.load(f"master/http/{name}.json")
    assert entry["request"]["path"] == path
    assert reply.problems(transcripts.response(entry["response"])) == []


@transcripts.recorded
@pytest.mark.transcript(RECORDING)
@pytest.mark.parametrize("name", ["browse sandbox", "browse virtual path"])
def test_real_mesos_lists_sandboxes_so(name: str) -> None:
    """Recorded listings meet what is asserted of listings here."""
    entry = transcripts.load(RECORDING)[name]
    folder = entry["request"]["path"].split("path=")[1]
    assert sandbox_problems(entry["response"]["body"], folder) == []
