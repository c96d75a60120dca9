"""The situations in which every endpoint of a real Mesos was recorded, brought about anew.

The same daemons, framework and tasks as then: a framework "app" with command tasks and a task
of its own executor on one agent and a task group on another; the tasks end; the framework is
torn down; the second agent dies and comes back. In each situation the requests of the
recordings are made, and their answers kept.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from . import transcripts
from .cluster import eventually
from .custom_executor import RUNNING, executor_info, executor_task
from .scheduler import NEVER, Json, Scheduler, command_task, scalar, small
from .wire import JSON_HEADERS, Response, request

if TYPE_CHECKING:
    from .pocket import Daemon, PocketCluster

RUNNING_FOLDERS = ("agent/running", "agent/running_task_group", "master/running")
LATER_FOLDERS = (
    "agent/after_framework_removed",
    "master/agent_back",
    "master/agent_lost",
    "master/framework_completed",
    "master/tasks_done",
)
AGENT_FLAGS = {"executor_registration_timeout": "1mins"}  # Mesos' default, as in the recordings
IDLE_FOLDERS = ("agent/idle", "master/http", "master/idle")
TEARDOWN = "master/operator_api/TEARDOWN.json"
DISCONNECTED = "master/agent_disconnected.json"
GROUP = ("g1", "g2")
T_SLEEP: Json = {
    "labels": {"labels": [{"key": "k", "value": "v"}, {"key": "only-key"}]},
    "discovery": {
        "visibility": "CLUSTER",
        "name": "t-sleep",
        "ports": {"ports": [{"number": 31000, "name": "http", "protocol": "tcp"}]},
    },
}
APP: Json = {
    "name": "app",
    "roles": ["dev"],
    "hostname": "client.example",
    "webui_url": "http://client.example/ui",
    "failover_timeout": 60.0,
    "checkpoint": True,
    "principal": "app-principal",
    "capabilities": [
        {"type": name} for name in ("PARTITION_AWARE", "TASK_KILLING_STATE", "MULTI_ROLE")
    ],
    "labels": {"labels": [{"key": "team", "value": "x"}]},
}


def requests(folder: str) -> list[str]:
    """List the recordings of a situation that are one request each."""
    found = []
    for name in transcripts.files(folder, ".json"):
        entry = transcripts.load(name)
        if isinstance(entry, dict) and "request" in entry:
            found.append(name)
    return found


@dataclass
class Replay:
    """A run of the daemons, and what they answered so far."""

    run: PocketCluster
    answers: dict[str, Response] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """What stood in the recordings, and what stands there in this run."""
    situation: str = "master/running"

    def translate(self, recorded: Any) -> Any:
        """Put this run's ids, addresses and folders in the place of the recorded ones."""
        text = json.dumps(recorded)
        for old, new in self.names.items():
            text = text.replace(old, new)
        return json.loads(text)

    def ask(self, folder: str, daemon: Daemon) -> None:
        """Make the requests of a situation's recordings."""
        for name in requests(folder):
            self.ask_for(name, daemon)

    def ask_for(self, name: str, daemon: Daemon) -> None:
        """Make the request of one recording."""
        if name not in self.answers:
            asked = self.translate(transcripts.load(name)["request"])
            headers = dict(asked.get("headers", []))
            self.answers[name] = request(
                daemon.address, asked["method"], asked["path"], asked.get("body"), headers
            )

    def learn(self, master: Daemon, *agents: Daemon) -> None:
        """Find out what stands here for what stood in the recordings."""
        recorded = transcripts.body(f"{self.situation}/GET_state.json")
        state = request(master.address, "GET", "/state").json()
        self.names = {recorded["id"]: state["id"], "127.0.0.1:5050": str(master.address)}
        self.names["/work_dir/master"] = state["flags"]["work_dir"]
        for number, agent in enumerate(agents, 1):
            flags = request(agent.address, "GET", "/flags").json()["flags"]
            self.names[f"127.0.0.1:{5041 + 10 * number}"] = str(agent.address)
            self.names[f"/work_dir/agent{number}"] = flags["work_dir"]
            self.names[f"/runtime_dir/agent{number}"] = flags["runtime_dir"]
            self.names[f"mesosg{number}"] = flags.get("cgroups_root", "")
            self.names["/launcher_dir"] = flags["launcher_dir"]


def replay_idle(run: PocketCluster) -> Replay:
    """Bring about the cluster of one idle agent."""
    master = run.start_master()
    flags = {"resources": "cpus:2;mem:4096", "attributes": ""}
    agent = run.start_agent(str(master.address), **AGENT_FLAGS, **flags)
    run.cluster()
    replay = Replay(run, situation="master/idle")
    replay.learn(master, agent)
    for folder in ("master/idle", "master/http"):
        replay.ask(folder, master)
    replay.ask("agent/idle", agent)
    return replay


