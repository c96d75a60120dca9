"""Guarantees and limits of roles, in scalars, and what they leave of a piece of an agent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pocket_mesos.allocator.sorter import DRFSorter, Total
from pocket_mesos.resources import Resources
from pocket_mesos.resources.values import Milli


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """What a role is sure to get and what it can have at most; a missing limit is no limit.

    What roles below it hold counts as the role's own. They are not held back by its limits: in
    Mesos, too, only the role itself is.
    """

    guarantees: Mapping[str, Milli] = field(default_factory=dict)
    limits: Mapping[str, Milli] = field(default_factory=dict)


NO_QUOTA = Quota()


class Enforcement:
    """Quota during one allocation."""

    def __init__(self, quotas: Mapping[str, Quota], roles: DRFSorter, total: Total) -> None:
        """Add up what guarantees still want; ``roles`` keeps account of who holds what."""
        self._quotas = quotas
        self._roles = roles
        self._total = total
        self._required: dict[str, Milli] = {}
        """Headroom that is kept back from everybody."""
        for role in quotas:
            for name, value in self._missing(role).items():
                self._required[name] = self._required.get(name, 0) + value

    @property
    def met(self) -> bool:
        """Whether no guarantee wants anything."""
        return not self._required

    def guaranteed(self, role: str, free: Resources) -> dict[str, Milli]:
        """Return what of ``free`` a role's guarantee still wants; empty for none of it."""
        scalars = free.scalars
        missing = self._missing(role)
        return {n: min(v, scalars[n]) for n, v in missing.items() if n in scalars}

    def allowed(self, role: str, free: Resources, guaranteed: Mapping[str, Milli]) -> Resources:
        """Return what of ``free`` a role can have.

        That is what it is guaranteed, even where guarantees are more than there is; beyond it what
        limits and headroom allow, since offers are worth more whole; and all that is no scalar.
        """
        bounds = self._bounds(role, guaranteed)
        if not bounds:
            return free
        scalars = {}
        for name, value in free.scalars.items():
            sure = guaranteed.get(name, 0)
            scalars[name] = sure + min(value - sure, max(bounds.get(name, value), 0))
        others = {n: v for n, v in free.items() if not isinstance(v, int)}
        return Resources(scalars, others)

    def served(self, guaranteed: Mapping[str, Milli]) -> None:
        """Take note that a part of the guarantees is met."""
        for name, value in guaranteed.items():
            self._required[name] -= value
            if not self._required[name]:
                del self._required[name]

    def _missing(self, role: str) -> dict[str, Milli]:
        held = self._roles.allocation(role)
        wanted = {
            n: v - held.get(n, 0) for n, v in self._quotas.get(role, NO_QUOTA).guarantees.items()
        }
        return {name: value for name, value in wanted.items() if value > 0}

    def _bounds(self, role: str, guaranteed: Mapping[str, Milli]) -> dict[str, Milli]:
        """Return how much a role can have beyond what it is guaranteed, where that is bounded."""
        own = self._roles.allocation(role)
        limits = self._quotas.get(role, NO_QUOTA).limits
        bounds = {n: v - own.get(n, 0) - guaranteed.get(n, 0) for n, v in limits.items()}
        held = self._roles.allocation()
        for name, required in self._required.items():
            spare = self._total.amounts.get(name, 0) - held.get(name, 0) - required
            bounds[name] = min(bounds.get(name, spare), spare)
        return bounds
