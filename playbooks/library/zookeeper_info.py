#!/usr/bin/python
"""Module that describes a ZooKeeper ensemble."""

from __future__ import annotations

import socket

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: zookeeper_info
short_description: Describes a ZooKeeper ensemble
description:
  - Asks every server with the four-letter word srvr. Changes nothing.
  - Runs on a host that reaches the servers, usually one of them. A server that is down is
    described as such and fails nothing.
options:
  servers:
    description: All servers of the ensemble, as host:port of their client ports.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds that a server may take to answer.
    type: float
    default: 5.0
attributes:
  check_mode:
    description: Can run in check mode, in which it does the same.
    support: full
author: Mesos Lab
"""

EXAMPLES = r"""
- name: Describe the ensemble
  zookeeper_info:
    servers: ["192.0.2.11:2181", "192.0.2.12:2181", "192.0.2.13:2181"]
  register: ensemble
"""

RETURN = r"""
servers:
  description:
    - For each server its address, mode (leader, follower, standalone, or null), version, zxid,
      connections, and error where it has no place in the ensemble.
  returned: always
  type: list
quorum:
  description: Whether the ensemble serves, with a majority of its servers.
  returned: always
  type: bool
leader:
  description: Address of the server that leads, or stands alone; null without one.
  returned: always
  type: str
"""

FIELDS = {
    "Mode": "mode",
    "Zookeeper version": "version",
    "Zxid": "zxid",
    "Connections": "connections",
}


def ask(address: str, word: str, timeout: float) -> str:
    """Return a server's answer to a four-letter word."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        connection.sendall(word.encode())
        with connection.makefile(encoding="utf-8", errors="replace") as answer:
            return answer.read()


def server_state(address: str, timeout: float) -> dict:
    """Return what a server says of itself, or why it says nothing."""
    state = {"address": address, **dict.fromkeys([*FIELDS.values(), "error"])}
    try:
        answer = ask(address, "srvr", timeout)
    except OSError as error:
        return {**state, "error": f"does not answer: {error}"}
    for line in answer.splitlines():
        key, _, value = line.partition(": ")
        if key in FIELDS:
            state[FIELDS[key]] = value.strip()
    if state["mode"] is None:
        return {**state, "error": answer.strip() or "answers nothing"}
    state["version"] = (state["version"] or "").partition("-")[0]
    state["connections"] = int(state["connections"] or 0)
    return state


def describe(servers: list[dict]) -> dict:
    """Return what the servers are together."""
    # One that stands alone knows nothing of the others that it should have.
    leads = "leader" if len(servers) > 1 else "standalone"
    leaders = [one["address"] for one in servers if one["mode"] == leads]
    members = [one for one in servers if one["mode"] in ("follower", leads)]
    leader = leaders[0] if len(leaders) == 1 else None
    quorum = leader is not None and len(members) > len(servers) // 2
    return {"servers": servers, "quorum": quorum, "leader": leader}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "servers": {"type": "list", "elements": "str", "required": True},
            "timeout": {"type": "float", "default": 5.0},
        },
        supports_check_mode=True,
    )
    timeout = module.params["timeout"]
    servers = [server_state(address, timeout) for address in module.params["servers"]]
    module.exit_json(changed=False, **describe(servers))


if __name__ == "__main__":
    main()
