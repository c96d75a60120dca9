#!/usr/bin/python
"""Module that drains, deactivates, reactivates and removes a Mesos agent."""

from __future__ import annotations

import time

from ansible.module_utils import mesos_cluster
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: mesos_agent_state
short_description: Drains, deactivates, reactivates or removes a Mesos agent
description:
  - Brings an agent to a state through the operator API of the leading master.
  - Runs on a host that reaches the masters, usually one of them.
options:
  masters:
    description: The masters, as host:port.
    type: list
    elements: str
    required: true
  username:
    description: Principal of an account that may do this, where the masters ask for one.
    type: str
  password:
    description: The account's secret.
    type: str
  timeout:
    description: Seconds that a master may take to answer a request.
    type: float
    default: 10.0
  agent:
    description: The agent, as host:port or by its id.
    type: str
    required: true
  state:
    description:
      - drained ends the agent's tasks and keeps new ones away; frameworks learn the reason.
      - deactivated keeps new tasks away and leaves those that run.
      - active undoes both.
      - gone takes the agent off the cluster for good. It can come back only with a new id.
    type: str
    choices: [drained, active, deactivated, gone]
    required: true
  max_grace_period:
    description:
      - Seconds that a task may take at most to end, for drained. Without it the task's own time
        holds.
    type: int
  wait:
    description:
      - Seconds to wait for a leading master, and for drained until all tasks have ended.
      - Where that is not enough the module fails and names the tasks; the agent goes on draining.
    type: int
    default: 300
attributes:
  check_mode:
    description: Tells what would change and changes nothing.
    support: full
author: Mesos Lab
"""

EXAMPLES = r"""
- name: Drain the agent before its machine is serviced
  mesos_agent_state:
    masters: ["192.0.2.11:5050"]
    agent: 192.0.2.21:5051
    state: drained
    max_grace_period: 60
"""

RETURN = r"""
agent:
  description: The agent as mesos_info describes it, afterwards; null for one that is gone.
  returned: always
  type: dict
"""

CALLS = {
    "drained": "DRAIN_AGENT",
    "active": "REACTIVATE_AGENT",
    "deactivated": "DEACTIVATE_AGENT",
    "gone": "MARK_AGENT_GONE",
}


def find(leader: mesos_cluster.Daemon, name: str) -> dict | None:
    """Return the agent of this address or id, if the leader knows it."""
    known = mesos_cluster.agents(leader)
    return next((agent for agent in known if name in (agent["address"], agent["id"])), None)


def is_in(agent: dict | None, state: str) -> bool:
    """Tell whether nothing is left to ask for."""
    if agent is None:
        return state == "gone"
    return {
        "drained": agent["draining"] is not None,
        "active": not agent["deactivated"] and agent["draining"] is None,
        "deactivated": agent["deactivated"],
        "gone": False,
    }[state]


def content(agent: dict, parameters: dict) -> dict:
    """Return what the call says beside its type."""
    told = {"agent_id": {"value": agent["id"]}}
    if parameters["state"] == "drained" and parameters["max_grace_period"] is not None:
        told["max_grace_period"] = {"seconds": parameters["max_grace_period"]}
    return told


def await_drained(cluster: mesos_cluster.Cluster, agent: dict, wait: int) -> dict:
    """Return the agent once it is drained, whichever master leads meanwhile."""
    end = time.monotonic() + wait
    while True:
        leader = cluster.leader(max(0.0, end - time.monotonic()))
        try:
            now = find(leader, agent["id"])
            if now is not None and now["draining"] == "DRAINED":
                return now
            if time.monotonic() >= end:
                raise mesos_cluster.ClusterError(still_draining(leader, agent, now, wait))
        except mesos_cluster.NoAnswerError:
            # The leader has just died; the next one knows of the draining.
            pass
        time.sleep(0.5)


def still_draining(leader: mesos_cluster.Daemon, agent: dict, now: dict | None, wait: int) -> str:
    """Return what to say of an agent that is not drained in time."""
    name = f"agent {agent['id']} at {agent['address']}"
    if now is None:
        return f"{name} is no longer registered: it went away while it was drained"
    if now["draining"] is None:
        return f"{name} is not being drained any more: somebody reactivated it"
    remaining = mesos_cluster.tasks_of(leader, agent["id"])
    tasks = ", ".join(remaining) or "none, but not all of their ends are acknowledged"
    return f"{name} is still draining after {wait} s; tasks that remain: {tasks}"


def change(cluster: mesos_cluster.Cluster, parameters: dict, check_mode: bool) -> dict:
    """Bring the agent to the state and return the module's result."""
    leader = cluster.leader(parameters["wait"])
    agent = find(leader, parameters["agent"])
    if agent is None and parameters["state"] != "gone":
        known = ", ".join(one["address"] for one in mesos_cluster.agents(leader)) or "none"
        raise mesos_cluster.ClusterError(
            f"no agent {parameters['agent']} is registered with {leader.address}; known are {known}"
        )
    changed = not is_in(agent, parameters["state"])
    if check_mode or agent is None:
        return {"changed": changed, "agent": agent}
    if changed:
        leader.call(CALLS[parameters["state"]], content(agent, parameters))
    if parameters["state"] == "drained":
        return {"changed": changed, "agent": await_drained(cluster, agent, parameters["wait"])}
    return {"changed": changed, "agent": find(leader, agent["id"])}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **mesos_cluster.ARGUMENTS,
            "agent": {"type": "str", "required": True},
            "state": {"type": "str", "choices": list(CALLS), "required": True},
            "max_grace_period": {"type": "int"},
            "wait": {"type": "int", "default": 300},
        },
        supports_check_mode=True,
    )
    try:
        result = change(mesos_cluster.Cluster(module.params), module.params, module.check_mode)
    except mesos_cluster.ClusterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
