"""Dominant resource fairness: who has least of what it has most of comes first.

Order: dominant share divided by weight, then number of allocations so far, then path. Clients form
a tree by the slashes in their names: ``a`` and ``b/c`` compete as ``a`` and ``b``, and what ``b``
gets goes to ``b/c``. A client with others below it competes with those, as a leaf of its own that
is called ``.``. One sorter orders the roles, one per role orders that role's frameworks; neither
knows which it is.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping

from pocket_mesos.resources.values import Milli

Key = tuple[float, int, str]
"""Weighted share, number of allocations, path."""


class Total:
    """What is shared. Several sorters may have the same, so that a change of it is made once."""

    __slots__ = ("_excluded", "amounts", "fair", "version")

    def __init__(self, excluded: Iterable[str] = ()) -> None:
        """Begin with nothing; resources named in ``excluded`` count for nobody's share."""
        self._excluded = frozenset(excluded)
        self.amounts: dict[str, Milli] = {}
        self.fair: dict[str, Milli] = {}
        """The amounts that count for shares; none is zero."""
        self.version = 0

    def change(self, added: Mapping[str, Milli], removed: Mapping[str, Milli]) -> None:
        """Enlarge and reduce what is shared."""
        for name, value in added.items():
            self.amounts[name] = self.amounts.get(name, 0) + value
        for name, value in removed.items():
            self.amounts[name] -= value
        self.fair = {n: v for n, v in self.amounts.items() if v > 0 and n not in self._excluded}
        self.version += 1


class _Node:
    """A client, or the parent of others; never both."""

    __slots__ = (
        "allocated",
        "children",
        "client",
        "count",
        "in_play",
        "key",
        "order",
        "parent",
        "path",
        "weight",
    )

    def __init__(self, path: str, parent: "_Node | None", weight: float) -> None:
        self.path = path
        self.parent = parent
        self.weight = weight
        self.client: str | None = None
        self.children: dict[str, _Node] = {}
        self.order: list[Key] = []
        """Of the children in play; right while the sorter has seen the latest total."""
        self.in_play = True
        self.allocated: dict[str, Milli] = {}
        self.count = 0
        self.key: Key = (0.0, 0, path)


