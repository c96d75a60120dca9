"""The DRF sorter: Mesos' order, and the same order whether kept up to date or sorted anew."""

from hypothesis import given
from hypothesis import strategies as st

from pocket_mesos.allocator import DRFSorter

CPU, GB = 1000, 1000


def drf_paper() -> DRFSorter:
    sorter = DRFSorter()
    sorter.add_total({"cpus": 9 * CPU, "mem": 18 * GB})
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
        pick = sorter.sort()[0]
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
    assert sorter.sort() == ["A", "B"]
    sorter.allocated("A", {"cpus": CPU})
    sorter.unallocated("A", {"cpus": CPU})
    assert sorter.sort() == ["B", "A"], "the allocation is gone, its count is not"


def test_weight_divides_the_share() -> None:
    """A client of weight 2 comes first until it has more than twice as much."""
    sorter = drf_paper()
    sorter.update_weight("A", 2.0)
    sorter.allocated("A", {"cpus": 3 * CPU})
    sorter.allocated("B", {"cpus": 2 * CPU})
    assert sorter.sort() == ["A", "B"]
    sorter.allocated("A", {"cpus": 2 * CPU})
    assert sorter.sort() == ["B", "A"]


def test_excluded_resources_count_for_nobody() -> None:
    """A scarce resource outside of fair sharing does not push its holder back."""
    sorter = DRFSorter(excluded=["gpus"])
    sorter.add_total({"cpus": CPU, "gpus": 1000})
    sorter.add("a")
    sorter.add("b")
    sorter.allocated("a", {"gpus": 1000})
    sorter.allocated("b", {"cpus": 1})
    assert sorter.share("a") == 0.0
    assert sorter.sort() == ["a", "b"]


def test_inactive_clients_keep_their_account_and_lose_their_turn() -> None:
    """A deactivated client is left out and comes back where its share puts it."""
    sorter = drf_paper()
    sorter.allocated("A", {"cpus": CPU})
    sorter.deactivate("A")
    assert sorter.sort() == ["B"]
    sorter.unallocated("A", {"cpus": CPU})
    sorter.allocated("A", {"cpus": 2 * CPU})
    sorter.activate("A")
    assert sorter.sort() == ["B", "A"]
    sorter.remove("B")
    assert sorter.sort() == ["A"]


names = st.sampled_from("abcd")
operations = st.lists(
    st.one_of(
        st.tuples(st.just("allocated"), names, st.integers(1, 500)),
        st.tuples(st.just("unallocated"), names, st.integers(1, 500)),
        st.tuples(st.just("activate"), names, st.just(0)),
        st.tuples(st.just("deactivate"), names, st.just(0)),
        st.tuples(st.just("update_weight"), names, st.integers(1, 5)),
        st.tuples(st.just("add_total"), names, st.integers(1, 500)),
        st.tuples(st.just("sort"), names, st.just(0)),
    ),
    max_size=40,
)


@given(operations)
def test_the_kept_order_is_the_sorted_order(steps: list[tuple[str, str, int]]) -> None:
    """Whatever happens, the incremental order equals a fresh sort by the definition."""
    sorter = DRFSorter()
    sorter.add_total({"cpus": 1000})
    held, counts, weights = dict.fromkeys("abcd", 0), dict.fromkeys("abcd", 0), {}
    active, total = set("abcd"), 1000
    for name in "abcd":
        sorter.add(name)
        weights[name] = 1.0
    for kind, name, value in steps:
        match kind:
            case "allocated":
                sorter.allocated(name, {"cpus": value})
                held[name] += value
                counts[name] += 1
            case "unallocated":
                value = min(value, held[name])
                sorter.unallocated(name, {"cpus": value})
                held[name] -= value
            case "activate":
                sorter.activate(name)
                active.add(name)
            case "deactivate":
                sorter.deactivate(name)
                active.discard(name)
            case "update_weight":
                sorter.update_weight(name, float(value))
                weights[name] = float(value)
            case "add_total":
                sorter.add_total({"cpus": value})
                total += value
            case _:
                sorter.sort()
    expected = sorted(active, key=lambda n: (held[n] / total / weights[n], counts[n], n))
    assert sorter.sort() == expected
