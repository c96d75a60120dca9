"""The hierarchical allocator's calls, driven without a master."""

import gc
import sys
from collections.abc import Callable

import pytest
from allocator_world import allocator, bundle, tree

from pocket_mesos.allocator import HierarchicalAllocator, Options


def test_a_refusal_holds_for_its_framework_and_role_alone() -> None:
    """Others are offered at once what one has refused, until they all have."""
    made = tree("a", "b", "c")
    made.add_agent("S0", bundle("cpus:4"), {})
    refused = []
    for turn in range(3):
        (offer,) = made.allocate(float(turn))
        refused.append(offer.role)
        made.recover(offer.framework, offer.role, "S0", offer.resources, refuse_seconds=9, now=turn)
    assert sorted(refused) == ["a", "b", "c"]
    assert made.allocate(8.9) == []
    assert [o.role for o in made.allocate(9.0)] == [refused[0]], "the first refusal has ended"


def test_agents_can_be_taken_in_another_order_each_time() -> None:
    """Who drives the allocator says in which order agents are looked at."""
    made = HierarchicalAllocator(Options(shuffle=list.reverse))
    made.add_framework("F", ["r"], [], gpus=False)
    for agent in ("S0", "S1", "S2"):
        made.add_agent(agent, bundle("cpus:1"), {})
    assert [offer.agent for offer in made.allocate(0.0)] == ["S2", "S1", "S0"]


def calls_of_a_change(agents: int, filtered: bool) -> tuple[int, int]:
    """Count function calls: of resources that come back, and of an agent that comes and goes."""
    made = tree(*(f"r{number}" for number in range(5)))
    total = bundle("cpus:4;ports:[1-9]")
    for number in range(agents):
        made.add_agent(f"S{number}", total, {})
    while offers := made.allocate(0.0):
        for one in offers:
            made.recover(one.framework, one.role, one.agent, one.resources, refuse_seconds=9)
        if not filtered:
            break
    made.hold("r0", "r0", "S0", bundle("cpus:1"))
    made.allocate(0.0, ["S0"])

    def come_back() -> None:
        made.recover("r0", "r0", "S0", bundle("cpus:1"))
        made.allocate(0.0, ["S0"])

    def come_and_go() -> None:
        made.add_agent("new", total, {})
        made.allocate(0.0, ["new"])
        made.remove_agent("new")

    return calls(come_back), calls(come_and_go)


def calls(change: Callable[[], None]) -> int:
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    gc.disable()  # it calls who listens to it
    sys.setprofile(note)
    try:
        change()
    finally:
        sys.setprofile(before)
        gc.enable()
    return count


@pytest.mark.parametrize("filtered", [False, True])
def test_a_change_on_one_agent_costs_the_same_at_any_size(filtered: bool) -> None:
    """Whether there are 20 agents or 400."""
    assert calls_of_a_change(20, filtered) == calls_of_a_change(400, filtered)


def test_shares_and_filters_are_counted_by_role() -> None:
    """Of roles with frameworks: what they hold of what is scarcest, and refusals that hold."""
    made = allocator()
    for name, role in (("A", "a"), ("B", "a"), ("C", "c")):
        made.add_framework(name, [role], [], gpus=False)
    made.add_agent("S0", bundle("cpus:4;mem:1000"), {})
    made.add_agent("S1", bundle("cpus:4;mem:1000"), {})
    first, second = made.allocate(0.0)
    made.recover(first.framework, first.role, first.agent, first.resources, refuse_seconds=5)
    made.hold("C", "c", first.agent, bundle("cpus:1;mem:500"))
    assert made.shares()[second.role] == (0.5 if second.role == "a" else 0.75)
    counts = {"a": 0, "c": 0}
    assert made.active_filters(4.0) == counts | {first.role: 1}
    assert made.active_filters(6.0) == counts
    made.remove_framework("C")
    assert list(made.shares()) == list(made.active_filters(0.0)) == ["a"]


def one_framework() -> HierarchicalAllocator:
    made = allocator()
    made.add_framework("F", ["r"], [], gpus=False)
    made.add_agent("S0", bundle("cpus:4;mem:4096;ports:[1-9]"), {})
    return made


