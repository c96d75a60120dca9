"""What must be right before a lab is made: its name, its subnet, and that both are free.

The judgement is pure: it takes what Docker and the host's routing table say as values.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labkit import engine
from labkit.distributions import VARIABLE

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?")
LABEL = "mesos-lab.name"
ROOT_LABEL = "mesos-lab.root"
DISTRIBUTION_LABEL = "mesos-lab.distribution"


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A Docker network: its subnets and the labels that say whose it is."""

    name: str
    subnets: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    bridge: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What the engine and its host already use."""

    networks: tuple[Network, ...] = ()
    containers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Each container's labels by its name."""

    states: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Each container's state, as the engine tells it, by the container's name."""

    routes: tuple[tuple[str, str], ...] = ()
    """Destination and interface of each route, the default route left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lab:
    """The lab that is wanted."""

    name: str
    subnet: str
    root: str
    nodes: Mapping[str, int]
    """Each node's number, the last part of its address."""

    distribution: str
    """What new nodes run."""


def problem(lab: Lab, host: Host) -> str | None:
    """Return why this lab can't be made, and the variable to change; None when it can."""
    return (
        name_problem(lab)
        or subnet_problem(lab)
        or numbers_problem(lab)
        or owner_problem(lab, host)
        or distribution_problem(lab, host)
        or overlap_problem(lab, host)
    )


def name_problem(lab: Lab) -> str | None:
    """Refuse a name that containers and networks can't take."""
    if NAME.fullmatch(lab.name):
        return None
    return (
        f"lab_name {lab.name!r} can't name containers: allowed are up to 32 small letters, digits "
        "and hyphens, with no hyphen at either end. Set lab_name."
    )


def subnet_problem(lab: Lab) -> str | None:
    """Refuse a subnet in which the nodes' addresses have no place."""
    try:
        subnet = ipaddress.IPv4Network(lab.subnet)
    except ValueError as error:
        return (
            f"lab_subnet {lab.subnet!r} is no IPv4 network ({error}). "
            "Set lab_subnet, as in 172.28.20.0/24."
        )
    if not 16 <= subnet.prefixlen <= 24:
        return (
            f"lab_subnet {lab.subnet} has a prefix of {subnet.prefixlen}; allowed is 16 to 24. "
            "Set lab_subnet."
        )
    if not subnet.is_private:
        return (
            f"lab_subnet {lab.subnet} is no private network: nodes would hide public addresses. "
            "Set lab_subnet."
        )
    return None


def numbers_problem(lab: Lab) -> str | None:
    """Refuse numbers that give no address: .1 is the bridge's, .255 nobody's."""
    for node, number in lab.nodes.items():
        if not 2 <= number <= 254:
            return (
                f"node_number {number} of {node} gives no address; allowed is 2 to 254. "
                "Set it in the inventory."
            )
        others = sorted(
            other for other, its in lab.nodes.items() if its == number and other != node
        )
        if others:
            return (
                f"node_number {number} is both {node}'s and {others[0]}'s. Set it in the inventory."
            )
    return None


def owner_problem(lab: Lab, host: Host) -> str | None:
    """Refuse a name whose network or containers are not this lab's own."""
    network = next((network for network in host.networks if network.name == lab.name), None)
    if network is not None:
        if trouble := _foreign(lab, f"the Docker network {lab.name}", network.labels):
            return trouble
        if lab.subnet not in network.subnets:
            return (
                f"lab {lab.name} runs on subnet {', '.join(network.subnets)}, not {lab.subnet}. "
                f"Set lab_subnet to that, choose another lab_name, or remove the lab first "
                f'(make down ARGS="-e lab_name={lab.name}").'
            )
    for node in lab.nodes:
        name = f"{lab.name}-{node}"
        if name in host.containers and (
            trouble := _foreign(lab, f"the container {name}", host.containers[name])
        ):
            return trouble
    return None


