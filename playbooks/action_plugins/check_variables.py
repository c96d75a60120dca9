"""Refuse what the inventory declares wrongly, for all hosts and all roles at once.

For playbooks/preflight.yml. Runs on the controller, contacts no host, changes nothing. Only what
the inventory and the command line declare is worked out: the roles' defaults are known to be good.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from labkit import specs
from labkit.forms import ONCE
from labkit.variables import Inventory, Known, Unrenderable, problems


class ActionModule(ActionBase):  # type: ignore[misc] # Ansible is not typed
    """What Ansible calls for a task check_variables."""

    _requires_connection = False
    _VALID_ARGS: frozenset[str] = frozenset()

    def run(
        self, tmp: str | None = None, task_vars: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Fail with every mistake of the inventory."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        known = Known(specs.checked(), specs.names())
        hosts = dict(_declared(variables["hostvars"], known))
        found = problems(Inventory(hosts, variables["groups"]), known)
        if found:
            result["failed"] = True
            result["msg"] = "\n".join(["Nothing was changed. The inventory has mistakes:", *found])
        return result


def _declared(hostvars: Any, known: Known) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each host with its variables, worked out where they are ours."""
    shared: dict[tuple[str, str], Any] = {}
    for host in hostvars:
        raw, rendered = hostvars.raw_get(host), hostvars[host]
        values = dict.fromkeys(raw)
        for name in raw.keys() & known.variables.keys():
            key = (name, str(raw[name]))
            if key not in shared or ONCE not in known.variables[name].forms:
                shared[key] = _rendered(rendered, name)
            values[name] = shared[key]
        yield host, values


def _rendered(values: Mapping[str, Any], name: str) -> Any:
    try:
        return values[name]
    except AnsibleError as error:
        return Unrenderable(str(error))
