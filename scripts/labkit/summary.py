"""What a running lab looks like: its leader, its agents, the addresses to open.

The cluster is asked from inside, which works wherever the engine runs; whether this machine
reaches the nodes too is found out apart.
"""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit import engine

Lab = Mapping[str, Any]
"""The description that playbooks/lab_up.yml writes (lab_description in the inventory)."""

REACH_SECONDS = 1.0
REDIRECT = ("--output", "/dev/null", "--write-out", "%{redirect_url}")
CURL = ("curl", "--silent", "--fail", "--max-time", "5", "--config", "-")
"""Further settings come by standard input: a secret among the arguments would be everybody's."""


class NoLeaderError(Exception):
    """No master answers or none leads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What the cluster says of itself."""

    leader: str
    """Address of the leading master, host:port."""

    agents: Mapping[str, Mapping[str, Any]]
    """By address host:port: what the leader's /slaves says."""


def ask(lab: Lab) -> Cluster:
    """Ask the masters who leads and the leader for its agents, from a client node."""
    client = lab["clients"][0]
    for address in lab["masters"].values():
        with suppress(engine.CommandError):
            location = _curl(client, "", *REDIRECT, f"http://{address}/redirect")
            leader = location.removeprefix("http:").strip("/").split("/")[0]
            slaves = json.loads(_curl(client, _login(lab), f"http://{leader}/slaves"))["slaves"]
            return Cluster(leader=leader, agents={_address(slave): slave for slave in slaves})
    raise NoLeaderError(
        f"no master of lab {lab['name']} knows a leader; see its nodes' journalctl -u mesos-master"
    )


def _login(lab: Lab) -> str:
    """Return the setting of curl that says who asks; nothing where nobody is asked."""
    account = lab["accounts"].get("readonly")
    return f'user = "{account["principal"]}:{account["secret"]}"' if account else ""


def _curl(client: str, settings: str, *arguments: str) -> str:
    command = ("docker", "exec", "--interactive", client, *CURL, *arguments)
    return engine.run(*command, stdin=settings.encode())


def _address(slave: Mapping[str, Any]) -> str:
    """Take the address out of a libprocess pid as in slave(1)@172.28.10.21:5051."""
    return str(slave["pid"]).rpartition("@")[2]


def reachable(lab: Lab) -> bool:
    """Tell whether this machine can open a connection to the masters."""
    for address in lab["masters"].values():
        host, _, port = address.rpartition(":")
        with suppress(OSError), socket.create_connection((host, int(port)), timeout=REACH_SECONDS):
            return True
    return False


def lines(lab: Lab, cluster: Cluster, from_here: bool) -> Iterator[str]:
    """Yield the summary's lines."""
    names = {address: node for kind in ("masters", "agents") for node, address in lab[kind].items()}
    yield ""
    yield f"Lab {lab['name']}"
    yield f"  leader     {names.get(cluster.leader, '?'):10} http://{cluster.leader}"
    for address in lab["masters"].values():
        if address != cluster.leader:
            yield f"  master     {names[address]:10} http://{address}"
    for address, agent in sorted(cluster.agents.items()):
        yield f"  agent      {names.get(address, '?'):10} http://{address}  {_offer(agent)}"
    for address in lab["agents"].values():
        if address not in cluster.agents:
            yield f"  agent      {names[address]:10} http://{address}  NOT REGISTERED"
    yield f"  zookeeper  {lab['zookeeper']}"
    yield from _how_to_open(lab, cluster, from_here)


def _offer(agent: Mapping[str, Any]) -> str:
    resources = agent["resources"]
    state = "" if agent["active"] else ", not active"
    return f"cpus {resources['cpus']:g}, mem {resources['mem']:g} MB{state}"


def _how_to_open(lab: Lab, cluster: Cluster, from_here: bool) -> Iterator[str]:
    yield ""
    user = ""
    if account := lab["accounts"].get("readonly"):
        user = f"--user {account['principal']} "
        yield "The cluster asks who comes; .lab/" + lab["name"] + "/lab.json has the accounts:"
        yield f"  {', '.join(one['principal'] for one in lab['accounts'].values())}"
    if from_here:
        yield f"Open http://{cluster.leader}/state, or count a text of your own:"
        yield "  .venv/bin/mapreduce run wordcount FILE --master " + lab["zookeeper"]
        return
    client = lab["clients"][0]
    yield "This machine can't open the nodes' addresses: its Docker engine runs in a VM or"
    yield "elsewhere. Everything works from inside the lab, with files that docker cp brings:"
    yield f"  docker exec -it {client} curl -s {user}http://{cluster.leader}/state"
    yield f"  docker exec -it {client} mapreduce run wordcount FILE"


def write_addresses(lab: Lab, folder: Path) -> None:
    """Write the files zk (one address) and masters, agents (an http address a line)."""
    texts = {"zk": [lab["zookeeper"]]}
    for kind in ("masters", "agents"):
        texts[kind] = [f"http://{address}" for address in lab[kind].values()]
    for name, addresses in texts.items():
        (folder / name).write_text("".join(f"{address}\n" for address in addresses))
