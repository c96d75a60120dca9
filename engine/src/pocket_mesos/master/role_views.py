"""What the master's endpoints show of roles: who is in them, their weights and quota."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from pocket_mesos.allocator import NO_QUOTA, Quota
from pocket_mesos.authorization import Viewer
from pocket_mesos.master import summary
from pocket_mesos.master.state import Framework, State
from pocket_mesos.resources import Resources, quantities
from pocket_mesos.resources.values import PRECISION

Json = dict[str, Any]


def roles(known: State, viewer: Viewer) -> Json:
    """Show the roles that have frameworks or a weight, as /roles does; each with those below it."""
    members: dict[str, list[Framework]] = defaultdict(list)
    for one in known.frameworks.values():
        for name in one.roles:
            members[name].append(one)
    names = [name for name in known_roles(known, members) if viewer.role(name)]
    frameworks = known.frameworks.values()
    allocated = _by_role(summary.used_of_framework(one) for one in frameworks)
    offered = _by_role(summary.offered_by_role(known, one.offers) for one in frameworks)
    return {
        "roles": [
            _role(known, name, members[name], _below(allocated, name), _below(offered, name))
            for name in names
        ]
    }


def known_roles(known: State, members: Iterable[str]) -> list[str]:
    """Return the roles that have frameworks, a weight or a quota."""
    with_quota = (role for role, one in known.quotas.items() if one != NO_QUOTA)
    return sorted({*members, *known.weights, *with_quota})


def weights(known: State, viewer: Viewer) -> list[Json]:
    """Show the roles that were given a weight."""
    return [
        {"role": role, "weight": weight}
        for role, weight in sorted(known.weights.items())
        if viewer.role(role)
    ]


def quota(known: State, viewer: Viewer) -> Json:
    """Show the roles that were given quota: the older way, which knows guarantees, and in full."""
    shown = {role: one for role, one in sorted(known.quotas.items()) if viewer.quota(role)}
    if not shown:
        return {}
    return {
        "infos": [_quota_info(role, one) for role, one in shown.items()],
        "configs": [_quota_config(role, one) for role, one in shown.items()],
    }


def _quota_info(role: str, one: Quota) -> Json:
    listed = [
        {"name": name, "type": "SCALAR", "scalar": {"value": value / PRECISION}}
        for name, value in one.guarantees.items()
    ]
    return {"role": role} | ({"guarantee": listed} if listed else {})


def _quota_config(role: str, one: Quota) -> Json:
    shown: Json = {"role": role}
    for name, amounts in (("guarantees", one.guarantees), ("limits", one.limits)):
        if amounts:
            shown[name] = {key: {"value": value / PRECISION} for key, value in amounts.items()}
    return shown


def _by_role(held: Iterable[dict[str, Resources]]) -> dict[str, Json]:
    """Add up what frameworks have, by role."""
    sums: dict[str, Json] = defaultdict(dict)
    for by_role in held:
        for role, resources in by_role.items():
            _add_quantities(sums[role], quantities(resources))
    return sums


def _below(by_role: dict[str, Json], name: str) -> Json:
    """Add up a role and the roles below it."""
    made: Json = {}
    for role, amounts in by_role.items():
        if role == name or role.startswith(f"{name}/"):
            _add_quantities(made, amounts)
    return made


def _role(
    known: State, name: str, members: list[Framework], allocated: Json, offered: Json
) -> Json:
    resources = dict(allocated)
    _add_quantities(resources, offered)
    consumed = {k: v for k, v in sorted(allocated.items()) if k != "ports"}
    quota = known.quotas.get(name, NO_QUOTA)
    return {
        "name": name,
        "weight": known.weights.get(name, 1.0),
        "quota": {
            "role": name,
            "guarantee": {key: value / PRECISION for key, value in quota.guarantees.items()},
            "limit": {key: value / PRECISION for key, value in quota.limits.items()},
            "consumed": consumed,
        },
        "resources": dict(sorted(resources.items())),
        "allocated": dict(sorted(allocated.items())),
        "offered": dict(sorted(offered.items())),
        "reserved": {},
        "frameworks": [one.id for one in members],
    }


def _add_quantities(sums: Json, more: Json) -> None:
    for name, value in more.items():
        sums[name] = round(sums.get(name, 0.0) + value, 3)
