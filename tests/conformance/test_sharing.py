"""How roles share a cluster at an operator's word: weights and quota.

What is refused changes nothing, on any cluster; what is taken goes to one of the suite's own,
as weights can't be taken back.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from . import transcripts
from .cluster import eventually
from .drf import DEMANDS, fits, launch, next_offer
from .expect import Reply, not_allowed, refused
from .scheduler import Json, Scheduler, offered
from .test_operator_api import answer, call
from .wire import JSON_HEADERS, Response, request

if TYPE_CHECKING:
    from .cluster import Cluster
    from .pocket import PocketCluster
    from .wire import Address

WRITES = "master/operator_api/writes.json"
LEGACY = "master/http/legacy_post_endpoints.json"
METHODS = "master/http/methods.json"

DONE = Reply(200, "")
UPDATE_WEIGHTS = "Failed to validate update weights request JSON"

# Name in the recording: the call's body and the answer.
CALLS: dict[str, tuple[Json, Reply]] = {
    "UPDATE_WEIGHTS invalid weight": (
        {
            "type": "UPDATE_WEIGHTS",
            "update_weights": {"weight_infos": [{"role": "dev", "weight": 0}]},
        },
        refused(
            400, f"{UPDATE_WEIGHTS} for role 'dev': Invalid weight '0': Weights must be positive"
        ),
    ),
    "UPDATE_WEIGHTS invalid role": (
        {
            "type": "UPDATE_WEIGHTS",
            "update_weights": {"weight_infos": [{"role": "-bad", "weight": 1}]},
        },
        refused(
            400,
            f"{UPDATE_WEIGHTS}: Invalid role '-bad': Role component '-bad' is invalid because it "
            "starts with a dash",
        ),
    ),
    "UPDATE_QUOTA guarantee above limit": (
        {
            "type": "UPDATE_QUOTA",
            "update_quota": {
                "quota_configs": [
                    {
                        "role": "dev",
                        "guarantees": {"cpus": {"value": 3}},
                        "limits": {"cpus": {"value": 2}},
                    }
                ]
            },
        },
        refused(
            400,
            "Invalid QuotaConfig: 'QuotaConfig.guarantees' { cpus: 3 } is not contained within the "
            "'QuotaConfig.limits' { cpus: 2 }",
        ),
    ),
}


@dataclass(frozen=True)
class Asked:
    """A request of the older endpoints, and its answer."""

    method: str
    path: str
    body: str | None
    reply: Reply

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.body or ''}".strip()


# Name in the recording: the request and the answer.
ENDPOINTS = {
    "weights PUT bad": Asked(
        "PUT",
        "/weights",
        '[{"role":"w1","weight":-1}]',
        refused(
            400, f"{UPDATE_WEIGHTS} for role 'w1': Invalid weight '-1': Weights must be positive"
        ),
    ),
    "weights PUT invalid json": Asked(
        "PUT",
        "/weights",
        "xx",
        refused(
            400,
            "Failed to parse update weights request JSON 'xx': syntax error at line 1 near: xx",
        ),
    ),
    "quota POST bad": Asked(
        "POST",
        "/quota",
        "{}",
        refused(
            400,
            "Failed to validate set quota request: QuotaInfo with invalid role: Role names cannot "
            "be the empty string",
        ),
    ),
    "quota DELETE unknown": Asked(
        "DELETE",
        "/quota/nope",
        None,
        refused(
            400,
            "Failed to remove quota for path '/master/quota/nope': Role 'nope' has no quota set",
        ),
    ),
}
BY_METHOD = [
    Asked("POST", "/weights", None, not_allowed("POST", "GET", "PUT")),
    Asked("DELETE", "/weights", None, not_allowed("DELETE", "GET", "PUT")),
    Asked("PUT", "/quota", None, not_allowed("PUT", "GET", "POST", "DELETE")),
    Asked(
        "DELETE",
        "/quota",
        None,
        refused(
            400,
            "Failed to parse remove quota request for path '/master/quota': expected 3 tokens, "
            "found 2 tokens",
        ),
    ),
]

GRANTED = {
    "role": "dev",
    "guarantees": {"cpus": {"value": 1.0}, "mem": {"value": 512.0}},
    "limits": {"cpus": {"value": 2.0}, "mem": {"value": 1024.0}},
}


def ask(master: Address, asked: Asked) -> Response:
    """Make a request of the older endpoints."""
    return request(master, asked.method, asked.path, asked.body, JSON_HEADERS)


def update_quota(master: Address, *configs: Json, **fields: Any) -> Response:
    """Give roles their quota."""
    body = {"type": "UPDATE_QUOTA", "update_quota": {"quota_configs": list(configs), **fields}}
    return call(master, body)


def quota_problems(found: Json) -> list[str]:
    """Say what is wrong with the quota that is shown when dev alone was granted GRANTED."""
    (info,), (config,) = found["infos"], found["configs"]
    guarantee = [
        {"name": name, "type": "SCALAR", "scalar": value}
        for name, value in GRANTED["guarantees"].items()
    ]
    named = {"role": "dev", "guarantee": sorted(info["guarantee"], key=lambda one: one["name"])}
    problems = [] if named == {"role": "dev", "guarantee": guarantee} else [f"infos: {info}"]
    return problems + ([] if config == GRANTED else [f"configs: {config}"])


def role_problems(found: Json) -> list[str]:
    """Say what is wrong with dev in /roles when it has a weight of 2 and GRANTED."""
    quota = {
        "role": "dev",
        "guarantee": {"cpus": 1.0, "mem": 512.0},
        "limit": {"cpus": 2.0, "mem": 1024.0},
        "consumed": {},
    }
    wanted = {"name": "dev", "weight": 2.0, "quota": quota, "frameworks": []}
    return [f"{key}: {found.get(key)}" for key, value in wanted.items() if found.get(key) != value]


@pytest.mark.transcript(WRITES)
@pytest.mark.parametrize("name", CALLS)
def test_a_call_that_cannot_be_is_refused(cluster: Cluster, name: str) -> None:
    """With Mesos' sentence; nothing changes."""
    body, reply = CALLS[name]
    assert reply.problems(call(cluster.master, body)) == []