def _foreign(lab: Lab, what: str, labels: Mapping[str, str]) -> str | None:
    if labels.get(LABEL) != lab.name:
        return f"lab_name {lab.name} is in use: {what} is not a lab's. Set another lab_name."
    owner = labels.get(ROOT_LABEL, lab.root)
    if owner != lab.root and (Path(owner) / ".lab" / lab.name).is_dir():
        return (
            f"lab_name {lab.name} is in use: {what} belongs to the lab of {owner}. "
            "Set another lab_name and lab_subnet, or run 'make down' there."
        )
    return None


def distribution_problem(lab: Lab, host: Host) -> str | None:
    """Refuse nodes that run something else than what is wanted now."""
    for node in lab.nodes:
        labels = host.containers.get(f"{lab.name}-{node}", {})
        found = labels.get(DISTRIBUTION_LABEL, lab.distribution)
        if found != lab.distribution:
            return (
                f"{node} of lab {lab.name} runs {found}, not {lab.distribution}. "
                f"Set {VARIABLE}={found}, choose another lab_name and lab_subnet, or remove the "
                f'lab first (make down ARGS="-e lab_name={lab.name}").'
            )
    return None


def overlap_problem(lab: Lab, host: Host) -> str | None:
    """Refuse a subnet whose addresses lead elsewhere already."""
    subnet = ipaddress.IPv4Network(lab.subnet)
    own_bridges = {network.bridge for network in host.networks if network.name == lab.name}
    for network in host.networks:
        for other in network.subnets if network.name != lab.name else ():
            if _overlap(subnet, other):
                owner = network.labels.get(LABEL)
                whose = f"lab {owner}" if owner else f"the Docker network {network.name}"
                return (
                    f"lab_subnet {lab.subnet} is in use: {whose} has {other}. "
                    "Set another lab_subnet."
                )
    for destination, interface in host.routes:
        if interface not in own_bridges and _overlap(subnet, destination):
            return (
                f"lab_subnet {lab.subnet} is in use: this host has a route to {destination} "
                f"by {interface}. Set another lab_subnet."
            )
    return None


def _overlap(subnet: ipaddress.IPv4Network, other: str) -> bool:
    network = ipaddress.ip_network(other, strict=False)
    return isinstance(network, ipaddress.IPv4Network) and subnet.overlaps(network)


def look(names: Iterable[str]) -> Host:
    """Ask the engine for networks and the containers of these names, the host for routes."""
    wanted = set(names)
    ids = engine.run("docker", "network", "ls", "--quiet", "--no-trunc").split()
    listing = engine.run("docker", "ps", "--all", "--format", "{{.Names}}").split()
    present = [name for name in listing if name in wanted]
    containers = {item["Name"].lstrip("/"): item for item in engine.inspect("container", *present)}
    return Host(
        networks=tuple(_network(network) for network in engine.inspect("network", *ids)),
        containers={name: item["Config"]["Labels"] or {} for name, item in containers.items()},
        states={name: item["State"] for name, item in containers.items()},
        routes=_routes() if engine.is_local() else (),
    )


def _network(data: dict[str, Any]) -> Network:
    options = data.get("Options") or {}
    return Network(
        name=data["Name"],
        subnets=tuple(pool["Subnet"] for pool in data["IPAM"].get("Config") or []),
        labels=data.get("Labels") or {},
        bridge=options.get("com.docker.network.bridge.name") or f"br-{data['Id'][:12]}",
    )


def _routes() -> tuple[tuple[str, str], ...]:
    """Read the kernel's table: hexadecimal, in the machine's byte order."""
    routes = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        interface, destination, *_, mask = line.split()[:8]
        address, netmask = (
            ipaddress.IPv4Address(int(part, 16).to_bytes(4, "little"))
            for part in (destination, mask)
        )
        if int(netmask):
            routes.append((str(ipaddress.IPv4Network(f"{address}/{netmask}")), interface))
    return tuple(routes)
