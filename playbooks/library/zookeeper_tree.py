#!/usr/bin/python
"""Module that saves the nodes of a ZooKeeper ensemble to a file and brings them back."""

from __future__ import annotations

import base64
import gzip
import json
import os
import time

from ansible.module_utils import zookeeper_client, zookeeper_tree
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: zookeeper_tree
short_description: Saves and restores the nodes of a ZooKeeper ensemble
description:
  - Saves all nodes that are not ephemeral, as they were at one moment, with their data, ACLs and
    kinds (persistent, container, with a time to live) to a compressed file, a line of JSON each.
  - Restores them from such a file. Also the counters of sequential nodes go on where they were.
  - Runs on a host that reaches the servers, and needs nothing there but Python.
options:
  servers:
    description: Servers of the ensemble, as host:port. The first that answers is used.
    type: list
    elements: str
    required: true
  credentials:
    description:
      - Accounts of the scheme digest, as name:secret. Nodes whose ACL shuts these out cannot be
        saved; ACLs with digests can only be read by the super user.
    type: list
    elements: str
    default: []
  state:
    description: Whether the file is written from the tree, or the tree from the file.
    type: str
    choices: [saved, restored]
    required: true
  path:
    description: The file on the host.
    type: path
    required: true
  overwrite:
    description:
      - Whether nodes that differ get the file's data and ACL. Without it a tree that holds anything
        that the file does not is left as it is, and the module fails.
      - Nodes that are not in the file stay in either case.
    type: bool
    default: false
  timeout:
    description: Seconds that a server may take to answer.
    type: float
    default: 30.0
attributes:
  check_mode:
    description: Tells what would be saved or written, and does neither.
    support: full
author: Mesos Lab
"""

EXAMPLES = r"""
- name: Save all nodes
  zookeeper_tree:
    servers: ["192.0.2.11:2181"]
    credentials: ["super:{{ secret }}"]
    state: saved
    path: /root/zookeeper.json.gz
"""

RETURN = r"""
nodes:
  description: Number of nodes that were saved, or that the file has.
  returned: always
  type: int
zxid:
  description: The last change of the ensemble that the file holds, as a hexadecimal number.
  returned: always
  type: str
created:
  description: Paths of nodes that were missing (at most 20).
  returned: for restored
  type: list
overwritten:
  description: Paths of nodes that were different (at most 20).
  returned: for restored
  type: list
extra:
  description: Paths that the tree has and the file has not (at most 20).
  returned: for restored
  type: list
counts:
  description: Numbers of created, overwritten, extra.
  returned: for restored
  type: dict
"""

FORMAT = "zookeeper-tree 1"
SHOWN = 20


def save(module: AnsibleModule, client: zookeeper_client.Client) -> dict:
    """Write the file and read it again."""
    nodes, zxid = zookeeper_tree.read_tree(client)
    head = {"format": FORMAT, "nodes": len(nodes), "zxid": hex(zxid), "time": int(time.time())}
    if not module.check_mode:
        write_file(module.params["path"], head, nodes)
        if load(module.params["path"]) != (head, nodes):
            raise zookeeper_client.ZooKeeperError("The file does not hold what was written to it")
    return {"changed": True, "nodes": len(nodes), "zxid": head["zxid"]}


def write_file(path: str, head: dict, nodes: dict[str, zookeeper_tree.Node]) -> None:
    """Write the nodes, a line each, to a file that is its owner's alone."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as raw, gzip.open(raw, "wt", encoding="ascii") as file:
        file.write(json.dumps(head) + "\n")
        for node in nodes.values():
            data = None if node.data is None else base64.b64encode(node.data).decode()
            file.write(json.dumps({**node._asdict(), "data": data}) + "\n")
        file.write(json.dumps({"end": len(nodes)}) + "\n")


def load(path: str) -> tuple[dict, dict[str, zookeeper_tree.Node]]:
    """Return a file's head and nodes; it must be whole."""
    try:
        with gzip.open(path, "rt", encoding="ascii") as file:
            lines = [json.loads(line) for line in file]
    except (OSError, EOFError, ValueError) as error:
        raise zookeeper_client.ZooKeeperError(f"{path} cannot be read: {error}") from error
    if not lines or lines[0].get("format") != FORMAT:
        raise zookeeper_client.ZooKeeperError(f"{path} is no file of this module")
    nodes = {}
    for line in lines[1:-1]:
        data = None if line["data"] is None else base64.b64decode(line["data"])
        acl = tuple((perms, scheme, ident) for perms, scheme, ident in line["acl"])
        nodes[line["path"]] = zookeeper_tree.Node(**{**line, "data": data, "acl": acl})
    if lines[-1] != {"end": len(nodes)}:
        raise zookeeper_client.ZooKeeperError(f"{path} is cut off")
    return lines[0], nodes


def restore(module: AnsibleModule, client: zookeeper_client.Client) -> dict:
    """Bring the tree to what the file says, and look whether it is."""
    head, wanted = load(module.params["path"])
    found, _ = zookeeper_tree.read_tree(client)
    missing, different, extra = zookeeper_tree.differences(wanted, found)
    if (different or extra) and not module.params["overwrite"]:
        raise zookeeper_client.ZooKeeperError(refusal(different, extra))
    if not module.check_mode:
        write(client, wanted, missing, different)
    return {
        "changed": bool(missing or different),
        "nodes": head["nodes"],
        "zxid": head["zxid"],
        "created": [node.path for node in missing[:SHOWN]],
        "overwritten": [node.path for node in different[:SHOWN]],
        "extra": extra[:SHOWN],
        "counts": {
            "created": len(missing),
            "overwritten": len(different),
            "extra": len(extra),
        },
    }


def write(
    client: zookeeper_client.Client,
    wanted: dict[str, zookeeper_tree.Node],
    missing: list[zookeeper_tree.Node],
    different: list[zookeeper_tree.Node],
) -> None:
    """Write what is missing or different and compare the whole tree afterwards."""
    zookeeper_tree.write(client, missing, different)
    found, _ = zookeeper_tree.read_tree(client)
    zookeeper_tree.advance(client, wanted, found)
    missing, different, _ = zookeeper_tree.differences(wanted, found)
    if missing or different:
        paths = ", ".join(node.path for node in [*missing, *different][:SHOWN])
        raise zookeeper_client.ZooKeeperError(f"Others changed what was restored: {paths}")


def refusal(different: list[zookeeper_tree.Node], extra: list[str]) -> str:
    """Say what the tree holds already."""
    paths = [node.path for node in different] + extra
    shown = ", ".join(paths[:SHOWN]) + (", ..." if len(paths) > SHOWN else "")
    return (
        f"The tree is not empty: {len(different)} nodes differ from the file's, {len(extra)} are"
        f" not in it ({shown}). Nothing was written"
    )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "servers": {"type": "list", "elements": "str", "required": True},
            "credentials": {"type": "list", "elements": "str", "default": [], "no_log": True},
            "state": {"type": "str", "choices": ["saved", "restored"], "required": True},
            "path": {"type": "path", "required": True},
            "overwrite": {"type": "bool", "default": False},
            "timeout": {"type": "float", "default": 30.0},
        },
        supports_check_mode=True,
    )
    parameters = module.params
    try:
        client = zookeeper_client.Client(
            parameters["servers"], parameters["credentials"], parameters["timeout"]
        )
        act = save if parameters["state"] == "saved" else restore
        result = act(module, client)
        client.close()
    except (zookeeper_client.ZooKeeperError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