@pytest.mark.transcript(LEGACY)
@pytest.mark.parametrize("asked", [*ENDPOINTS.values(), *BY_METHOD], ids=str)
def test_an_endpoint_refuses_what_cannot_be(cluster: Cluster, asked: Asked) -> None:
    """By its own sentences, which name the body or the path."""
    assert asked.reply.problems(ask(cluster.master, asked)) == []


@pytest.mark.transcript(WRITES)
def test_weights_and_quota_are_taken_and_shown(own_cluster: PocketCluster) -> None:
    """Every way of looking at them shows the same; quota can be emptied, set and removed."""
    master = own_cluster.start_master().address
    own_cluster.start_agent(str(master))
    own_cluster.cluster()
    infos = [{"role": "dev", "weight": 2.0}, {"role": "ops", "weight": 0.5}]
    given = {"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": infos}}
    assert DONE.problems(call(master, given)) == []
    shown = answer(master, "GET_WEIGHTS")["weight_infos"]
    assert sorted(shown, key=lambda one: one["role"]) == infos
    assert (
        DONE.problems(ask(master, Asked("PUT", "/weights", '[{"role":"w1","weight":2.5}]', DONE)))
        == []
    )
    assert {"role": "w1", "weight": 2.5} in request(master, "GET", "/weights").json()

    assert DONE.problems(update_quota(master, GRANTED)) == []
    assert quota_problems(answer(master, "GET_QUOTA")["status"]) == []
    assert quota_problems(request(master, "GET", "/quota").json()) == []
    (dev,) = [one for one in request(master, "GET", "/roles").json()["roles"]
              if one["name"] == "dev"]  # fmt: skip
    assert role_problems(dev) == []

    too_much = {"role": "dev", "guarantees": {"cpus": {"value": 1000}}}
    assert TOO_MUCH.problems(update_quota(master, too_much), {"CAPACITY": CAPACITY}) == []
    big = {**too_much, "role": "big"}
    assert DONE.problems(update_quota(master, big, force=True)) == []
    assert DONE.problems(update_quota(master, {"role": "big"}, {"role": "dev"})) == []
    empty = [{"role": "big"}, {"role": "dev"}]
    status = answer(master, "GET_QUOTA")["status"]
    for listed in (status["infos"], status["configs"]):
        assert sorted(listed, key=lambda one: one["role"]) == empty

    cpus = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}
    wanted = {
        "type": "SET_QUOTA",
        "set_quota": {"quota_request": {"role": "ops", "guarantee": [cpus]}},
    }
    assert DONE.problems(call(master, wanted)) == []
    ops = [one for one in answer(master, "GET_QUOTA")["status"]["configs"] if one["role"] == "ops"]
    amounts = {"cpus": {"value": 1.0}}
    assert ops == [{"role": "ops", "guarantees": amounts, "limits": amounts}]
    assert TWICE.problems(call(master, wanted)) == []
    gone = {"type": "REMOVE_QUOTA", "remove_quota": {"role": "ops"}}
    assert DONE.problems(call(master, gone)) == []
    left = answer(master, "GET_QUOTA")["status"]["configs"]
    assert "ops" not in [one["role"] for one in left]


