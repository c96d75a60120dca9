"""Filter that plans how a running ZooKeeper ensemble becomes the one that the inventory declares.

Pure: what runs and what is wanted go in, passes come out; playbooks/tasks/scale_zookeeper.yml
takes them. A pass leads from one list of servers to the next. Lists next to each other differ by
one server, so that any majority of one shares a server with any majority of the other: no write
is lost, whichever servers have read which list (docs/adr/0007-rolling-reconfiguration.md).

The one exception is a server that stands alone: it becomes one of three at once. The first new
server starts with it; the second starts when the first has the data, so two empty servers never
meet.
"""

from __future__ import annotations

from typing import Any

Server = tuple[int, str]
"""Number and address of a server."""

SERVING = ("leader", "follower", "standalone")


class Ensemble:
    """The servers that are wanted, and what was found of these and of others."""

    def __init__(self, wanted: list[dict[str, Any]], hosts: list[dict[str, Any]]) -> None:
        """Take the wanted servers in their order, and the hosts that have or had a server."""
        self.hosts = {host["address"]: host for host in hosts}
        self.peers = {(int(one["id"]), one["address"]): one["peer"] for one in wanted}
        self.wanted = list(self.peers)
        self.names = {one["address"]: one["name"] for one in [*hosts, *wanted]}

    def name(self, server: Server) -> str:
        """Return the name of the server's host; its address where no host is known."""
        return str(self.names.get(server[1], server[1]))

    def listed(self, servers: list[Server]) -> str:
        """Return the names as people read them."""
        return ", ".join(map(self.name, servers))

    def serves(self, server: Server) -> bool:
        """Tell whether the server has a place in an ensemble."""
        return self.hosts.get(server[1], {}).get("mode") in SERVING

    def list_of(self, host: dict[str, Any]) -> list[Server]:
        """Return the servers that this one takes for the ensemble."""
        servers = []
        for number, peer in (host["members"] or {}).items():
            server = (int(number), peer.split(":")[0])
            # As ZooKeeper says it: address:port:port:participant;client
            self.peers.setdefault(server, ":".join(peer.split(";")[0].split(":")[:3]))
            servers.append(server)
        return servers

    def alone(self, host: dict[str, Any]) -> Server:
        """Return a server that stands alone; it does not tell its number."""
        numbers = {address: number for number, address in self.wanted}
        return (numbers.get(host["address"], 1), host["address"])

    def current(self) -> list[Server]:
        """Return the list of the server that leads or stands alone; empty where none does."""
        for host in self.hosts.values():
            if host["mode"] == "leader":
                return self.list_of(host)
            if host["mode"] == "standalone":
                return [self.alone(host)]
        return []

    def stranded(self) -> list[Server]:
        """Return the three servers of which the one with the data waits for the others."""
        holders = [host for host in self.hosts.values() if host["data"]]
        servers = self.list_of(holders[0]) if len(holders) == 1 else []
        return servers if len(servers) == len("ABC") else []


def majority(servers: list[Server]) -> int:
    """Return how many of the servers make a quorum."""
    return len(servers) // 2 + 1


def problem(ensemble: Ensemble, current: list[Server]) -> str | None:
    """Return why there is no safe way, or None."""
    hosts = ensemble.hosts.values()
    heads = [host["name"] for host in hosts if host["mode"] in ("leader", "standalone")]
    if len(heads) > 1:
        return (
            f"{' and '.join(heads)} each lead an ensemble of their own. Decide whose data is wanted"
            " and take the others' away: playbooks/reset.yml with --limit"
        )
    numbers = {address: number for number, address in current}
    for number, address in ensemble.wanted:
        if numbers.get(address, number) != number:
            return (
                f"{ensemble.names[address]} is server {numbers[address]} of the running ensemble"
                f" and would become server {number}. Set zookeeper_id for each host of the group:"
                f" {numbers[address]} for this one"
            )
    leaving = [server for server in current if server not in ensemble.wanted]
    if len(leaving) >= majority(current):
        return (
            f"{ensemble.listed(leaving)} would leave, {len(leaving)} of {len(current)} servers: a"
            f" majority. Take no more than {majority(current) - 1} off the group at a time"
        )
    return None


def way(ensemble: Ensemble, current: list[Server]) -> list[dict[str, Any]]:
    """Return the passes from the current list to the wanted one."""
    adds = [server for server in ensemble.wanted if server not in current]
    leaving = [server for server in current if server not in ensemble.wanted]
    dead = [server for server in leaving if not ensemble.serves(server)]
    down = [one for one in current if one not in leaving and not ensemble.serves(one)]
    passes = [one_pass(ensemble, current, current, first=down)] if down else []
    now = current
    if len(now) == 1 and len(adds) > 1:
        now = [*now, *adds[:2]]
        passes.append(one_pass(ensemble, current, now, first=adds[:1], then=adds[1:2]))
        adds = adds[2:]
    alive = [server for server in leaving if server not in dead]
    for server in [*dead, *adds, *alive]:
        before = now
        now = [*now, server] if server in adds else [one for one in now if one != server]
        first = [server] if server in adds else []
        passes.append(one_pass(ensemble, before, now, first=first))
    return settle(ensemble, current, passes) + passes


