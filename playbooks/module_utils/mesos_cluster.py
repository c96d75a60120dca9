"""A Mesos cluster as its masters describe it, for the modules of this project.

Runs on a node with whatever Python Ansible uses there: the standard library, and no syntax
that is newer than 3.9.
"""

from __future__ import annotations

import base64
import http.client
import json
import time

ARGUMENTS = {
    "masters": {"type": "list", "elements": "str", "required": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "timeout": {"type": "float", "default": 10.0},
}
"""What every module takes that asks masters."""

LIVE = ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING")
"""The states of a task that holds resources of its agent."""
STARTING = ("TASK_STAGING", "TASK_STARTING")
"""Those of one whose executor may not survive a restart of its agent."""


class ClusterError(Exception):
    """What keeps a module from its answer, in words for the operator."""


class NoAnswerError(ClusterError):
    """Nobody answers at an address, or not in time."""


class RefusedError(ClusterError):
    """A daemon wants an account, or another one."""


class Answer:
    """What a daemon answered to one request."""

    def __init__(self, status: int, body: bytes, location: str = "") -> None:
        self.status = status
        self.body = body
        self.location = location

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class Daemon:
    """A master or an agent at an address, asked with an account if one is given."""

    def __init__(
        self, address: str, username: str | None, password: str | None, timeout: float
    ) -> None:
        self.address = address
        self._timeout = timeout
        self._username = username
        self._headers = {"Accept": "application/json"}
        if username:
            account = base64.b64encode(f"{username}:{password or ''}".encode()).decode()
            self._headers["Authorization"] = f"Basic {account}"

    def request(self, method: str, path: str, body: object = None) -> Answer:
        """Send one request and return the answer, whatever its status but a refusal."""
        headers = dict(self._headers)
        content = None
        if body is not None:
            content = json.dumps(body)
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(self.address, timeout=self._timeout)
        try:
            connection.request(method, path, body=content, headers=headers)
            response = connection.getresponse()
            location = response.getheader("Location", "")
            answer = Answer(response.status, response.read(), location)
        except (OSError, http.client.HTTPException) as error:
            raise NoAnswerError(f"{self.address} does not answer: {error}") from error
        finally:
            connection.close()
        self._check_account(answer)
        return answer

    def get(self, path: str) -> dict | None:
        """Return what a path holds; None where the daemon can't tell now."""
        answer = self.request("GET", path)
        return json.loads(answer.body) if answer.status == 200 else None

    def call(self, kind: str, content: dict | None = None) -> dict:
        """Make a call of the operator API and return its answer."""
        body = {"type": kind} if content is None else {"type": kind, kind.lower(): content}
        answer = self.request("POST", "/api/v1", body)
        if answer.status not in (200, 202):
            raise ClusterError(
                f"{self.address} refuses {kind}: {answer.status} {answer.text}".strip()
            )
        return json.loads(answer.body) if answer.body else {}

    def _check_account(self, answer: Answer) -> None:
        if answer.status not in (401, 403):
            return
        if self._username:
            told = f'does not let "{self._username}" do this, or not with this password'
        else:
            told = "lets nobody do this without an account: give username and password"
        raise RefusedError(f"{self.address} {told} ({answer.status} {answer.text})")


class Cluster:
    """The masters of a cluster, of which at most one leads."""

    def __init__(self, parameters: dict) -> None:
        account = (parameters["username"], parameters["password"], parameters["timeout"])
        self.masters = [Daemon(address, *account) for address in parameters["masters"]]

    def survey(self) -> tuple[list[dict], Daemon | None]:
        """Return each master's state, and the one that leads and serves."""
        states = [master_state(master) for master in self.masters]
        leading = [m for m, state in zip(self.masters, states) if state["leader"]]  # noqa: B905
        return states, leading[0] if len(leading) == 1 else None

    def leader(self, wait: float = 0) -> Daemon:
        """Return the leading master, waiting so many seconds for one."""
        end = time.monotonic() + wait
        while True:
            states, leader = self.survey()
            if leader is not None:
                return leader
            if time.monotonic() >= end:
                told = ", ".join(s["error"] or f"{s['address']} does not" for s in states)
                raise ClusterError(f"no master leads: {told}")
            time.sleep(0.5)


def master_state(master: Daemon) -> dict:
    """Return what a master says of itself; of one that does not answer, why."""
    state = {
        "address": master.address,
        "reachable": False,
        "leader": False,
        "version": None,
        "uptime": None,
        "error": None,
    }
    try:
        state["version"] = (master.get("/version") or {}).get("version")
        metrics = master.get("/metrics/snapshot") or {}
        state["reachable"] = True
        state["uptime"] = round(metrics.get("master/uptime_secs", 0.0), 1)
        # Elected, and done with recovering: before that it answers 503.
        if metrics.get("master/elected") == 1.0:
            state["leader"] = master.request("GET", "/state-summary").status == 200
    except NoAnswerError as error:
        state["error"] = str(error)
    return state


def agents(leader: Daemon) -> list[dict]:
    """Return the agents that the leader knows, by address."""
    slaves = (leader.get("/slaves") or {}).get("slaves", [])
    counts = {slave["id"]: slave for slave in summary(leader)["slaves"]}
    known = [agent_state(slave, counts.get(slave["id"], {})) for slave in slaves]
    return sorted(known, key=lambda agent: agent["address"])


def summary(leader: Daemon) -> dict:
    """Return the leader's numbers of tasks by agent and by framework."""
    return leader.get("/state-summary") or {"slaves": [], "frameworks": []}


def agent_state(slave: dict, counted: dict) -> dict:
    """Return an agent as the modules describe it, from its two descriptions."""
    return {
        "id": slave["id"],
        "hostname": slave["hostname"],
        "address": slave["pid"].partition("@")[2],
        "active": slave["active"],
        "deactivated": slave.get("deactivated", False),
        "draining": (slave.get("drain_info") or {}).get("state"),
        "version": slave.get("version"),
        "resources": slave["resources"],
        "used_resources": slave["used_resources"],
        "attributes": slave["attributes"],
        "tasks": tasks_in(counted, LIVE),
        "starting_tasks": tasks_in(counted, STARTING),
    }


def tasks_in(counted: dict, states: tuple[str, ...]) -> int:
    """Return how many tasks an agent or framework of the summary has in some states."""
    return sum(counted.get(state, 0) for state in states)


def tasks_of(leader: Daemon, agent_id: str) -> list[str]:
    """Return the tasks on an agent that have not ended, as texts."""
    known = leader.get("/frameworks") or {"frameworks": []}
    return [
        f"{task['id']} of {framework['name']} ({task['state']})"
        for framework in known["frameworks"]
        for task in framework.get("tasks", [])
        if task["slave_id"] == agent_id
    ]
