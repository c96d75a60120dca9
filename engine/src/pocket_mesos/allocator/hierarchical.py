"""The allocator: which framework is offered which resources of which agent.

Two stages: first roles whose quota guarantee is not met, then fair sharing of the rest with
headroom kept for what is still missing from guarantees. In each stage roles are sorted first, then
the frameworks of a role. Pure: the time comes in as a value, allocations go out as values, and
nobody else is needed to drive it.
"""

from collections.abc import Iterable, Mapping

from pocket_mesos.allocator.books import Agent, Books, Framework
from pocket_mesos.allocator.cycle import Allocation, Cycle, Options, is_enough
from pocket_mesos.allocator.filters import Client, OfferFilters
from pocket_mesos.allocator.quota import NO_QUOTA, Enforcement, Quota
from pocket_mesos.resources import EMPTY, Resources
from pocket_mesos.resources.values import Milli


class HierarchicalAllocator:
    """Keeps account of who holds what and hands out what nobody holds."""

    def __init__(self, options: Options | None = None) -> None:
        self._options = options or Options()
        self._books = Books(self._options.excluded)
        self._filters = OfferFilters()
        self._quotas: dict[str, Quota] = {}

    # --- agents ----------------------------------------------------------------------------

    def add_agent(self, agent: str, total: Resources, held: Mapping[Client, Resources]) -> None:
        """Add an agent, of which ``held`` is in use already."""
        self._books.agents[agent] = Agent(total=total, available=total)
        self._books.total.change(total.scalars, EMPTY.scalars)
        for holder, resources in held.items():
            self._books.take(agent, holder, resources)

    def remove_agent(self, agent: str) -> None:
        """Remove an agent with everything held there."""
        slot = self._books.agents[agent]
        for holder, resources in list(slot.held.items()):
            self._books.give_back(agent, holder, resources)
        del self._books.agents[agent]
        self._books.total.change(EMPTY.scalars, slot.total.scalars)
        self._filters.forget_agent(agent)

    def activate_agent(self, agent: str) -> None:
        """Offer an agent's resources again."""
        self._books.agents[agent].active = True

    def deactivate_agent(self, agent: str) -> None:
        """Offer nothing more of an agent; what is held stays held."""
        self._books.agents[agent].active = False

    # --- frameworks ------------------------------------------------------------------------

    def add_framework(
        self, framework: str, roles: Iterable[str], suppressed: Iterable[str], *, gpus: bool
    ) -> None:
        """Add a framework that holds nothing and is active."""
        slot = Framework(roles=set(), suppressed=set(suppressed), gpus=gpus)
        self._books.frameworks[framework] = slot
        for role in roles:
            self._books.join(framework, role)

    def update_framework(
        self, framework: str, roles: Iterable[str], suppressed: Iterable[str], *, gpus: bool
    ) -> None:
        """Change what a framework is; roles where it still holds something are kept track of."""
        slot = self._books.frameworks[framework]
        wanted, silent = set(roles), set(suppressed)
        # To be suppressed no more is to be revived.
        for role in (slot.roles - wanted) | (slot.suppressed - silent):
            self._filters.forget_client((framework, role))
        slot.gpus, slot.suppressed = gpus, silent
        for role in slot.roles - wanted:
            self._books.leave(framework, role)
        for role in wanted:
            self._books.join(framework, role)

    def remove_framework(self, framework: str) -> None:
        """Remove a framework with everything that it holds."""
        slot = self._books.frameworks[framework]
        for role, agents in list(slot.held.items()):
            for agent in list(agents):
                holder = (framework, role)
                held = self._books.agents[agent].held[holder]
                self._books.give_back(agent, holder, held)
        for role in list(slot.roles):
            self._filters.forget_client((framework, role))
            self._books.leave(framework, role)
        del self._books.frameworks[framework]

    def activate_framework(self, framework: str) -> None:
        """Offer to a framework again."""
        self._set_active(framework, True)

    def deactivate_framework(self, framework: str) -> None:
        """Offer nothing more to a framework; its filters are dropped."""
        self._set_active(framework, False)
        for role in self._books.frameworks[framework].roles:
            self._filters.forget_client((framework, role))

    def suppress(self, framework: str, roles: Iterable[str] = ()) -> None:
        """Offer nothing more to a framework in ``roles``, or in all of its roles."""
        slot = self._books.frameworks[framework]
        for role in set(roles) & slot.roles or (set() if roles else slot.roles):
            slot.suppressed.add(role)
            self._books.order_in(framework, role)

    def suppressed(self, framework: str) -> frozenset[str]:
        """Return the roles in which a framework gets no offers, as it has asked."""
        return frozenset(self._books.frameworks[framework].suppressed)

    def revive(self, framework: str, roles: Iterable[str] = ()) -> None:
        """Drop filters and suppression in ``roles``, or in all roles."""
        slot = self._books.frameworks[framework]
        for role in set(roles) & slot.roles or (set() if roles else slot.roles):
            slot.suppressed.discard(role)
            self._filters.forget_client((framework, role))
            self._books.order_in(framework, role)

    # --- roles -----------------------------------------------------------------------------

    def set_weight(self, role: str, weight: float) -> None:
        """Give a role its weight among its neighbours."""
        self._books.roles.update_weight(role, weight)

    def set_quota(self, role: str, quota: Quota) -> None:
        """Give a role its guarantees and limits; an empty quota is none."""
        if quota == NO_QUOTA:
            self._quotas.pop(role, None)
        else:
            self._quotas[role] = quota

    # --- accounting ------------------------------------------------------------------------

    def hold(self, framework: str, role: str, agent: str, resources: Resources) -> None:
        """Take resources for a framework outside of an allocation."""
        self._books.take(agent, (framework, role), resources)

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
        self._books.give_back(agent, (framework, role), resources)
        slot = self._books.frameworks.get(framework)
        if refuse_seconds > 0 and slot is not None and role in slot.roles:
            until = now + max(refuse_seconds, self._options.interval)
            self._filters.refuse((framework, role), agent, resources, until)

    def available(self, agent: str) -> Resources:
        """Return what nobody holds of an agent."""
        return self._books.agents[agent].available

    def held(self, agent: str) -> Mapping[Client, Resources]:
        """Return who holds what of an agent."""
        return self._books.agents[agent].held

    def consumed(self, role: str) -> Mapping[str, Milli]:
        """Return the scalars that a role and those below it hold."""
        return self._books.roles.allocation(role)

    def shares(self) -> dict[str, float]:
        """Return the dominant share, divided by the weight, of each role with a framework."""
        return {role: self._books.roles.share(role) for role in self._books.members}

    def active_filters(self, now: float) -> dict[str, int]:
        """Return how many refusals hold in each role that has a framework."""
        return dict.fromkeys(self._books.members, 0) | self._filters.active(now)

    # --- allocation ------------------------------------------------------------------------

    def allocate(self, now: float, agents: Iterable[str] | None = None) -> list[Allocation]:
        """Hand out what is available, of ``agents`` or of all.

        Returns:
            What has been allocated, in the order of the decisions; one entry per framework, role
            and agent.
        """
        books = self._books
        offerable = [
            name
            for name in (books.agents if agents is None else agents)
            if (slot := books.agents.get(name)) is not None
            and slot.active
            and is_enough(slot.available, self._options)
        ]
        enforcement = Enforcement(self._quotas, books.roles, books.total) if self._quotas else None
        return Cycle(books, self._filters, enforcement, self._options, now).run(offerable)

    def _set_active(self, framework: str, active: bool) -> None:
        slot = self._books.frameworks[framework]
        slot.active = active
        for role in slot.roles:
            self._books.order_in(framework, role)
