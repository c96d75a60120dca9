"""Two frameworks of unlike demands share one agent: who is offered what, and what is counted.

The example of the DRF paper, 9 CPUs and 18 GB: tasks of role a take <1 CPU, 4 GB>, those of b
<3 CPU, 1 GB>, with several weights, guarantees and limits. Each framework launches one task
per offer while it fits.
"""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import transcripts
from .cluster import eventually
from .drf import DEMANDS, fits, launch, next_offer, refuse
from .expect import Reply
from .scheduler import Scheduler
from .wire import JSON_HEADERS, request

if TYPE_CHECKING:
    from .pocket import Daemon, PocketCluster
    from .scheduler import Json

RESOURCES = {"cpus": 9.0, "mem": 18432.0}


@dataclass(frozen=True)
class Sharing:
    """One recorded run: how it was set up, who launched in turn, and the metrics at its end."""

    recording: str
    metrics: str
    picks: str
    weights: dict[str, float]  # where they are not all 1
    shares: dict[str, float]  # dominant share of each role by its weight, in the end

    @property
    def name(self) -> str:
        return Path(self.recording).stem


RUNS = (
    Sharing(
        "drf/weights_1_1.json",
        "drf/weights_1_1.allocator_metrics.json",
        "ababa",
        {},
        {"a": 2 / 3, "b": 2 / 3},
    ),
    Sharing(
        "drf/weights_2_1.json",
        "drf/weights_2_1.allocator_metrics.json",
        "abaab",
        {"a": 2.0, "b": 1.0},
        {"a": 1 / 3, "b": 2 / 3},
    ),
    Sharing(
        "drf/weights_3_1.json",
        "drf/weights_3_1.allocator_metrics.json",
        "abaaa",
        {"a": 3.0, "b": 1.0},
        {"a": 8 / 27, "b": 1 / 3},
    ),
)


@pytest.mark.transcript("drf/weights_2_1.json")
@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_sharing_by_weights(own_cluster: PocketCluster, run: Sharing) -> None:
    """Roles get turns by their dominant shares, each divided by the role's weight."""
    master = own_cluster.start_master()
    if run.weights:
        set_weights(master, run.weights)
    info = {"user": getpass.getuser(), "capabilities": [{"type": "MULTI_ROLE"}]}
    frameworks = {
        role: Scheduler(master.address, {**info, "name": role, "roles": [role]}) for role in DEMANDS
    }
    for framework in frameworks.values():
        framework.wait_kind("SUBSCRIBED")
    own_cluster.start_agent(
        str(master.address),
        resources="cpus:9;mem:18432;disk:0;ports:[]",
        isolation="posix/cpu",
        launcher="posix",
    )
    seen = dict.fromkeys(frameworks, 0)
    picks = take_turns(frameworks, seen, len(run.picks))
    assert picks == run.picks

    def measured() -> bool:
        refuse(frameworks, seen)  # what is offered counts among what a role has
        return metric_problems(master, run) == []

    eventually(measured, f"metrics of {run.name}")
    for framework in frameworks.values():
        framework.accepted("TEARDOWN")
        assert framework.problems == []


def set_weights(master: Daemon, weights: dict[str, float]) -> None:
    infos = [{"role": role, "weight": weight} for role, weight in weights.items()]
    body = {"type": "UPDATE_WEIGHTS", "update_weights": {"weight_infos": infos}}
    answer = request(master.address, "POST", "/api/v1", body, JSON_HEADERS)
    assert Reply(200, "").problems(answer) == []


def take_turns(frameworks: dict[str, Scheduler], seen: dict[str, int], turns: int) -> str:
    """Answer offers until so many tasks are launched; return whose they are."""
    picks = ""
    while len(picks) < turns:
        role, offer = next_offer(frameworks, seen)
        if fits(role, offer):
            launch(frameworks[role], role, len(picks), offer)
            picks += role
        else:
            frameworks[role].decline(offer, 0)
    return picks


def metric_problems(master: Daemon, run: Sharing) -> list[str]:
    """Hold the allocator's metrics against what the run must have led to."""
    found = request(master.address, "GET", "/metrics/snapshot").json()
    return differing(found, wanted_metrics(run))


def differing(found: dict[str, float], wanted: dict[str, float]) -> list[str]:
    return [
        f"{name}: expected {value}, found {found.get(name)}"
        for name, value in wanted.items()
        if found.get(name) != pytest.approx(value)
    ]


def wanted_metrics(run: Sharing) -> dict[str, float]:
    """What the allocator shows of the tasks that were launched."""
    wanted = {f"allocator/mesos/resources/{name}/total": value for name, value in RESOURCES.items()}
    for role, share in run.shares.items():
        wanted[f"allocator/mesos/roles/{role}/shares/dominant"] = share
        for index, name in enumerate(RESOURCES):
            used = run.picks.count(role) * DEMANDS[role][index]
            wanted[f"allocator/mesos/quota/roles/{role}/resources/{name}/consumed"] = used
    return wanted


@transcripts.recorded
@pytest.mark.transcript("drf/weights_2_1.json")
@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_real_mesos_shares_so(run: Sharing) -> None:
    """The recorded turns and metrics are those asserted here."""
    recording = transcripts.load(run.recording)
    assert recording["weights"] == (run.weights or "default (1 each)")
    launches = [one["offer_to"] for one in recording["sequence"] if "LAUNCH" in one["answer"]]
    assert "".join(launches) == run.picks
    assert differing(transcripts.load(run.metrics), wanted_metrics(run)) == []


QUOTAS: dict[str, dict[str, Any]] = {
    "drf/quota_guarantee_and_limit.allocator_metrics.json": {
        "a/resources/cpus/limit": 2.0,
        "a/resources/mem/limit": 8192.0,
        "b/resources/cpus/guarantee": 6.0,
        "b/resources/mem/guarantee": 2048.0,
    },
    "drf/quota_limit_only.allocator_metrics.json": {"b/resources/cpus/limit": 3.0},
}
PREFIX = "allocator/mesos/quota/roles/"


@pytest.mark.transcript("drf/quota_limit_only.allocator_metrics.json")
@pytest.mark.parametrize("name", QUOTAS)
def test_quotas_are_measured(own_cluster: PocketCluster, name: str) -> None:
    """What is guaranteed and allowed to a role is shown, and nothing of what is not."""
    master = own_cluster.start_master()
    configs: dict[str, Json] = {}
    for metric, value in QUOTAS[name].items():
        role, _, resource, kind = metric.split("/")
        config = configs.setdefault(role, {"role": role})
        config.setdefault(f"{kind}s", {})[resource] = {"value": value}
    update = {"force": True, "quota_configs": list(configs.values())}
    body = {"type": "UPDATE_QUOTA", "update_quota": update}
    assert request(master.address, "POST", "/api/v1", body, JSON_HEADERS).status == 200
    assert quotas(request(master.address, "GET", "/metrics/snapshot").json()) == QUOTAS[name]


def quotas(metrics: dict[str, float]) -> dict[str, float]:
    """Pick the metrics of guarantees and limits."""
    return {
        name.removeprefix(PREFIX): value
        for name, value in metrics.items()
        if name.startswith(PREFIX) and name.endswith(("/limit", "/guarantee"))
    }


@transcripts.recorded
@pytest.mark.transcript("drf/quota_limit_only.allocator_metrics.json")
@pytest.mark.parametrize("name", QUOTAS)
def test_real_mesos_measures_quotas_so(name: str) -> None:
    """The recorded metrics are those asserted here."""
    assert quotas(transcripts.load(name)) == QUOTAS[name]
