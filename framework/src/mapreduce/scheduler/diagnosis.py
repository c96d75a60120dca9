"""Asking the cluster what is wrong, for messages: best effort, never an error of its own."""

import base64
import http.client
import json
import urllib.parse
from typing import Any

from mapreduce.core import sizing

TIMEOUT = 3.0
"""Seconds for a master or agent to answer."""

TAIL = 2000
"""Bytes of an executor's output that are shown."""


Credential = tuple[str, str] | None
"""A principal and its secret, where the cluster wants them."""


def _get(address: str, credential: Credential, target: str, **query: object) -> Any:
    """Return the JSON that a master or agent answers; None where it does not."""
    connection = http.client.HTTPConnection(address, timeout=TIMEOUT)
    if query:
        target = f"{target}?{urllib.parse.urlencode(query)}"
    headers = {}
    if credential is not None:
        basic = base64.b64encode(":".join(credential).encode()).decode("ascii")
        headers["Authorization"] = f"Basic {basic}"
    try:
        connection.request("GET", target, headers=headers)
        response = connection.getresponse()
        return json.loads(response.read()) if response.status == http.client.OK else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def why_ended(master: str, said: str, credential: Credential = None) -> str:
    """Return why there is no connection, of what PyMesos said at its end."""
    if "HTTP 401" not in said:
        return f"The connection to {master} ended: {said}"
    if credential is None:
        return (
            f"The master at {master} asks who comes: --credential or MAPREDUCE_CREDENTIAL names a "
            "file with principal and secret."
        )
    return f"The master at {master} refuses the credential of the principal {credential[0]!r}."


def why_no_offers(master: str, asked: float, credential: Credential = None) -> tuple[bool, str]:
    """Return whether waiting for offers is in vain, and why there are none; `asked` in seconds."""
    found = _get(master, credential, "/slaves")
    agents = [agent for agent in (found or {}).get("slaves", []) if agent.get("active")]
    if found is None:
        return False, f"No usable offer for {asked:.0f} seconds, and the master says nothing."
    if not agents:
        return True, f"The cluster at {master} has no agents: nothing can run there."
    if not any(_enough(agent.get("resources", {})) for agent in agents):
        return True, (
            f"None of the {len(agents)} agents is large enough: "
            f"one with {sizing.LEAST_CPUS:.2f} CPUs and {sizing.LEAST_MEM:.0f} MB is needed."
        )
    return False, f"No usable offer for {asked:.0f} seconds: others use the {len(agents)} agents."


def _enough(resources: dict[str, Any]) -> bool:
    cpus, mem = float(resources.get("cpus", 0)), float(resources.get("mem", 0))
    return cpus >= sizing.LEAST_CPUS and mem >= sizing.LEAST_MEM


def stderr_tail(
    agent: str, framework_id: str, executor_id: str, credential: Credential = None
) -> str:
    """Return the end of what an executor wrote to its standard error, from the agent's sandbox."""
    for folder in _directories(agent, credential, framework_id, executor_id):
        name = f"{folder}/stderr"
        end = _get(agent, credential, "/files/read", path=name, offset=-1)
        start = max(0, int(end["offset"]) - TAIL) if end else 0
        found = _get(agent, credential, "/files/read", path=name, offset=start, length=TAIL)
        if found is not None:
            text = str(found.get("data", ""))
            return (text.partition("\n")[2] if start else text).strip()  # whole lines
    return ""


def _directories(
    agent: str, credential: Credential, framework_id: str, executor_id: str
) -> list[str]:
    """Return the executor's sandboxes as the agent's state names them."""
    state = _get(agent, credential, "/state") or {}
    frameworks = [*state.get("frameworks", []), *state.get("completed_frameworks", [])]
    return [
        executor["directory"]
        for framework in frameworks
        if framework.get("id") == framework_id
        for key in ("executors", "completed_executors")
        for executor in framework.get(key, [])
        if executor.get("id") == executor_id and "directory" in executor
    ]
