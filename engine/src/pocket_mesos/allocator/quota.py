"""Guarantees and limits of roles, in scalars."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pocket_mesos.resources import Resources
from pocket_mesos.resources.values import Milli


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a role is sure to get and what it can have at most; a missing limit is no limit."""

    guarantees: Mapping[str, Milli] = field(default_factory=dict)
    limits: Mapping[str, Milli] = field(default_factory=dict)


NO_QUOTA = Quota()


def unsatisfied(quota: Quota, consumed: Mapping[str, Milli]) -> dict[str, Milli]:
    """Return what is missing from a role's guarantee."""
    missing = {n: v - consumed.get(n, 0) for n, v in quota.guarantees.items()}
    return {name: value for name, value in missing.items() if value > 0}


def shrink(resources: Resources, bounds: Mapping[str, Milli]) -> Resources:
    """Return ``resources`` with the scalars named in ``bounds`` cut down to them."""
    if not bounds:
        return resources
    scalars = {
        name: min(value, max(bounds.get(name, value), 0))
        for name, value in resources.scalars.items()
    }
    others = {n: v for n, v in resources.items() if not isinstance(v, int)}
    return Resources(scalars, others)


def below_limit(quota: Quota, consumed: Mapping[str, Milli]) -> dict[str, Milli]:
    """Return how much more of each limited resource a role may have."""
    return {name: limit - consumed.get(name, 0) for name, limit in quota.limits.items()}
