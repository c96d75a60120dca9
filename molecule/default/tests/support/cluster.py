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
FAILOVER = 45
"""Seconds within which a new leader must have every agent: thrice what real Mesos needs."""


def zookeeper_address() -> str:
    """Return the zk:// address under which the masters elect their leader."""
    servers = ",".join(f"{node.address}:{ZOOKEEPER_PORT}" for node in inventory.group("zookeeper"))
    return f"zk://{servers}/mesos"


def four_letter_word(node: Node, word: str) -> str:
    """Return a ZooKeeper server's answer to a four-letter word."""
    with socket.create_connection((node.address, ZOOKEEPER_PORT), timeout=5) as connection:
        connection.sendall(word.encode())
        with connection.makefile(encoding="utf-8") as answer:
            return answer.read()


def ask(node: Node, path: str, port: int = MASTER_PORT) -> requests.Response:
    """Return a node's own answer, redirects not followed."""
    return requests.get(f"http://{node.address}:{port}{path}", timeout=5, allow_redirects=False)


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
    wanted = {node.name for node in inventory.group("mesos_agents")}
    if (
        len(found) != 1
        or {agent["hostname"] for agent in agents(found[0]) if agent["active"]} != wanted
    ):
        return None
    return found[0]


def state(master: Node) -> dict[str, Any]:
    """Return a leading master's /state."""
    return _json(master, "/state")


def agents(master: Node) -> list[dict[str, Any]]:
    """Return what a leading master knows of its agents."""
    known: list[dict[str, Any]] = _json(master, "/slaves")["slaves"]
    return known


def agent_id(node: Node) -> str:
    """Return the id under which an agent is registered and active."""
    found = [
        agent["id"]
        for agent in agents(leader())
        if agent["hostname"] == node.name and agent["active"]
    ]
    assert len(found) == 1, f"{node.name} is registered {len(found)} times"
    return str(found[0])


def _json(node: Node, path: str) -> dict[str, Any]:
    response = ask(node, path)
    response.raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer
