"""The endpoints that operators, tools and the web look at."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from . import transcripts
from .cluster import eventually
from .custom_executor import RUNNING, executor_info, executor_task
from .endpoints import (
    AGENT_PATHS,
    AGENT_SHAPES,
    MASTER_METHODS,
    MASTER_PATHS,
    MASTER_SHAPES,
    Request,
)
from .scheduler import NEVER, command_task
from .wire import Address, Response, request

if TYPE_CHECKING:
    from .cluster import Cluster
    from .scheduler import Json, Scheduler
    from .shape import Shape


@pytest.fixture(scope="module")
def busy(shared_cluster: Cluster) -> Scheduler:
    """A framework with a running, a finished and a failed command task, and an executor."""
    scheduler = shared_cluster.subscribe("busy")
    agent_id = shared_cluster.agent.agent_id
    executor = executor_info("own", scheduler.framework_id, name="Own", source="src")
    scheduler.launch(
        scheduler.offer(cpus=0.5, mem=160),
        command_task("lasting", agent_id, "echo started; sleep 1000"),
        command_task("finished", agent_id, "exit 0"),
        command_task("failed", agent_id, "exit 3"),
        executor_task("own-task", agent_id, executor, RUNNING),
    )
    ends = {"lasting": "RUNNING", "finished": "FINISHED", "failed": "FAILED", "own-task": "RUNNING"}
    for task_id, state in ends.items():
        scheduler.wait_status(task_id, f"TASK_{state}")
    return scheduler


def leader_of(cluster: Cluster) -> dict[str, str]:
    """The leader as it names itself, which is where it redirects to."""
    info = cluster.state()["leader_info"]
    return {"LEADER": f"{info['hostname']}:{info['port']}"}


@pytest.mark.transcript("master/http/which_paths_exist.json")
@pytest.mark.parametrize("wanted", MASTER_PATHS, ids=str)
def test_master_path(cluster: Cluster, wanted: Request) -> None:
    """The master serves what real Mesos serves, with and without /master, and nothing else."""
    found = request(cluster.master, wanted.method, wanted.path)
    assert wanted.reply.problems(found, leader_of(cluster)) == []


@pytest.mark.transcript("master/http/methods.json")
@pytest.mark.parametrize("wanted", MASTER_METHODS, ids=str)
def test_master_method(cluster: Cluster, wanted: Request) -> None:
    """Endpoints that only read answer every method as they answer GET."""
    found = request(cluster.master, wanted.method, wanted.path)
    assert wanted.reply.problems(found, leader_of(cluster)) == []


@pytest.mark.transcript("agent/http/which_paths_exist.json")
@pytest.mark.parametrize("wanted", AGENT_PATHS, ids=str)
def test_agent_path(cluster: Cluster, wanted: Request) -> None:
    """The agent serves what real Mesos serves, with and without /slave(1)."""
    found = request(cluster.agent.address, wanted.method, wanted.path)
    assert wanted.reply.problems(found) == []


@pytest.mark.transcript("master/running/GET_state.json")
@pytest.mark.parametrize("path", MASTER_SHAPES)
def test_master_shape(cluster: Cluster, busy: Scheduler, path: str) -> None:
    """What the master shows while tasks run has the keys and types of the recording."""
    assert MASTER_SHAPES[path].problems(cluster.get(path).json()) == []


@pytest.mark.transcript("agent/running/GET_state.json")
@pytest.mark.parametrize("path", AGENT_SHAPES)
def test_agent_shape(cluster: Cluster, busy: Scheduler, path: str) -> None:
    """What the agent shows while tasks run has the keys and types of the recording."""
    assert AGENT_SHAPES[path].problems(cluster.agent.get(path).json()) == []


@pytest.mark.transcript("master/running/GET_state.json")
@pytest.mark.parametrize("prefixed", ["/master/state", "/state/nosuch"])
def test_prefix_reaches_the_same_endpoint(cluster: Cluster, prefixed: str) -> None:
    """A path with the prefix, or deeper than the endpoint, is the endpoint itself."""
    assert cluster.get(prefixed).json()["id"] == cluster.state()["id"]


@pytest.mark.transcript("master/http/version_jsonp.json")
def test_jsonp(cluster: Cluster) -> None:
    """With `jsonp` the answer is a call of that function with the JSON."""
    body = cluster.get("/version?jsonp=cb").body
    assert body.startswith("cb(") and body.endswith(")")
    assert json.loads(body[3:-1]) == cluster.get("/version").json()


@pytest.mark.transcript("ha/leader_responses.json")
def test_state_names_the_leader(cluster: Cluster) -> None:
    """The leader says who it is in /state, in one form everywhere."""
    state = cluster.state()
    assert state["leader"] == state["pid"] == state["leader_info"]["pid"]
    assert state["leader_info"]["id"] == state["id"]
    assert state["leader_info"]["port"] == Address.parse(state["pid"].split("@")[1]).port
    assert state["elected_time"] >= state["start_time"]


@pytest.mark.transcript("master/running/GET_slaves.json")
def test_agent_as_the_master_sees_it(cluster: Cluster, busy: Scheduler) -> None:
    """The master shows the agent's own id, pid, attributes and resources."""
    agent = cluster.agent.state()
    path = f"/slaves?slave_id={agent['id']}"
    (seen,) = cluster.get(path).json()["slaves"]
    for key in ("id", "pid", "hostname", "attributes", "resources", "version", "capabilities"):
        assert seen[key] == agent[key]
    assert seen["active"] is True and seen["deactivated"] is False
    assert re.fullmatch(r".+-S\d+", seen["id"])


@pytest.mark.transcript("master/running/GET_frameworks.json")
def test_framework_as_the_master_sees_it(cluster: Cluster, busy: Scheduler) -> None:
    """/frameworks shows what the framework said of itself and what became of its tasks."""
    path = f"/frameworks?framework_id={busy.framework_id}"
    (seen,) = cluster.get(path).json()["frameworks"]
    info = busy.framework_info
    assert (seen["name"], seen["user"], seen["roles"]) == (
        info["name"],
        info["user"],
        info["roles"],
    )
    assert seen["capabilities"] == [item["type"] for item in info["capabilities"]]
    assert seen["active"] and seen["connected"] and not seen["recovered"]
    assert {task["id"] for task in seen["tasks"]} == {"lasting", "own-task"}
    assert {executor["executor_id"] for executor in seen["executors"]} == {"own"}
    # Two tasks and the custom executor; a command task's executor is not counted.
    assert seen["used_resources"]["cpus"] == pytest.approx(0.3)
    assert seen["used_resources"]["mem"] == 96


@pytest.mark.transcript("master/running/GET_tasks.json")
def test_tasks_of_a_framework(cluster: Cluster, busy: Scheduler) -> None:
    """/tasks holds running and ended tasks, with every state that was acknowledged."""

    def ended() -> bool:
        completed = (cluster.framework(busy.framework_id) or {})["completed_tasks"]
        return {task["id"] for task in completed} == {"finished", "failed"}

    eventually(ended, "ended tasks among the completed ones")
    tasks = cluster.get(f"/tasks?framework_id={busy.framework_id}").json()["tasks"]
    states = {task["id"]: task["state"] for task in tasks}
    assert states == {
        "lasting": "TASK_RUNNING",
        "own-task": "TASK_RUNNING",
        "finished": "TASK_FINISHED",
        "failed": "TASK_FAILED",
    }
    by_id = {task["id"]: task for task in tasks}
    assert by_id["own-task"]["executor_id"] == "own"
    assert by_id["lasting"]["executor_id"] == ""
    history = [status["state"] for status in by_id["failed"]["statuses"]]
    assert [state for state in history if state != "TASK_STARTING"] == [
        "TASK_RUNNING",
        "TASK_FAILED",
    ]
    assert {task["role"] for task in tasks} == set(busy.framework_info["roles"])


@pytest.mark.transcript("master/running/GET_tasks_limit1_offset1.json")
def test_tasks_by_query(cluster: Cluster, busy: Scheduler) -> None:
    """/tasks can be narrowed by id and by number."""
    found = cluster.get("/tasks?task_id=own-task").json()["tasks"]
    assert busy.framework_id in {task["framework_id"] for task in found}
    assert {task["id"] for task in found} == {"own-task"}
    assert len(cluster.get("/tasks?limit=1&offset=1").json()["tasks"]) == 1
    assert cluster.get("/tasks?limit=0&order=asc").json() == {"tasks": []}


@pytest.mark.transcript("master/http/slaves_filter_unknown.json")
def test_unknown_ids_match_nothing(cluster: Cluster) -> None:
    """A filter by an id that is not there answers with empty lists."""
    assert cluster.get("/slaves?slave_id=nope").json()["slaves"] == []
    frameworks = cluster.get("/frameworks?framework_id=nope").json()
    assert (frameworks["frameworks"], frameworks["completed_frameworks"]) == ([], [])


