"""The hierarchical allocator, driven without a master."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pocket_mesos.allocator import HierarchicalAllocator, Options, Quota
from pocket_mesos.resources import EMPTY, Resources, parse_resources


def bundle(text: str) -> Resources:
    return Resources.of(parse_resources(text))


LEAST = (bundle("cpus:0.01"), bundle("mem:32"))


def allocator(**weights: float) -> HierarchicalAllocator:
    made = HierarchicalAllocator(Options(least=LEAST))
    for role, weight in weights.items():
        made.set_weight(role, weight)
    return made


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
    made.revive("F")
    assert len(made.allocate(1.0)) == 1


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


def test_a_role_that_a_framework_left_is_settled_when_its_tasks_end() -> None:
    """Resources of a former role are still recovered there, and get no more offers."""
    made = one_framework()
    (offer,) = made.allocate(0.0)
    made.update_framework("F", ["new"], [], gpus=False)
    made.recover("F", "r", "S0", offer.resources)
    assert made.consumed("r") == {}
    (offer,) = made.allocate(1.0)
    assert offer.role == "new"


@given(st.integers(2, 6), st.integers(1, 6), st.booleans())
def test_sharing_incentive(frameworks: int, each: int, one_role: bool) -> None:
    """Who always takes offers gets its equal part, within a role as between roles."""
    made = allocator()
    for number in range(frameworks):
        made.add_framework(f"F{number}", ["r" if one_role else f"r{number}"], [], gpus=False)
    for number in range(each * frameworks):
        made.add_agent(f"S{number}", bundle("cpus:8"), {})
    got = Counter(offer.framework for offer in made.allocate(0.0))
    assert got == {f"F{number}": each for number in range(frameworks)}


class Bookkeeping(RuleBasedStateMachine):
    """Whatever happens: what is held and what is available add up to what there is."""

    def __init__(self) -> None:
        super().__init__()
        self.made = allocator()
        self.totals: dict[str, Resources] = {}
        self.frameworks: set[str] = set()
        self.held: dict[tuple[str, str, str], Resources] = {}
        self.now = 0.0

    @rule(
        agent=st.sampled_from(["S0", "S1", "S2"]), cpus=st.integers(1, 9), mem=st.integers(0, 999)
    )
    def agent_comes_or_goes(self, agent: str, cpus: int, mem: int) -> None:
        if agent in self.totals:
            self.made.remove_agent(agent)
            del self.totals[agent]
            self.held = {key: value for key, value in self.held.items() if key[2] != agent}
        else:
            self.totals[agent] = bundle(f"cpus:{cpus};mem:{mem};ports:[1-{cpus}]")
            self.made.add_agent(agent, self.totals[agent], {})

    @rule(framework=st.sampled_from(["F", "G"]), roles=st.sets(st.sampled_from("rst"), min_size=1))
    def framework_comes_changes_or_goes(self, framework: str, roles: set[str]) -> None:
        if framework not in self.frameworks:
            self.made.add_framework(framework, roles, [], gpus=False)
            self.frameworks.add(framework)
        elif len(roles) == 1:
            self.made.remove_framework(framework)
            self.frameworks.discard(framework)
            self.held = {key: value for key, value in self.held.items() if key[0] != framework}
        else:
            self.made.update_framework(framework, roles, [], gpus=False)

    @rule(step=st.floats(0, 10))
    def allocate(self, step: float) -> None:
        self.now += step
        for offer in self.made.allocate(self.now):
            key = (offer.framework, offer.role, offer.agent)
            self.held[key] = self.held.get(key, EMPTY) + offer.resources

    @precondition(lambda self: self.held)
    @rule(data=st.data(), seconds=st.floats(0, 20))
    def recover_a_part(self, data: st.DataObject, seconds: float) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        cpus = data.draw(st.integers(0, self.held[key].scalars.get("cpus", 0)))
        part = Resources({"cpus": cpus})
        framework, role, agent = key
        self.made.recover(framework, role, agent, part, refuse_seconds=seconds, now=self.now)
        self.held[key] = self.held[key] - part
        if not self.held[key]:
            del self.held[key]

    @rule(role=st.sampled_from("rst"), cpus=st.integers(0, 9000))
    def set_quota(self, role: str, cpus: int) -> None:
        self.made.set_quota(role, Quota(guarantees={"cpus": cpus // 2}, limits={"cpus": cpus}))

    @invariant()
    def books_balance(self) -> None:
        for agent, total in self.totals.items():
            expected = {(f, r): v for (f, r, a), v in self.held.items() if a == agent}
            assert dict(self.made.held(agent)) == expected
            assert sum(expected.values(), self.made.available(agent)) == total
        for role in "rst":
            consumed = sum(
                (v.scalars.get("cpus", 0) for (_, r, _), v in self.held.items() if r == role), 0
            )
            assert self.made.consumed(role).get("cpus", 0) == consumed


TestBookkeeping = Bookkeeping.TestCase