class DRFSorter:
    """Clients in order of their weighted dominant share of a total.

    Keeps the order up to date as allocations change, so that a change of one client does not cost
    a sort of all; a change of the total does, once, when the order is next asked for.
    """

    def __init__(self, total: Total) -> None:
        self._total = total
        self._root = _Node("", None, 1.0)
        self._clients: dict[str, _Node] = {}
        self._nodes: dict[str, _Node] = {}
        """By path; a client with others below it has two: ``a`` and ``a/.``."""
        self._weights: dict[str, float] = {}
        self._seen = total.version

    def __contains__(self, name: str) -> bool:
        return name in self._clients

    def __len__(self) -> int:
        return len(self._clients)

    @property
    def names(self) -> Iterable[str]:
        """All clients, in no particular order."""
        return self._clients.keys()

    # --- clients ---------------------------------------------------------------------------

    def add(self, name: str) -> None:
        """Add a client that has nothing yet and takes part in the order."""
        parent, path = self._root, ""
        *above, last = name.split("/")
        for part in above:
            path = f"{path}{part}/"
            parent = self._inner(path[:-1], parent)
        leaf = f"{path}{last}"
        if leaf in self._nodes:  # others are below it
            parent, leaf = self._nodes[leaf], f"{leaf}/."
        node = self._grow(leaf, parent)
        node.client = name
        self._clients[name] = node

    def remove(self, name: str) -> None:
        """Forget a client and what it was allocated, with parents that are empty then."""
        node = self._clients.pop(name)
        self._change(node, node.allocated, -1)
        while node.parent is not None and not node.children:
            self._bench(node)
            del node.parent.children[node.path], self._nodes[node.path]
            node = node.parent

    def activate(self, name: str) -> None:
        """Let a client take part in the order."""
        node = self._clients[name]
        if not node.in_play:
            self._field(node)

    def deactivate(self, name: str) -> None:
        """Leave a client out of the order; its allocations still count."""
        self._bench(self._clients[name])

    def update_weight(self, path: str, weight: float) -> None:
        """Change the weight of a client or of a parent, which need not be there yet."""
        self._weights[path] = weight
        node = self._nodes.get(path)
        if node is not None:
            node.weight = weight
            self._place(node)

    # --- accounts --------------------------------------------------------------------------

    def allocated(self, name: str, scalars: Mapping[str, Milli]) -> None:
        """Count an allocation, for the client and all above it."""
        self._change(self._clients[name], scalars, 1, served=1)

    def unallocated(self, name: str, scalars: Mapping[str, Milli]) -> None:
        """Take resources off the accounts; the number of allocations stays."""
        self._change(self._clients[name], scalars, -1)

    def allocation(self, path: str = "") -> Mapping[str, Milli]:
        """Return the scalars of a client with all below it, or of everybody, in thousandths."""
        node = self._nodes.get(path) if path else self._root
        return {} if node is None else node.allocated

    def share(self, name: str) -> float:
        """Return a client's dominant share of the total, divided by its weight."""
        return self._key(self._clients[name])[0]

    def sort(self) -> Iterator[str]:
        """Yield the active clients, the one to be served first in front.

        What is allocated meanwhile does not change the order; clients must not come or go.
        """
        if self._seen != self._total.version:
            self._rebuild(self._root)
            self._seen = self._total.version
        return _leaves(self._root)

    # --- tree ------------------------------------------------------------------------------

    def _inner(self, path: str, parent: _Node) -> _Node:
        """Return the node that others are below, made or changed into one if need be."""
        node = self._nodes.get(path)
        if node is None:
            return self._grow(path, parent)
        if node.client is not None:
            self._divide(node, node.client)
        return node

    def _divide(self, node: _Node, client: str) -> None:
        """Make a client the first one below itself."""
        leaf = self._grow(f"{node.path}/.", node)
        leaf.allocated, leaf.count = dict(node.allocated), node.count
        leaf.client, node.client = client, None
        self._clients[client] = leaf
        self._place(leaf)
        if not node.in_play:
            self._bench(leaf)
            self._field(node)

    def _grow(self, path: str, parent: _Node) -> _Node:
        node = _Node(path, parent, self._weights.get(path, 1.0))
        parent.children[path] = self._nodes[path] = node
        if self._seen == self._total.version:
            insort(parent.order, node.key)
        return node

    def _change(
        self, leaf: _Node, scalars: Mapping[str, Milli], sign: int, served: int = 0
    ) -> None:
        changes = [(resource, sign * value) for resource, value in scalars.items()]
        node: _Node | None = leaf
        while node is not None:
            node.count += served
            allocated = node.allocated
            for resource, value in changes:
                rest = allocated.get(resource, 0) + value
                if rest:
                    allocated[resource] = rest
                else:
                    allocated.pop(resource, None)
            self._place(node)
            node = node.parent

    # --- order -----------------------------------------------------------------------------

    def _place(self, node: _Node) -> None:
        """Move a node to where its share puts it."""
        if self._seen != self._total.version or node.parent is None or not node.in_play:
            return
        key = self._key(node)
        if key != node.key:
            order = node.parent.order
            del order[bisect_left(order, node.key)]
            node.key = key
            insort(order, key)

    def _field(self, node: _Node) -> None:
        assert node.parent is not None
        node.in_play = True
        if self._seen == self._total.version:
            node.key = self._key(node)
            insort(node.parent.order, node.key)

    def _bench(self, node: _Node) -> None:
        assert node.parent is not None
        if node.in_play and self._seen == self._total.version:
            order = node.parent.order
            del order[bisect_left(order, node.key)]
        node.in_play = False

    def _rebuild(self, parent: _Node) -> None:
        for node in parent.children.values():
            if node.in_play:
                node.key = self._key(node)
            if node.children:
                self._rebuild(node)
        parent.order = sorted(node.key for node in parent.children.values() if node.in_play)

    def _key(self, node: _Node) -> Key:
        share = 0.0
        fair = self._total.fair
        for resource, value in node.allocated.items():
            if resource in fair:
                part = value / fair[resource]
                if part > share:
                    share = part
        return (share / node.weight, node.count, node.path)


def _leaves(parent: _Node) -> Iterator[str]:
    # A copy: who is served while this is read takes another place.
    for _, _, path in tuple(parent.order):
        node = parent.children[path]
        if node.client is not None:
            yield node.client
        else:
            yield from _leaves(node)
