"""The master's core: weights and quota at an operator's word, and what becomes of offers."""

import json

import pytest
from master_world import FakeAgent, FakeScheduler, World, small, task

from pocket_mesos.authorization import OPEN, Authorizer, Viewer, parse
from pocket_mesos.master import actions, events, operator_views, role_views
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.sharing import QuotaConfig, QuotaRequest, WeightInfo

MULTI = [{"type": "MULTI_ROLE"}]
EVERYBODY = Viewer(OPEN, None)


def ask(world: World, event: events.SharingDecided) -> tuple[int, str]:
    done = world.feed(event)
    (answer,) = [(one.status, one.body) for one in done if isinstance(one, actions.Respond)]
    return answer


def weigh(world: World, principal: str | None = None, **weights: float) -> tuple[int, str]:
    infos = [WeightInfo(role=role, weight=weight) for role, weight in weights.items()]
    return ask(world, events.WeightsRequested(infos=infos, principal=principal))


def config(role: str, guarantees: object = None, limits: object = None) -> QuotaConfig:
    body = {"role": role}
    for name, amounts in (("guarantees", guarantees), ("limits", limits)):
        if amounts is not None:
            body[name] = {key: {"value": value} for key, value in amounts.items()}
    return codec.convert(body, QuotaConfig)


def grant(
    world: World, *configs: QuotaConfig, force: bool = False, principal: str | None = None
) -> tuple[int, str]:
    event = events.QuotaRequested(configs=list(configs), force=force, principal=principal)
    return ask(world, event)


def guarantee(world: World, role: str, force: bool = False, **amounts: float) -> tuple[int, str]:
    resources = [
        {"name": name, "type": "SCALAR", "scalar": {"value": value}}
        for name, value in amounts.items()
    ]
    body = {"role": role, "guarantee": resources, "force": force}
    return ask(world, events.GuaranteeRequested(request=codec.convert(body, QuotaRequest)))


def cluster(*roles: str) -> tuple[World, list[FakeScheduler]]:
    """An agent of 4 CPUs and 4096 MB, and a framework in each role."""
    world = World()
    FakeAgent(world).register()
    made = [
        FakeScheduler(world, f"fw{role}", roles=[role], capabilities=MULTI).subscribe()
        for role in roles
    ]
    world.take()
    return world, made


def offered(fw: FakeScheduler) -> list[float]:
    """CPUs of each offer since the latest take."""
    scalars = [{r["name"]: r.get("scalar") for r in offer["resources"]} for offer in fw.offers()]
    return [one["cpus"]["value"] for one in scalars if one.get("cpus")]


# --- weights ---------------------------------------------------------------------------------


def test_weights_hold_for_the_next_offers() -> None:
    """Those that are out are withdrawn; a role that nobody has disturbs nobody."""
    world, (a, b) = cluster("a", "b")
    assert weigh(world, ghost=3.0) == (200, "")
    assert world.told(a.stream) == []
    assert weigh(world, b=2.0) == (200, "")
    assert [event["type"] for event in world.told(a.stream)] == ["RESCIND"]
    assert role_views.weights(world.core.state, EVERYBODY) == [
        {"role": "b", "weight": 2.0},
        {"role": "ghost", "weight": 3.0},
    ]
    assert len(a.offers() + b.offers()) == 1


@pytest.mark.parametrize(
    ("role", "weight", "why"),
    [
        (
            "-bad",
            1.0,
            (
                ": Invalid role '-bad': Role component '-bad' is invalid because it starts "
                "with a dash"
            ),
        ),
        ("", 1.0, ": Invalid role '': Role names cannot be the empty string"),
        ("dev", 0.0, " for role 'dev': Invalid weight '0': Weights must be positive"),
        ("dev", -1.5, " for role 'dev': Invalid weight '-1.5': Weights must be positive"),
        ("dev", float("inf"), " for role 'dev': Invalid weight 'inf': Weights must be positive"),
    ],
)
def test_weights_that_cannot_be_change_nothing(role: str, weight: float, why: str) -> None:
    """One of them is enough to refuse all."""
    world = World()
    answer = weigh(world, **{"fine": 2.0, role: weight})
    assert answer == (400, f"Failed to validate update weights request JSON{why}")
    assert world.core.state.weights == {}


def test_roles_that_the_master_does_not_have_are_refused() -> None:
    """A master with --roles knows those alone."""
    world = World(roles=frozenset({"dev", "*"}))
    assert weigh(world, dev=2.0) == (200, "")
    assert weigh(world, ops=2.0)[0] == 400
    assert grant(world, config("dev")) == (200, "")
    assert grant(world, config("ops")) == (
        400,
        "Invalid QuotaConfig: 'ops' is not on the roles whitelist",
    )
    assert guarantee(world, "ops")[0] == 400


