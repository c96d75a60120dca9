"""What Mesos has and Pocket lacks is refused in so many words: 501, never silence, never a 404."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the conformance suite's harness
from conformance.cluster import Cluster
from conformance.pocket import PocketCluster
from conformance.scheduler import command_task
from conformance.wire import JSON_HEADERS, Response, request

pytestmark = pytest.mark.integration

AGENT = {"agent_id": {"value": "nope"}}
OFFERS = {"inverse_offer_ids": []}
SCHEDULER_CALLS: dict[str, Any] = {
    "ACCEPT_INVERSE_OFFERS": OFFERS,
    "DECLINE_INVERSE_OFFERS": OFFERS,
    "ACKNOWLEDGE_OPERATION_STATUS": {**AGENT, "uuid": "", "operation_id": {"value": "o"}},
    "RECONCILE_OPERATIONS": {"operations": []},
}
OPERATIONS = (
    "RESERVE",
    "UNRESERVE",
    "CREATE",
    "DESTROY",
    "GROW_VOLUME",
    "SHRINK_VOLUME",
    "CREATE_DISK",
    "DESTROY_DISK",
)
MASTER_CALLS = (
    "RESERVE_RESOURCES",
    "UNRESERVE_RESOURCES",
    "CREATE_VOLUMES",
    "DESTROY_VOLUMES",
    "GROW_VOLUME",
    "SHRINK_VOLUME",
    "UPDATE_MAINTENANCE_SCHEDULE",
    "START_MAINTENANCE",
    "STOP_MAINTENANCE",
)
AGENT_CALLS = (
    "LAUNCH_NESTED_CONTAINER",
    "WAIT_NESTED_CONTAINER",
    "KILL_NESTED_CONTAINER",
    "REMOVE_NESTED_CONTAINER",
    "LAUNCH_NESTED_CONTAINER_SESSION",
    "ATTACH_CONTAINER_INPUT",
    "ATTACH_CONTAINER_OUTPUT",
    "LAUNCH_CONTAINER",
    "WAIT_CONTAINER",
    "KILL_CONTAINER",
    "REMOVE_CONTAINER",
    "ADD_RESOURCE_PROVIDER_CONFIG",
    "UPDATE_RESOURCE_PROVIDER_CONFIG",
    "REMOVE_RESOURCE_PROVIDER_CONFIG",
    "MARK_RESOURCE_PROVIDER_GONE",
    "PRUNE_IMAGES",
)
ENDPOINTS = (
    "/reserve",
    "/unreserve",
    "/create-volumes",
    "/destroy-volumes",
    "/machine/up",
    "/master/machine/down",
    "/maintenance/schedule",
)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A master and an agent."""
    run = PocketCluster()
    try:
        master = run.start_master()
        run.start_agent(str(master.address))
        yield run.cluster()
    finally:
        run.close()


def problems(found: Response, name: str) -> list[str]:
    """Say what an answer lacks that is to tell that ``name`` is absent."""
    lacking = [] if found.status == 501 else [f"status {found.status}"]
    return lacking + [word for word in ("Pocket Mesos", name) if word not in found.body]


@pytest.mark.parametrize("kind", SCHEDULER_CALLS)
def test_scheduler_call(cluster: Cluster, kind: str) -> None:
    """A framework that counts on it learns so at once."""
    scheduler = cluster.subscribe("absent")
    found = scheduler.call(kind, **{kind.lower(): SCHEDULER_CALLS[kind]})
    assert problems(found, kind) == []
    scheduler.accepted("TEARDOWN")


@pytest.mark.parametrize("kind", OPERATIONS)
def test_offer_operation(cluster: Cluster, kind: str) -> None:
    """The whole ACCEPT is refused, so that nothing is done by halves; the offer stays good."""
    scheduler = cluster.subscribe("absent")
    offer = scheduler.offer()
    operation = {"type": kind, kind.lower(): {}}
    accept = {"offer_ids": [offer["id"]], "operations": [operation]}
    assert problems(scheduler.call("ACCEPT", accept=accept), kind) == []
    shown = cluster.framework(scheduler.framework_id)
    assert shown is not None
    assert [one["id"] for one in shown["offers"]] == [offer["id"]["value"]]
    scheduler.accepted("TEARDOWN")


@pytest.mark.parametrize("kind", MASTER_CALLS)
def test_operator_call_to_a_master(cluster: Cluster, kind: str) -> None:
    """Reservations, volumes and maintenance."""
    found = request(cluster.master, "POST", "/api/v1", {"type": kind}, JSON_HEADERS)
    assert problems(found, kind) == []


@pytest.mark.parametrize("kind", AGENT_CALLS)
def test_operator_call_to_an_agent(cluster: Cluster, kind: str) -> None:
    """Nested and standalone containers, interactive sessions, resource providers, images."""
    found = request(cluster.agent.address, "POST", "/api/v1", {"type": kind}, JSON_HEADERS)
    assert problems(found, kind) == []


@pytest.mark.parametrize("path", ENDPOINTS)
def test_endpoint(cluster: Cluster, path: str) -> None:
    """The older way to ask for the same."""
    assert problems(request(cluster.master, "POST", path, "x"), path) == []


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/scheduler"])
def test_protobuf(cluster: Cluster, path: str) -> None:
    """The other encoding of all calls."""
    headers = dict.fromkeys(("Content-Type", "Accept"), "application/x-protobuf")
    assert problems(request(cluster.master, "POST", path, "\x08\x01", headers), "protobuf") == []


@pytest.mark.parametrize(
    "path", ["/help", "/__processes__", "/system/stats.json", "/profiler/start"]
)
def test_endpoints_of_libprocess_are_not_found(cluster: Cluster, path: str) -> None:
    """They are about libprocess itself, which is not here."""
    assert request(cluster.master, "GET", path).status == 404


@pytest.mark.parametrize("kind", ["revocable", "shared", "reservations", "disk"])
def test_tasks_cannot_ask_for_kinds_of_resources_that_are_never_offered(
    cluster: Cluster, kind: str
) -> None:
    """Revocable, shared, reserved resources and volumes: the task is told so, not run without."""
    scheduler = cluster.subscribe("kinds")
    extra = [{"type": "DYNAMIC", "role": "x"}] if kind == "reservations" else {}
    task = command_task("t", cluster.agent.agent_id, "exit 0")
    task["resources"] = [{**one, kind: extra} for one in task["resources"]]
    scheduler.launch(scheduler.offer(), task)
    assert "more than available" in scheduler.wait_status("t", "TASK_ERROR")["message"]
    scheduler.accepted("TEARDOWN")


def test_tasks_with_docker_images_fail(cluster: Cluster) -> None:
    """A task that wants another root than the agent's own is not run on the agent's."""
    scheduler = cluster.subscribe("image")
    image = {"type": "DOCKER", "docker": {"name": "busybox"}}
    container = {"type": "MESOS", "mesos": {"image": image}}
    task = command_task("t", cluster.agent.agent_id, "exit 0", container=container)
    scheduler.launch(scheduler.offer(), task)
    failed = scheduler.wait_status("t", "TASK_FAILED")
    assert "image" in json.dumps(failed["message"]).lower(), failed
    scheduler.accepted("TEARDOWN")
