"""Filter that plans how a running cluster becomes the one that the inventory declares.

Pure: playbooks/tasks/scale_plan.yml asks nodes and masters, and scale.yml carries the plan out.
"""

from __future__ import annotations

import re
from typing import Any

SEPARATORS = re.compile(r"[\s,]+")


def endpoints(address: str | None) -> list[str]:
    """Return the host:port of each ZooKeeper server that a zk:// address names."""
    servers = (address or "").removeprefix("zk://").split("/")[0].rpartition("@")[2]
    return sorted(filter(None, SEPARATORS.split(servers)))


class Cluster:
    """The hosts as they were found, by name, and the groups that say what they are to be.

    Of a host: address, units (null where it cannot be reached), flags (of its running master and
    agent, null where they do not answer).
    """

    def __init__(self, hosts: dict[str, dict[str, Any]], groups: dict[str, list[str]]) -> None:
        """Take what was found and what is wanted."""
        self.hosts = hosts
        self.groups = groups

    def have(self, unit: str) -> list[str]:
        """Return the hosts that have a unit."""
        return [name for name, host in self.hosts.items() if unit in (host["units"] or [])]

    def unreached(self) -> list[str]:
        """Return the hosts that are wanted and cannot be reached."""
        wanted = {name for names in self.groups.values() for name in names}
        return [
            name for name, host in self.hosts.items() if name in wanted and host["units"] is None
        ]


class Plan:
    """What is to be done, and said to be done, in its order."""

    def __init__(self, cluster: Cluster, wanted: dict[str, Any], info: dict[str, Any]) -> None:
        """Take the cluster, the wanted zk (host:port list) and quorum, and what mesos_info says."""
        self.cluster = cluster
        self.wanted = wanted
        self.info = info
        self.steps: list[str] = []
        self.problems: list[str] = []

    def split(self, group: str, unit: str) -> tuple[list[str], list[str], list[str]]:
        """Return the hosts that keep a unit, get it, and lose it."""
        wanted, have = self.cluster.groups[group], self.cluster.have(unit)
        keep = [name for name in wanted if name in have]
        return keep, [n for n in wanted if n not in have], [n for n in have if n not in wanted]

    def stale(self, names: list[str], kind: str, flag: str) -> list[str]:
        """Return the hosts whose daemon runs with other servers of ZooKeeper, or does not run."""
        return [
            name
            for name in names
            if endpoints((self.flags(name, kind) or {}).get(flag)) != sorted(self.wanted["zk"])
            or (kind == "master" and not self.has_quorum(name))
        ]

    def flags(self, name: str, kind: str) -> dict[str, Any] | None:
        """Return the flags that a host's master or agent runs with."""
        flags: dict[str, Any] | None = self.cluster.hosts[name]["flags"].get(kind)
        return flags

    def has_quorum(self, name: str) -> bool:
        """Tell whether a host's master runs with the wanted quorum."""
        return int((self.flags(name, "master") or {}).get("quorum") or 0) == self.wanted["quorum"]

    def masters(self) -> dict[str, Any]:
        """Plan the masters: those that leave first, then those that stay, then the new ones."""
        keep, new, leave = self.split("mesos_masters", "mesos-master")
        ran = keep + leave
        stale = self.stale(keep, "master", "zk")
        leader = (self.info.get("leader") or {}).get("address", "").rpartition(":")[0]
        stale.sort(key=lambda name: self.cluster.hosts[name]["address"] == leader)
        self.judge_masters(ran, leave, new)
        self.say("Masters: stop {} for good", leave)
        if len(ran) == 1 and new:
            # Pocket Mesos has none on disk: its registry is in ZooKeeper.
            log = "its registry's log, where it has one"
            self.steps.append(f"Masters: stop {ran[0]}, give the others a copy of {log}")
        quorum = self.wanted["quorum"]
        self.say(f"Masters: restart {{}}, the leader last, with quorum {quorum}", stale)
        self.say(f"Masters: start {{}}, with quorum {quorum}", new)
        copies = ran[0] if len(ran) == 1 and new else None
        return {"leaving": leave, "stale": stale, "new": new, "copy_from": copies}

    def judge_masters(self, ran: list[str], leave: list[str], new: list[str]) -> None:
        """Refuse what the registry's log would not live through."""
        if leave and len(leave) >= len(ran) // 2 + 1:
            self.problems.append(
                f"{', '.join(leave)} would leave, {len(leave)} of {len(ran)} masters: a majority,"
                f" without which the registry is lost. Take no more than {(len(ran) - 1) // 2} off"
                " the group at a time"
            )
        quorums = [int((self.flags(name, "master") or {}).get("quorum") or 0) for name in ran]
        before = max(quorums, default=0)
        if new and before > 1 and self.wanted["quorum"] > before + 1:
            self.problems.append(
                f"The quorum of the masters is {before} and would become {self.wanted['quorum']},"
                " which those that run could not give. Add two masters at a time"
            )

    def agents(self) -> dict[str, Any]:
        """Plan the agents: new ones first, so that tasks of those that leave have where to go."""
        keep, new, leave = self.split("mesos_agents", "mesos-agent")
        stale = self.stale(keep, "agent", "master")
        self.say("Agents: start {}", new)
        self.say("Agents: restart {}, one by one; their tasks go on", stale)
        gone = self.leaving_agents()
        for agent in gone:
            name = agent["name"] or agent["address"]
            how = "drain it and take it" if agent["drain"] else "it does not answer: take it"
            self.steps.append(f"Agents: {name} leaves; {how} off the cluster for good")
        self.say("Agents: stop {} and remove its data", leave)
        return {"new": new, "stale": stale, "gone": gone, "leaving": leave}

    def leaving_agents(self) -> list[dict[str, Any]]:
        """Return the agents that the leading master knows and no wanted host is."""
        names = {host["address"]: name for name, host in self.cluster.hosts.items()}
        wanted = {self.cluster.hosts[n]["address"] for n in self.cluster.groups["mesos_agents"]}
        known = [(one, one["active"] or one["deactivated"]) for one in self.info["agents"]]
        known += [(one, False) for one in self.info["recovered_agents"]]
        return [
            {
                "id": agent["id"],
                "address": agent["address"],
                "name": names.get(agent["address"].rpartition(":")[0]),
                "drain": connected,
            }
            for agent, connected in known
            if agent["address"].rpartition(":")[0] not in wanted
        ]

    def say(self, text: str, names: list[str]) -> None:
        """Note a step for these hosts, if there are any."""
        if names:
            self.steps.append(text.format(", ".join(names)))


