"""How the hierarchical allocator shares: the papers' examples, real Mesos' offers, quota, trees."""

from collections import Counter

import pytest
from allocator_world import allocator, bundle, tree

from pocket_mesos.allocator import HierarchicalAllocator, Quota
from pocket_mesos.resources import EMPTY


def play(made: HierarchicalAllocator, rounds: int) -> list[tuple[str, float, float]]:
    """Drive the DRF experiment of the transcripts.

    Framework A (role a) wants <1 cpu, 4096 MB>, B (role b) <3 cpus, 1024 MB>; each launches one
    task per offer when it fits and gives the rest back unfiltered.
    """
    demands = {"a": bundle("cpus:1;mem:4096"), "b": bundle("cpus:3;mem:1024")}
    made.add_framework("A", ["a"], [], gpus=False)
    made.add_framework("B", ["b"], [], gpus=False)
    made.add_agent("S0", bundle("cpus:9;mem:18432"), {})
    seen = []
    for turn in range(rounds):
        for offer in made.allocate(float(turn)):
            resources = offer.resources
            seen.append((offer.role, resources.scalar("cpus"), resources.scalar("mem")))
            used = demands[offer.role] if resources.contains(demands[offer.role]) else EMPTY
            made.recover(offer.framework, offer.role, "S0", resources - used)
    return seen


def test_the_drf_papers_table_step_by_step() -> None:
    """9 CPUs and 18 GB, tasks of <1 CPU, 4 GB> for A and <3 CPUs, 1 GB> for B; B comes first."""
    demands = {"A": bundle("cpus:1;mem:4"), "B": bundle("cpus:3;mem:1")}
    roles = {"B": "first by name", "A": "second by name"}
    made = HierarchicalAllocator()
    for framework, role in roles.items():
        made.add_framework(framework, [role], [], gpus=False)
    made.add_agent("S0", bundle("cpus:9;mem:18"), {})
    seen = []
    for turn in range(5):
        (offer,) = made.allocate(float(turn))
        unused = offer.resources - demands[offer.framework]
        made.recover(offer.framework, offer.role, "S0", unused)
        shares = made.shares()
        seen.append((offer.framework, *(pytest.approx(shares[roles[one]]) for one in "AB")))
    assert seen == [
        ("B", 0, 1 / 3),
        ("A", 2 / 9, 1 / 3),
        ("A", 4 / 9, 1 / 3),
        ("B", 4 / 9, 2 / 3),
        ("A", 2 / 3, 2 / 3),
    ]
    held = made.held("S0")
    assert held["A", roles["A"]] == bundle("cpus:3;mem:12")
    assert held["B", roles["B"]] == bundle("cpus:6;mem:2")
    assert made.available("S0") == bundle("mem:4")


def test_the_example_of_the_mesos_paper() -> None:
    """4 CPUs and 4 GB are offered to one framework; what its two tasks leave, to the other."""
    made = HierarchicalAllocator()
    for framework in ("framework 1", "framework 2"):
        made.add_framework(framework, ["*"], [], gpus=False)
    made.add_agent("agent 1", bundle("cpus:4;mem:4096"), {})
    (offer,) = made.allocate(0.0)
    assert (offer.framework, offer.resources) == ("framework 1", bundle("cpus:4;mem:4096"))
    used = bundle("cpus:2;mem:1024") + bundle("cpus:1;mem:2048")
    made.recover("framework 1", "*", "agent 1", offer.resources - used, refuse_seconds=5, now=0)
    (offer,) = made.allocate(0.1, ["agent 1"])
    assert (offer.framework, offer.resources) == ("framework 2", bundle("cpus:1;mem:1024"))
    made.recover("framework 1", "*", "agent 1", bundle("cpus:2;mem:1024"))
    (offer,) = made.allocate(0.2, ["agent 1"])
    # A task has ended. Framework 1 still holds half of the memory, framework 2 a quarter.
    assert (offer.framework, offer.resources) == ("framework 2", bundle("cpus:2;mem:1024"))


def test_offers_of_the_drf_example_are_those_of_real_mesos() -> None:
    """Equal weights: who is offered what, in order, down to the tie-breaks at equal shares."""
    assert play(allocator(), 10) == [
        ("a", 9, 18432),
        ("b", 8, 14336),
        ("a", 5, 13312),
        ("b", 4, 9216),
        ("a", 1, 8192),
        ("b", 0, 4096),
        ("a", 0, 4096),
        ("b", 0, 4096),
        ("a", 0, 4096),
        ("b", 0, 4096),
    ]


