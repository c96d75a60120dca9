"""The running cluster, asked over HTTP and ZooKeeper's port as any client would ask it."""

import socket
from typing import Any

import requests

from support import inventory
from support.inventory import Node
from support.waiting import wait_for

MASTER_PORT = 5050
AGENT_PORT = 5051
ZOOKEEPER_PORT = 2181
FAILOVER = 120
"""Seconds within which a new leader must have every agent; a quiet machine needs about 15."""


def zookeeper_address() -> str:
    """Return the zk:// address under which the masters elect their leader."""
    servers = ",".join(f"{node.address}:{ZOOKEEPER_PORT}" for node in inventory.group("zookeeper"))
    return f"zk://{servers}/mesos"


def four_letter_word(node: Node, word: str) -> str:
    """Return a ZooKeeper server's answer to a four-letter word."""
    with socket.create_connection((node.address, ZOOKEEPER_PORT), timeout=15) as connection:
        connection.sendall(word.encode())
        with connection.makefile(encoding="utf-8") as answer:
            return answer.read()


def ask(
    node: Node, path: str, port: int = MASTER_PORT, account: str | None = "readonly"
) -> requests.Response:
    """Return a node's own answer, redirects not followed."""
    url = f"http://{node.address}:{port}{path}"
    login = inventory.account(account) if account else None
    return requests.get(url, auth=login, timeout=15, allow_redirects=False)


def leaders() -> list[Node]:
    """Return the masters that answer for the cluster themselves; a dead one is none of them."""
    return [node for node in inventory.group("mesos_masters") if _status(node) == requests.codes.ok]


def _status(master: Node) -> int | None:
    try:
        return ask(master, "/state").status_code
    except requests.RequestException:
        return None


def leader() -> Node:
    """Return the leading master, waiting for one that has all agents with it."""
    return wait_for("one leading master with every agent", _whole_leader, seconds=FAILOVER)


def _whole_leader() -> Node | None:
    found = leaders()
    wanted = {node.address for node in inventory.group("mesos_agents")}
    return found[0] if len(found) == 1 and set(active_agents(found[0])) == wanted else None


def state(master: Node) -> dict[str, Any]:
    """Return a leading master's /state."""
    return _json(master, "/state")


def active_agents(master: Node) -> dict[str, dict[str, Any]]:
    """Return the agents that a leading master calls active, by host name: the node's address."""
    agents = [agent for agent in _json(master, "/slaves")["slaves"] if agent["active"]]
    by_name = {agent["hostname"]: agent for agent in agents}
    assert len(by_name) == len(agents), "an agent is registered twice"
    return by_name


def agent_is_registered(agent: Node) -> bool:
    """Tell whether an agent's process, as it is now, is registered with a master."""
    return bool(_json(agent, "/metrics/snapshot", port=AGENT_PORT)["slave/registered"])


def _json(node: Node, path: str, port: int = MASTER_PORT) -> dict[str, Any]:
    response = ask(node, path, port)
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer
