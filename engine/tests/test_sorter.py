"""The DRF sorter: Mesos' order, and the same order whether kept up to date or sorted anew."""

from hypothesis import given
from hypothesis import strategies as st

from pocket_mesos.allocator import DRFSorter, Total

CPU, GB = 1000, 1000


def total(amounts: dict[str, int], excluded: tuple[str, ...] = ()) -> Total:
    made = Total(excluded)
    made.change(amounts, {})
    return made


def drf_paper() -> DRFSorter:
    sorter = DRFSorter(total({"cpus": 9 * CPU, "mem": 18 * GB}))
    sorter.add("A")
    sorter.add("B")
    return sorter


DEMANDS = {"A": {"cpus": 1 * CPU, "mem": 4 * GB}, "B": {"cpus": 3 * CPU, "mem": 1 * GB}}


def test_the_drf_papers_table_step_by_step() -> None:
    """Starting with B the picks are B, A, A, B, A, with the shares that the paper prints."""
    sorter = drf_paper()
    picks, shares = ["B"], []
    sorter.allocated("B", DEMANDS["B"])
    for _ in range(4):
        shares.append((round(sorter.share("A"), 4), round(sorter.share("B"), 4)))
        pick = next(sorter.sort())
        sorter.allocated(pick, DEMANDS[pick])
        picks.append(pick)
    assert picks == ["B", "A", "A", "B", "A"]
    assert shares == [(0, 0.3333), (0.2222, 0.3333), (0.4444, 0.3333), (0.4444, 0.6667)]
    assert sorter.allocation("A") == {"cpus": 3 * CPU, "mem": 12 * GB}
    assert sorter.allocation("B") == {"cpus": 6 * CPU, "mem": 2 * GB}
    assert sorter.share("A") == sorter.share("B") == 2 / 3


def test_equal_shares_go_by_number_of_allocations_then_by_name() -> None:
    """Who was served less often comes first, then who comes first in the alphabet."""
    sorter = drf_paper()
    assert list(sorter.sort()) == ["A", "B"]
    sorter.allocated("A", {"cpus": CPU})
    sorter.unallocated("A", {"cpus": CPU})
    assert list(sorter.sort()) == ["B", "A"], "the allocation is gone, its count is not"


def test_weight_divides_the_share() -> None:
    """A client of weight 2 comes first until it has more than twice as much."""
    sorter = drf_paper()
    sorter.update_weight("A", 2.0)
    sorter.allocated("A", {"cpus": 3 * CPU})
    sorter.allocated("B", {"cpus": 2 * CPU})
    assert list(sorter.sort()) == ["A", "B"]
    sorter.allocated("A", {"cpus": 2 * CPU})
    assert list(sorter.sort()) == ["B", "A"]


def test_a_change_of_the_total_changes_the_order() -> None:
    """What was scarce need not stay so."""
    shared = total({"cpus": 4 * CPU, "mem": 8 * GB})
    sorter = DRFSorter(shared)
    for name, held in (("a", {"cpus": 2 * CPU}), ("b", {"mem": 3 * GB})):
        sorter.add(name)
        sorter.allocated(name, held)
    assert list(sorter.sort()) == ["b", "a"]
    shared.change({"cpus": 8 * CPU}, {})
    assert list(sorter.sort()) == ["a", "b"]
    shared.change({}, {"cpus": 8 * CPU})
    assert list(sorter.sort()) == ["b", "a"]


def test_excluded_resources_count_for_nobody() -> None:
    """A scarce resource outside of fair sharing does not push its holder back."""
    sorter = DRFSorter(total({"cpus": CPU, "gpus": 1000}, excluded=("gpus",)))
    sorter.add("a")
    sorter.add("b")
    sorter.allocated("a", {"gpus": 1000})
    sorter.allocated("b", {"cpus": 1})
    assert sorter.share("a") == 0.0
    assert list(sorter.sort()) == ["a", "b"]


def test_inactive_clients_keep_their_account_and_lose_their_turn() -> None:
    """A deactivated client is left out and comes back where its share puts it."""
    sorter = drf_paper()
    sorter.allocated("A", {"cpus": CPU})
    sorter.deactivate("A")
    assert list(sorter.sort()) == ["B"]
    sorter.unallocated("A", {"cpus": CPU})
    sorter.allocated("A", {"cpus": 2 * CPU})
    sorter.activate("A")
    assert list(sorter.sort()) == ["B", "A"]
    sorter.remove("B")
    assert list(sorter.sort()) == ["A"]


def test_clients_below_another_share_what_it_gets() -> None:
    """a/x and a/y together compete with b as one; where a takes part itself, it is one of three."""
    sorter = DRFSorter(total({"cpus": 12 * CPU}))
    for name in ("a/x", "a/y", "b"):
        sorter.add(name)
    picks = []
    for _ in range(8):
        pick = next(sorter.sort())
        sorter.allocated(pick, {"cpus": CPU})
        picks.append(pick)
    assert picks == ["a/x", "b", "a/y", "b", "a/x", "b", "a/y", "b"]
    sorter.add("a")
    assert list(sorter.sort()) == ["a", "a/x", "a/y", "b"]
    assert sorter.allocation("a") == {"cpus": 4 * CPU}
    sorter.remove("a/x")
    assert sorter.allocation("a") == {"cpus": 2 * CPU}
    assert list(sorter.sort()) == ["a", "a/y", "b"]


def test_weight_of_a_parent_counts_among_its_neighbours() -> None:
    """A weight holds for the whole tree below a role, and may be given before anybody is there."""
    sorter = DRFSorter(total({"cpus": 12 * CPU}))
    sorter.update_weight("a", 3.0)
    for name in ("a/x", "b"):
        sorter.add(name)
    sorter.allocated("a/x", {"cpus": 2 * CPU})
    sorter.allocated("b", {"cpus": CPU})
    assert list(sorter.sort()) == ["a/x", "b"]
    sorter.update_weight("a", 1.0)
    assert list(sorter.sort()) == ["b", "a/x"]


def test_an_idle_client_that_others_join_below_stays_out() -> None:
    """A deactivated role does not keep the roles below it from their turn, nor comes back."""
    sorter = DRFSorter(total({"cpus": 12 * CPU}))
    sorter.add("a")
    sorter.allocated("a", {"cpus": CPU})
    sorter.deactivate("a")
    sorter.add("a/b")
    assert list(sorter.sort()) == ["a/b"]
    sorter.activate("a")
    assert list(sorter.sort()) == ["a/b", "a"]
    assert sorter.allocation("a") == {"cpus": CPU}
    sorter.unallocated("a", {"cpus": CPU})
    assert list(sorter.sort()) == ["a/b", "a"], "it has been served before"


class Definition:
    """The order by its definition: nothing is kept but what it is defined by."""

    def __init__(self) -> None:
        self.total = 1000
        self.weights: dict[str, float] = {}
        self.held: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.active: set[str] = set()
        self.parents: dict[str, int] = {}
        """Allocations below each path that somebody is or was below."""

    def add(self, name: str) -> None:
        self.held[name] = self.counts[name] = 0
        self.active.add(name)
        parts = name.split("/")
        for depth in range(1, len(parts)):
            path = "/".join(parts[:depth])
            self.parents.setdefault(path, self.counts.get(path, 0))

    def remove(self, name: str) -> None:
        del self.held[name], self.counts[name]
        self.active.discard(name)
        self.parents = {path: n for path, n in self.parents.items() if self.within(path)}

    def allocated(self, name: str, value: int) -> None:
        self.held[name] += value
        self.counts[name] += 1
        for path in self.parents:
            if name in self.within(path):
                self.parents[path] += 1

    def within(self, path: str) -> list[str]:
        return [name for name in self.held if f"{name}/".startswith(f"{path}/")]

    def order(self, parent: str = "") -> list[str]:
        depth = parent.count("/") + 1 if parent else 0
        names = self.within(parent) if parent else list(self.held)
        keys = []
        for path in {"/".join(name.split("/")[: depth + 1]) for name in names}:
            if path == parent:
                share = self.held[path] / self.total / self.weights.get(f"{path}/.", 1.0)
                keys.append((share, self.counts[path], f"{path}/.", [path]))
            elif path in self.parents:
                share = sum(self.held[name] for name in self.within(path)) / self.total
                share /= self.weights.get(path, 1.0)
                keys.append((share, self.parents[path], path, self.order(path)))
            else:
                share = self.held[path] / self.total / self.weights.get(path, 1.0)
                keys.append((share, self.counts[path], path, [path]))
        return [name for key in sorted(keys) for name in key[3] if name in self.active]


names = st.sampled_from(["a", "b", "c", "a/x", "a/y", "b/x", "b/x/z", "b/w"])
operations = st.lists(
    st.one_of(
        st.tuples(st.just("allocated"), names, st.integers(1, 500)),
        st.tuples(st.just("unallocated"), names, st.integers(1, 500)),
        st.tuples(st.just("come or go"), names, st.just(0)),
        st.tuples(st.just("switch"), names, st.just(0)),
        st.tuples(st.just("weight"), names, st.integers(1, 5)),
        st.tuples(st.just("total"), names, st.integers(1, 500)),
        st.tuples(st.just("sort"), names, st.just(0)),
    ),
    max_size=60,
)


@given(operations)
def test_the_kept_order_is_the_sorted_order(steps: list[tuple[str, str, int]]) -> None:
    """Whatever happens, the incremental order of the tree equals the definition's."""
    shared = total({"cpus": 1000})
    sorter, expected = DRFSorter(shared), Definition()
    for kind, name, value in [("come or go", name, 0) for name in ("a", "a/x", "b/x")] + steps:
        if kind == "weight":
            sorter.update_weight(name, float(value))
            expected.weights[name] = float(value)
        elif kind == "total":
            shared.change({"cpus": value}, {})
            expected.total += value
        elif kind == "sort":
            assert list(sorter.sort()) == expected.order()
        elif kind == "come or go":
            change = (sorter.remove, expected.remove)
            for one in change if name in sorter else (sorter.add, expected.add):
                one(name)
        elif name not in sorter:
            continue
        elif kind == "switch":
            (sorter.deactivate if name in expected.active else sorter.activate)(name)
            expected.active ^= {name}
        elif kind == "allocated":
            sorter.allocated(name, {"cpus": value})
            expected.allocated(name, value)
        else:
            sorter.unallocated(name, {"cpus": min(value, expected.held[name])})
            expected.held[name] -= min(value, expected.held[name])
    assert list(sorter.sort()) == expected.order()
    for path in ("a", "b"):
        held = sum(expected.held[name] for name in expected.within(path))
        assert sorter.allocation(path).get("cpus", 0) == held
