"""What holds whatever happens: equal parts for all, books that balance, nobody left out."""

from collections import Counter
from collections.abc import Callable

from allocator_world import LEAST, allocator, bundle
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pocket_mesos.allocator import Quota
from pocket_mesos.resources import EMPTY, Resources


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


TOTAL = {"cpus": 40_000, "mem": 40_000_000}

demand = st.builds(
    lambda cpus, mem: Resources({"cpus": cpus, "mem": mem}),
    st.integers(100, 8_000),
    st.integers(100_000, 8_000_000),
)


@given(st.lists(demand, min_size=2, max_size=5), st.booleans())
def test_nobody_would_have_more_of_a_cluster_split_in_equal_parts(
    demands: list[Resources], one_role: bool
) -> None:
    """Each with its own demand takes what it can: its dominant share is an equal part at least.

    That is for tasks as fine as dust; each may be short of its n-th of one task of everybody's.
    """
    made = allocator()
    made.add_agent("S0", Resources(TOTAL), {})
    by_name = {f"F{number}": one for number, one in enumerate(demands)}
    for name in by_name:
        made.add_framework(name, ["r" if one_role else name], [], gpus=False)
    held = dict.fromkeys(by_name, EMPTY)
    while offers := made.allocate(0.0):
        for offer in offers:
            wanted = by_name[offer.framework]
            used = wanted if offer.resources.contains(wanted) else EMPTY
            held[offer.framework] += used
            left = offer.resources - used
            refuse = 0.0 if used else 1e9
            made.recover(offer.framework, offer.role, "S0", left, refuse_seconds=refuse)
    of_one_task = sum(share(one) for one in demands)
    for resources in held.values():
        assert share(resources) >= (1 - of_one_task) / len(demands) - 1e-9


def share(resources: Resources) -> float:
    return max(resources.scalars.get(name, 0) / total for name, total in TOTAL.items())


ROLES = ("r", "r/s", "r/s/t", "u")
FRAMEWORKS = ("F", "G", "H")


