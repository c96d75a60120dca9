"""The allocator: which framework is offered which resources of which agent.

Two stages: first roles whose quota guarantee is not met, then fair sharing of the rest with
headroom kept for what is still missing from guarantees. In each stage roles are sorted first, then
the frameworks of a role. Pure: the time comes in as a value, allocations go out as values, and
nobody else is needed to drive it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from pocket_mesos.allocator import quota as quotas
from pocket_mesos.allocator.filters import OfferFilters
from pocket_mesos.allocator.quota import NO_QUOTA, Quota
from pocket_mesos.allocator.sorter import DRFSorter
from pocket_mesos.resources import EMPTY, Resources
from pocket_mesos.resources.values import Milli

Holder = tuple[str, str]
"""Framework id and role: who an allocation on an agent belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to allocate."""

    least: tuple[Resources, ...] = ()
    """Alternatives; an offer must contain one of them. Empty means that anything will do."""
    excluded: tuple[str, ...] = ()
    """Resources that count for nobody's share."""
    interval: float = 1.0
    """Seconds between allocations of everything; a refusal lasts at least so long."""
    filter_gpus: bool = True
    """Whether agents with GPUs are kept for frameworks that can use them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Resources of an agent that are a framework's now, to be offered to it."""

    framework: str
    role: str
    agent: str
    resources: Resources


@dataclass(slots=True)
class _Agent:
    total: Resources
    available: Resources
    active: bool = True
    held: dict[Holder, Resources] = field(default_factory=dict)


@dataclass(slots=True)
class _Framework:
    roles: set[str]
    suppressed: set[str]
    gpus: bool
    active: bool = True
    held: dict[str, set[str]] = field(default_factory=dict)
    """Agents by role, where anything is held."""