def test_roles_below_others_can_have_no_quota() -> None:
    """As in Mesos, where that waits for MESOS-7402."""
    world = World()
    why = "quota on nested role 'eng/web' is not supported yet"
    assert grant(world, config("eng/web")) == (400, f"Updating {why}")
    assert guarantee(world, "eng/web") == (400, f"Setting {why}")
    assert world.core.state.quotas == {}


def test_a_role_is_shown_with_what_roles_below_it_have() -> None:
    """So is what it consumes of its quota."""
    world = World()
    agent = FakeAgent(world).register()
    fw = FakeScheduler(
        world, roles=["eng", "eng/web", "engine"], capabilities=[{"type": "MULTI_ROLE"}]
    ).subscribe(suppressed_roles=["eng", "engine"])
    (offer,) = fw.offers()
    shown = {one["name"]: one for one in role_views.roles(world.core.state, EVERYBODY)["roles"]}
    assert shown["eng"]["offered"] == shown["eng/web"]["offered"] == {"cpus": 4.0, "mem": 4096.0}
    assert shown["engine"]["offered"] == {}
    fw.launch(offer, task("t", agent.id), refuse=1000.0)
    shown = {one["name"]: one for one in role_views.roles(world.core.state, EVERYBODY)["roles"]}
    assert shown["eng"]["quota"]["consumed"] == {"cpus": 0.1, "mem": 32.0}
    listed = operator_views.roles(world.core.state, EVERYBODY)["roles"]
    held = {one["name"]: [r.scalar.value for r in one.get("resources", [])] for one in listed}
    assert held == {"eng": [0.1, 32.0], "eng/web": [0.1, 32.0], "engine": []}


# --- quota -----------------------------------------------------------------------------------


def test_a_limit_holds_for_the_next_offers() -> None:
    """The offer that was above it is withdrawn; when the limit is lifted, all is offered again."""
    world, (a,) = cluster("a")
    assert grant(world, config("a", limits={"cpus": 1})) == (200, "")
    assert [event["type"] for event in world.told(a.stream)] == ["RESCIND", "OFFERS"]
    assert offered(a) == [1.0]
    world.take()
    assert grant(world, config("a")) == (200, "")
    assert offered(a) == [4.0]
    assert role_views.quota(world.core.state, EVERYBODY) == {
        "infos": [{"role": "a"}],
        "configs": [{"role": "a"}],
    }


def test_a_guarantee_is_kept_free_for_a_role_that_is_away() -> None:
    """Others are offered what is left of the cluster without it."""
    world, (a,) = cluster("a")
    assert grant(world, config("b", guarantees={"cpus": 3, "mem": 1024})) == (200, "")
    assert offered(a) == [1.0]
    world.take()
    b = FakeScheduler(world, "fwb", roles=["b"], capabilities=MULTI).subscribe()
    assert offered(b) == [3.0]


def test_quota_is_shown_in_both_ways() -> None:
    """As a guarantee in resources, and in full; what is gone is shown no more."""
    world, _ = cluster()
    wanted = config("a", guarantees={"mem": 64, "cpus": 0.5}, limits={"cpus": 2})
    grant(world, wanted)
    assert role_views.quota(world.core.state, EVERYBODY) == {
        "infos": [
            {
                "role": "a",
                "guarantee": [
                    {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}},
                    {"name": "mem", "type": "SCALAR", "scalar": {"value": 64.0}},
                ],
            }
        ],
        "configs": [
            {
                "role": "a",
                "guarantees": {"cpus": {"value": 0.5}, "mem": {"value": 64.0}},
                "limits": {"cpus": {"value": 2.0}},
            }
        ],
    }
    (role,) = role_views.roles(world.core.state, EVERYBODY)["roles"]
    assert role["quota"]["guarantee"] == {"cpus": 0.5, "mem": 64.0}
    assert role["quota"]["limit"] == {"cpus": 2.0}
    assert ask(world, events.QuotaRemovalRequested(role="a")) == (200, "")
    assert role_views.quota(world.core.state, EVERYBODY) == {}
    assert role_views.roles(world.core.state, EVERYBODY) == {"roles": []}


def test_the_older_call_guarantees_and_limits_in_one() -> None:
    """A role that has quota must lose it first."""
    world, (a,) = cluster("a")
    assert guarantee(world, "a", cpus=2.0) == (200, "")
    assert offered(a) == [2.0]
    assert guarantee(world, "a", cpus=1.0) == (
        400,
        (
            "Failed to validate set quota request: "
            "Cannot set quota for role 'a' which already has quota"
        ),
    )
    assert grant(world, config("a")) == (200, "")
    assert guarantee(world, "a", cpus=1.0) == (200, "")
    assert guarantee(world, "b", cpus=9.0)[0] == 409
    assert guarantee(world, "b", force=True, cpus=9.0) == (200, "")


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (
            config("-bad"),
            (
                "Invalid 'QuotaConfig.role': Role component '-bad' is invalid because it "
                "starts with a dash"
            ),
        ),
        (config("*"), "Invalid 'QuotaConfig.role': the default role '*' can have no quota"),
        (config("a", {"cpus": -1}), "Invalid 'QuotaConfig.guarantees': cpus can't be -1"),
        (config("a", None, {"mem": 1e300}), "Invalid 'QuotaConfig.limits': mem can't be 1e+300"),
        (
            config("a", {"cpus": 3}, {"cpus": 2}),
            (
                "'QuotaConfig.guarantees' { cpus: 3 } is not "
                "contained within the 'QuotaConfig.limits' { cpus: 2 }"
            ),
        ),
        (
            config("a", {"cpus": 1000}),
            (
                "total quota guarantees 'cpus:1000' exceed cluster capacity "
                "'cpus:4; mem:4096' (use 'force' flag to bypass this check)"
            ),
        ),
    ],
)
def test_quota_that_cannot_be_changes_nothing(wanted: QuotaConfig, why: str) -> None:
    """One of several is enough to refuse all."""
    world, _ = cluster()
    assert grant(world, config("fine"), wanted) == (400, f"Invalid QuotaConfig: {why}")
    assert world.core.state.quotas == {}


