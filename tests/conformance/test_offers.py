"""Offers: what is in them, and what declining, suppressing and reviving does."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

from . import transcripts
from .cluster import duration, eventually
from .scheduler import Scheduler, command_task, offered
from .wire import Address

if TYPE_CHECKING:
    from .cluster import Cluster
    from .scheduler import Json

LIFE = "scheduler/offers_decline_suppress_revive.json"


def quiet_for(scheduler: Scheduler, cluster: Cluster) -> None:
    """Let several allocations pass in which this framework must get no offer."""
    before = len(scheduler.events)
    interval = duration(cluster.flag("allocation_interval") or "1secs")
    time.sleep(3 * interval)
    assert [event.body for event in scheduler.events[before:] if event.kind == "OFFERS"] == []


def offer_problems(offer: Json, role: str) -> list[str]:
    """Say what in an offer to a framework of one role contradicts itself."""
    allocation = {"role": role}
    found = [] if offer.get("allocation_info") == allocation else ["allocation_info of the offer"]
    for item in offer["resources"]:
        if item.get("allocation_info") != allocation:
            found.append(f"allocation_info of {item['name']}")
        if not item.get("reservations") and item.get("role") != "*":
            found.append(f"role of {item['name']}: {item.get('role')}")
    if offer["url"]["scheme"] != "http" or not re.fullmatch(r"/slave\(\d+\)", offer["url"]["path"]):
        found.append(f"url: {offer['url']}")
    return found


@pytest.mark.transcript("scheduler/framework_life.json")
def test_offer(cluster: Cluster, scheduler: Scheduler, offer: Json) -> None:
    """An offer names its agent and holds what is free there, allocated to the role."""
    agent = cluster.agent.state()
    assert offer_problems(offer, scheduler.framework_info["roles"][0]) == []
    assert offer["framework_id"]["value"] == scheduler.framework_id
    assert offer["agent_id"]["value"] == agent["id"]
    assert offer["hostname"] == agent["hostname"]
    assert re.fullmatch(re.escape(cluster.state()["id"]) + r"-O\d+", offer["id"]["value"])
    address = offer["url"]["address"]
    assert f"slave(1)@{address['ip']}:{address['port']}" == agent["pid"]
    for name in ("cpus", "mem", "disk"):
        assert 0 <= offered(offer, name) <= agent["resources"][name]
    attributes = {item["name"]: item for item in offer.get("attributes", [])}
    assert attributes.keys() == agent["attributes"].keys()
    for name, item in attributes.items():
        if item["type"] == "TEXT":
            assert item["text"]["value"] == agent["attributes"][name]


@pytest.mark.transcript("scheduler/roles.json")
def test_offer_without_multi_role(cluster: Cluster) -> None:
    """A framework that knows nothing of several roles sees no allocations."""
    scheduler = cluster.subscribe(role="conformance-single", roles=None, capabilities=())
    offer = scheduler.offer()
    assert "allocation_info" not in offer
    assert all("allocation_info" not in item for item in offer["resources"])
    scheduler.launch(offer, command_task("solo", offer["agent_id"]["value"], "exit 0"))
    scheduler.wait_status("solo", "TASK_FINISHED")


@pytest.mark.transcript("scheduler/roles.json")
def test_offers_to_several_roles(cluster: Cluster) -> None:
    """A framework of several roles, one below the other, is offered resources for each in turn."""
    roles = cluster.framework_info("two")["roles"]
    roles = [*roles, f"{roles[0]}/web"]
    scheduler = cluster.subscribe(roles=roles)
    offered_to: set[str] = set()
    while offered_to != set(roles):
        offer = scheduler.offer()
        (role,) = {item["allocation_info"]["role"] for item in offer["resources"]}
        assert offer_problems(offer, role) == []
        offered_to.add(role)
        scheduler.decline(offer, 0)
        assert len(scheduler.events) < 100, f"offers to {offered_to} only"


@pytest.mark.transcript(LIFE)
def test_decline_for_no_time(scheduler: Scheduler, offer: Json) -> None:
    """A decline with refuse_seconds 0 brings the same resources with the next allocation."""
    scheduler.decline(offer, 0)
    again = scheduler.offer()
    assert again["id"] != offer["id"]
    assert offered(again, "cpus") == pytest.approx(offered(offer, "cpus"))


@pytest.mark.transcript(LIFE)
@pytest.mark.parametrize(("refuse_seconds", "least"), [(3, 3.0), (None, 5.0)])
def test_decline_filters(
    scheduler: Scheduler, offer: Json, refuse_seconds: float | None, least: float
) -> None:
    """A declined offer stays away as long as the filter says, 5 seconds when it says nothing."""
    before = time.monotonic()
    scheduler.decline(offer, refuse_seconds)
    scheduler.offer()
    assert time.monotonic() - before >= least


@pytest.mark.transcript(LIFE)
def test_revive_clears_filters(cluster: Cluster, scheduler: Scheduler, offer: Json) -> None:
    """REVIVE brings back at once what was declined for an hour."""
    scheduler.decline(offer, 3600)
    quiet_for(scheduler, cluster)
    scheduler.accepted("REVIVE")
    scheduler.offer()


@pytest.mark.transcript(LIFE)
def test_suppress(cluster: Cluster, scheduler: Scheduler, offer: Json) -> None:
    """SUPPRESS stops offers, leaves the one that is held, and lasts until REVIVE."""
    scheduler.accepted("SUPPRESS")
    scheduler.decline(offer, 0)
    quiet_for(scheduler, cluster)
    assert all(event.kind != "RESCIND" for event in scheduler.events)
    scheduler.accepted("REVIVE", revive={"roles": scheduler.framework_info["roles"]})
    scheduler.offer()


@pytest.mark.transcript("scheduler/heartbeats.json")
def test_suppressed_from_the_start(cluster: Cluster) -> None:
    """A framework may subscribe with its roles suppressed."""
    info = cluster.framework_info("suppressed")
    scheduler = cluster.subscribe(info=info, suppressed_roles=info["roles"])
    scheduler.wait_kind("HEARTBEAT")
    quiet_for(scheduler, cluster)
    scheduler.accepted("REVIVE")
    scheduler.offer()


@pytest.mark.transcript(LIFE)
def test_accept_of_nothing_declines(scheduler: Scheduler, offer: Json) -> None:
    """ACCEPT without operations gives the offer back."""
    scheduler.accept([offer["id"]["value"]], [])
    assert scheduler.offer()["id"] != offer["id"]


@pytest.mark.transcript("scheduler/launch_invalid_and_stale.json")
def test_offer_without_what_runs(scheduler: Scheduler, offer: Json) -> None:
    """What a task uses is missing from the next offer, and comes back when it has ended."""
    agent_id = offer["agent_id"]["value"]
    scheduler.launch(offer, command_task("user", agent_id, "sleep 1000"))
    scheduler.wait_status("user", "TASK_RUNNING")
    less = scheduler.offer()
    assert offered(less, "cpus") == pytest.approx(offered(offer, "cpus") - 0.1)
    assert offered(less, "mem") == offered(offer, "mem") - 32
    scheduler.kill("user")
    scheduler.wait_status("user", "TASK_KILLED")
    scheduler.decline(less, 0)
    eventually(
        lambda: offered(given_back(scheduler), "mem") == offered(offer, "mem"),
        "the task's memory in an offer",
    )


def given_back(scheduler: Scheduler) -> Json:
    """Take an offer and return it at once."""
    offer = scheduler.offer()
    scheduler.decline(offer, 0)
    return offer


@pytest.mark.transcript("scheduler/agent_lost_and_back.json")
def test_offered_to_one_framework_only(cluster: Cluster, scheduler: Scheduler, offer: Json) -> None:
    """Another framework is offered what the first one leaves, not what it holds."""
    other = cluster.subscribe("other")
    other.wait_kind("HEARTBEAT")
    quiet_for_agent(other, cluster)
    agent_id = offer["agent_id"]["value"]
    scheduler.launch(offer, command_task("first", agent_id, "sleep 1000"), refuse_seconds=3600)
    rest = other.offer()
    assert offered(rest, "cpus") == pytest.approx(offered(offer, "cpus") - 0.1)
    assert offered(rest, "mem") == offered(offer, "mem") - 32


def quiet_for_agent(scheduler: Scheduler, cluster: Cluster) -> None:
    """Let several allocations pass that hold nothing of the agent under test."""
    time.sleep(3 * duration(cluster.flag("allocation_interval") or "1secs"))
    offers = [event["offers"] for event in scheduler.events if event.kind == "OFFERS"]
    agents = {offer["agent_id"]["value"] for batch in offers for offer in batch}
    assert cluster.agent.agent_id not in agents


@transcripts.recorded
@pytest.mark.transcript("scheduler/framework_life.json")
@pytest.mark.parametrize(
    "name", ["framework_life", "offers_decline_suppress_revive", "launch_invalid_and_stale"]
)
def test_real_mesos_offers_so(name: str) -> None:
    """Recorded offers to frameworks of one role meet what is asserted of offers here."""
    recording = f"scheduler/{name}.json"
    info = next(transcripts.steps(recording, "subscribe"))["subscribe"]["body"]
    (role,) = info["subscribe"]["framework_info"]["roles"]
    batches = [event["offers"]["offers"] for event in transcripts.events(recording, "OFFERS")]
    assert batches
    for batch in batches:
        for offer in batch:
            assert offer_problems(offer, role) == []


def declines(recording: str) -> list[tuple[float | None, float]]:
    """Pair each recorded DECLINE's refuse_seconds with the time until the next offer."""
    found: list[tuple[float | None, float]] = []
    asked: tuple[float | None, float] | None = None
    for step in transcripts.load(recording)["steps"]:
        call: dict[str, Any] = step.get("call", {})
        if call.get("type") == "DECLINE":
            filters = call["decline"].get("filters", {})
            asked = (filters.get("refuse_seconds"), step["t"])
        elif call.get("type") in ("REVIVE", "SUPPRESS"):
            asked = None
        elif asked and step.get("event", {}).get("type") == "OFFERS":
            found.append((asked[0], step["t"] - asked[1]))
            asked = None
    return found


@transcripts.recorded
@pytest.mark.transcript(LIFE)
def test_real_mesos_filters_so() -> None:
    """Recorded offers stayed away for the filter's time, and two allocations more at most."""
    pauses = dict(declines(LIFE))
    for asked, least in ((0, 0.0), (3, 3.0), (None, 5.0)):
        assert least <= pauses[asked] <= least + 2


def address_of(offer: Json) -> Address:
    """The agent's address as the offer gives it."""
    address = offer["url"]["address"]
    return Address(address["ip"], address["port"])


@pytest.mark.transcript("scheduler/framework_life.json")
def test_offer_leads_to_the_agent(cluster: Cluster, offer: Json) -> None:
    """The offer's address is the one that the agent has in /slaves."""
    path = f"/slaves?slave_id={offer['agent_id']['value']}"
    (seen,) = cluster.get(path).json()["slaves"]
    assert str(address_of(offer)) == seen["pid"].split("@")[1]
