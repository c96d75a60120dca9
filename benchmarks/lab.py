"""The running lab, as a benchmark uses it: files in and out, commands on its nodes."""

import base64
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

FOLDER = "/srv/bench"
"""On the nodes: on their disk, as their /tmp is memory."""

PATIENCE = 120.0
"""Seconds for an agent to come or go."""


class LabError(Exception):
    """The lab is not there or not as it should be; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab's nodes by the names of their containers; `masters` are addresses.

    `login` is the header that shows an account of the masters, where they ask for one; `book` is
    the text on the client that the lab counts when it is raised.
    """

    nodes: Sequence[str]
    client: str
    agents: Sequence[str]
    masters: Sequence[str]
    login: dict[str, str]
    book: str

    @classmethod
    def load(cls, name: str) -> "Lab":
        """Return the lab of that name; raises LabError where none runs."""
        description = ROOT / ".lab" / name / "lab.json"
        if not description.is_file():
            raise LabError(f"no lab {name} is described in .lab/{name}/lab.json; run make up first")
        lab = json.loads(description.read_text())
        found = cls(
            nodes=[f"{name}-{node}" for node in (*lab["masters"], *lab["agents"])],
            client=lab["clients"][0],
            agents=[f"{name}-{agent}" for agent in lab["agents"]],
            masters=list(lab["masters"].values()),
            login=_login(lab["accounts"].get("readonly")),
            book=lab["inputs"][0],
        )
        found.run(found.client, "test", "-r", found.book)
        return found

    def run(self, node: str, *command: str) -> str:
        """Run a command on a node and return what it prints; raises LabError."""
        return docker("exec", node, *command)

    def put(self, node: str, file: Path, name: str = "") -> str:
        """Copy a file to a node, its time of change with it; return its path there."""
        path = f"{FOLDER}/{name or file.name}"
        self.run(node, "mkdir", "-p", FOLDER)
        docker("cp", str(file), f"{node}:{path}")
        self.run(node, "chmod", "a+r", path)
        self.run(node, "touch", "-d", f"@{int(file.stat().st_mtime)}", path)
        return path

    def fetch(self, node: str, path: str, target: Path) -> None:
        """Copy a node's file here."""
        docker("cp", f"{node}:{path}", str(target))

    def clean(self) -> None:
        """Remove what benchmarks have put onto the nodes."""
        for node in {self.client, *self.agents}:
            self.run(node, "rm", "-rf", FOLDER)

    @contextmanager
    def cores(self, limits: dict[str, str]) -> Iterator[None]:
        """Keep nodes to the cores that are named for each, such as "0,1", for a while."""
        everything = f"0-{(os.cpu_count() or 1) - 1}"
        asked = ("inspect", "--format", "{{.HostConfig.CpusetCpus}}")
        before = {node: docker(*asked, node) or everything for node in limits}
        try:
            for node, cores in limits.items():
                docker("update", "--cpuset-cpus", cores, node)
            yield
        finally:
            for node, cores in before.items():
                docker("update", "--cpuset-cpus", cores, node)

    @contextmanager
    def only_agents(self, count: int) -> Iterator[None]:
        """Stop all agents but the first `count` for a while."""
        stopped = self.agents[count:]
        try:
            for node in stopped:
                self.run(node, "systemctl", "stop", "mesos-agent")
            self._wait_for_agents(count)
            yield
        finally:
            for node in stopped:
                self.run(node, "systemctl", "start", "mesos-agent")
            self._wait_for_agents(len(self.agents))

    def _wait_for_agents(self, count: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while (found := self._active_agents()) != count:
            if time.monotonic() > deadline:
                raise LabError(f"{found} agents are active after {PATIENCE:.0f} s, not {count}")
            time.sleep(0.2)

    def _active_agents(self) -> int:
        """Return how many agents the leading master makes offers of; -1 where none leads."""
        for master in self.masters:
            url = f"http://{master}/metrics/snapshot"
            try:
                asked = urllib.request.Request(url, headers=self.login)
                with urllib.request.urlopen(asked, timeout=5) as page:
                    metrics: dict[str, Any] = json.load(page)
            except (urllib.error.URLError, OSError):
                continue
            if metrics.get("master/elected"):
                return int(metrics["master/slaves_active"])
        return -1

    @contextmanager
    def watched(self) -> Iterator[list[dict[str, float]]]:
        """Watch the executors; the list is filled at the end, one entry an executor."""
        seen: list[dict[str, float]] = []
        watchers = []
        for agent in self.agents:
            script = self.put(agent, HERE / "watch.py")
            command = ["docker", "exec", "-i", agent, "python3", script]
            watchers.append(
                subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            )
        try:
            yield seen
        finally:
            for watcher in watchers:
                seen += json.loads(watcher.communicate()[0])


def _login(account: dict[str, str] | None) -> dict[str, str]:
    if account is None:
        return {}
    shown = f"{account['principal']}:{account['secret']}".encode()
    return {"Authorization": f"Basic {base64.b64encode(shown).decode()}"}


def docker(*arguments: str) -> str:
    """Run a docker command and return what it prints; raises LabError."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise LabError(f"docker {' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout.strip()
