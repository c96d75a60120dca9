"""The cluster under test: where its leader and one of its agents are, and what they say.

Which agent is meant: MESOS_AGENT when it is given, else the first active one. Tests
launch on that agent only, so that they can look at its own endpoints.
"""

from __future__ import annotations

import getpass
import ipaddress
import os
import socket
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .scheduler import Json, Scheduler
from .wire import Address, Response, request

if TYPE_CHECKING:
    from collections.abc import Callable

CAPABILITIES = ("MULTI_ROLE", "PARTITION_AWARE", "TASK_KILLING_STATE")


class NoClusterError(Exception):
    """The addresses given lead to no usable cluster; says which and why."""


def eventually(
    probe: Callable[[], Any], what: str, patience: float = 60.0, pause: float = 0.1
) -> Any:
    """Ask until the answer is true; return it. For states that send no event."""
    deadline = time.monotonic() + patience
    while not (found := probe()):
        assert time.monotonic() < deadline, f"not within {patience} s: {what}"
        time.sleep(pause)
    return found


def duration(text: str) -> float:
    """Read a Mesos duration such as `10mins` as seconds."""
    units = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "secs": 1.0, "mins": 60.0, "hrs": 3600.0}
    units |= {"days": 86400.0, "weeks": 604800.0}
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return float(number) * units[text[len(number) :]]


def find_leader(masters: tuple[Address, ...]) -> Address:
    """Find the leader among these masters, or where they say it is.

    A leader is taken by the address given here: the name it calls itself may mean
    nothing to this machine.
    """
    told = ""
    for master in masters:
        try:
            answer = request(master, "GET", "/state")
        except OSError as error:
            told += f"\nno master answers at {master}: {error}"
            continue
        if answer.status == 200:
            return master
        location = answer.header("Location")
        if location and resolvable(leader := Address.parse(location)):
            return leader.known_as(master.credential)
        told += f"\n{master}: {answer.status} {location or answer.body}"
    raise NoClusterError(f"no leading master found{told}")


def resolvable(address: Address) -> bool:
    """Say whether this machine knows the host."""
    try:
        socket.getaddrinfo(address.host, address.port)
    except OSError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Say whether this name or address is this machine's loopback."""
    try:
        return ipaddress.ip_address(socket.gethostbyname(host)).is_loopback
    except OSError:
        return False


@dataclass
class Agent:
    """One agent, by its own endpoints."""

    address: Address
    agent_id: str
    flags: dict[str, str]

    @classmethod
    def at(cls, address: Address) -> Agent:
        """Ask the agent at this address who it is."""
        try:
            state = request(address, "GET", "/state").json()
        except (OSError, ValueError) as error:
            raise NoClusterError(f"no agent answers at {address}: {error}") from error
        return cls(address, state["id"], state["flags"])

    def get(self, path: str) -> Response:
        """GET a path of the agent."""
        return request(self.address, "GET", path)

    def state(self) -> Any:
        """Return the agent's /state."""
        return self.get("/state").json()

    def sandbox(self, framework_id: str, executor_id: str) -> str:
        """Return the virtual path of an executor's latest sandbox."""
        return f"/frameworks/{framework_id}/executors/{executor_id}/runs/latest"

    def read(self, path: str) -> str:
        """Return a file's text as /files/read gives it; nothing when there is no file yet."""
        answer = self.get(f"/files/read?path={path}&offset=0&length=100000")
        return str(answer.json()["data"]) if answer.status == 200 else ""

    def isolates(self, isolator: str) -> bool:
        """Say whether this isolator is among the agent's flags."""
        return isolator in self.flags.get("isolation", "").split(",")


@dataclass
class Cluster:
    """The leader, one agent, and the frameworks that tests made on it."""

    master: Address
    agent: Agent
    given: tuple[Address, ...] = ()
    user: str = "root"
    schedulers: list[Scheduler] = field(default_factory=list)

    @classmethod
    def at(cls, masters: tuple[Address, ...], agent: Address | None) -> Cluster:
        """Find the cluster behind these addresses."""
        leader = find_leader(masters)
        chosen = Agent.at(agent or first_agent(leader))
        local = is_loopback(chosen.address.host)
        user = os.environ.get("MESOS_FRAMEWORK_USER") or (getpass.getuser() if local else "root")
        return cls(leader, chosen, masters, user)

    def get(self, path: str) -> Response:
        """GET a path of the leading master."""
        return request(self.master, "GET", path)

    def state(self) -> Any:
        """Return the leader's /state."""
        return self.get("/state").json()

    def flag(self, name: str) -> str | None:
        """Return one of the leader's flags."""
        value = self.get("/flags").json()["flags"].get(name)
        return None if value is None else str(value)

    def framework(self, framework_id: str) -> Json | None:
        """Return a registered framework as /frameworks shows it."""
        return self._framework(framework_id, "frameworks")

    def completed(self, framework_id: str) -> Json | None:
        """Return a framework that is over as /frameworks shows it."""
        return self._framework(framework_id, "completed_frameworks")

    def _framework(self, framework_id: str, which: str) -> Json | None:
        found = self.get("/frameworks").json()[which]
        return next((item for item in found if item["id"] == framework_id), None)

    def framework_info(self, name: str, **fields: Any) -> Json:
        """Describe a framework of its own role, with what most tests want."""
        capabilities = fields.pop("capabilities", CAPABILITIES)
        info = {
            "user": self.user,
            "name": f"conformance {name}",
            "roles": [f"conformance-{name}-{uuid.uuid4().hex[:8]}"],
            "capabilities": [{"type": item} for item in capabilities],
            **fields,
        }
        return {key: value for key, value in info.items() if value is not None}

    def subscribe(self, name: str = "test", info: Json | None = None, **options: Any) -> Scheduler:
        """Subscribe a framework; `close` tears it down.

        `info` is taken as it is (to subscribe again); otherwise options that
        framework_info knows go there.
        """
        own = {key: options.pop(key) for key in list(options) if key in FRAMEWORK_FIELDS}
        scheduler = Scheduler(
            self.master,
            info or self.framework_info(name, **own),
            agent_id=self.agent.agent_id,
            **options,
        )
        self.schedulers.append(scheduler)
        return scheduler

    def teardown(self) -> list[str]:
        """End every framework made so far; return what was wrong on their streams."""
        problems = []
        for scheduler in self.schedulers:
            if scheduler.events and scheduler.events[0].kind == "SUBSCRIBED":
                self._remove(scheduler)
            problems += scheduler.problems
        self.schedulers.clear()
        return problems

    def _remove(self, scheduler: Scheduler) -> None:
        """Tear a framework down; one whose stream is gone subscribes again to do so."""
        if scheduler.call("TEARDOWN").status != 202 and self.framework(scheduler.framework_id):
            last = Scheduler(self.master, scheduler.info_with_id())
            last.call("TEARDOWN")
            last.close()
        scheduler.close()


FRAMEWORK_FIELDS = {"roles", "role", "capabilities", "failover_timeout", "checkpoint", "user"}


def first_agent(master: Address) -> Address:
    """Return the address of the first agent that is active."""

    def active() -> Json | None:
        agents = request(master, "GET", "/slaves").json()["slaves"]
        return next((agent for agent in agents if agent["active"]), None)

    try:
        agent = eventually(active, f"an active agent at {master}", patience=30)
    except AssertionError as error:
        raise NoClusterError(str(error)) from error
    return Address.parse(agent["pid"].split("@")[1]).known_as(master.credential)