CAPACITY = "cpus:4; disk:10000; mem:4096"
TOO_MUCH = refused(
    400,
    "Invalid QuotaConfig: total quota guarantees 'cpus:1000' exceed cluster capacity '$CAPACITY' "
    "(use 'force' flag to bypass this check)",
)
TWICE = refused(
    400,
    "Failed to validate set quota request: Cannot set quota for role 'ops' which already has quota",
)


# The example of the DRF paper under quota, on a cluster of its own.


@dataclass(frozen=True)
class Quota:
    """What two roles are granted, and the tasks that each has in the end."""

    recording: str
    configs: tuple[Json, ...]
    final: dict[str, int]

    def allows(self, role: str, offer: Json, running: int) -> bool:
        """Say whether a role with so many tasks may be offered this."""
        limits = next((one.get("limits", {}) for one in self.configs if one["role"] == role), {})
        used = dict(zip(("cpus", "mem"), DEMANDS[role], strict=True))
        return all(
            offered(offer, name) + running * used[name] <= limit["value"]
            for name, limit in limits.items()
        )


GUARANTEE_AND_LIMIT = Quota(
    "drf/quota_guarantee_and_limit.json",
    (
        {"role": "a", "limits": {"cpus": {"value": 2}, "mem": {"value": 8192}}},
        {"role": "b", "guarantees": {"cpus": {"value": 6}, "mem": {"value": 2048}}},
    ),
    {"a": 2, "b": 2},
)
LIMIT = Quota(
    "drf/quota_limit_only.json",
    ({"role": "b", "limits": {"cpus": {"value": 3}}},),
    {"a": 2, "b": 1},
)


@pytest.mark.transcript("drf/quota_guarantee_and_limit.json")
@pytest.mark.parametrize("quota", [GUARANTEE_AND_LIMIT, LIMIT], ids=lambda one: one.recording)
def test_offers_obey_quota(own_cluster: PocketCluster, quota: Quota) -> None:
    """No offer goes above a limit, and a guarantee is met whatever others want."""
    master = own_cluster.start_master().address
    assert DONE.problems(update_quota(master, *quota.configs, force=True)) == []
    info = {"user": getpass.getuser(), "capabilities": [{"type": "MULTI_ROLE"}]}
    frameworks = {
        role: Scheduler(master, {**info, "name": role, "roles": [role]}) for role in DEMANDS
    }
    for framework in frameworks.values():
        framework.wait_kind("SUBSCRIBED")
    own_cluster.start_agent(
        str(master), resources="cpus:9;mem:18432;disk:0;ports:[]", isolation="posix/cpu",
        launcher="posix",
    )  # fmt: skip
    tasks = dict.fromkeys(DEMANDS, 0)
    seen = dict.fromkeys(DEMANDS, 0)
    while tasks != quota.final:
        role, offer = next_offer(frameworks, seen)
        assert quota.allows(role, offer, tasks[role]), (role, tasks, offer)
        if not fits(role, offer):
            frameworks[role].decline(offer, 0)
            continue
        launch(frameworks[role], role, tasks[role], offer)
        tasks[role] += 1
        assert tasks[role] <= quota.final[role]
    consumed = {
        role: {"cpus": tasks[role] * cpus, "mem": tasks[role] * mem}
        for role, (cpus, mem) in DEMANDS.items()
    }

    def counted() -> bool:
        roles = request(master, "GET", "/roles").json()["roles"]
        return {one["name"]: one["quota"]["consumed"] for one in roles} == consumed

    eventually(counted, "what is consumed shown")
    for framework in frameworks.values():
        framework.accepted("TEARDOWN")
        assert framework.problems == []