def test_force_takes_what_cannot_be_met() -> None:
    """The capacity may come later; what contradicts itself stays refused."""
    world, _ = cluster()
    assert grant(world, config("a", {"cpus": 1000}), force=True) == (200, "")
    assert grant(world, config("b", {"cpus": 3}, {"cpus": 2}), force=True)[0] == 400


def test_guarantees_of_all_roles_count_against_the_capacity() -> None:
    """Those that were given before, and those that change in this call."""
    world, _ = cluster()
    assert grant(world, config("a", {"cpus": 3})) == (200, "")
    assert grant(world, config("b", {"cpus": 2}))[0] == 400
    assert grant(world, config("a", {"cpus": 1}), config("b", {"cpus": 3})) == (200, "")


def test_a_limit_below_what_is_consumed_needs_force() -> None:
    """What runs is not killed for a limit."""
    world = World()
    agent = FakeAgent(world).register()
    fw = FakeScheduler(world, roles=["a"], capabilities=MULTI).subscribe()
    fw.launch(fw.offers()[0], task("t", agent.id, resources=small(2)))
    answer = grant(world, config("a", None, {"cpus": 1}))
    assert answer[0] == 400
    assert answer[1] == (
        "Invalid QuotaConfig: Role 'a' is already consuming 'cpus:2; mem:32'; this is more than "
        "the requested limits 'cpus:1' (use 'force' flag to bypass this check)"
    )
    assert grant(world, config("a", None, {"cpus": 1}), force=True) == (200, "")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "QuotaInfo with invalid role: Role names cannot be the empty string"),
        (
            {
                "role": "a",
                "guarantee": [{"name": "ports", "type": "RANGES", "ranges": {"range": []}}],
            },
            "QuotaInfo must not include non-scalar resources",
        ),
        (
            {"role": "a", "guarantee": small(1) + small(2)},
            "QuotaInfo contains duplicate resource names",
        ),
    ],
)
def test_guarantees_that_cannot_be_are_refused(fields: dict[str, object], why: str) -> None:
    """In the words of the older call."""
    request = codec.convert(fields, QuotaRequest)
    answer = ask(World(), events.GuaranteeRequested(request=request))
    assert answer == (400, f"Failed to validate set quota request: {why}")


def test_quota_that_is_not_there_cannot_be_removed() -> None:
    """Real Mesos ends over it; here the operator is told."""
    event = events.QuotaRemovalRequested(role="nope", where=" for path '/master/quota/nope'")
    assert ask(World(), event) == (
        400,
        "Failed to remove quota for path '/master/quota/nope': Role 'nope' has no quota set",
    )


# --- rights ----------------------------------------------------------------------------------


def test_whoever_may_decide_for_one_role_may_not_for_another() -> None:
    """One role without the right forbids the whole call; only granted roles' quota is shown."""
    mine = {"principals": {"values": ["dev"]}, "roles": {"values": ["dev"]}}
    lists = {"permissive": False, "update_weights": [mine], "update_quotas": [mine],
             "get_quotas": [mine]}  # fmt: skip
    authorizer = Authorizer(parse(json.dumps(lists)))
    world = World(authorizer=authorizer)
    forbidden = (403, "403 Forbidden.")
    assert weigh(world, "dev", dev=2.0) == (200, "")
    assert weigh(world, "dev", dev=3.0, ops=2.0) == forbidden
    assert grant(world, config("dev"), principal="dev") == (200, "")
    assert grant(world, config("ops"), principal="dev") == forbidden
    request = QuotaRequest(role="ops")
    assert ask(world, events.GuaranteeRequested(request=request, principal="dev")) == forbidden
    world.core.state.quotas["ops"] = world.core.state.quotas["dev"]
    assert ask(world, events.QuotaRemovalRequested(role="ops", principal="dev")) == forbidden
    viewer = Viewer(authorizer, "dev")
    shown = role_views.quota(world.core.state, viewer)
    assert [one["role"] for one in shown["configs"]] == ["dev"]
