#!/usr/bin/python
"""Module that makes one accident happen to a cluster and tells when the cluster got over it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import pathlib
import queue
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable

from ansible.module_utils import mesos_cluster
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.failover_world import MILESTONES, Sight, World, has_begun, is_under_way

DOCUMENTATION = r"""
module: failover_accident
short_description: Makes one accident happen to a cluster that counts words, and watches it recover
description:
  - Waits until a word count is under way, kills a process or cuts the node off, and notes when the
    cluster notices and when it is well again.
  - Runs on the node where the accident is to happen, so that no clocks of two nodes are compared.
    A node that is cut off sees nothing; there O(role=cut) makes the accident, while O(role=watch)
    looks on from another node, to which it begins with the last answer.
  - For playbooks/failover_drill.yml, which runs it asynchronously.
options:
  kind:
    description: Which accident.
    type: str
    choices: [leading_master, zookeeper_leader, agent, executor, master_partition, agent_host]
    required: true
  role:
    description: Whether to make the accident and watch, to watch only, or to cut this node off.
    type: str
    choices: [make, watch, cut]
    default: make
  victim:
    description: The daemon that the accident is about, as host:port. Of an executor, its agent.
    type: str
    required: true
  masters:
    description: All masters, as host:port.
    type: list
    elements: str
    required: true
  zookeeper:
    description: All servers of the ensemble, as host:port.
    type: list
    elements: str
    required: true
  framework:
    description: Name of the framework that counts.
    type: str
    required: true
  earlier:
    description: Ids of frameworks that are not this count.
    type: list
    elements: str
    default: []
  patience:
    description: Seconds to wait for the count, and then for the cluster to recover.
    type: float
    default: 120.0
  others:
    description: Addresses that a node is cut off from.
    type: list
    elements: str
    default: []
  cut_seconds:
    description: Seconds after which a timer on the node ends a cut, whatever happens.
    type: int
    default: 90
  username:
    description: Principal of an account that may read, where masters and agents ask for one.
    type: str
  password:
    description: The account's secret.
    type: str
  timeout:
    description: Seconds that a daemon may take to answer a request.
    type: float
    default: 5.0
author: Mesos Lab
"""

RETURN = r"""
events:
  description:
    - What happened, in this order. Each has an event and at, seconds by this node's clock.
    - The milestones of the kind, fault (with what was done), and how it ended. That is recovered
      (all milestones reached), count_over (the count ended before), gave_up or never_under_way
      (patience was at its end).
  returned: always
  type: list
"""

INTERVAL = 0.1
"""Seconds between two questions to a daemon."""

ROUTES = "77"
"""Marks the routes of a cut among the node's others: a protocol number that nobody else uses."""

HEALER = "failover-drill-heal"
"""The timer that ends a cut whatever happens."""

UNITS = {"leading_master": "mesos-master", "zookeeper_leader": "zookeeper", "agent": "mesos-agent"}
"""The service whose process is killed, by the kind of accident."""

EXECUTOR = "mapreduce-executor"
"""The program of the executor that is killed; its workers are killed with its container."""


class Count:
    """The word count that is watched: a framework that was not there before."""

    def __init__(self, parameters: dict) -> None:
        self._name = parameters["framework"]
        self._earlier = set(parameters["earlier"])
        self.id: str | None = None

    def find(self, leader: mesos_cluster.Daemon) -> None:
        """Look whether it has come."""
        known = mesos_cluster.summary(leader)["frameworks"]
        ids = (one["id"] for one in known if one["name"] == self._name)
        self.id = next((one for one in ids if one not in self._earlier), None)


def ask_master(master: mesos_cluster.Daemon, count: Count) -> dict:
    """Return who leads by this master; of the leader itself, its agents and the count's state."""
    answer = master.request("GET", "/slaves")
    if answer.status == http.client.TEMPORARY_REDIRECT:
        return {"names": answer.location.strip("/").split("/")[0]}
    if answer.status != http.client.OK:
        return {"status": answer.status}
    agents = json.loads(answer.body)["slaves"]
    seen = {"agents": {one["pid"].rpartition("@")[2]: one for one in agents}}
    if count.id is None:
        count.find(master)
    found = master.get(f"/frameworks?framework_id={count.id}") if count.id else None
    if found:
        seen["count"] = next(iter(found["frameworks"]), None)
        seen["over"] = bool(found["completed_frameworks"])
    return seen