def replay_all(run: PocketCluster) -> Replay:
    """Bring about the situations from "running" to "agent_back", one after the other."""
    # So soon that it can be awaited, and not because the machine is busy.
    flags = {"agent_ping_timeout": "1secs", "max_agent_ping_timeouts": "8"}
    master = run.start_master(**flags)
    first = run.start_agent(str(master.address), **AGENT_FLAGS)
    run.cluster()  # so that the first is S0
    second = run.start_agent(str(master.address), **AGENT_FLAGS, attributes="")
    cluster = run.cluster()
    replay = Replay(run)
    replay.learn(master, first, second)
    app = Scheduler(master.address, {"user": cluster.user, **APP})
    _launch_all(app, cluster.state()["id"])
    # Ended executors are looked after in the background.
    eventually(lambda: len(_executors(first)) == 2, "executors of what runs")
    for folder, daemon in zip(RUNNING_FOLDERS, (first, second, master), strict=True):
        replay.ask(folder, daemon)
    for task_id in ("x1", "t-sleep", "g1"):
        app.kill(task_id)
    for task_id in ("x1", "t-sleep", "g1", "g2"):
        app.wait_status(task_id, "TASK_KILLED")
    framework_id = app.framework_id
    eventually(lambda: len(_executors(first)) == 1, "ended executors gone")
    eventually(lambda: not _executors(second), "the group's executor gone")
    eventually(lambda: len(_of(cluster.framework(framework_id))) == 1, "one executor known")
    replay.ask("master/tasks_done", master)
    replay.ask_for(TEARDOWN, master)
    app.wait_ended()
    eventually(lambda: not _frameworks(first), "framework gone from its agent")
    replay.ask("master/framework_completed", master)
    replay.ask("agent/after_framework_removed", first)
    second.kill()
    eventually(lambda: cluster.state()["unreachable_slaves"] == 1, "agent unreachable")
    replay.ask("master/agent_lost", master)
    second.start()
    eventually(lambda: cluster.state()["activated_slaves"] == 2, "agent back")
    replay.ask("master/agent_back", master)
    return replay


def replay_disconnected(run: PocketCluster) -> Replay:
    """Bring about the moment after an agent's death, before it counts as unreachable."""
    master = run.start_master()
    flags = {"resources": "cpus:2;mem:1024;ports:[31000-32000]", "attributes": ""}
    agent = run.start_agent(str(master.address), **AGENT_FLAGS, **flags)
    cluster = run.cluster()
    replay = Replay(run)
    replay.names = {transcripts.load(DISCONNECTED)["GET /state"]["id"]: cluster.state()["id"]}
    for old, new in (("5050", master), ("5051", agent)):
        replay.names[f"127.0.0.1:{old}"] = str(new.address)
    info = {"user": cluster.user, "name": "disc", "roles": ["r"], "checkpoint": True}
    info["capabilities"] = [{"type": name} for name in ("PARTITION_AWARE", "MULTI_ROLE")]
    scheduler = Scheduler(master.address, info)
    offer = scheduler.offer()
    scheduler.launch(offer, command_task("d1", offer["agent_id"]["value"], "sleep 1000"))
    scheduler.wait_status("d1", "TASK_RUNNING")
    scheduler.offer()
    agent.kill()
    eventually(lambda: not cluster.state()["activated_slaves"], "agent disconnected")
    for path in ("/state", "/slaves", "/tasks"):
        replay.answers[f"GET {path}"] = cluster.get(path)
    body = {"type": "GET_AGENTS"}
    replay.answers["GET_AGENTS"] = request(master.address, "POST", "/api/v1", body, JSON_HEADERS)
    replay.answers[METRICS] = cluster.get("/metrics/snapshot")
    return replay


METRICS = "metrics (master/slaves*, master/tasks*)"


def _launch_all(app: Scheduler, master_id: str) -> None:
    """Launch in the recorded order, so that lists by time are in it too."""
    first, second = f"{master_id}-S0", f"{master_id}-S1"
    app.agent_id = second
    _launch_group(app, second)
    app.agent_id = first
    app.accepted("REVIVE")  # of what was declined meanwhile
    executor = executor_info("raw-executor", app.framework_id, name="Raw", source="src")
    for task in (
        executor_task("x1", first, executor, RUNNING),
        command_task("t-finish", first, "echo out; echo err >&2; sleep 1"),
        command_task("t-sleep", first, "echo started; sleep 1000", **T_SLEEP),
        command_task("t-fail", first, "echo failing >&2; exit 3"),
    ):
        app.launch(app.offer(), task)
        app.wait_status(task["name"], "TASK_RUNNING")
    app.wait_status("t-fail", "TASK_FAILED")
    app.wait_status("t-finish", "TASK_FINISHED")


def _launch_group(app: Scheduler, agent_id: str) -> None:
    offer = app.offer()
    executor = {
        "type": "DEFAULT",
        "executor_id": {"value": "default-exec"},
        "framework_id": {"value": app.framework_id},
        "resources": [*small(), scalar("disk", 32)],
    }
    tasks = [command_task(name, agent_id, "sleep 1000") for name in GROUP]
    group = {"executor": executor, "task_group": {"tasks": tasks}}
    operation = {"type": "LAUNCH_GROUP", "launch_group": group}
    app.accept([offer["id"]["value"]], [operation], NEVER)
    for name in GROUP:
        app.wait_status(name, "TASK_RUNNING")


def _frameworks(agent: Daemon) -> list[Json]:
    return list(request(agent.address, "GET", "/state").json()["frameworks"])


def _executors(agent: Daemon) -> list[Json]:
    return [one for framework in _frameworks(agent) for one in framework["executors"]]


def _of(framework: Json | None) -> list[Json]:
    assert framework is not None
    return list(framework["executors"])
