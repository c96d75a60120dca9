#!/usr/bin/python
"""Module that describes a Mesos cluster."""

from __future__ import annotations

from ansible.module_utils import mesos_cluster
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: mesos_info
short_description: Describes a Mesos cluster as its leading master sees it
description:
  - Asks every master for its state and the leading one for agents, frameworks and tasks. Changes
    nothing.
  - Runs on a host that reaches the masters, usually one of them. A master that is down is
    described as such and fails nothing; without a leader, RV(leader) is null and the rest is
    empty.
options:
  masters:
    description: The masters, as host:port.
    type: list
    elements: str
    required: true
  username:
    description: Principal of an account that may read, where the masters ask for one.
    type: str
  password:
    description: The account's secret.
    type: str
  timeout:
    description: Seconds that a master may take to answer a request.
    type: float
    default: 10.0
attributes:
  check_mode:
    description: Can run in check mode, in which it does the same.
    support: full
author: Mesos Lab
"""

EXAMPLES = r"""
- name: Describe the cluster
  mesos_info:
    masters: ["192.0.2.11:5050", "192.0.2.12:5050", "192.0.2.13:5050"]
    username: readonly
    password: "{{ readonly_secret }}"
  register: cluster
  until: cluster.leader is not none
  retries: 30
  delay: 1
"""

RETURN = r"""
leader:
  description:
    - The leading master's address (as in O(masters)), hostname and id; null without one that
      serves.
  returned: always
  type: dict
masters:
  description:
    - For each master its address, reachable, leader, version, uptime in seconds, and error if it
      does not answer.
  returned: always
  type: list
agents:
  description:
    - The agents that are registered, by address. Of each its id, hostname, address, active,
      deactivated, draining (null, DRAINING or DRAINED), version, resources, used_resources,
      attributes, tasks (how many have not ended) and starting_tasks (how many of them do not run
      yet).
    - One that is neither active nor deactivated has lost its connection.
  returned: always
  type: list
recovered_agents:
  description:
    - Agents (id, hostname, address) that a new leader knows of and that have not come to it yet.
  returned: always
  type: list
unreachable_agents:
  description: Number of agents that the leader has given up until they come back.
  returned: always
  type: int
frameworks:
  description:
    - The frameworks that are known, with id, name, active, connected and number of tasks that
      have not ended.
  returned: always
  type: list
tasks:
  description:
    - Number of tasks in each state, as in running; of states that end a task, since the leader
      leads.
  returned: always
  type: dict
"""

PREFIX = "master/tasks_"


def describe(cluster: mesos_cluster.Cluster) -> dict:
    """Return the whole description."""
    masters, leader = cluster.survey()
    found = {
        "leader": None,
        "agents": [],
        "recovered_agents": [],
        "unreachable_agents": 0,
        "frameworks": [],
        "tasks": {},
    }
    if leader is not None:
        try:
            found.update(describe_led(leader))
        except mesos_cluster.NoAnswerError:
            # It died while it was asked: nobody leads now.
            masters = [{**state, "leader": False} for state in masters]
    return {"masters": masters, **found}


def describe_led(leader: mesos_cluster.Daemon) -> dict:
    """Return what only a leader knows."""
    info = leader.call("GET_MASTER")["get_master"]["master_info"]
    metrics = leader.get("/metrics/snapshot") or {}
    recovered = (leader.get("/slaves") or {}).get("recovered_slaves", [])
    return {
        "leader": {"address": leader.address, "hostname": info["hostname"], "id": info["id"]},
        "agents": mesos_cluster.agents(leader),
        "recovered_agents": [
            {
                "id": one["id"],
                "hostname": one["hostname"],
                "address": f"{one['hostname']}:{one['port']}",
            }
            for one in recovered
        ],
        "unreachable_agents": int(metrics.get("master/slaves_unreachable", 0)),
        "frameworks": [
            {
                "id": one["id"],
                "name": one["name"],
                "active": one["active"],
                "connected": one["connected"],
                "tasks": mesos_cluster.tasks_in(one, mesos_cluster.LIVE),
            }
            for one in mesos_cluster.summary(leader)["frameworks"]
        ],
        "tasks": {
            key[len(PREFIX) :]: int(count)
            for key, count in sorted(metrics.items())
            if key.startswith(PREFIX)
        },
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=mesos_cluster.ARGUMENTS, supports_check_mode=True)
    try:
        found = describe(mesos_cluster.Cluster(module.params))
    except mesos_cluster.ClusterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
