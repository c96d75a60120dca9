"""The suite's own cluster: mesos-master and mesos-agent as processes on loopback.

Started only when no cluster is given. The daemons are those beside the Python that runs
the suite, or those of the folder named by MESOS_SBIN: anything that takes Mesos' flags.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from . import leftovers
from .cluster import Cluster, NoClusterError, eventually
from .wire import Address, request

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
RECOVERING = "Master has not finished recovery"
AGENT_RESOURCES = "cpus:4;mem:4096;disk:10000;ports:[31000-31099]"
# Shorter than Mesos' default of a minute, so that the timeout can be awaited.
EXECUTOR_REGISTRATION_TIMEOUT = "20secs"


def free_port() -> int:
    """Return a port of the loopback that nothing uses now.

    Below those that the kernel hands out by itself: a daemon that is started again must
    not find its port in the hands of some client's connection.
    """
    for port in own_ports()[1]:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise AssertionError("ports come round again")


@functools.cache
def own_ports() -> tuple[socket.socket, Iterator[int]]:
    """A hundred ports of this process: tests beside it must not take one before a daemon does.

    They are its own as long as it holds the first one's namesake of UDP.
    """
    while True:
        held = socket.socket(type=socket.SOCK_DGRAM)
        first = random.randrange(20_000, 30_000, 100)
        try:
            held.bind((HOST, first))
        except OSError:
            held.close()
        else:
            return held, itertools.cycle(range(first, first + 100))


def daemon_path(name: str) -> str:
    """Find a daemon's program."""
    folder = os.environ.get("MESOS_SBIN") or str(Path(sys.executable).parent)
    path = shutil.which(name, path=folder)
    if path is None:
        raise NoClusterError(
            f"no {name} in {folder}: install the engine there (scripts/venv), name its folder"
            " in MESOS_SBIN, or name a running cluster in MESOS_MASTER"
        )
    return path


def daemon_environment(run: Path) -> dict[str, str]:
    """Nothing of ours that a daemon would take for a flag; the run's mark instead."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    return {**kept, "CONFORMANCE_RUN": f"{run}/"}


def cgroups_writable() -> bool:
    """Say whether an agent here could make cgroups for cpu and memory."""
    v1 = [leftovers.CGROUPS / name for name in ("cpu", "memory", "freezer")]
    if os.getuid() != 0:
        return False
    if v1[1].is_dir():
        return all(may_create_in(hierarchy) for hierarchy in v1)
    controllers = leftovers.CGROUPS / "cgroup.controllers"
    if not controllers.is_file() or not {"cpu", "memory"} <= set(controllers.read_text().split()):
        return False
    # Where the whole machine (or container) runs in the root, an agent would have to move
    # everybody, this suite too, to make room for controllers.
    in_root = "0::/\n" in Path("/proc/self/cgroup").read_text()
    return not in_root and may_create_in(leftovers.CGROUPS)


def may_create_in(hierarchy: Path) -> bool:
    """Say whether this process may make cgroups there, by trying."""
    probe = hierarchy / f"mesos-conformance-probe-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return False
    return True


class Daemon:
    """One daemon process, its log, and how to start it again."""

    def __init__(self, run: Path, name: str, flags: dict[str, str]) -> None:
        self.run = run
        self.name = name
        self.address = Address(HOST, int(flags["port"]))
        self.log = run / f"{name}.log"
        program = daemon_path("mesos-agent" if name.startswith("agent") else "mesos-master")
        self._argv = [program, *(f"--{key}={value}" for key, value in flags.items())]
        self.start()

    def start(self) -> None:
        """Start it (again), in the same place with the same flags."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=daemon_environment(self.run),
                cwd=self.run,
                start_new_session=True,
            )

    def serving(self) -> bool:
        """Say whether it answers /health and, if it leads, has begun to."""
        if self.dead:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise NoClusterError(f"{self.name} exited with {self._process.returncode}:\n{tail}")
        try:
            if request(self.address, "GET", "/health").status != 200:
                return False
            # A master that leads reads its registry first, which its disk may take its time for.
            return request(self.address, "GET", "/api/v1").body != RECOVERING
        except OSError:
            return False

    @property
    def dead(self) -> bool:
        """Whether its process has ended."""
        return self._process.poll() is not None

    def memory(self) -> int:
        """Return the most bytes of memory that it ever held."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        (most,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        return int(most) * 1024

    def wait_serving(self) -> None:
        """Wait until it answers."""
        eventually(self.serving, f"{self.name} serving at {self.address}")

    def wait_ended(self) -> int:
        """Wait until it ends by itself; return its exit status."""
        eventually(lambda: self.dead, f"{self.name} ended")
        return self._process.returncode

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """kill -9"""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it as an operator does, and for certain."""
        if not self.dead:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()


class PocketCluster:
    """Masters and one agent of a run, with everything they leave behind."""

    def __init__(self) -> None:
        self.run = leftovers.new_run()
        self.masters: list[Daemon] = []
        self.agents: list[Daemon] = []

    def start_master(self, **flags: str) -> Daemon:
        """Start a master on a free port."""
        name = f"master{len(self.masters) + 1}"
        own = {"ip": HOST, "hostname": HOST, "port": str(free_port())}
        folders = {"work_dir": str(self.run / name), "log_dir": str(self.run / f"{name}-log")}
        master = Daemon(self.run, name, {**own, **folders, **flags})
        self.masters.append(master)
        master.wait_serving()
        return master

    def start_agent(self, master: str, **flags: str) -> Daemon:
        """Start an agent: with cgroups where this machine allows it, else without."""
        name = f"agent{len(self.agents) + 1}"
        own = {"ip": HOST, "hostname": HOST, "port": str(free_port()), "master": master}
        folders = {
            "work_dir": str(self.run / name),
            "runtime_dir": str(self.run / f"{name}-runtime"),
            "log_dir": str(self.run / f"{name}-log"),
        }
        settings = {
            "resources": AGENT_RESOURCES,
            "attributes": "rack:r1;zone:z1",
            "executor_registration_timeout": EXECUTOR_REGISTRATION_TIMEOUT,
            "systemd_enable_support": "false",
        }
        isolation = {"launcher": "posix", "isolation": "posix/cpu,posix/mem"}
        if cgroups_writable():
            isolation = {
                "launcher": "linux",
                "isolation": "cgroups/cpu,cgroups/mem",
                "cgroups_root": leftovers.cgroups_root(self.run),
            }
        agent = Daemon(self.run, name, {**own, **folders, **settings, **isolation, **flags})
        self.agents.append(agent)
        agent.wait_serving()
        return agent

    def cluster(self) -> Cluster:
        """Look at it as at any other cluster, once its agents are active."""
        masters = self.masters

        def ready() -> bool:
            told = {request(one.address, "GET", "/redirect").header("Location") for one in masters}
            (leader, *others) = told
            if others or leader is None:
                return False
            state = request(Address.parse(leader), "GET", "/state")
            return state.status == 200 and state.json()["activated_slaves"] == len(self.agents)

        eventually(ready, f"one leader for all masters, with {len(self.agents)} active agents")
        agent = self.agents[0].address if self.agents else None
        return Cluster.at(tuple(daemon.address for daemon in self.masters), agent)

    def close(self) -> None:
        """Stop the daemons and remove what they leave."""
        for daemon in [*self.agents, *self.masters]:
            daemon.stop()
        leftovers.sweep(self.run)
