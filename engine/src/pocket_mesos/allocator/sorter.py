"""Dominant resource fairness: who has least of what it has most of comes first.

Order: dominant share divided by weight, then number of allocations so far, then name. One sorter
orders the roles, one per role orders that role's frameworks; neither knows which it is.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping

from pocket_mesos.resources.values import Milli

Key = tuple[float, int, str]


class _Client:
    __slots__ = ("active", "allocated", "count", "key", "name", "weight")

    def __init__(self, name: str, weight: float) -> None:
        self.name = name
        self.weight = weight
        self.active = True
        self.allocated: dict[str, Milli] = {}
        self.count = 0
        self.key: Key = (0.0, 0, name)


class DRFSorter:
    """Clients in order of their weighted dominant share of a total.

    Keeps the order up to date as allocations change, so that a change of one client does not cost
    a sort of all; a change of the total does.
    """

    def __init__(self, excluded: Iterable[str] = ()) -> None:
        """Prepare a sorter; resources named in ``excluded`` count for nobody's share."""
        self._excluded = frozenset(excluded)
        self._total: dict[str, Milli] = {}
        self._clients: dict[str, _Client] = {}
        self._order: list[Key] = []
        self._stale = False

    def __contains__(self, name: str) -> bool:
        return name in self._clients

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def names(self) -> Iterable[str]:
        """All clients, in no particular order."""
        return self._clients.keys()

    def add(self, name: str, weight: float = 1.0) -> None:
        """Add a client that has nothing yet."""
        client = self._clients[name] = _Client(name, weight)
        if not self._stale:
            insort(self._order, client.key)

    def remove(self, name: str) -> None:
        """Forget a client and what it was allocated."""
        client = self._clients.pop(name)
        if client.active and not self._stale:
            self._take_out(client.key)

    def activate(self, name: str) -> None:
        """Let a client take part in the order."""
        client = self._clients[name]
        if not client.active:
            client.active = True
            if not self._stale:
                client.key = self._key(client)
                insort(self._order, client.key)

    def deactivate(self, name: str) -> None:
        """Leave a client out of the order; its allocations still count."""
        client = self._clients[name]
        if client.active:
            client.active = False
            if not self._stale:
                self._take_out(client.key)

    def update_weight(self, name: str, weight: float) -> None:
        """Change a client's weight."""
        client = self._clients[name]
        client.weight = weight
        self._reorder(client)

    def allocated(self, name: str, scalars: Mapping[str, Milli]) -> None:
        """Count an allocation."""
        client = self._clients[name]
        client.count += 1
        for resource, value in scalars.items():
            client.allocated[resource] = client.allocated.get(resource, 0) + value
        self._reorder(client)

    def unallocated(self, name: str, scalars: Mapping[str, Milli]) -> None:
        """Take resources off a client's account; the number of its allocations stays."""
        client = self._clients[name]
        for resource, value in scalars.items():
            rest = client.allocated.get(resource, 0) - value
            if rest:
                client.allocated[resource] = rest
            else:
                client.allocated.pop(resource, None)
        self._reorder(client)

    def allocation(self, name: str) -> dict[str, Milli]:
        """Return a client's scalars in thousandths."""
        return dict(self._clients[name].allocated)

    def share(self, name: str) -> float:
        """Return a client's dominant share of the total, weight aside."""
        return self._share(self._clients[name])

    def add_total(self, scalars: Mapping[str, Milli]) -> None:
        """Enlarge what is shared."""
        for resource, value in scalars.items():
            self._total[resource] = self._total.get(resource, 0) + value
        self._stale = True

    def remove_total(self, scalars: Mapping[str, Milli]) -> None:
        """Reduce what is shared."""
        for resource, value in scalars.items():
            self._total[resource] -= value
        self._stale = True

    def sort(self) -> list[str]:
        """Return the active clients, the one to be served first in front."""
        if self._stale:
            for client in self._clients.values():
                client.key = self._key(client)
            self._order = sorted(c.key for c in self._clients.values() if c.active)
            self._stale = False
        return [key[2] for key in self._order]

    def _reorder(self, client: _Client) -> None:
        if self._stale or not client.active:
            return
        self._take_out(client.key)
        client.key = self._key(client)
        insort(self._order, client.key)

    def _take_out(self, key: Key) -> None:
        del self._order[bisect_left(self._order, key)]

    def _key(self, client: _Client) -> Key:
        return (self._share(client) / client.weight, client.count, client.name)

    def _share(self, client: _Client) -> float:
        share = 0.0
        for resource, value in client.allocated.items():
            total = self._total.get(resource, 0)
            if total > 0 and resource not in self._excluded:
                share = max(share, value / total)
        return share