@pytest.mark.transcript("agent/running/GET_state.json")
def test_executors_as_the_agent_sees_them(cluster: Cluster, busy: Scheduler) -> None:
    """The agent shows executors with their tasks, and command tasks under one of their own."""
    frameworks = cluster.agent.state()["frameworks"]
    (framework,) = (item for item in frameworks if item["id"] == busy.framework_id)
    executors = {item["id"]: item for item in framework["executors"]}
    own, lasting = executors["own"], executors["lasting"]
    assert (own["name"], own["source"], own["type"]) == ("Own", "src", "CUSTOM")
    assert [task["id"] for task in own["tasks"]] == ["own-task"]
    assert lasting["source"] == "lasting"
    assert lasting["name"] == (
        "Command Executor (Task: lasting) (Command: sh -c 'echo started...')"
    )
    # The executor of a command task brings 0.1 cpus and 32 MB of its own.
    assert lasting["resources"]["cpus"] == pytest.approx(0.2)
    assert lasting["resources"]["mem"] == 64
    completed = {item["id"] for item in framework["completed_executors"]}
    assert completed <= {"finished", "failed"}


@pytest.mark.transcript("agent/running/GET_containers.json")
def test_containers(cluster: Cluster, busy: Scheduler) -> None:
    """/containers lists the executors' containers by the ids that statuses carry."""
    found = {item["executor_id"]: item for item in cluster.agent.get("/containers").json()}
    status = busy.wait_status("lasting", "TASK_RUNNING")
    container = found["lasting"]
    assert container["container_id"] == status["container_status"]["container_id"]["value"]
    assert container["framework_id"] == busy.framework_id
    assert container["status"]["container_id"]["value"] == container["container_id"]
    assert container["status"]["executor_pid"] > 0


@pytest.mark.transcript("master/tasks_done/GET_metrics_snapshot.json")
def test_metrics_count(cluster: Cluster, busy: Scheduler) -> None:
    """The counters move with what happens."""
    master = cluster.get("/metrics/snapshot").json()
    assert master["master/elected"] == 1
    assert master["master/slaves_active"] >= 1
    assert master["master/frameworks_active"] >= 1
    assert master["master/tasks_running"] >= 2
    assert master["master/tasks_finished"] >= 1
    assert master["master/tasks_failed"] >= 1
    agent = cluster.agent.get("/metrics/snapshot").json()
    assert agent["slave/registered"] == 1
    assert agent["slave/tasks_running"] >= 2
    assert agent["slave/tasks_failed"] >= 1
    for snapshot, name in ((master, "master"), (agent, "slave")):
        assert 0 < snapshot[f"{name}/cpus_used"] <= snapshot[f"{name}/cpus_total"]
        assert snapshot[f"{name}/uptime_secs"] > 0


def role_problems(snapshot: Json, role: str) -> list[str]:
    """Say what is wrong with the metrics of a role that runs something and has refused offers."""
    prefix = "allocator/mesos"
    names = [
        f"{prefix}/roles/{role}/shares/dominant",
        f"{prefix}/offer_filters/roles/{role}/active",
    ]
    names += [f"{prefix}/quota/roles/{role}/resources/{name}/consumed" for name in ("cpus", "mem")]
    problems = [f"{name}: {snapshot.get(name)}" for name in names if not snapshot.get(name, 0) > 0]
    if not problems and snapshot[names[0]] > 1:
        problems.append(f"{names[0]} is more than all")
    problems += [
        f"all roles together consume less {name} than {role}"
        for name in ("cpus", "mem")
        if snapshot.get(f"{prefix}/quota/roles//resources/{name}/consumed", 0)
        < snapshot.get(f"{prefix}/quota/roles/{role}/resources/{name}/consumed", 0)
    ]
    return problems


@pytest.mark.transcript("master/running/GET_metrics_snapshot.json")
def test_metrics_of_roles(cluster: Cluster) -> None:
    """A role's share, use and refusals are shown while it has frameworks."""
    scheduler = cluster.subscribe("metrics")
    (role,) = scheduler.framework_info["roles"]
    agent_id = cluster.agent.agent_id
    task = command_task("consumes", agent_id, "sleep 1000")
    scheduler.launch(scheduler.offer(), task, refuse_seconds=NEVER)
    scheduler.wait_status("consumes", "TASK_RUNNING")
    assert role_problems(cluster.get("/metrics/snapshot").json(), role) == []
    cluster.teardown()
    metrics = cluster.get("/metrics/snapshot").json()
    # Those of frameworks that are over go on naming their roles.
    allocators = [name for name in metrics if name.startswith("allocator/")]
    assert not [name for name in allocators if f"/{role}/" in name]


