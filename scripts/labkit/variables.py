"""What is wrong with an inventory's variables and groups, all of it at once."""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.forms import TYPES, form
from labkit.specs import Variable

OURS = ("mesos_", "zookeeper_", "mapreduce_")
"""How names begin that are ours and nobody else's."""

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Unrenderable:
    """A value that Ansible could not work out."""

    reason: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """What the user declared: values by host and name, hosts by group."""

    hosts: Mapping[str, Values]
    groups: Mapping[str, list[str]]


@dataclass(frozen=True, slots=True)
class Known:
    """What there is to declare: the roles' variables, and all names of any spec."""

    variables: Mapping[str, Variable]
    names: set[str]


def problems(inventory: Inventory, known: Known) -> list[str]:
    """Return every mistake once, with the hosts it is found on."""
    found: dict[str, list[str]] = {}
    for host, values in inventory.hosts.items():
        for mistake in _mistakes(host, values, inventory, known):
            found.setdefault(mistake, []).append(host)
    return [
        f"{mistake}. Found on {_hosts(hosts, inventory)}." for mistake, hosts in found.items()
    ] + list(_strange_groups(inventory, known))


def _hosts(hosts: list[str], inventory: Inventory) -> str:
    return "all hosts" if len(hosts) == len(inventory.hosts) > 1 else ", ".join(hosts)


def _mistakes(host: str, values: Values, inventory: Inventory, known: Known) -> Iterator[str]:
    yield from _wrong_values(values, known)
    yield from _unknown_names(values, known)
    yield from _flags_with_a_variable(values, known)
    yield from _ports_twice(host, values, inventory, known)


def _wrong_values(values: Values, known: Known) -> Iterator[str]:
    for name in sorted(values.keys() & known.variables.keys()):
        mistake = fault(known.variables[name], values[name])
        if mistake:
            yield f"{name} {mistake}"


def fault(variable: Variable, value: Any) -> str | None:
    """Return what is wrong with a value: what was found, and what is allowed."""
    if isinstance(value, Unrenderable):
        return f"cannot be worked out: {value.reason}"
    allowed = _allowed(variable, value)
    if allowed is None:
        return None
    shown = "not as it must be" if variable.secret else _shown(value)
    return f"is {shown}. Set it to {allowed}"


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _allowed(variable: Variable, value: Any) -> str | None:
    kind = TYPES[variable.type]
    if not kind.fits(value):
        return kind.allowed.replace("NAME", variable.name)
    if isinstance(value, list):
        return _first(_element(variable, one) for one in value)
    if variable.type == "dict":
        return _first(_key(variable, one) for one in value)
    return _of_choices(variable, value) or _of_forms(variable, value)


def _first(answers: Iterable[str | None]) -> str | None:
    return next((answer for answer in answers if answer), None)


def _element(variable: Variable, value: Any) -> str | None:
    kind = TYPES[variable.elements]
    allowed = kind.allowed if not kind.fits(value) else None
    if variable.keys and not allowed and set(value) != set(variable.keys):
        allowed = f"a dictionary with {', '.join(variable.keys)}"
    allowed = allowed or _of_choices(variable, value) or _of_forms(variable, value)
    return f"a list of which each is {allowed}" if allowed else None


def _key(variable: Variable, value: Any) -> str | None:
    allowed = _of_forms(variable, value)
    return f"a dictionary of which each key is {allowed}" if allowed else None


def _of_choices(variable: Variable, value: Any) -> str | None:
    if not variable.choices or value in variable.choices:
        return None
    return " or ".join(str(choice) or "empty" for choice in variable.choices)


def _of_forms(variable: Variable, value: Any) -> str | None:
    names = variable.forms or (("path",) if variable.type == "path" else ())
    forms = [form(name) for name in names]
    if not forms or any(one.fits(value) for one in forms):
        return None
    return ", or ".join(one.allowed for one in forms)


def _unknown_names(names: Iterable[str], known: Known) -> Iterator[str]:
    for name in names:
        ours = name.startswith(OURS)
        if name in known.names or name.startswith("__"):
            continue
        near = difflib.get_close_matches(name, known.names, n=1, cutoff=0.6 if ours else 0.9)
        if near:
            yield f"There is no variable {name}: did you mean {near[0]}"
        elif ours:
            yield (
                f"There is no variable {name}: docs/variables.md lists those that begin with"
                f" {name.split('_')[0]}_; let your own begin otherwise"
            )


def _flags_with_a_variable(values: Values, known: Known) -> Iterator[str]:
    for name, variable in known.variables.items():
        flags = values.get(name)
        if variable.forms != ("flag",) or not isinstance(flags, Mapping):
            continue
        for flag in flags:
            if f"{variable.role}_{flag}" in known.variables:
                yield f"{name} sets the flag {flag}. Set {variable.role}_{flag} instead"


def _ports_twice(host: str, values: Values, inventory: Inventory, known: Known) -> Iterator[str]:
    users: dict[int, list[str]] = {}
    for name, variable in known.variables.items():
        port = values.get(name, variable.default)
        if _is_port_of(host, variable, inventory, known) and form("port").fits(port):
            users.setdefault(int(port), []).append(name)
    for port, names in users.items():
        if len(names) > 1:
            yield f"{' and '.join(names)} are {port} alike. Set a port of its own for each"


def _is_port_of(host: str, variable: Variable, inventory: Inventory, known: Known) -> bool:
    # By convention the group whose hosts run a role is named by the role's variable <role>_group.
    name = f"{variable.role}_group"
    if variable.forms != ("port",) or name not in known.variables:
        return False
    group = inventory.hosts[host].get(name, known.variables[name].default)
    return host in inventory.groups.get(str(group), [])


def _strange_groups(inventory: Inventory, known: Known) -> Iterator[str]:
    """Yield groups that mean nothing, and are named nearly like one that has no hosts."""
    wanted = {"nodes", "clients"} | {
        str(values.get(name, variable.default))
        for name, variable in known.variables.items()
        for values in inventory.hosts.values()
        if variable.forms == ("group",) and variable.type == "str"
    }
    without = {name for name in wanted if not inventory.groups.get(name)}
    for name, hosts in inventory.groups.items():
        near = difflib.get_close_matches(name, without, n=1, cutoff=0.8)
        if hosts and name not in wanted and near:
            yield (
                f"Group {name} ({', '.join(hosts)}) means nothing here: did you mean {near[0]},"
                " which has no hosts? Rename it in the inventory."
            )