def cluster_plan(
    hosts: dict[str, dict[str, Any]],
    groups: dict[str, list[str]],
    wanted: dict[str, Any],
    info: dict[str, Any],
    ensemble: dict[str, Any],
    makes_nodes: bool,
) -> dict[str, Any]:
    """Return what scale.yml does: per service the hosts, and steps and problems for people.

    ensemble: what zookeeper_passes said.
    """
    cluster = Cluster(hosts, groups)
    plan = Plan(cluster, wanted, info)
    unreached = cluster.unreached()
    if makes_nodes:
        plan.say("Nodes: make or start {}", unreached)
    elif unreached:
        plan.problems.append(
            f"{', '.join(unreached)} cannot be reached. Start them, or take them off the inventory"
        )
    plan.steps += [one["text"] for one in ensemble["passes"]]
    plan.problems += [ensemble["problem"]] if ensemble["problem"] else []
    _, new, leaving = plan.split("zookeeper", "zookeeper")
    plan.say("ZooKeeper: stop it on {} and remove its data", leaving)
    servers = {"new": new, "leaving": leaving, **ensemble}
    masters, agents = plan.masters(), plan.agents()
    if info.get("leader") is None and agents["new"] != groups["mesos_agents"]:
        plan.problems.append(
            "No master leads, so that nobody knows the agents. Start the masters that are down,"
            " until one leads; a first cluster is made by site.yml"
        )
    return {
        "steps": plan.steps,
        "problems": plan.problems,
        "zookeeper": servers,
        "masters": masters,
        "agents": agents,
    }


def found_hosts(names: list[str], hostvars: Any) -> dict[str, dict[str, Any]]:
    """Return what was found on each host of the play, as cluster_plan takes it."""
    hosts = {}
    for name in names:
        host = hostvars[name]
        flags = {
            kind: (host.get(f"__scale_{kind}", {}).get("json") or {}).get("flags")
            for kind in ("master", "agent")
        }
        # A master that has its address from a file names the file.
        if flags["master"] and not flags["master"].get("zk", "").startswith("zk://"):
            flags["master"] = {**flags["master"], "zk": host["__scale_found"]["zk"]}
        units = host["__scale_found"]["units"]
        hosts[name] = {"address": host["node_address"], "units": units, "flags": flags}
    return hosts


def found_servers(names: list[str], hostvars: Any) -> list[dict[str, Any]]:
    """Return the servers of ZooKeeper that were found, as zookeeper_passes takes them.

    Of one without a host of its own no more is known than what the others see.
    """
    servers: dict[str, dict[str, Any]] = {}
    for name in names:
        found, address = (
            hostvars[name]["__scale_found"]["zookeeper"],
            hostvars[name]["node_address"],
        )
        for peer, mode in (found or {}).get("peers", {}).items():
            seen = {"name": peer, "address": peer, "mode": mode, "members": {}, "data": False}
            servers.setdefault(peer, seen)
        if found:
            servers[address] = {**found, "name": name, "address": address}
    return list(servers.values())


def wanted_servers(names: list[str], hostvars: Any) -> list[dict[str, Any]]:
    """Return the servers of ZooKeeper that a group declares, as zookeeper_passes takes them."""
    servers = []
    for position, name in enumerate(names, start=1):
        host = hostvars[name]
        ports = (host.get("zookeeper_peer_port", 2888), host.get("zookeeper_election_port", 3888))
        address = host["node_address"]
        peer = f"{address}:{ports[0]}:{ports[1]}"
        number = int(host.get("zookeeper_id", position))
        servers.append({"name": name, "id": number, "address": address, "peer": peer})
    return servers


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "cluster_plan": cluster_plan,
            "found_hosts": found_hosts,
            "found_servers": found_servers,
            "wanted_servers": wanted_servers,
        }