def ask_zookeeper(address: str, timeout: float) -> dict:
    """Return what a ZooKeeper server says it is."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        connection.sendall(b"srvr")
        with connection.makefile(encoding="utf-8", errors="replace") as answer:
            modes = [line.partition("Mode: ")[2].strip() for line in answer]
    return {"mode": next(filter(None, modes), None)}


def ask_agent(agent: mesos_cluster.Daemon, count: Count) -> dict:
    """Return the containers of the count's executors on an agent, with the process of each."""
    containers = agent.get("/containers") or []
    return {
        "containers": {
            one["container_id"]: one["status"].get("executor_pid")
            for one in containers
            if one["framework_id"] == count.id
        }
    }


def poll(source: tuple[str, str], ask: Callable[[], dict], sights: queue.SimpleQueue) -> None:
    """Ask one daemon again and again, in a thread of its own: a silent one holds up no other."""
    while True:
        asked = time.monotonic()
        try:
            seen = ask()
        except (OSError, ValueError, mesos_cluster.NoAnswerError):
            seen = None
        except Exception as error:  # a refused account, say: the main thread reports it
            sights.put(error)
            return
        sights.put(Sight(source, asked, time.monotonic(), seen))
        time.sleep(INTERVAL)


def kill_service(unit: str) -> str:
    """Kill a service's process and wait until it is gone."""
    shown = run("systemctl", "show", "--property=MainPID", "--value", unit)
    pid = int(shown)
    if pid == 0:
        raise mesos_cluster.ClusterError(f"{unit} has no process to kill")
    kill(pid)
    return f"kill -9 of {unit}, process {pid}"


def kill(pid: int) -> None:
    """Kill a process and wait until it is gone."""
    os.kill(pid, signal.SIGKILL)
    while is_alive(pid):
        time.sleep(0.001)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that waits for its parent to notice does not."""
    try:
        return stat(pid)[0] not in "ZX"
    except OSError:
        return False


def stat(pid: int) -> list[str]:
    """Return state, parent and so on of a process."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()


def kill_executor(container: int | None) -> str:
    """Kill the executor's program, the topmost of its container's processes that runs it."""
    for pid in descendants(container) if container else ():
        with contextlib.suppress(OSError):
            arguments = pathlib.Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
            if any(a.startswith("/") and a.endswith(f"/{EXECUTOR}") for a in arguments[:2]):
                kill(pid)
                return f"kill -9 of {EXECUTOR}, process {pid}"
    raise mesos_cluster.ClusterError(f"no process of {EXECUTOR} runs below process {container}")


