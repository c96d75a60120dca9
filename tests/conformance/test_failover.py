"""A framework that loses its stream, comes back, or is replaced by another scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import transcripts
from .cluster import eventually
from .expect import Status, reconciled, refused
from .scheduler import Scheduler, command_task
from .scheduler_errors import STALE

if TYPE_CHECKING:
    from .cluster import Cluster
    from .scheduler import Json

RECORDING = "scheduler/failover_and_update_framework.json"
FAILED_OVER = {"type": "ERROR", "error": {"message": "Framework failed over"}}
LATEST = reconciled("TASK_RUNNING", "Latest task state")
NOT_SUBSCRIBED = refused(403, "Framework is not subscribed")


def disconnected(cluster: Cluster, framework_id: str) -> Json | None:
    """Return the framework once the master has noticed that its stream is gone."""
    found = cluster.framework(framework_id)
    return found if found and not found["connected"] else None


@pytest.fixture
def lasting(cluster: Cluster) -> Scheduler:
    """A framework with failover_timeout and the running task `keep`."""
    scheduler = cluster.subscribe("lasting", failover_timeout=600.0)
    offer = scheduler.offer()
    scheduler.launch(offer, command_task("keep", offer["agent_id"]["value"], "sleep 1000"))
    scheduler.wait_status("keep", "TASK_RUNNING")
    return scheduler


@pytest.mark.transcript(RECORDING)
def test_disconnected_framework(cluster: Cluster, lasting: Scheduler) -> None:
    """Without its stream a framework is inactive, keeps its tasks, and may make no calls."""
    lasting.offer()  # held when the stream goes: it is withdrawn
    framework_id = lasting.framework_id
    lasting.close()
    seen = eventually(lambda: disconnected(cluster, framework_id), "the framework disconnected")
    assert (seen["active"], seen["connected"]) == (False, False)
    assert [task["id"] for task in seen["tasks"]] == ["keep"]
    assert (seen["offers"], seen["offered_resources"]["cpus"]) == ([], 0)
    assert NOT_SUBSCRIBED.problems(lasting.call("REVIVE")) == []


@pytest.mark.transcript(RECORDING)
def test_resubscription(cluster: Cluster, lasting: Scheduler) -> None:
    """Within its failover_timeout a framework comes back by its id and finds its tasks."""
    lasting.close()
    eventually(lambda: disconnected(cluster, lasting.framework_id), "the framework disconnected")
    back = cluster.subscribe(info=lasting.info_with_id())
    assert back.framework_id == lasting.framework_id
    assert back.stream_id != lasting.stream_id
    back.reconcile()
    assert LATEST.problems(back.wait_answer("keep")) == []
    seen = cluster.framework(back.framework_id) or {}
    assert (seen["active"], seen["connected"]) == (True, True)
    assert seen["reregistered_time"] > seen["registered_time"]
    back.kill("keep")
    back.wait_status("keep", "TASK_KILLED")


@pytest.mark.transcript(RECORDING)
def test_replacement(cluster: Cluster, lasting: Scheduler) -> None:
    """A second scheduler with the id takes over: the first is told so, and its stream ends."""
    second = cluster.subscribe(info=lasting.info_with_id())
    assert second.framework_id == lasting.framework_id
    assert lasting.wait_ended() == "last chunk"
    assert lasting.events[-1].body == FAILED_OVER
    answer = lasting.call("REVIVE")
    stale = refused(400, STALE.format(lasting.stream_id))
    assert stale.problems(answer, {"FRAMEWORK": lasting.framework_id}) == []
    second.reconcile()
    assert LATEST.problems(second.wait_answer("keep")) == []


@pytest.mark.transcript(RECORDING)
def test_offers_after_replacement(cluster: Cluster, lasting: Scheduler) -> None:
    """What the first scheduler was offered is withdrawn and offered to the second."""
    held = lasting.offer()
    second = cluster.subscribe(info=lasting.info_with_id())
    assert second.offer()["id"] != held["id"]


@pytest.mark.transcript(RECORDING)
def test_no_failover_timeout(cluster: Cluster) -> None:
    """Without a failover_timeout a framework is removed as soon as its stream ends."""
    scheduler = cluster.subscribe("zero")
    framework_id = scheduler.framework_id
    scheduler.close()
    eventually(lambda: cluster.completed(framework_id), "the framework removed")
    assert cluster.framework(framework_id) is None


@pytest.mark.transcript(RECORDING)
def test_failover_timeout_expires(cluster: Cluster) -> None:
    """A framework that stays away for longer is removed, its tasks are killed, its id is spent."""
    scheduler = cluster.subscribe("expires", failover_timeout=1.0)
    offer = scheduler.offer()
    scheduler.launch(offer, command_task("keep", offer["agent_id"]["value"], "sleep 1000"))
    scheduler.wait_status("keep", "TASK_RUNNING")
    scheduler.close()
    over = eventually(lambda: cluster.completed(scheduler.framework_id), "removal")
    assert [(task["id"], task["state"]) for task in over["completed_tasks"]] == [
        ("keep", "TASK_KILLED")
    ]
    late = cluster.subscribe(info=scheduler.info_with_id())
    assert late.wait_ended() == "last chunk"
    message = {"message": "Framework has been removed"}
    assert [event.body for event in late.events] == [{"type": "ERROR", "error": message}]


@transcripts.recorded
@pytest.mark.transcript(RECORDING)
def test_real_mesos_fails_over_so() -> None:
    """The recorded streams end, and the recorded calls are refused, as asserted here."""
    steps = transcripts.load(RECORDING)["steps"]
    errors = [step["event"] for step in steps if step.get("event", {}).get("type") == "ERROR"]
    assert errors[:2] == [FAILED_OVER, FAILED_OVER]
    (refusal,) = (
        step["response"] for step in steps if step.get("response", {}).get("status") == 403
    )
    assert refusal["body"] == NOT_SUBSCRIBED.body
    (old,) = (step["response"] for step in steps if "call_with_old_stream_id" in step)
    assert old["status"] == 400
    assert old["body"].startswith("The stream ID '")
    keep: list[Status] = [LATEST]
    told = [item for item in transcripts.updates(RECORDING, "keep") if "uuid" not in item]
    assert [wanted.problems(item) for wanted, item in zip(keep, told, strict=True)] == [[]]
