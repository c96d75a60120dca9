"""The nodes of a ZooKeeper ensemble as a whole: read consistently, compared, written.

Ephemeral nodes are their sessions' and are left out; so is what ZooKeeper keeps for itself.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from typing import NamedTuple

from ansible.module_utils import zookeeper_client as zk

OWN = "/zookeeper/config"
"""The ensemble's own list of servers."""
PERSISTENT, CONTAINER, TTL = "persistent", "container", "ttl"
CONTAINER_OWNER = -(1 << 63)
"""Owner of a node that vanishes after its last child."""
TTL_MASK = 0xFF << 56
"""Owner of a node that vanishes after a time: this, and the milliseconds in the lower bytes."""
ATTEMPTS = 20
"""How often to look at a tree that others go on changing."""
HIDDEN = ":x"
"""What stands for a digest that we may not see."""
BIG = 1_000_000
"""Bytes of a request above which data goes in one of its own; servers refuse 1 MiB."""
SEQUENTIAL = re.compile(r"\d{10}$")
PLACEHOLDER = "restore-placeholder-"


class Node(NamedTuple):
    """A node as it is kept in an archive."""

    path: str
    data: bytes | None
    acl: tuple[tuple[int, str, str], ...]
    kind: str
    ttl: int
    created: int
    """Children that it has had, which is the number of the next sequential one."""

    def same(self, other: Node) -> bool:
        """Tell whether another is the same to whoever reads it."""
        return self[:5] == other[:5]


class Stamp(NamedTuple):
    """Changes whenever a node, its ACL or its list of children does."""

    czxid: int
    mzxid: int
    pzxid: int
    aversion: int


def stamp(stat: zk.Stat) -> Stamp:
    """Return a node's stamp."""
    return Stamp(stat.czxid, stat.mzxid, stat.pzxid, stat.aversion)


def kind_of(owner: int) -> tuple[str, int] | None:
    """Return a node's kind and its time to live, or None for an ephemeral one."""
    if owner == 0:
        return PERSISTENT, 0
    if owner == CONTAINER_OWNER:
        return CONTAINER, 0
    unsigned = owner & ((1 << 64) - 1)
    if unsigned & TTL_MASK == TTL_MASK:
        return TTL, unsigned & ((1 << 40) - 1)
    return None


def read_tree(client: zk.Client) -> tuple[dict[str, Node], int]:
    """Return all nodes as they were at one moment, by path, and the last change before it.

    All are read, then all are looked at again: where nothing has changed in between, every node
    was as it was read at the moment between the two.
    """
    nodes: dict[str, Node] = {}
    stamps: dict[str, Stamp] = {}
    client.call(zk.read(zk.SYNC, "/"))
    for _ in range(ATTEMPTS):
        zxid = client.call(zk.read(zk.EXISTS, "/")).zxid
        stats = look(client)
        if stamps == {path: stamp(stat) for path, stat in stats.items()}:
            return nodes, zxid
        changed = {p: s for p, s in stats.items() if stamps.get(p) != stamp(s)}
        for gone in set(nodes) - set(stats):
            del nodes[gone], stamps[gone]
        for node, found in read_nodes(client, changed):
            nodes[node.path] = node
            stamps[node.path] = found
    raise zk.ZooKeeperError(
        f"The tree changes faster than it can be read: {len(changed)} of {len(stats)} nodes while"
        " it was read last. Try when less is written"
    )


def look(client: zk.Client) -> dict[str, zk.Stat]:
    """Return the stat of every node that is not ephemeral, parents before children."""
    stats: dict[str, zk.Stat] = {}
    level = ["/"]
    while level:
        below: list[str] = []
        replies = client.calls([zk.read(zk.GET_CHILDREN, path) for path in level])
        for path in level:
            reply = next(replies)
            if reply.error == zk.NO_NODE:
                continue
            check(reply, path)
            children, stat = reply.body.texts(), reply.body.stat()
            if kind_of(stat.ephemeral_owner) is None:
                continue
            stats[path] = stat
            below += [f"{path.rstrip('/')}/{name}" for name in sorted(children)]
        level = [path for path in below if path != OWN]
    return stats


