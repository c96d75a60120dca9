"""UPDATE_FRAMEWORK: a framework changes what it said of itself, on its open stream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from . import transcripts
from .expect import Reply, refused

if TYPE_CHECKING:
    from .cluster import Cluster
    from .scheduler import Json, Scheduler

UPDATE = "UPDATE_FRAMEWORK"
RECORDING = "scheduler/failover_and_update_framework.json"
ERRORS = "scheduler/errors.json"
CHANGING_USER = "subscribed: UPDATE_FRAMEWORK changing user"
TAKEN = Reply(200, "")
FIXED = "FrameworkInfo update is not valid: Updating 'FrameworkInfo.user' is unsupported; "
OTHER_USER = refused(400, FIXED + "attempted to update from '$USER' to 'nobody'")


def update(scheduler: Scheduler, suppressed: list[str] | None = None, **fields: Any) -> Any:
    """Make the call with some fields of the FrameworkInfo changed."""
    body: Json = {"framework_info": {**scheduler.info_with_id(), **fields}}
    if suppressed is not None:
        body["suppressed_roles"] = suppressed
    return scheduler.call(UPDATE, update_framework=body)


@pytest.mark.transcript(RECORDING)
def test_a_framework_changes_name_roles_and_timeout(cluster: Cluster) -> None:
    """The answer is 200 without a body, the master shows the new values, the stream goes on."""
    scheduler = cluster.subscribe("changing", failover_timeout=5.0)
    held = scheduler.offer()
    (role,) = scheduler.framework_info["roles"]
    other = f"{role}-2"
    answer = update(scheduler, [role], name="renamed", roles=[role, other], failover_timeout=3.0)
    assert TAKEN.problems(answer) == []
    shown = cluster.framework(scheduler.framework_id)
    assert shown is not None
    assert (shown["name"], shown["failover_timeout"]) == ("renamed", 3.0)
    assert shown["roles"] == [role, other]
    assert shown["connected"]
    # What was offered to the role that is suppressed now stays until it is given back.
    assert held["id"]["value"] in [one["id"] for one in shown["offers"]]
    known = len(scheduler.events)
    scheduler.decline(held, 0)
    again = scheduler.wait_kind("OFFERS", since=known)
    assert {one["allocation_info"]["role"] for one in again["offers"]} == {other}


@pytest.mark.transcript(RECORDING)
def test_offers_to_a_role_that_is_left_are_withdrawn(cluster: Cluster) -> None:
    """Who gives a role up has no claim to what was offered to it."""
    scheduler = cluster.subscribe("leaving")
    held = scheduler.offer()
    (role,) = scheduler.framework_info["roles"]
    known = len(scheduler.events)
    assert TAKEN.problems(update(scheduler, roles=[f"{role}-2"])) == []
    rescind = scheduler.wait(
        lambda event: event.kind == "RESCIND" and event["offer_id"] == held["id"],
        "RESCIND of the offer that was held",
        since=known,
    )
    after = scheduler.events.index(rescind)
    offers = scheduler.wait_kind("OFFERS", since=after)
    assert {one["allocation_info"]["role"] for one in offers["offers"]} == {f"{role}-2"}


@pytest.mark.transcript(ERRORS)
def test_the_user_stays(cluster: Cluster, scheduler: Scheduler) -> None:
    """A framework's tasks run as its user; the refusal changes nothing else either."""
    answer = update(scheduler, user="nobody", name="renamed")
    assert OTHER_USER.problems(answer, {"USER": scheduler.framework_info["user"]}) == []
    shown = cluster.framework(scheduler.framework_id)
    assert shown is not None
    assert shown["name"] == scheduler.framework_info["name"]


@transcripts.recorded
@pytest.mark.transcript(RECORDING)
def test_real_mesos_updates_so() -> None:
    """The recorded answers, and what /frameworks showed next, are those asserted here."""
    steps = transcripts.load(RECORDING)["steps"]
    (at,) = [n for n, one in enumerate(steps) if one.get("call", {}).get("type", "") == UPDATE]
    asked, answer = steps[at]["call"]["update_framework"], steps[at]["response"]
    assert (answer["status"], answer.get("body", "")) == (200, "")
    shown = next(one for one in steps[at:] if "master_GET" in one)["body"]["frameworks"][0]
    for name in ("name", "roles", "failover_timeout"):
        assert shown[name] == asked["framework_info"][name]
    assert [one["allocation_info"]["role"] for one in shown["offers"]] == asked["suppressed_roles"]
    refusal = transcripts.load(ERRORS)[CHANGING_USER]
    response = transcripts.response(refusal["response"])
    assert OTHER_USER.problems(response, {"USER": "root"}) == []