def descendants(pid: int) -> list[int]:
    """Return a process and those below it, from the top."""
    parents: dict[int, int] = {}
    for one in filter(str.isdigit, (folder.name for folder in pathlib.Path("/proc").iterdir())):
        with contextlib.suppress(OSError):
            parents[int(one)] = int(stat(int(one))[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def cut_off(addresses: list[str], seconds: int) -> str:
    """Drop what this node would send to the others; a timer of the node's ends that for certain."""
    heal = ["ip", "route", "flush", "proto", ROUTES]
    run("systemd-run", "--quiet", "--collect", f"--unit={HEALER}", f"--on-active={seconds}", *heal)
    routes = "".join(f"route replace blackhole {one}/32 proto {ROUTES}\n" for one in addresses)
    run("ip", "-batch", "-", stdin=routes)
    return f"no way to {', '.join(addresses)}"


def run(*command: str, stdin: str = "") -> str:
    """Run a command and return what it prints."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise mesos_cluster.ClusterError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout


class Watcher:
    """The threads that look, and what is made of their sights."""

    def __init__(self, parameters: dict) -> None:
        self._parameters = parameters
        self._kind = parameters["kind"]
        self._world = World(
            self._kind, parameters["victim"], parameters["masters"], parameters["zookeeper"]
        )
        self._sights: queue.SimpleQueue = queue.SimpleQueue()
        self.events: list[dict] = []

    def start(self) -> None:
        """Begin to look."""
        account = [self._parameters[name] for name in ("username", "password", "timeout")]
        count = Count(self._parameters)
        for address in self._parameters["masters"]:
            master = mesos_cluster.Daemon(address, *account)
            self._poll("master", address, lambda master=master: ask_master(master, count))
        # Only where it matters: servers write every question to their journals.
        for address in self._parameters["zookeeper"] if self._kind == "zookeeper_leader" else ():
            self._poll(
                "zookeeper", address, lambda address=address: ask_zookeeper(address, account[2])
            )
        if self._kind in ("executor", "agent_host"):
            agent = mesos_cluster.Daemon(self._world.victim, *account)
            self._poll("agent", agent.address, lambda: ask_agent(agent, count))

    def _poll(self, kind: str, address: str, ask: Callable[[], dict]) -> None:
        arguments = ((kind, address), ask, self._sights)
        threading.Thread(target=poll, args=arguments, daemon=True).start()

    def run(self) -> None:
        """Wait for the count, make the accident, watch until all is well again."""
        role = self._parameters["role"]
        # Who only watches is ready before the accident can happen.
        ready = has_begun if role == "watch" else is_under_way
        if not self._await(lambda: ready(self._world)):
            self._say("never_under_way", waited=self._parameters["patience"])
            return
        self._world.all_is_well()
        self._say("under_way", tasks_finished=len(self._world.before["count"]["completed_tasks"]))
        if role == "cut":
            what = cut_off(self._parameters["others"], self._parameters["cut_seconds"])
            self._say("fault", what=what)
            return
        if role == "make":
            self._make_accident()
        self._watch()

    def _await(self, condition: Callable[[], bool]) -> bool:
        """Take sights until the condition holds; return whether it does before patience ends."""
        end = time.monotonic() + self._parameters["patience"]
        while not condition():
            try:
                sight = self._sights.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return False
            if isinstance(sight, Exception):
                raise sight
            self._world.take(sight)
        return True

    def _make_accident(self) -> None:
        at = time.monotonic()
        if self._kind == "executor":
            what = kill_executor(next(iter(self._world.containers.values())))
        else:
            what = kill_service(UNITS[self._kind])
        # Only what is asked for when the process is gone tells what the cluster is without it.
        self._world.strike(time.monotonic())
        self._say("fault", at, what=what)

    def _watch(self) -> None:
        world, milestones = self._world, MILESTONES[self._kind]
        ended = self._await(lambda: self._note(milestones) or world.is_void)
        missing = [name for name in milestones if name not in world.reached]
        ending = "recovered" if not missing else "count_over" if ended else "gave_up"
        self._say(ending, missing=missing, leader=world.leader_address)

    def _note(self, milestones: dict) -> bool:
        """Tell of each milestone when it is reached first; return whether all are."""
        world = self._world
        for name, is_reached in milestones.items():
            if name in world.reached or not is_reached(world):
                continue
            if self._parameters["role"] == "watch" and not world.reached:
                self._say("fault", world.heard, what="the last answer of the node that is cut off")
            world.reached[name] = world.now
            self._say(name, world.now)
        return len(world.reached) == len(milestones)

    def _say(self, event: str, at: float | None = None, **details: object) -> None:
        now = time.monotonic() if at is None else at
        self.events.append({"event": event, "at": round(now, 3), **details})


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **mesos_cluster.ARGUMENTS,
            "timeout": {"type": "float", "default": 5.0},
            "kind": {"type": "str", "choices": list(MILESTONES), "required": True},
            "role": {"type": "str", "choices": ["make", "watch", "cut"], "default": "make"},
            "victim": {"type": "str", "required": True},
            "zookeeper": {"type": "list", "elements": "str", "required": True},
            "framework": {"type": "str", "required": True},
            "earlier": {"type": "list", "elements": "str", "default": []},
            "patience": {"type": "float", "default": 120.0},
            "others": {"type": "list", "elements": "str", "default": []},
            "cut_seconds": {"type": "int", "default": 90},
        },
    )
    watcher = Watcher(module.params)
    try:
        watcher.start()
        watcher.run()
    except (mesos_cluster.ClusterError, OSError) as error:
        module.fail_json(msg=str(error), events=watcher.events)
    module.exit_json(changed=module.params["role"] != "watch", events=watcher.events)


if __name__ == "__main__":
    main()