def read_nodes(client: zk.Client, stats: dict[str, zk.Stat]) -> Iterable[tuple[Node, Stamp]]:
    """Return nodes with their stamps of when they were read; those that have gone are left out."""
    requests = []
    for path, stat in stats.items():
        requests.append(zk.read(zk.GET_ACL, path))
        requests.append(zk.read(zk.GET_DATA, path, weight=stat.data_length))
    replies = client.calls(requests)
    for path in stats:
        acl_reply, reply = next(replies), next(replies)
        if zk.NO_NODE in (acl_reply.error, reply.error):
            continue
        check(acl_reply, path)
        check(reply, path)
        acl = acl_reply.body.acl()
        if any(scheme == "digest" and ident.endswith(HIDDEN) for _, scheme, ident in acl):
            raise zk.ZooKeeperError(f"{path}: its ACL is shown to the super user only")
        data, stat = reply.body.buffer(), reply.body.stat()
        kind, ttl = kind_of(stat.ephemeral_owner) or (PERSISTENT, 0)
        created = (stat.cversion + stat.num_children) // 2
        aversion = acl_reply.body.stat().aversion
        yield (
            Node(path, data, tuple(acl), kind, ttl, created),
            stamp(stat)._replace(aversion=aversion),
        )


def check(reply: zk.Reply, path: str) -> None:
    """Raise what an answer says has failed."""
    if reply.error:
        raise zk.ZooKeeperError(f"{path}: {zk.reason(reply.error)}")


def differences(
    wanted: dict[str, Node], found: dict[str, Node]
) -> tuple[list[Node], list[Node], list[str]]:
    """Return the nodes that are missing, those that differ, and the paths that are too many."""
    missing = [node for path, node in wanted.items() if path not in found]
    different = [n for p, n in wanted.items() if p in found and not n.same(found[p])]
    return missing, different, [path for path in found if path not in wanted]


def write(client: zk.Client, missing: list[Node], different: list[Node]) -> None:
    """Make nodes that are missing, and give others the data and the ACL that they are to have."""
    requests = [(node.path, request) for node in missing for request in creation(node)]
    for node in different:
        body = zk.packed_text(node.path) + zk.packed_buffer(node.data) + struct.pack(">i", -1)
        requests.append((node.path, zk.Request(zk.SET_DATA, body)))
        body = zk.packed_text(node.path) + zk.packed_acl(node.acl) + struct.pack(">i", -1)
        requests.append((node.path, zk.Request(zk.SET_ACL, body)))
    carry_out(client, requests)


def carry_out(client: zk.Client, requests: list[tuple[str, zk.Request]]) -> None:
    """Carry requests out; the first that fails ends it."""
    replies = client.calls(request for _, request in requests)
    for path, _ in requests:
        check(next(replies), path)


def creation(node: Node) -> list[zk.Request]:
    """Return the requests that make a node."""
    rest = zk.packed_acl(node.acl)
    operation, flags, tail = {
        PERSISTENT: (zk.CREATE, 0, b""),
        CONTAINER: (zk.CREATE_CONTAINER, 4, b""),
        TTL: (zk.CREATE_TTL, 5, struct.pack(">q", node.ttl)),
    }[node.kind]
    rest += struct.pack(">i", flags) + tail
    path = zk.packed_text(node.path)
    if node.data is None or len(path) + len(node.data) + len(rest) < BIG:
        return [zk.Request(operation, path + zk.packed_buffer(node.data) + rest)]
    body = path + zk.packed_buffer(node.data) + struct.pack(">i", -1)
    return [
        zk.Request(operation, path + zk.packed_buffer(b"") + rest),
        zk.Request(zk.SET_DATA, body),
    ]


def advance(client: zk.Client, wanted: dict[str, Node], found: dict[str, Node]) -> None:
    """Let the counters of parents of sequential nodes go on where they were.

    A counter is the number of children ever made; one that began anew would give the names of
    nodes that are there.
    """
    parents = {p.rpartition("/")[0] or "/" for p in wanted if SEQUENTIAL.search(p)}
    for path in sorted(parents):
        lag = wanted[path].created - found[path].created
        child = f"{path.rstrip('/')}/{PLACEHOLDER}"
        make = creation(Node(child, b"", ((31, "world", "anyone"),), PERSISTENT, 0, 0))[0]
        drop = zk.Request(zk.DELETE, zk.packed_text(child) + struct.pack(">i", -1))
        carry_out(client, [(child, each) for _ in range(max(lag, 0)) for each in (make, drop)])
