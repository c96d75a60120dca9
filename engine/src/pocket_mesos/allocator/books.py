"""Who holds what: agents, frameworks, and the accounts that decide who is served first."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pocket_mesos.allocator.filters import Client
from pocket_mesos.allocator.sorter import DRFSorter, Total
from pocket_mesos.resources import EMPTY, Resources


@dataclass(slots=True)
class Agent:
    """An agent's resources; ``available`` and all that is ``held`` add up to ``total``."""

    total: Resources
    available: Resources
    active: bool = True
    held: dict[Client, Resources] = field(default_factory=dict)


@dataclass(slots=True)
class Framework:
    """What a framework takes part in."""

    roles: set[str]
    suppressed: set[str]
    gpus: bool
    active: bool = True
    held: dict[str, set[str]] = field(default_factory=dict)
    """Agents by role, where anything is held."""


class Books:
    """The accounts. A framework is in a role's sorter while it has the role or holds something."""

    def __init__(self, excluded: Iterable[str]) -> None:
        self.agents: dict[str, Agent] = {}
        self.frameworks: dict[str, Framework] = {}
        self.total = Total(excluded)
        self.roles = DRFSorter(self.total)
        self.members: dict[str, DRFSorter] = {}
        self.in_play: set[Client] = set()
        """Who is to get offers: active, in one of its roles, and not suppressed there."""

    def take(self, agent: str, client: Client, resources: Resources) -> None:
        """Enter resources of an agent as held by somebody."""
        if not resources:
            return
        framework, role = client
        slot, owner = self.agents[agent], self.frameworks[framework]
        slot.available = slot.available - resources
        slot.held[client] = slot.held.get(client, EMPTY) + resources
        if role not in self.members or framework not in self.members[role]:
            self._track(framework, role)
            self.members[role].deactivate(framework)
        owner.held.setdefault(role, set()).add(agent)
        scalars = resources.scalars
        self.members[role].allocated(framework, scalars)
        self.roles.allocated(role, scalars)

    def give_back(self, agent: str, client: Client, resources: Resources) -> None:
        """Enter resources of an agent as held by nobody."""
        framework, role = client
        slot = self.agents[agent]
        rest = slot.held[client] - resources
        slot.available = slot.available + resources
        scalars = resources.scalars
        self.members[role].unallocated(framework, scalars)
        self.roles.unallocated(role, scalars)
        if rest:
            slot.held[client] = rest
            return
        del slot.held[client]
        owner = self.frameworks[framework]
        owner.held[role].discard(agent)
        if not owner.held[role]:
            del owner.held[role]
            self._leave_if_idle(framework, owner, role)

    def join(self, framework: str, role: str) -> None:
        """Give a framework a role."""
        self.frameworks[framework].roles.add(role)
        if role not in self.members or framework not in self.members[role]:
            self._track(framework, role)
        self.order_in(framework, role)

    def leave(self, framework: str, role: str) -> None:
        """Take a role from a framework; what it holds there stays on the accounts."""
        owner = self.frameworks[framework]
        owner.roles.discard(role)
        self.order_in(framework, role)
        self._leave_if_idle(framework, owner, role)

    def order_in(self, framework: str, role: str) -> None:
        """Let a framework take part in a role's order exactly when it is to get offers there."""
        owner = self.frameworks[framework]
        if owner.active and role in owner.roles and role not in owner.suppressed:
            self.in_play.add((framework, role))
            self.members[role].activate(framework)
        else:
            self.in_play.discard((framework, role))
            self.members[role].deactivate(framework)

    def _track(self, framework: str, role: str) -> None:
        if role not in self.members:
            self.members[role] = DRFSorter(self.total)
            self.roles.add(role)
        self.members[role].add(framework)

    def _leave_if_idle(self, framework: str, owner: Framework, role: str) -> None:
        """Forget a framework in a role that it has left and where it holds nothing."""
        if role in owner.roles or role in owner.held or framework not in self.members[role]:
            return
        self.members[role].remove(framework)
        if not len(self.members[role]):
            del self.members[role]
            self.roles.remove(role)
