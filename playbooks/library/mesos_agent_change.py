#!/usr/bin/python
"""Module that tells how an agent's declared resources and attributes differ from those it has."""

from __future__ import annotations

from ansible.module_utils import mesos_cluster, mesos_configuration
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: mesos_agent_change
short_description: Tells how an agent's declared resources and attributes differ from those it has
description:
  - Asks a running agent what it was started with and compares. Changes nothing.
  - An agent takes more of what it has, and something new, with its tasks running on, where its
    reconfiguration_policy is additive. Anything else it refuses unless it starts as a new agent.
options:
  agent:
    description: The agent, as host:port.
    type: str
    required: true
  username:
    description: Principal of an account that may read, where the agent asks for one.
    type: str
  password:
    description: The account's secret.
    type: str
  timeout:
    description: Seconds that the agent may take to answer a request.
    type: float
    default: 10.0
  resources:
    description: The declared resources, as Mesos takes them; empty for what the machine has.
    type: str
    default: ''
  attributes:
    description: The declared attributes, as Mesos takes them.
    type: str
    default: ''
attributes:
  check_mode:
    description: Can run in check mode, in which it does the same.
    support: full
author: Mesos Lab
"""

EXAMPLES = r"""
- name: See whether the agent can take what is declared
  mesos_agent_change:
    agent: 192.0.2.21:5051
    resources: cpus:4;mem:8192
    attributes: rack:a
  register: change
"""

RETURN = r"""
change:
  description:
    - none, additive or incompatible; unknown where the agent does not answer.
  returned: always
  type: str
differences:
  description: What differs, in words.
  returned: always
  type: list
error:
  description: Why the agent does not answer; null where it does.
  returned: always
  type: str
"""


def compare(state: dict, parameters: dict) -> list[mesos_configuration.Difference]:
    """Return the differences from the agent's state."""
    flags = state["flags"]
    return [
        *mesos_configuration.compare_resources(
            flags.get("resources", ""), parameters["resources"], state["resources"]
        ),
        *mesos_configuration.compare_attributes(
            flags.get("attributes", ""), parameters["attributes"]
        ),
    ]


def main() -> None:
    """Run the module."""
    account = {name: spec for name, spec in mesos_cluster.ARGUMENTS.items() if name != "masters"}
    module = AnsibleModule(
        argument_spec={
            **account,
            "agent": {"type": "str", "required": True},
            "resources": {"type": "str", "default": ""},
            "attributes": {"type": "str", "default": ""},
        },
        supports_check_mode=True,
    )
    told = module.params
    agent = mesos_cluster.Daemon(told["agent"], told["username"], told["password"], told["timeout"])
    try:
        differences = compare(agent.get("/state") or {}, told)
    except mesos_cluster.NoAnswerError as error:
        module.exit_json(changed=False, change="unknown", differences=[], error=str(error))
    except mesos_cluster.ClusterError as error:
        module.fail_json(msg=str(error))
    except KeyError as error:
        module.fail_json(msg=f"{told['agent']} does not tell its {error}: may this account see it?")
    module.exit_json(
        changed=False,
        change=mesos_configuration.change(differences),
        differences=[one.text for one in differences],
        error=None,
    )


if __name__ == "__main__":
    main()