def test_refusal_filters_the_same_and_less_until_it_expires() -> None:
    """What was declined is not offered again for the time given, more than it is."""
    made = one_framework()
    (offer,) = made.allocate(0.0)
    kept, refused = bundle("cpus:1;mem:96"), bundle("cpus:3;mem:4000;ports:[1-9]")
    made.recover("F", "r", "S0", refused, refuse_seconds=5.0, now=0.0)
    assert made.allocate(4.9) == []
    made.recover("F", "r", "S0", kept)
    assert [o.resources for o in made.allocate(4.95)] == [offer.resources], "more than refused"
    made.recover("F", "r", "S0", offer.resources, refuse_seconds=5.0, now=5.0)
    assert made.allocate(9.9) == []
    assert len(made.allocate(10.0)) == 1


def test_refusal_of_a_part_never_stands_for_the_whole() -> None:
    """However often the whole was refused and looked at before."""
    made = one_framework()
    (offer,) = made.allocate(0.0)
    made.recover("F", "r", "S0", offer.resources, refuse_seconds=1.0, now=0.0)
    assert made.allocate(0.5) == []
    (offer,) = made.allocate(1.0)
    part = bundle("cpus:1")
    made.recover("F", "r", "S0", part, refuse_seconds=100.0, now=1.0)
    made.recover("F", "r", "S0", offer.resources - part)
    assert [o.resources for o in made.allocate(1.1)] == [offer.resources]


def test_a_refusal_that_ended_unnoticed_is_none() -> None:
    """Nobody looked at the agent while it held."""
    made = one_framework()
    (offer,) = made.allocate(0.0)
    made.recover("F", "r", "S0", offer.resources, refuse_seconds=5.0, now=0.0)
    assert len(made.allocate(10.0)) == 1


def test_one_refuses_much_and_another_little() -> None:
    """Each is asked by what it has refused itself, whatever is free and whoever came first."""
    for much, little in (("a", "b"), ("b", "a")):
        made = tree("a", "b")
        made.add_agent("S0", bundle("cpus:4;mem:400"), {})
        for role in (much, little):
            made.hold(role, role, "S0", bundle("cpus:4;mem:400"))
            refused = bundle("cpus:4;mem:400") if role == much else bundle("cpus:1;mem:400")
            made.recover(role, role, "S0", refused, refuse_seconds=99)
            made.hold(role, role, "S0", refused)
            made.recover(role, role, "S0", bundle("cpus:4;mem:400"))
        assert [offer.role for offer in made.allocate(0.0)] == [little]


def test_refusal_lasts_at_least_one_interval_and_zero_is_none() -> None:
    """A tiny refusal must not be over before the next allocation; zero asks for it again."""
    made = one_framework()
    (offer,) = made.allocate(0.0)
    made.recover("F", "r", "S0", offer.resources, refuse_seconds=0.001, now=0.0)
    assert made.allocate(0.9) == []
    (offer,) = made.allocate(1.0)
    made.recover("F", "r", "S0", offer.resources, refuse_seconds=0.0, now=1.0)
    assert len(made.allocate(1.0)) == 1


def test_revive_drops_filters_and_suppression_of_its_roles_only() -> None:
    """REVIVE without roles is for all of them, unknown roles are nobody's."""
    made = allocator()
    made.add_framework("F", ["r", "s"], [], gpus=False)
    made.add_agent("S0", bundle("cpus:1"), {})
    made.suppress("F")
    assert made.allocate(0.0) == []
    made.revive("F", ["nosuch"])
    assert made.allocate(0.0) == []
    made.revive("F", ["s"])
    (offer,) = made.allocate(0.0)
    assert offer.role == "s"
    made.recover("F", "s", "S0", offer.resources, refuse_seconds=3600, now=0.0)
    assert made.allocate(1.0) == []
    made.revive("F", ["s"])
    (offer,) = made.allocate(1.0)
    assert offer.role == "s"
    made.recover("F", "s", "S0", offer.resources)
    made.revive("F")
    assert [offer.role for offer in made.allocate(1.0)] == ["r"], "it has been served less"


def test_an_update_that_ends_suppression_revives() -> None:
    """Filters of a role go with its suppression; those of other roles stay."""
    made = allocator()
    made.add_framework("F", ["r", "s"], [], gpus=False)
    made.add_agent("S0", bundle("cpus:1"), {})
    for _ in "rs":
        (offer,) = made.allocate(0.0)
        made.recover("F", offer.role, "S0", offer.resources, refuse_seconds=3600, now=0.0)
    made.suppress("F", ["s"])
    made.update_framework("F", ["r", "s"], ["s"], gpus=False)
    assert made.allocate(1.0) == []
    made.update_framework("F", ["r", "s"], [], gpus=False)
    (offer,) = made.allocate(1.0)
    assert offer.role == "s"
    made.recover("F", "s", "S0", offer.resources, refuse_seconds=3600, now=0.0)
    assert made.allocate(1.0) == []


