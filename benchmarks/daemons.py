"""Pocket's daemons on loopback for a benchmark, and a PyMesos framework that loads them."""

import getpass
import json
import os
import queue
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from pathlib import Path
from typing import Any

from pymesos import MesosSchedulerDriver, Scheduler

HOST = "127.0.0.1"
PATIENCE = 300.0
"""Seconds for whatever is waited for; a machine that takes longer can't be measured."""

TICKS = os.sysconf("SC_CLK_TCK")

TERMINAL = {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR"}


@dataclass(frozen=True, slots=True)
class Daemon:
    """One daemon: its process and address."""

    process: subprocess.Popen[bytes]
    address: str

    def resident(self) -> float:
        """Return its resident memory in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024 / 1e6

    def cpu(self) -> tuple[float, float]:
        """Return the seconds that its cores spent on it, and on what it started and saw ending."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        user, system, of_children, theirs = (int(one) / TICKS for one in fields[11:15])
        return user + system, of_children + theirs

    def ask(self, path: str) -> Any:
        """Return what it answers to GET."""
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=5) as answer:
            return json.load(answer)


@contextmanager
def cluster(folder: Path, agents: Sequence[str]) -> Iterator[list[Daemon]]:
    """Run a master and an agent for each text of resources; yield them, the master first."""
    with ExitStack() as stack:
        master = stack.enter_context(
            _daemon(folder / "master", "mesos-master", ["--registry=in_memory"])
        )
        yield [master, *_agents(stack, folder, master.address, agents)]


@contextmanager
def available_cluster(
    folder: Path, zookeeper: str, agents: Sequence[str]
) -> Iterator[tuple[list[Daemon], list[Daemon]]]:
    """Run three masters on a ZooKeeper, and agents; yield both."""
    zk = f"zk://{zookeeper}/mesos"
    with ExitStack() as stack:
        options = [f"--zk={zk}", "--quorum=2"]
        masters = [
            stack.enter_context(_daemon(folder / f"master{number}", "mesos-master", options))
            for number in range(3)
        ]
        yield masters, _agents(stack, folder, zk, agents)


def _agents(stack: ExitStack, folder: Path, master: str, agents: Sequence[str]) -> list[Daemon]:
    started = []
    for number, resources in enumerate(agents):
        options = [f"--master={master}", f"--resources={resources}"]
        # The launcher that works everywhere.
        options += ["--launcher=posix", f"--runtime_dir={folder}/run{number}"]
        started.append(
            stack.enter_context(_daemon(folder / f"agent{number}", "mesos-agent", options))
        )
    return started


@contextmanager
def zookeeper(folder: Path) -> Iterator[str]:
    """Run a ZooKeeper of Debian's package libzookeeper-java; yield its address."""
    port = _free_port()
    folder.mkdir(parents=True)
    lines = {"tickTime": 2000, "dataDir": folder / "data", "clientPort": port}
    lines |= {"clientPortAddress": HOST, "admin.enableServer": "false"}
    (folder / "zoo.cfg").write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
    jars = "/usr/share/java/zookeeper.jar:/usr/share/java/*"
    server = "org.apache.zookeeper.server.ZooKeeperServerMain"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["java", "-Xmx128m", "-cp", jars, server, folder / "zoo.cfg"], stdout=log, stderr=log
        )
    try:
        _wait_listening(process, port, folder / "log")
        yield f"{HOST}:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} ended:\n{log.read_text()[-2000:]}")
        with suppress(OSError):
            socket.create_connection((HOST, port), timeout=1).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"{process.args} does not answer")