# The same expectations, held against recordings.


@transcripts.recorded
@pytest.mark.transcript(WRITES)
@pytest.mark.parametrize("name", [*CALLS, "SET_QUOTA twice"])
def test_real_mesos_refuses_calls_so(name: str) -> None:
    """The recorded answers meet what is asserted here."""
    entry = transcripts.load(WRITES)[name]
    body, reply = CALLS.get(name, (entry["request"]["body"], TWICE))
    assert entry["request"]["body"] == body
    assert reply.problems(transcripts.response(entry["response"])) == []


@transcripts.recorded
@pytest.mark.transcript(WRITES)
def test_real_mesos_shows_quota_so() -> None:
    """What was shown of the same quota meets what is asserted here."""
    recorded = {name: entry["response"] for name, entry in transcripts.load(WRITES).items()
                if "response" in entry}  # fmt: skip
    for name in ("UPDATE_WEIGHTS", "UPDATE_QUOTA", "UPDATE_QUOTA force", "UPDATE_QUOTA reset",
                 "SET_QUOTA", "REMOVE_QUOTA"):  # fmt: skip
        assert DONE.problems(transcripts.response(recorded[name])) == [], name
    status = recorded["GET_QUOTA after UPDATE_QUOTA"]["body"]["get_quota"]["status"]
    assert quota_problems(status) == []
    assert quota_problems(recorded["GET /quota after UPDATE_QUOTA"]["body"]) == []
    roles = recorded["GET /roles after UPDATE_QUOTA"]["body"]["roles"]
    assert role_problems(next(one for one in roles if one["name"] == "dev")) == []
    reply = transcripts.response(recorded["UPDATE_QUOTA more than the cluster"])
    assert TOO_MUCH.problems(reply, {"CAPACITY": "cpus:8; disk:20000; mem:8192"}) == []


@transcripts.recorded
@pytest.mark.transcript(LEGACY)
@pytest.mark.parametrize("name", ENDPOINTS)
def test_real_mesos_endpoints_refuse_so(name: str) -> None:
    """The recorded answers meet what is asserted here."""
    entry = transcripts.load(LEGACY)[name]
    assert ENDPOINTS[name].reply.problems(transcripts.response(entry["response"])) == []


@transcripts.recorded
@pytest.mark.transcript(METHODS)
@pytest.mark.parametrize("asked", BY_METHOD, ids=str)
def test_real_mesos_knows_methods_so(asked: Asked) -> None:
    """The recorded answers meet what is asserted here."""
    found = [one for one in transcripts.load(METHODS)
             if (one["method"], one["path"]) == (asked.method, asked.path)]  # fmt: skip
    assert asked.reply.problems(transcripts.response(found[0])) == []


@transcripts.recorded
@pytest.mark.transcript("drf/quota_limit_only.json")
@pytest.mark.parametrize("quota", [GUARANTEE_AND_LIMIT, LIMIT], ids=lambda one: one.recording)
def test_real_mesos_obeys_quota_so(quota: Quota) -> None:
    """The recorded offers stayed below the limits and ended with the same tasks."""
    recording = transcripts.load(quota.recording)
    assert recording["quota"] == list(quota.configs)
    assert recording["final"]["tasks"] == quota.final
    running = dict.fromkeys(DEMANDS, 0)
    for step in recording["sequence"]:
        resources = [
            {"name": name, "type": "SCALAR", "scalar": {"value": value}}
            for name, value in step["offered"].items()
            if value is not None
        ]
        assert quota.allows(step["offer_to"], {"resources": resources}, running[step["offer_to"]])
        running = step["tasks_after"]
