"""The lab as the inventory declares it: nodes, groups, addresses, rendered variables.

Everything the tests expect comes from here, never from the nodes they examine.
"""

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import testinfra

from support import playbook


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One machine of the lab."""

    name: str
    address: str
    container: str
    groups: frozenset[str]
    lab: str
    """Folder on the controller that holds what the lab leaves there."""
    variables: dict[str, Any]

    @property
    def host(self) -> testinfra.host.Host:
        """The machine as Testinfra sees it."""
        return testinfra.get_host(f"docker://{self.container}")

    def run(self, command: str) -> str:
        """Run a shell command on the node as root and return its output; it must succeed."""
        return str(self.host.check_output(command))


# Rendered by Ansible itself on the controller, for each host; no node is contacted.
_FACTS = """{{ {'address': node_address, 'container': ansible_host, 'groups': group_names,
  'lab': lab_state_dir,
  'variables': hostvars[inventory_hostname] | dict2items
    | selectattr('key', 'match', 'node_|mesos_|zookeeper_|mapreduce_|prometheus_')
    | items2dict} }}"""


@functools.cache
def nodes() -> dict[str, Node]:
    """Return every node by name, in the inventory's order."""
    answers = playbook.ask_controller("nodes", _FACTS)
    return {
        name: Node(name=name, **{**facts, "groups": frozenset(facts["groups"])})
        for name, facts in answers.items()
    }


def group(name: str) -> list[Node]:
    """Return the nodes of a group; the group must not be empty."""
    members = [node for node in nodes().values() if name in node.groups]
    assert members, f"group {name} of the inventory is empty"
    return members


def account(name: str) -> tuple[str, str] | None:
    """Return principal and secret of an account of the lab; None where nobody needs one."""
    lab = Path(next(iter(nodes().values())).lab)
    accounts = json.loads((lab / "lab.json").read_text())["accounts"]
    return (accounts[name]["principal"], accounts[name]["secret"]) if accounts else None


def secret(name: str) -> str:
    """Return a secret that the controller made for the lab, by the name of its file."""
    lab = Path(next(iter(nodes().values())).lab)
    return (lab / "secrets" / name).read_text().strip()