class HierarchicalAllocator:
    """Keeps account of who holds what and hands out what nobody holds."""

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self._agents: dict[str, _Agent] = {}
        self._frameworks: dict[str, _Framework] = {}
        self._roles = DRFSorter(self._options.excluded)
        self._members: dict[str, DRFSorter] = {}
        self._weights: dict[str, float] = {}
        self._quotas: dict[str, Quota] = {}
        self._consumed: dict[str, dict[str, Milli]] = {}
        self._total: dict[str, Milli] = {}
        self._filters = OfferFilters()

    # --- agents ----------------------------------------------------------------------------

    def add_agent(self, agent: str, total: Resources, held: Mapping[Holder, Resources]) -> None:
        """Add an agent, of which ``held`` is in use already."""
        self._agents[agent] = _Agent(total=total, available=total)
        self._change_total(total, EMPTY)
        for holder, resources in held.items():
            self._take(agent, holder, resources)

    def remove_agent(self, agent: str) -> None:
        """Remove an agent with everything held there."""
        slot = self._agents[agent]
        for holder, resources in list(slot.held.items()):
            self._give_back(agent, holder, resources)
        del self._agents[agent]
        self._change_total(EMPTY, slot.total)
        self._filters.forget_agent(agent)

    def activate_agent(self, agent: str) -> None:
        """Offer an agent's resources again."""
        self._agents[agent].active = True

    def deactivate_agent(self, agent: str) -> None:
        """Offer nothing more of an agent; what is held stays held."""
        self._agents[agent].active = False

    # --- frameworks ------------------------------------------------------------------------

    def add_framework(
        self, framework: str, roles: Iterable[str], suppressed: Iterable[str], *, gpus: bool
    ) -> None:
        """Add a framework that holds nothing and is active."""
        slot = _Framework(roles=set(), suppressed=set(suppressed), gpus=gpus)
        self._frameworks[framework] = slot
        for role in roles:
            self._join(framework, slot, role)

    def update_framework(
        self, framework: str, roles: Iterable[str], suppressed: Iterable[str], *, gpus: bool
    ) -> None:
        """Change what a framework is; roles where it still holds something are kept track of."""
        slot = self._frameworks[framework]
        wanted = set(roles)
        for role in slot.roles - wanted:
            slot.roles.discard(role)
            self._filters.forget_client((framework, role))
            self._leave_if_idle(framework, slot, role)
        for role in wanted - slot.roles:
            self._join(framework, slot, role)
        slot.gpus = gpus
        slot.suppressed = set(suppressed)
        for role in slot.roles:
            self._order_in(framework, slot, role)

    def remove_framework(self, framework: str) -> None:
        """Remove a framework with everything that it holds."""
        slot = self._frameworks[framework]
        for role, agents in list(slot.held.items()):
            for agent in list(agents):
                holder = (framework, role)
                self._give_back(agent, holder, self._agents[agent].held[holder])
        for role in list(slot.roles):
            slot.roles.discard(role)
            self._filters.forget_client((framework, role))
            self._leave_if_idle(framework, slot, role)
        del self._frameworks[framework]

    def activate_framework(self, framework: str) -> None:
        """Offer to a framework again."""
        self._set_active(framework, True)

    def deactivate_framework(self, framework: str) -> None:
        """Offer nothing more to a framework; its filters are dropped."""
        self._set_active(framework, False)
        for role in self._frameworks[framework].roles:
            self._filters.forget_client((framework, role))

    def suppress(self, framework: str, roles: Iterable[str] = ()) -> None:
        """Offer nothing more to a framework in ``roles``, or in all of its roles."""
        slot = self._frameworks[framework]
        for role in set(roles) & slot.roles or (set() if roles else slot.roles):
            slot.suppressed.add(role)
            self._order_in(framework, slot, role)

    def revive(self, framework: str, roles: Iterable[str] = ()) -> None:
        """Drop filters and suppression in ``roles``, or in all roles."""
        slot = self._frameworks[framework]
        for role in set(roles) & slot.roles or (set() if roles else slot.roles):
            slot.suppressed.discard(role)
            self._filters.forget_client((framework, role))
            self._order_in(framework, slot, role)

    # --- roles -----------------------------------------------------------------------------

    def set_weight(self, role: str, weight: float) -> None:
        """Give a role its weight among roles."""
        self._weights[role] = weight
        if role in self._roles:
            self._roles.update_weight(role, weight)

    def set_quota(self, role: str, quota: Quota) -> None:
        """Give a role its guarantees and limits; an empty quota is none."""
        if quota == NO_QUOTA:
            self._quotas.pop(role, None)
        else:
            self._quotas[role] = quota

    # --- accounting ------------------------------------------------------------------------

    def hold(self, framework: str, role: str, agent: str, resources: Resources) -> None:
        """Take resources for a framework outside of an allocation."""
        self._take(agent, (framework, role), resources)

    def recover(
        self,
        framework: str,
        role: str,
        agent: str,
        resources: Resources,
        *,
        refuse_seconds: float = 0.0,
        now: float = 0.0,
    ) -> None:
        """Take back what a framework does not use (any more).

        Args:
            framework: who held it.
            role: for which role.
            agent: where.
            resources: how much.
            refuse_seconds: how long not to offer it to this framework again; 0 for no refusal.
            now: seconds on the clock that :meth:`allocate` is given.
        """
        if not resources:
            return
        self._give_back(agent, (framework, role), resources)
        slot = self._frameworks.get(framework)
        if refuse_seconds > 0 and slot is not None and role in slot.roles:
            until = now + max(refuse_seconds, self._options.interval)
            self._filters.refuse((framework, role), agent, resources, until)

    def available(self, agent: str) -> Resources:
        """Return what nobody holds of an agent."""
        return self._agents[agent].available

    def held(self, agent: str) -> Mapping[Holder, Resources]:
        """Return who holds what of an agent."""
        return self._agents[agent].held

    def consumed(self, role: str) -> Mapping[str, Milli]:
        """Return the scalars that a role holds."""
        return self._consumed.get(role, {})

    def shares(self) -> dict[str, float]:
        """Return the dominant share of each role that has a framework."""
        return {role: self._roles.share(role) for role in self._members}

    def active_filters(self, now: float) -> dict[str, int]:
        """Return how many refusals hold in each role that has a framework."""
        return {
            role: sum(self._filters.active((framework, role), now) for framework in members.names)
            for role, members in self._members.items()
        }

    # --- allocation ------------------------------------------------------------------------

    def allocate(self, now: float, agents: Iterable[str] | None = None) -> list[Allocation]:
        """Hand out what is available, of ``agents`` or of all.

        Returns:
            What has been allocated, in the order of the decisions; one entry per framework, role
            and agent.
        """
        names = self._agents if agents is None else agents
        offerable = [
            name
            for name in names
            if (slot := self._agents.get(name)) is not None
            and slot.active
            and self._is_enough(slot.available)
        ]
        made: dict[tuple[str, str, str], Resources] = {}
        if self._quotas:
            self._allocate_guarantees(offerable, now, made)
        self._allocate_fairly(offerable, now, made)
        return [
            Allocation(framework=framework, role=role, agent=agent, resources=resources)
            for (framework, role, agent), resources in made.items()
        ]

    def _allocate_guarantees(
        self, agents: Iterable[str], now: float, made: dict[tuple[str, str, str], Resources]
    ) -> None:
        """First stage: fill guarantees that are not met.

        Such a role gets the rest of the agent too, as far as its limits and other roles'
        guarantees allow: offers are worth more whole.
        """
        for agent in agents:
            for role in self._roles.sort():
                missing = self._missing(role)
                if missing:
                    bounds = self._bounds(role)
                    for name in missing.keys() & bounds.keys():
                        bounds[name] = max(bounds[name], missing[name])
                    self._offer_role(agent, role, _shrink_to(bounds), now, made)

    def _allocate_fairly(
        self, agents: Iterable[str], now: float, made: dict[tuple[str, str, str], Resources]
    ) -> None:
        """Second stage: share the rest, up to limits, keeping headroom for guarantees."""
        for agent in agents:
            for role in self._roles.sort():
                if not self._is_enough(self._agents[agent].available):
                    break
                self._offer_role(agent, role, self._fair_piece(role), now, made)

    def _fair_piece(self, role: str) -> Callable[[Resources], Resources]:
        return _shrink_to(self._bounds(role)) if self._quotas else _whole

    def _bounds(self, role: str) -> dict[str, Milli]:
        """Return what a role may still have: its limits, and headroom for others' guarantees."""
        bounds = quotas.below_limit(self._quotas.get(role, NO_QUOTA), self.consumed(role))
        for name, spare in self._above_headroom(role).items():
            bounds[name] = min(bounds.get(name, spare), spare)
        return bounds

    def _missing(self, role: str) -> dict[str, Milli]:
        return quotas.unsatisfied(self._quotas.get(role, NO_QUOTA), self.consumed(role))

    def _above_headroom(self, role: str) -> dict[str, Milli]:
        """Return what is left of each resource when all other roles' guarantees are met."""
        headroom: dict[str, Milli] = {}
        for other in self._quotas:
            if other != role:
                for name, value in self._missing(other).items():
                    headroom[name] = headroom.get(name, 0) + value
        spare = {}
        for name, needed in headroom.items():
            held = sum(consumed.get(name, 0) for consumed in self._consumed.values())
            spare[name] = self._total.get(name, 0) - held - needed
        return spare

    def _offer_role(
        self,
        agent: str,
        role: str,
        piece: Callable[[Resources], Resources],
        now: float,
        made: dict[tuple[str, str, str], Resources],
    ) -> None:
        """Give a role's first willing framework its piece of an agent."""
        slot = self._agents[agent]
        gpus = self._options.filter_gpus and "gpus" in slot.total.scalars
        for framework in self._members[role].sort():
            if gpus and not self._frameworks[framework].gpus:
                continue
            resources = piece(slot.available)
            if not self._is_enough(resources):
                return
            if self._filters.filters((framework, role), agent, resources, now):
                continue
            self._take(agent, (framework, role), resources)
            key = (framework, role, agent)
            made[key] = made[key] + resources if key in made else resources
            return

    def _is_enough(self, resources: Resources) -> bool:
        if not resources:
            return False
        least = self._options.least
        return not least or any(resources.contains(one) for one in least)

    # --- bookkeeping -----------------------------------------------------------------------

    def _take(self, agent: str, holder: Holder, resources: Resources) -> None:
        if not resources:
            return
        framework, role = holder
        slot = self._agents[agent]
        slot.available = slot.available - resources
        slot.held[holder] = slot.held.get(holder, EMPTY) + resources
        owner = self._frameworks[framework]
        if role not in self._members or framework not in self._members[role]:
            self._track(framework, role, active=False)
        owner.held.setdefault(role, set()).add(agent)
        self._members[role].allocated(framework, resources.scalars)
        self._roles.allocated(role, resources.scalars)
        consumed = self._consumed.setdefault(role, {})
        for name, value in resources.scalars.items():
            consumed[name] = consumed.get(name, 0) + value

    def _give_back(self, agent: str, holder: Holder, resources: Resources) -> None:
        framework, role = holder
        slot = self._agents[agent]
        rest = slot.held[holder] - resources
        slot.available = slot.available + resources
        self._members[role].unallocated(framework, resources.scalars)
        self._roles.unallocated(role, resources.scalars)
        consumed = self._consumed[role]
        for name, value in resources.scalars.items():
            consumed[name] -= value
        if rest:
            slot.held[holder] = rest
            return
        del slot.held[holder]
        owner = self._frameworks[framework]
        owner.held[role].discard(agent)
        if not owner.held[role]:
            del owner.held[role]
            self._leave_if_idle(framework, owner, role)

    def _change_total(self, added: Resources, removed: Resources) -> None:
        for name, value in added.scalars.items():
            self._total[name] = self._total.get(name, 0) + value
        for name, value in removed.scalars.items():
            self._total[name] -= value
        for sorter in (self._roles, *self._members.values()):
            sorter.add_total(added.scalars)
            sorter.remove_total(removed.scalars)

    def _join(self, framework: str, slot: _Framework, role: str) -> None:
        slot.roles.add(role)
        if role not in self._members or framework not in self._members[role]:
            self._track(framework, role, active=True)
        self._order_in(framework, slot, role)

    def _track(self, framework: str, role: str, *, active: bool) -> None:
        if role not in self._members:
            sorter = self._members[role] = DRFSorter(self._options.excluded)
            sorter.add_total(self._total)
            self._roles.add(role, self._weights.get(role, 1.0))
        self._members[role].add(framework)
        if not active:
            self._members[role].deactivate(framework)

    def _leave_if_idle(self, framework: str, slot: _Framework, role: str) -> None:
        """Forget a framework in a role that it has left and where it holds nothing."""
        if role in slot.roles or role in slot.held or framework not in self._members[role]:
            return
        self._members[role].remove(framework)
        if not len(self._members[role]):
            del self._members[role]
            self._roles.remove(role)
            self._consumed.pop(role, None)

    def _order_in(self, framework: str, slot: _Framework, role: str) -> None:
        """Let a framework take part in a role's order exactly when it is to get offers there."""
        if slot.active and role in slot.roles and role not in slot.suppressed:
            self._members[role].activate(framework)
        else:
            self._members[role].deactivate(framework)

    def _set_active(self, framework: str, active: bool) -> None:
        slot = self._frameworks[framework]
        slot.active = active
        for role in slot.roles:
            self._order_in(framework, slot, role)


def _whole(free: Resources) -> Resources:
    return free


def _shrink_to(bounds: Mapping[str, Milli]) -> Callable[[Resources], Resources]:
    return lambda free: quotas.shrink(free, bounds)
