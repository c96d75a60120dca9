"""What the master's endpoints show of roles: who is in them, their weights and quota."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from pocket_mesos.allocator import NO_QUOTA, Quota
from pocket_mesos.authorization import Viewer
from pocket_mesos.master import summary
from pocket_mesos.master.state import Framework, State
from pocket_mesos.resources import quantities
from pocket_mesos.resources.values import PRECISION

Json = dict[str, Any]


def roles(known: State, viewer: Viewer) -> Json:
    """Show the roles that have frameworks or a weight, as /roles does."""
    members: dict[str, list[Framework]] = defaultdict(list)
    for one in known.frameworks.values():
        for name in one.roles:
            members[name].append(one)
    names = [name for name in known_roles(known, members) if viewer.role(name)]
    return {"roles": [_role(known, name, members[name]) for name in names]}


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


def _role(known: State, name: str, members: list[Framework]) -> Json:
    allocated: Json = {}
    offered: Json = {}
    for one in members:
        used = summary.used_of_framework(one).get(name)
        shown = summary.offered_by_role(known, one.offers).get(name)
        if used is not None:
            _add_quantities(allocated, quantities(used))
        if shown is not None:
            _add_quantities(offered, quantities(shown))
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
