"""One allocation: first roles whose guarantee is not met, then fair shares of the rest.

In each stage roles are sorted first, then the frameworks of a role, for each agent anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pocket_mesos.allocator.books import Agent, Books
from pocket_mesos.allocator.filters import Client, OfferFilters
from pocket_mesos.allocator.quota import Enforcement
from pocket_mesos.resources import Resources
from pocket_mesos.resources.values import Milli


def _in_order_of_coming(_agents: list[str]) -> None:
    """Leave agents in the order in which they came."""


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
    shuffle: Callable[[list[str]], None] = _in_order_of_coming
    """Rearranges agents before each stage; Mesos does so at random, to spread what is taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Resources of an agent that are a framework's now, to be offered to it."""

    framework: str
    role: str
    agent: str
    resources: Resources


class Cycle:
    """An allocation in progress."""

    def __init__(
        self,
        books: Books,
        filters: OfferFilters,
        enforcement: Enforcement | None,
        options: Options,
        now: float,
    ) -> None:
        """Prepare; without ``enforcement`` no role has any quota."""
        self._books = books
        self._filters = filters
        self._quota = enforcement
        self._options = options
        self._now = now
        self._made: dict[tuple[str, str, str], Resources] = {}

    def run(self, agents: list[str]) -> list[Allocation]:
        """Hand out what is available of agents, which are active and have enough for an offer."""
        if self._quota is not None and not self._quota.met:
            self._options.shuffle(agents)
            self._allocate_guarantees(agents, self._quota)
        self._options.shuffle(agents)
        self._allocate_fairly(agents)
        return [
            Allocation(framework=framework, role=role, agent=agent, resources=resources)
            for (framework, role, agent), resources in self._made.items()
        ]

    def _allocate_guarantees(self, agents: list[str], quota: Enforcement) -> None:
        for agent in agents:
            if quota.met:
                return
            slot = self._books.agents[agent]
            for role in self._books.roles.sort():
                if quota.guaranteed(role, slot.available):
                    self._offer_role(agent, slot, role, as_guaranteed=True)

    def _allocate_fairly(self, agents: list[str]) -> None:
        for agent in agents:
            slot = self._books.agents[agent]
            cover = self._filters.cover(agent, slot.available, self._now)
            # Where many have refused, few roles are left to ask.
            willing = {role for _, role in self._books.in_play.difference(cover)} if cover else None
            if willing is not None and not willing:
                continue
            for role in self._books.roles.sort():
                if not is_enough(slot.available, self._options):
                    break
                if willing is None or role in willing:
                    self._offer_role(agent, slot, role, as_guaranteed=False)

    def _offer_role(self, agent: str, slot: Agent, role: str, *, as_guaranteed: bool) -> None:
        """Offer an agent to the frameworks of a role in turn, until nothing is left for them."""
        cover = self._filters.cover(agent, slot.available, self._now)
        for framework in self._books.members[role].sort():
            client = (framework, role)
            if client in cover or not self._may_have(framework, slot):
                continue
            sure: Mapping[str, Milli] = {}
            resources = slot.available
            if self._quota is not None:
                if as_guaranteed:
                    sure = self._quota.guaranteed(role, resources)
                resources = self._quota.allowed(role, resources, sure)
            if not is_enough(resources, self._options):
                return
            if not self._filters.filters(client, agent, resources, self._now):
                self._give(agent, client, resources, sure)

    def _give(
        self, agent: str, client: Client, resources: Resources, sure: Mapping[str, Milli]
    ) -> None:
        self._books.take(agent, client, resources)
        if self._quota is not None:
            self._quota.served(sure)
        key = (*client, agent)
        self._made[key] = self._made[key] + resources if key in self._made else resources

    def _may_have(self, framework: str, slot: Agent) -> bool:
        if not self._options.filter_gpus or "gpus" not in slot.total.scalars:
            return True
        return self._books.frameworks[framework].gpus


def is_enough(resources: Resources, options: Options) -> bool:
    """Whether resources are worth an offer."""
    if not resources:
        return False
    return not options.least or any(resources.contains(one) for one in options.least)