class Bookkeeping(RuleBasedStateMachine):
    """Whatever happens: what is held and what is available add up to what there is.

    And nothing is left lying that somebody has not refused, nor offered to who has refused it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.made = allocator()
        self.totals: dict[str, Resources] = {}
        self.roles: dict[str, set[str]] = {}
        self.quiet: set[tuple[str, str]] = set()
        self.asleep: set[str] = set()
        self.held: dict[tuple[str, str, str], Resources] = {}
        self.refused: list[tuple[tuple[str, str, str], Resources, float]] = []
        self.quotas: dict[str, Quota] = {}
        self.now = 0.0

    @rule(
        agent=st.sampled_from(["S0", "S1", "S2"]), cpus=st.integers(1, 9), mem=st.integers(0, 999)
    )
    def agent_comes_or_goes(self, agent: str, cpus: int, mem: int) -> None:
        if agent in self.totals:
            self.made.remove_agent(agent)
            del self.totals[agent]
            self.asleep.discard(agent)
            self.forget(lambda key: key[2] == agent)
            self.held = {key: value for key, value in self.held.items() if key[2] != agent}
        else:
            self.totals[agent] = bundle(f"cpus:{cpus};mem:{mem};ports:[1-{cpus}]")
            self.made.add_agent(agent, self.totals[agent], {})

    @precondition(lambda self: self.totals)
    @rule(data=st.data())
    def agent_falls_asleep_or_wakes(self, data: st.DataObject) -> None:
        agent = data.draw(st.sampled_from(sorted(self.totals)))
        (self.made.activate_agent if agent in self.asleep else self.made.deactivate_agent)(agent)
        self.asleep ^= {agent}

    @rule(framework=st.sampled_from(FRAMEWORKS), roles=st.sets(st.sampled_from(ROLES), min_size=1))
    def framework_comes_changes_or_goes(self, framework: str, roles: set[str]) -> None:
        left = self.roles.get(framework, set()) - roles
        if framework not in self.roles:
            self.made.add_framework(framework, roles, [], gpus=False)
        elif len(roles) == 1:
            self.made.remove_framework(framework)
            self.held = {key: value for key, value in self.held.items() if key[0] != framework}
            left, roles = self.roles[framework], set()
        else:
            self.made.update_framework(framework, roles, [], gpus=False)
        revived = {role for name, role in self.quiet if name == framework}
        self.forget(lambda key: key[0] == framework and key[1] in left | revived)
        self.quiet = {one for one in self.quiet if one[0] != framework}
        if roles:
            self.roles[framework] = roles
        else:
            del self.roles[framework]

    @precondition(lambda self: self.roles)
    @rule(data=st.data(), role=st.sampled_from(ROLES), loud=st.booleans())
    def framework_suppresses_or_revives(self, data: st.DataObject, role: str, loud: bool) -> None:
        framework = data.draw(st.sampled_from(sorted(self.roles)))
        if role not in self.roles[framework]:
            return
        if loud:
            self.made.revive(framework, [role])
            self.quiet.discard((framework, role))
            self.forget(lambda key: key[:2] == (framework, role))
        else:
            self.made.suppress(framework, [role])
            self.quiet.add((framework, role))

    @rule(step=st.floats(0, 10), agents=st.none() | st.sets(st.sampled_from(["S0", "S1", "S2"])))
    def allocate(self, step: float, agents: set[str] | None) -> None:
        self.now += step
        for offer in self.made.allocate(self.now, agents):
            key = (offer.framework, offer.role, offer.agent)
            assert key[1] in self.roles[key[0]] and key[:2] not in self.quiet
            assert key[2] not in self.asleep and (agents is None or key[2] in agents)
            if not self.quotas:
                assert not self.is_refused(key, offer.resources)
            self.held[key] = self.held.get(key, EMPTY) + offer.resources
        if not self.quotas:
            self.nothing_is_left_lying(agents)

    @rule(seconds=st.floats(1, 20), step=st.floats(0, 10))
    def all_offers_are_declined(self, seconds: float, step: float) -> None:
        self.now += step
        while offers := self.made.allocate(self.now):
            for one in offers:
                key = (one.framework, one.role, one.agent)
                assert self.quotas or not self.is_refused(key, one.resources)
                self.made.recover(*key, one.resources, refuse_seconds=seconds, now=self.now)
                self.refused.append((key, one.resources, self.now + seconds))
        if not self.quotas:
            self.nothing_is_left_lying(None)

    def nothing_is_left_lying(self, agents: set[str] | None) -> None:
        for agent in self.totals.keys() - self.asleep:
            available = self.made.available(agent)
            if agents is not None and agent not in agents:
                continue
            if any(available.contains(least) for least in LEAST):
                for framework, roles in self.roles.items():
                    for role in roles:
                        idle = (framework, role) in self.quiet
                        assert idle or self.is_refused((framework, role, agent), available)

    def is_refused(self, key: tuple[str, str, str], resources: Resources) -> bool:
        return any(
            key == one and refused.contains(resources) and until > self.now
            for one, refused, until in self.refused
        )

    def forget(self, which: Callable[[tuple[str, str, str]], bool]) -> None:
        self.refused = [one for one in self.refused if not which(one[0])]

    @precondition(lambda self: self.held)
    @rule(data=st.data(), seconds=st.just(0.0) | st.floats(0, 20))
    def recover_all_or_a_part(self, data: st.DataObject, seconds: float) -> None:
        key = data.draw(st.sampled_from(sorted(self.held)))
        framework, role, agent = key
        part = self.held[key]
        if data.draw(st.booleans()):
            part = Resources({"cpus": data.draw(st.integers(0, part.scalars.get("cpus", 0)))})
        self.made.recover(framework, role, agent, part, refuse_seconds=seconds, now=self.now)
        if seconds and part and role in self.roles[framework]:
            self.refused.append((key, part, self.now + max(seconds, 1.0)))
        self.held[key] = self.held[key] - part
        if not self.held[key]:
            del self.held[key]

    @rule(role=st.sampled_from(["r", "u"]), cpus=st.integers(0, 9000), limited=st.booleans())
    def quota_is_set(self, role: str, cpus: int, limited: bool) -> None:
        limits = {"cpus": cpus} if limited else {}
        self.quotas[role] = Quota(guarantees={"cpus": cpus // 2}, limits=limits)
        self.made.set_quota(role, self.quotas[role])

    @rule()
    def quota_is_removed(self) -> None:
        for role in self.quotas:
            self.made.set_quota(role, Quota())
        self.quotas.clear()

    @invariant()
    def books_balance(self) -> None:
        for agent, total in self.totals.items():
            expected = {(f, r): v for (f, r, a), v in self.held.items() if a == agent}
            assert dict(self.made.held(agent)) == expected
            assert sum(expected.values(), self.made.available(agent)) == total
        for role in ROLES:
            consumed = sum(
                v.scalars.get("cpus", 0)
                for (_, r, _), v in self.held.items()
                if f"{r}/".startswith(f"{role}/")
            )
            assert self.made.consumed(role).get("cpus", 0) == consumed


TestBookkeeping = Bookkeeping.TestCase
