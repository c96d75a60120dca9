"""What /metrics/snapshot counts of each framework: its calls, events, offers and tasks."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from . import transcripts
from .cluster import eventually
from .scheduler import NEVER, Scheduler, command_task
from .wire import request

if TYPE_CHECKING:
    from .cluster import Cluster
    from .pocket import PocketCluster

RUNNING = "master/running/GET_metrics_snapshot.json"
GONE = "master/agent_back/GET_metrics_snapshot.json"


def own(metrics: dict[str, float], name: str, framework_id: str) -> dict[str, float]:
    """Pick the metrics of one framework."""
    prefix = f"master/frameworks/{quote(name, safe='')}/{framework_id}/"
    found = ((key.removeprefix(prefix), it) for key, it in metrics.items() if prefix in key)
    return dict(found)


def metrics_of(cluster: Cluster, scheduler: Scheduler) -> dict[str, float]:
    snapshot = cluster.get("/metrics/snapshot").json()
    return own(snapshot, scheduler.framework_info["name"], scheduler.framework_id)


def balance(found: dict[str, float]) -> list[str]:
    """Say which sums are not those of their parts."""
    return [
        total
        for total in ("calls", "events", "operations")
        if found[total] != sum(it for key, it in found.items() if key.startswith(f"{total}/"))
    ]


def miscounted(scheduler: Scheduler, found: dict[str, float]) -> dict[str, tuple[object, int]]:
    """Return what is and what should be counted, where they differ."""
    events = Counter(event.kind for event in scheduler.events)
    (role,) = scheduler.framework_info["roles"]
    wanted = {
        "calls/accept": 1,
        "calls/acknowledge": events["UPDATE"],
        "calls/decline": scheduler.calls["DECLINE"],  # other agents' offers
        "calls/subscribe": 1,
        "calls/suppress": 1,
        "events/offers": events["OFFERS"],
        "events/subscribed": 1,
        "events/update": events["UPDATE"],
        "offers/accepted": 1,
        "operations/launch": 1,
        f"roles/{role}/suppressed": 1,
        "subscribed": 1,
        "tasks/active/task_running": 1,
        "tasks/terminal/task_finished": 1,
    }
    return {key: (found.get(key), it) for key, it in wanted.items() if found.get(key) != it}


@pytest.mark.transcript(RUNNING)
def test_a_framework_is_counted(cluster: Cluster) -> None:
    """Each call, event, offer, operation and task once, by its kind; what is over stays counted."""
    scheduler = cluster.subscribe("counted")
    agent_id = cluster.agent.agent_id
    lasting = command_task("lasting", agent_id, "sleep 1000")
    tasks = (lasting, command_task("ended", agent_id, "exit 0"))
    scheduler.launch(scheduler.offer(), *tasks, refuse_seconds=NEVER)
    scheduler.wait_status("lasting", "TASK_RUNNING")
    scheduler.wait_status("ended", "TASK_FINISHED")
    scheduler.accepted("SUPPRESS")
    # An event is counted when it is sent, which may be before it is read here.
    eventually(lambda: miscounted(scheduler, metrics_of(cluster, scheduler)) == {}, "the counts")
    found = metrics_of(cluster, scheduler)
    assert balance(found) == []
    scheduler.accepted("TEARDOWN")
    eventually(lambda: cluster.completed(scheduler.framework_id), "the framework's end")
    found = metrics_of(cluster, scheduler)
    assert (found["subscribed"], found["tasks/active/task_running"]) == (0, 0)
    assert (found["tasks/terminal/task_finished"], found["tasks/terminal/task_killed"]) == (1, 1)


@pytest.mark.documented("docs/configuration/master.md")
def test_frameworks_are_not_counted_where_that_is_too_much(own_cluster: PocketCluster) -> None:
    """publish_per_framework_metrics=false leaves them all out."""
    master = own_cluster.start_master(publish_per_framework_metrics="false")
    info = {"user": "root", "name": "n", "roles": ["r"], "capabilities": [{"type": "MULTI_ROLE"}]}
    scheduler = Scheduler(master.address, info)
    scheduler.wait_kind("SUBSCRIBED")
    metrics = request(master.address, "GET", "/metrics/snapshot").json()
    assert metrics["master/frameworks_active"] == 1
    assert [name for name in metrics if name.startswith("master/frameworks/")] == []
    scheduler.close()


@transcripts.recorded
@pytest.mark.transcript(RUNNING)
@pytest.mark.parametrize("name", [RUNNING, GONE])
def test_real_mesos_counts_so(name: str) -> None:
    """The recorded sums are those of their parts, and what is over stays counted."""
    metrics = transcripts.body(name)
    (key,) = [key for key in metrics if key.endswith("/calls")]
    framework_id = key.split("/")[-2]
    found = own(metrics, "app", framework_id)
    assert balance(found) == []
    assert found["subscribed"] == (1 if name == RUNNING else 0)
    assert found["tasks/terminal/task_finished"] == 1