def test_what_was_refused_is_forgotten_with_who_refused_it() -> None:
    """A framework that comes back to a role, or another agent of the same id, begins anew."""
    made = one_framework()
    for again in (
        lambda: [made.update_framework("F", roles, [], gpus=False) for roles in (["s"], ["r"])],
        lambda: [made.deactivate_framework("F"), made.activate_framework("F")],
        lambda: [made.remove_framework("F"), made.add_framework("F", ["r"], [], gpus=False)],
        lambda: [made.remove_agent("S0"), made.add_agent("S0", bundle("cpus:4"), {})],
    ):
        (offer,) = made.allocate(0.0)
        made.recover("F", "r", "S0", offer.resources, refuse_seconds=3600, now=0.0)
        assert made.allocate(1.0) == []
        again()
        (offer,) = made.allocate(1.0)
        assert offer.role == "r"
        made.recover("F", "r", "S0", offer.resources)


def test_crumbs_are_not_offered() -> None:
    """Less than every alternative of the least offer waits for more."""
    made = allocator()
    made.add_framework("F", ["r"], [], gpus=False)
    made.add_agent("S0", bundle("cpus:0.009;mem:31;ports:[1-9]"), {})
    made.add_agent("S1", bundle("mem:32"), {})
    assert [o.agent for o in made.allocate(0.0)] == ["S1"]


def test_gpus_are_kept_for_frameworks_that_can_use_them() -> None:
    """An agent with GPUs is offered whole, and only to GPU_RESOURCES frameworks."""
    made = allocator()
    made.add_framework("plain", ["r"], [], gpus=False)
    made.add_agent("S0", bundle("cpus:1;gpus:1"), {})
    assert made.allocate(0.0) == []
    made.add_framework("gpu", ["r"], [], gpus=True)
    assert [o.framework for o in made.allocate(0.0)] == ["gpu"]


def test_agents_that_are_named_are_the_only_ones_touched() -> None:
    """A change on one agent offers that agent."""
    made = one_framework()
    made.add_agent("S1", bundle("cpus:1"), {})
    assert [o.agent for o in made.allocate(0.0, ["S1", "gone"])] == ["S1"]
    made.deactivate_agent("S0")
    assert made.allocate(0.0) == []
    made.activate_agent("S0")
    assert [o.agent for o in made.allocate(0.0)] == ["S0"]


def test_what_an_agent_brings_along_counts() -> None:
    """Tasks that outlived a leader are on their frameworks' accounts from the start."""
    made = allocator()
    made.add_framework("F", ["r"], [], gpus=False)
    made.deactivate_framework("F")
    made.add_agent("S0", bundle("cpus:2"), {("F", "r"): bundle("cpus:1.5")})
    made.add_framework("G", ["r"], [], gpus=False)
    assert [(o.framework, str(o.resources)) for o in made.allocate(0.0)] == [("G", "cpus:0.5")]
    made.remove_framework("F")
    assert made.available("S0") == bundle("cpus:1.5")


def test_nothing_is_offered_in_a_role_that_a_framework_only_has_tasks_of() -> None:
    """A returning agent may run tasks of a role that their framework has left meanwhile."""
    made = allocator()
    made.add_framework("F", ["r"], ["r"], gpus=False)
    made.add_agent("S0", bundle("cpus:2"), {("F", "old"): bundle("cpus:1")})
    assert made.allocate(0.0) == []
    made.revive("F")
    assert [offer.role for offer in made.allocate(0.0)] == ["r"]


def test_a_role_that_a_framework_left_is_settled_when_its_tasks_end() -> None:
    """Resources of a former role are still recovered there, and get no more offers."""
    made = one_framework()
    (offer,) = made.allocate(0.0)
    made.update_framework("F", ["new"], [], gpus=False)
    made.recover("F", "r", "S0", offer.resources)
    assert made.consumed("r") == {}
    (offer,) = made.allocate(1.0)
    assert offer.role == "new"
