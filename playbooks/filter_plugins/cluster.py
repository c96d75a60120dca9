"""What is wrong with a running cluster, and who of it is upgraded before whom."""

from collections.abc import Iterator, Mapping
from typing import Any

State = Mapping[str, Any]
Addresses = Mapping[str, str]
"""Host of the inventory: its service's address."""


def problems(cluster: State, ensemble: State, inventory: State) -> list[dict[str, str]]:
    """Return what is wrong: kind, host (empty where it is nobody's alone) and text of each.

    cluster and ensemble are what mesos_info and zookeeper_info tell, inventory has the
    addresses of servers, masters and agents by host.
    """
    found = [
        *_of_ensemble(ensemble, inventory["servers"]),
        *_of_masters(cluster, inventory["masters"]),
    ]
    if cluster["leader"]:
        found += _of_agents(cluster, inventory["agents"])
        found += _of_versions(cluster)
    return [dict(zip(("kind", "host", "text"), problem, strict=True)) for problem in found]


def _of_ensemble(ensemble: State, hosts: Addresses) -> Iterator[tuple[str, str, str]]:
    errors = {server["address"]: server["error"] for server in ensemble["servers"]}
    for host, address in hosts.items():
        if errors[address]:
            yield "server", host, f"ZooKeeper on {host} ({address}): {errors[address]}"
    if not ensemble["quorum"]:
        yield "quorum", "", f"ZooKeeper has no quorum: {len(hosts) // 2 + 1} servers have to agree"


def _of_masters(cluster: State, hosts: Addresses) -> Iterator[tuple[str, str, str]]:
    states = {master["address"]: master for master in cluster["masters"]}
    for host, address in hosts.items():
        if not states[address]["reachable"]:
            yield "master", host, f"the master on {host}: {states[address]['error']}"
    leading = [host for host, address in hosts.items() if states[address]["leader"]]
    if len(leading) > 1:
        yield "leader", "", f"several masters say that they lead: {', '.join(leading)}"
    elif not cluster["leader"]:
        yield "leader", "", "no master leads: tasks run on, nothing new is started"


def _of_agents(cluster: State, hosts: Addresses) -> Iterator[tuple[str, str, str]]:
    known = {agent["address"]: agent for agent in cluster["agents"]}
    for host, address in hosts.items():
        agent = known.pop(address, None)
        if agent is None:
            yield "agent", host, f"the agent on {host} ({address}) is not registered"
        elif agent["draining"]:
            yield "drained", host, f"the agent on {host} is {agent['draining']}: it gets no tasks"
        elif agent["deactivated"]:
            yield "drained", host, f"the agent on {host} is deactivated: it gets no tasks"
        elif not agent["active"]:
            yield "agent", host, f"the agent on {host} ({address}) has lost its master"
    for address in known:
        yield (
            "stranger",
            "",
            f"an agent at {address} is registered that the inventory does not name",
        )


def _of_versions(cluster: State) -> Iterator[tuple[str, str, str]]:
    versions = {one["version"] for one in [*cluster["masters"], *cluster["agents"]]} - {None}
    if len(versions) > 1:
        yield "versions", "", f"several versions run: {', '.join(sorted(versions))}"


def misnamed(named: Mapping[str, list[str]], servers: Addresses) -> list[dict[str, str]]:
    """Return, as problems does, whose configuration names other servers than the inventory.

    named has the addresses in a host's configuration: each member of an ensemble on a line of
    its own, without a port; the servers of a zk:// address on one line, host:port with commas.
    """
    ports = set(servers.values())
    members = {address.rpartition(":")[0] for address in ports}
    found = []
    for host, lines in named.items():
        odd: set[str] = set()
        for line in lines:
            odd |= set(line.split(",")) ^ ports if ":" in line else set()
        ensemble = {line for line in lines if ":" not in line}
        odd |= ensemble ^ members if ensemble else set()
        if odd:
            text = f"the configuration of {host} and the inventory differ in ZooKeeper's servers"
            found.append(
                {"kind": "named", "host": host, "text": f"{text}: {', '.join(sorted(odd))}"}
            )
    return found


def obstacles(found: list[Mapping[str, str]], changing: Mapping[str, list[str]]) -> list[str]:
    """Return the problems that forbid a rolling change of the hosts, which are given by kind.

    What is down keeps others from being changed, unless it is among those that are: the
    change may be what mends it.
    """
    down = {kind: {one["host"] for one in found if one["kind"] == kind} for kind in changing}
    mended = {kind for kind in changing if down[kind] & set(changing[kind])}
    needs = {"quorum": "server", "leader": "master"}
    return [
        one["text"]
        for one in found
        if (one["kind"] in changing and one["host"] not in changing[one["kind"]])
        or (one["kind"] in needs and needs[one["kind"]] not in mended)
    ]


def order(
    hosts: list[str], addresses: Addresses, states: list[State], last: str | None
) -> list[str]:
    """Return the hosts in the order of a rolling change.

    First those whose service does not work: a change may mend them, and nothing is lost by
    it. Last the one at the address that leads, so that the lead changes once.
    """
    working = {state["address"] for state in states}

    def rank(host: str) -> int:
        address = addresses[host]
        return 2 if address == last else int(address in working)

    return sorted(hosts, key=rank)


class FilterModule:
    """The filters, for Ansible."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {
            "cluster_problems": problems,
            "cluster_misnamed": misnamed,
            "rolling_obstacles": obstacles,
            "rolling_order": order,
        }