def test_offers_with_weights_are_those_of_real_mesos() -> None:
    """Weight 2 for a: it is served until its share is twice b's."""
    assert play(allocator(a=2.0), 8) == [
        ("a", 9, 18432),
        ("b", 8, 14336),
        ("a", 5, 13312),
        ("a", 4, 9216),
        ("b", 3, 5120),
        ("a", 0, 4096),
        ("a", 0, 4096),
        ("a", 0, 4096),
    ]


def test_offers_under_guarantee_and_limit_are_those_of_real_mesos() -> None:
    """b, guaranteed, is served whole agents first; a, limited, never gets above its limit."""
    made = allocator()
    made.set_quota("a", Quota(limits={"cpus": 2000, "mem": 8192_000}))
    made.set_quota("b", Quota(guarantees={"cpus": 6000, "mem": 2048_000}))
    seen = play(made, 6)
    assert seen[:2] == [("b", 9, 18432), ("b", 6, 17408)]
    assert sorted(seen[2:4]) == [("a", 2, 8192), ("b", 1, 8192)]
    assert sorted(seen[4:6]) == [("a", 1, 4096), ("b", 1, 8192)]
    assert seen[6:] == [("b", 1, 8192), ("b", 1, 8192)]


def test_offers_under_a_limit_alone_are_those_of_real_mesos() -> None:
    """b gets cpus up to its limit and memory without one; a gets what is left of the agent."""
    made = allocator()
    made.set_quota("b", Quota(limits={"cpus": 3000}))
    seen = play(made, 4)
    assert seen[0] == ("a", 9, 18432)
    assert sorted(seen[1:3]) == [("a", 5, 0), ("b", 3, 14336)]
    assert seen[3] == ("a", 5, 13312)
    assert sorted(seen[4:6]) == [("a", 4, 0), ("b", 0, 9216)]


def test_headroom_is_kept_for_a_guarantee_that_nobody_takes_up() -> None:
    """A role without frameworks still finds its guarantee free when it comes."""
    made = allocator()
    made.set_quota("later", Quota(guarantees={"cpus": 3000}))
    made.add_framework("A", ["a"], [], gpus=False)
    made.add_agent("S0", bundle("cpus:4;mem:1000"), {})
    (offer,) = made.allocate(0.0)
    assert offer.resources == bundle("cpus:1;mem:1000")


def test_headroom_is_kept_from_its_own_role_too_once_offers_are_refused() -> None:
    """What a guarantee wants is given as such or not at all, so that a filter can't widen it."""
    made = allocator()
    made.set_quota("b", Quota(guarantees={"cpus": 4000}))
    made.add_framework("B", ["b"], [], gpus=False)
    made.add_framework("C", ["c"], [], gpus=False)
    made.add_agent("S0", bundle("cpus:4;mem:1000"), {})
    (offer,) = made.allocate(0.0)
    assert (offer.framework, offer.resources) == ("B", bundle("cpus:4;mem:1000"))
    made.recover("B", "b", "S0", offer.resources, refuse_seconds=5, now=0.0)
    (offer,) = made.allocate(1.0)
    assert (offer.framework, offer.resources) == ("C", bundle("mem:1000"))


def test_guarantees_are_first_met_where_they_can_be() -> None:
    """An agent without what a guarantee still wants is for everybody."""
    made = allocator()
    made.set_quota("z", Quota(guarantees={"gpus": 1000}))
    made.add_framework("A", ["a"], [], gpus=True)
    made.add_framework("Z", ["z"], [], gpus=True)
    made.add_agent("S0", bundle("cpus:4"), {})
    made.add_agent("S1", bundle("cpus:4;gpus:2"), {})
    offers = {o.agent: (o.framework, str(o.resources)) for o in made.allocate(0.0)}
    assert offers == {"S0": ("A", "cpus:4"), "S1": ("Z", "cpus:4; gpus:2")}