@transcripts.recorded
@pytest.mark.transcript("master/running/GET_metrics_snapshot.json")
def test_real_mesos_measures_roles_so() -> None:
    """The recorded metrics of a role with tasks and filters meet what is asserted."""
    assert role_problems(transcripts.body("master/running/GET_metrics_snapshot.json"), "dev") == []


@pytest.mark.transcript("master/http/metrics_bad_timeout.json")
def test_metrics_timeout(cluster: Cluster) -> None:
    """A snapshot may be given a time limit, and a wrong one is refused."""
    assert cluster.get("/metrics/snapshot?timeout=2secs").status == 200
    assert cluster.get("/metrics/snapshot?timeout=xyz").status == 400


# The same expectations, held against recordings.


def recorded_answers(folder: str) -> dict[tuple[str, str], tuple[Response, bool]]:
    """Answers by method and path, and whether their headers were recorded in full."""
    found: dict[tuple[str, str], tuple[Response, bool]] = {}
    for entry in transcripts.load(f"{folder}/http/which_paths_exist.json"):
        headers = {"Content-Type": entry.get("content_type"), "Location": entry.get("location")}
        present = tuple((name, value) for name, value in headers.items() if value)
        reason = {200: "OK", 307: "Temporary Redirect", 404: "Not Found"}
        reason |= {400: "Bad Request", 405: "Method Not Allowed"}
        body = entry.get("body", "")
        text = body if isinstance(body, str) else json.dumps(body)
        answer = Response(entry["status"], reason[entry["status"]], present, text)
        found["GET", entry["path"]] = (answer, False)
    whole: list[Any] = [*whole_answers(folder)]
    found |= {(asked["method"], asked["path"]): (answer, True) for asked, answer in whole}
    return found


def whole_answers(folder: str) -> list[tuple[dict[str, str], Response]]:
    """Answers of one folder that were recorded with all their headers."""
    entries = [transcripts.load(name) for name in transcripts.files(folder, ".json")]
    singles = [entry for entry in entries if isinstance(entry, dict) and "response" in entry]
    found = [(entry["request"], transcripts.response(entry["response"])) for entry in singles]
    if folder == "master":
        routed = transcripts.load("master/http/prefix_routing.json")["requests"]
        found += [(entry["request"], transcripts.response(entry["response"])) for entry in routed]
        flat = transcripts.load("master/http/methods.json")
        # A master that is elected and not yet recovered serves these as any leader does.
        leading = transcripts.load("ha/elected_but_recovering_503.json")["requests"]
        flat = flat + [entry for entry in leading if "jsonp" in entry["path"]]
        found += [(entry, transcripts.response(entry)) for entry in flat]
    return found


@transcripts.recorded
@pytest.mark.transcript("master/http/which_paths_exist.json")
@pytest.mark.parametrize(
    ("folder", "wanted"),
    [("master", item) for item in (*MASTER_PATHS, *MASTER_METHODS)]
    + [("agent", item) for item in AGENT_PATHS],
    ids=str,
)
def test_real_mesos_answers_each_path_so(folder: str, wanted: Request) -> None:
    """Real Mesos gave the expected answer to this very request."""
    answer, whole = recorded_answers(folder)[wanted.method, wanted.path]
    problems = wanted.reply.problems(answer, {"LEADER": "127.0.0.1:5050"})
    if not whole:
        problems = [item for item in problems if not item.startswith(("Date", "Allow"))]
    assert problems == []


def shaped_recordings() -> list[tuple[str, str]]:
    """Every recording of an endpoint that has a shape here."""
    found = []
    for folder, shapes in (("master", MASTER_SHAPES), ("agent", AGENT_SHAPES)):
        for name in transcripts.files(folder, ".json"):
            entry = transcripts.load(name)
            asked = entry.get("request", {}) if isinstance(entry, dict) else {}
            path = asked.get("path", "").split("?")[0].removeprefix("/slave(1)")
            if asked.get("method") == "GET" and path in shapes and "jsonp" not in asked["path"]:
                found.append((name, path))
    return found


@transcripts.recorded
@pytest.mark.transcript("master/running/GET_state.json")
@pytest.mark.parametrize(("name", "path"), shaped_recordings())
def test_real_mesos_has_the_shapes(name: str, path: str) -> None:
    """Whatever the cluster's situation, real Mesos' answers have the shape asserted here."""
    shapes: dict[str, Shape] = MASTER_SHAPES if name.startswith("master/") else AGENT_SHAPES
    if transcripts.load(name)["response"]["status"] == 200:
        assert shapes[path].problems(transcripts.body(name)) == []