@contextmanager
def _daemon(folder: Path, program: str, options: list[str]) -> Iterator[Daemon]:
    port = _free_port()
    folder.mkdir(parents=True)
    path = Path(sys.executable).with_name(program)
    common = [f"--ip={HOST}", f"--port={port}", f"--work_dir={folder}", "--logging_level=WARNING"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([path, *common, *options], stdout=log, stderr=log)
    try:
        _wait_healthy(process, port, folder / "log")
        yield Daemon(process, f"{HOST}:{port}")
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    """Return a port that nothing uses, and that no client's connection is given meanwhile."""
    for port in _own_ports()[1]:
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise AssertionError("ports come round again")


@cache
def _own_ports() -> tuple[socket.socket, Iterator[int]]:
    """Return ports that tests beside this process don't take: they hold one of UDP as well."""
    while True:
        held = socket.socket(type=socket.SOCK_DGRAM)
        first = random.randrange(20_000, 30_000, 100)
        try:
            held.bind((HOST, first))
        except OSError:
            held.close()
        else:
            return held, cycle(range(first, first + 100))


def _wait_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} ended:\n{log.read_text()[-2000:]}")
        try:
            urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args} does not answer")


class Framework(Scheduler):  # type: ignore[misc]  # PyMesos has no types
    """Puts what happens into one queue: ("offer", when, offer) and ("update", when, status)."""

    def __init__(self, master: str, failover_timeout: float = 0.0) -> None:
        self.events: queue.Queue[tuple[str, float, Any]] = queue.Queue()
        self.held: defaultdict[str, list[Any]] = defaultdict(list)
        """Offers that nothing was done with, by agent."""
        self._told: set[str | None] = set()
        """Updates so far; one that is acknowledged late comes again."""
        framework = {"user": getpass.getuser(), "name": "benchmark"}
        framework["failover_timeout"] = failover_timeout
        self.driver = MesosSchedulerDriver(self, framework, master)

    def __enter__(self) -> "Framework":
        self.driver.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.driver.stop()
        self.driver.join()

    def resourceOffers(self, driver: Any, offers: list[Any]) -> None:  # noqa: N802 PyMesos' name
        """Note offers."""
        for offer in offers:
            self.events.put(("offer", time.perf_counter(), offer))

    def statusUpdate(self, driver: Any, status: Any) -> None:  # noqa: N802 PyMesos' name
        """Note an update."""
        uuid = status.get("uuid")  # the master's own updates have none, and come once
        if uuid is None or uuid not in self._told:
            self._told.add(uuid)
            self.events.put(("update", time.perf_counter(), status))

    def next(self) -> tuple[str, float, Any]:
        """Return the next event, waiting for it."""
        return self.events.get(timeout=PATIENCE)

    def next_update(self) -> tuple[float, Any]:
        """Return the next update; offers that come meanwhile are kept for later."""
        while True:
            kind, when, event = self.next()
            if kind == "update":
                return when, event
            self.held[event["agent_id"]["value"]].append(event)

    def offers(self, agents: int) -> list[list[Any]]:
        """Return the offers of each of so many agents, asking for them where none are held."""
        if len(self.held) < agents:
            self.driver.reviveOffers()
        while len(self.held) < agents:
            kind, _, event = self.next()
            if kind == "offer":
                self.held[event["agent_id"]["value"]].append(event)
        found = list(self.held.values())
        self.held.clear()
        return found

    def launch(
        self, offers: Sequence[Any], tasks: Sequence[dict[str, Any]], refuse_seconds: float = 3600
    ) -> float:
        """Launch tasks on offers of one agent; return when."""
        began = time.perf_counter()
        made = [{**task, "agent_id": offers[0]["agent_id"]} for task in tasks]
        ids = [offer["id"] for offer in offers]
        self.driver.launchTasks(ids, made, {"refuse_seconds": refuse_seconds})
        return began


def room(offer: Any, **wanted: float) -> int:
    """Return how many tasks of a size an offer has room for."""
    free = {one["name"]: one.get("scalar", {}).get("value", 0) for one in offer["resources"]}
    return min(int(free.get(name, 0) / amount + 1e-6) for name, amount in wanted.items())


def task(identity: str, cpus: float, mem: float, **details: Any) -> dict[str, Any]:
    """Return a task; memory in MB."""
    return {
        "name": identity,
        "task_id": {"value": identity},
        "resources": [
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": cpus}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": mem}},
        ],
        **details,
    }


def command(identity: str, program: str, cpus: float = 0.1, mem: float = 32) -> dict[str, Any]:
    """Return a task of the command executor."""
    return task(identity, cpus, mem, command={"value": program})