def test_a_guarantee_is_met_once() -> None:
    """What a role has got in this allocation counts; no second agent is its own by guarantee."""
    made = allocator()
    made.set_quota("z", Quota(guarantees={"cpus": 4000}))
    for name, role in (("Z", "z"), ("Y", "z"), ("A", "a"), ("B", "b")):
        made.add_framework(name, [role], [], gpus=False)
    for agent in ("S0", "S1", "S2"):
        made.add_agent(agent, bundle("cpus:4;mem:1000"), {})
    offers = [(o.framework, str(o.resources)) for o in made.allocate(0.0)]
    assert offers == [(name, "cpus:4; mem:1000") for name in ("Y", "A", "B")]


def test_a_limit_holds_in_the_first_stage_too() -> None:
    """Offers are worth more whole, but not beyond a limit, which counts what is guaranteed."""
    made = allocator()
    made.set_quota("a", Quota(guarantees={"cpus": 1000}, limits={"cpus": 3000, "mem": 500_000}))
    made.add_framework("A", ["a"], [], gpus=False)
    made.add_agent("S0", bundle("cpus:4;mem:1000;disk:10"), {})
    made.add_agent("S1", bundle("cpus:4;disk:10"), {})
    offers = [(o.agent, str(o.resources)) for o in made.allocate(0.0)]
    assert offers == [("S0", "cpus:3; mem:500; disk:10")]


def test_guarantees_beyond_what_there_is_are_met_as_far_as_that_goes() -> None:
    """Two roles that were promised the same are served in their order."""
    made = allocator()
    for role in ("a", "b"):
        made.set_quota(role, Quota(guarantees={"cpus": 3000}))
        made.add_framework(role, [role], [], gpus=False)
    made.add_agent("S0", bundle("cpus:4"), {})
    offers = [(o.framework, str(o.resources)) for o in made.allocate(0.0)]
    assert offers == [("a", "cpus:3"), ("b", "cpus:1")]


def test_roles_below_a_role_share_its_part() -> None:
    """Of eight agents ops gets half, and eng's three, itself among them, as much together."""
    made = tree("eng", "eng/db", "eng/web", "ops")
    for number in range(12):
        made.add_agent(f"S{number}", bundle("cpus:1"), {})
    got = Counter(offer.role for offer in made.allocate(0.0))
    assert got == {"ops": 6, "eng": 2, "eng/db": 2, "eng/web": 2}
    assert made.consumed("eng") == {"cpus": 6000}
    assert made.shares() == {"ops": 0.5, "eng": 2 / 12, "eng/db": 2 / 12, "eng/web": 2 / 12}


def test_weight_of_a_role_holds_for_those_below() -> None:
    """eng has three times the weight of ops, web twice that of db; eng itself has no framework."""
    made = tree("eng/db", "eng/web", "ops")
    made.set_weight("eng", 3.0)
    made.set_weight("eng/web", 2.0)
    for number in range(12):
        made.add_agent(f"S{number}", bundle("cpus:1"), {})
    got = Counter(offer.role for offer in made.allocate(0.0))
    assert got == {"ops": 3, "eng/db": 3, "eng/web": 6}
    assert made.shares()["eng/web"] == 6 / 12 / 2, "as the metrics show it: divided by the weight"


def test_what_roles_below_hold_counts_against_a_guarantee() -> None:
    """Of 4 guaranteed CPUs eng/web has 3 already: one more is kept back for eng."""
    made = tree("eng/web")
    made.add_agent("S0", bundle("cpus:3"), {})
    made.allocate(0.0)
    made.set_quota("eng", Quota(guarantees={"cpus": 4000}))
    made.add_framework("ops", ["ops"], [], gpus=False)
    made.add_agent("S1", bundle("cpus:5"), {})
    (offer,) = made.allocate(1.0)
    assert (offer.role, offer.resources) == ("ops", bundle("cpus:4"))


def test_what_roles_below_hold_counts_against_a_limit() -> None:
    """eng may have one CPU more; those below it are not held back, as in Mesos."""
    made = tree("eng/web")
    made.add_agent("S0", bundle("cpus:3"), {})
    made.allocate(0.0)
    made.set_quota("eng", Quota(limits={"cpus": 4000}))
    made.add_framework("eng", ["eng"], [], gpus=False)
    made.add_agent("S1", bundle("cpus:5"), {})
    offers = {offer.role: str(offer.resources) for offer in made.allocate(1.0)}
    assert offers == {"eng": "cpus:1", "eng/web": "cpus:4"}