def settle(
    ensemble: Ensemble, current: list[Server], passes: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return a pass to the leader's list where servers have one that is not next to come.

    A run that was stopped leaves the leader with the older list, unless the leader changed.
    """
    near = [sorted(current)]
    near += [sorted(one["servers"]) for one in passes if one["restart"]][:1]
    lists = [
        sorted(ensemble.list_of(host))
        for host in ensemble.hosts.values()
        if host["mode"] in ("leader", "follower")
        and host["address"] in {address for _, address in current}
    ]
    if all(one in near for one in lists) and (passes or all(one == near[0] for one in lists)):
        return []
    return [one_pass(ensemble, current, current)]


def one_pass(
    ensemble: Ensemble,
    before: list[Server],
    now: list[Server],
    *,
    first: list[Server] | None = None,
    then: list[Server] | None = None,
) -> dict[str, Any]:
    """Return a pass: start `first`, restart those with another list, start `then`."""
    first, then = first or [], then or []
    order = [one for one in ensemble.wanted if one in now]
    order += [one for one in now if one not in order]
    restart = [one for one in order if one not in first and one not in then]
    if sorted(before) == sorted(now) and first:
        restart = []
    leaving = [one for one in before if one not in now]
    return {
        "servers": order,
        "members": {str(one[0]): ensemble.peers[one] for one in order},
        "first": list(map(ensemble.name, first)),
        "restart": list(map(ensemble.name, restart)),
        "then": list(map(ensemble.name, then)),
        "leaving": list(map(ensemble.name, leaving)),
        # The one that stood alone and the first new server make a quorum only together.
        "alone": len(before) == 1 and len(now) > 1,
        "gap": bool(restart) and any(gap(ensemble, one) for one in (before, now)),
        "text": text(ensemble, order, restart, first, then, leaving, len(before)),
    }


def gap(ensemble: Ensemble, servers: list[Server]) -> bool:
    """Tell whether these have no quorum while one restarts: those that leave may be down."""
    up = [one for one in servers if one in ensemble.wanted or ensemble.serves(one)]
    return len(up) - 1 < majority(servers)


def text(
    ensemble: Ensemble,
    order: list[Server],
    restart: list[Server],
    first: list[Server],
    then: list[Server],
    leaving: list[Server],
    before: int,
) -> str:
    """Say what a pass does, in its order."""
    alone = before == 1 and len(order) > 1
    said = [f"start it on {ensemble.listed(first)}"] if first else []
    if restart:
        how = " at the same time (some seconds without service)," if alone else ""
        how = " one by one, the leader last," if len(restart) > 1 else how
        servers = ensemble.listed(order)
        said.append(f"restart it on {ensemble.listed(restart)}{how} with the servers {servers}")
    said += [f"start it on {ensemble.listed(then)}"] if then else []
    said += [f"{ensemble.listed(leaving)} is no member any more"] if leaving else []
    return "ZooKeeper: " + "; then ".join(said).replace("; then restart", "; restart", int(alone))


def stranded_way(ensemble: Ensemble, current: list[Server]) -> list[dict[str, Any]]:
    """Return the way on from a run that was stopped while the lone server waited for the first.

    One of the two that have no data is started with it; the other when the data is on both.
    """
    empty = [one for one in current if not ensemble.hosts.get(one[1], {}).get("data")]
    starts = [one_pass(ensemble, current, current, first=[one]) for one in empty]
    # All three serve by then: what is left is the way of an ensemble that is whole.
    holder = next(host for host in ensemble.hosts.values() if host["data"])
    for _, address in current:
        ensemble.hosts[address] = {**holder, "address": address, "mode": "follower"}
    return starts + way(ensemble, current)


def zookeeper_passes(
    wanted: list[dict[str, Any]], hosts: list[dict[str, Any]], gap_allowed: bool = False
) -> dict[str, Any]:
    """Return the passes, the names of the current servers, and the problem if there is no way.

    wanted: name, id, address and peer (address:port:port) of each server of the inventory.
    hosts: name, address, mode, members and data of each host with a server, wanted or not: what
    it serves with or, where it does not serve, what its disk holds.
    """
    ensemble = Ensemble(wanted, hosts)
    current = ensemble.current()
    found = {"passes": [], "problem": None}
    if current:
        found["problem"] = problem(ensemble, current)
        passes = [] if found["problem"] else way(ensemble, current)
    elif current := ensemble.stranded():
        passes = stranded_way(ensemble, current)
    else:
        passes = []
        found["problem"] = (
            "No ensemble serves. Start the servers that are down, until there is a quorum; a first"
            " ensemble is made by site.yml"
        )
    if not gap_allowed and any(one["gap"] and not one["alone"] for one in passes):
        found["problem"] = (
            "A server that leaves is down: restarting another stops the ensemble for the seconds"
            " until it is back. Start the one that is down, or set scale_zookeeper_gap: true"
        )
    return {**found, "passes": passes, "current": list(map(ensemble.name, current))}


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {"zookeeper_passes": zookeeper_passes}
