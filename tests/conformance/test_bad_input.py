"""Bad requests: whatever comes in is answered clearly, and disturbs nobody else.

Random requests are made from good ones (`bad_input.py`); the daemons under test are the
suite's own, since a spoiled call may still be a good one that ends or drains something.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .bad_input import answer, encode, spoiled, spoiled_bytes
from .cluster import eventually
from .conftest import GIVEN
from .custom_executor import RUNNING, executor_info, executor_task
from .pocket import PocketCluster
from .scheduler import PATH, Scheduler, command_task, small
from .wire import JSON_HEADERS, TIMEOUT, Address, EventStream, Response, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cluster import Cluster
    from .scheduler import Json

ERRORS = "scheduler/errors.json"
MANY = settings(
    max_examples=300,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
UUID = "MDEyMzQ1Njc4OWFiY2RlZg=="
MEGABYTE = 2**20
MOST = 400  # megabytes that a client may leave unread before it must have been cut off


@pytest.fixture(scope="module")
def lab() -> Iterator[PocketCluster]:
    """A master and an agent of the suite's own."""
    if GIVEN:
        pytest.skip("a spoiled call may do harm: not on the cluster given by MESOS_MASTER")
    run = PocketCluster()
    try:
        master = run.start_master()
        run.start_agent(str(master.address))
        yield run
    finally:
        run.close()


@pytest.fixture(scope="module")
def cluster(lab: PocketCluster) -> Cluster:
    """The lab as any cluster; its frameworks need not be torn down."""
    return lab.cluster()


@pytest.fixture(scope="module")
def framework(cluster: Cluster) -> Iterator[Scheduler]:
    """A framework with a custom executor, whose calls get spoiled."""
    scheduler = cluster.subscribe("bad-input")
    executor = executor_info("own", scheduler.framework_id)
    task = executor_task("t", cluster.agent.agent_id, executor, RUNNING)
    scheduler.launch(scheduler.offer(), task)
    scheduler.wait_status("t", "TASK_RUNNING")
    yield scheduler
    scheduler.close()


def info(cluster: Cluster, **fields: Any) -> Json:
    return {
        "user": cluster.user,
        "name": "spoiled",
        "roles": ["a", "b/c"],
        "failover_timeout": 0.0,
        "hostname": "h",
        "labels": {"labels": [{"key": "k", "value": "v"}]},
        "capabilities": [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}],
        **fields,
    }


def task(agent_id: str) -> Json:
    check = {"type": "TCP", "tcp": {"port": 1}, "delay_seconds": 1.0, "interval_seconds": 1.0}
    return command_task(
        "spoiled",
        agent_id,
        {
            "value": "exit 0",
            "uris": [{"value": "/no/such/file", "extract": False}],
            "environment": {"variables": [{"name": "N", "value": "V"}]},
        },
        resources=[
            *small(),
            {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 2}]}},
        ],
        health_check=check,
        kill_policy={"grace_period": {"nanoseconds": 1}},
        max_completion_time={"nanoseconds": 10**10},
        discovery={"visibility": "CLUSTER", "ports": {"ports": [{"number": 1}]}},
        labels={"labels": [{"key": "k"}]},
        data="AAAA",
    )


def scheduler_calls(cluster: Cluster, framework: Scheduler, offer_id: str) -> list[Json]:
    """One good call of each type."""
    agent = {"value": cluster.agent.agent_id}
    one = {"task_id": {"value": "t"}, "agent_id": agent}
    executor = {
        "type": "DEFAULT",
        "executor_id": {"value": "d"},
        "framework_id": {"value": framework.framework_id},
        "resources": small(),
    }
    group = {"tasks": [task(agent["value"])]}
    filters = {"refuse_seconds": 0.1}
    launch = {"type": "LAUNCH", "launch": {"task_infos": [task(agent["value"])]}}
    launch_group = {
        "type": "LAUNCH_GROUP",
        "launch_group": {"executor": executor, "task_group": group},
    }
    own = {"id": {"value": framework.framework_id}}
    fields: dict[str, Json] = {
        "ACCEPT": {
            "offer_ids": [{"value": offer_id}],
            "operations": [launch, launch_group],
            "filters": filters,
        },
        "DECLINE": {"offer_ids": [{"value": offer_id}], "filters": filters},
        "REVIVE": {"roles": framework.framework_info["roles"]},
        "SUPPRESS": {"roles": ["other"]},
        "KILL": {**one, "kill_policy": {"grace_period": {"nanoseconds": 1}}},
        "SHUTDOWN": {"executor_id": {"value": "none"}, "agent_id": agent},
        "ACKNOWLEDGE": {**one, "uuid": UUID},
        "RECONCILE": {"tasks": [one]},
        "MESSAGE": {"agent_id": agent, "executor_id": {"value": "own"}, "data": "AAAA"},
        "REQUEST": {"requests": [{"agent_id": agent, "resources": small()}]},
        "UPDATE_FRAMEWORK": {"framework_info": {**framework.framework_info, **own}},
    }
    named = {"framework_id": {"value": framework.framework_id}}
    calls = [{"type": kind, **named, kind.lower(): body} for kind, body in fields.items()]
    return [*calls, {"type": "SUBSCRIBE", "subscribe": {"framework_info": info(cluster)}}]


def operator_calls(cluster: Cluster) -> list[Json]:
    """Good calls of the operator API, about things that do not exist where they change any."""
    agent = {"agent_id": {"value": "nope"}}
    configs = [{"role": "q", "guarantees": {"cpus": {"value": 1}}, "limits": {"mem": {"value": 9}}}]
    return [
        {"type": "GET_STATE"},
        {"type": "GET_METRICS", "get_metrics": {"timeout": {"nanoseconds": 10**9}}},
        {"type": "LIST_FILES", "list_files": {"path": "/master/log"}},
        {"type": "READ_FILE", "read_file": {"path": "/master/log", "offset": 0, "length": 5}},
        {
            "type": "SET_LOGGING_LEVEL",
            "set_logging_level": {"level": 0, "duration": {"nanoseconds": 1}},
        },
        {"type": "TEARDOWN", "teardown": {"framework_id": {"value": "nope"}}},
        {"type": "MARK_AGENT_GONE", "mark_agent_gone": agent},
        {"type": "DRAIN_AGENT", "drain_agent": {**agent, "max_grace_period": {"seconds": 1}}},
        {"type": "DEACTIVATE_AGENT", "deactivate_agent": agent},
        {"type": "REACTIVATE_AGENT", "reactivate_agent": agent},
        {
            "type": "UPDATE_WEIGHTS",
            "update_weights": {"weight_infos": [{"role": "w", "weight": 2.0}]},
        },
        {"type": "UPDATE_QUOTA", "update_quota": {"force": True, "quota_configs": configs}},
        {"type": "SUBSCRIBE"},
    ]


def executor_calls(framework: Scheduler) -> list[Json]:
    """Good calls of the executor API, by an executor that there is and one that there is not."""
    ids = {
        "framework_id": {"value": framework.framework_id},
        "executor_id": {"value": "nope"},
    }
    status = {
        "task_id": {"value": "t"},
        "state": "TASK_RUNNING",
        "source": "SOURCE_EXECUTOR",
        "uuid": UUID,
        "timestamp": 1.0,
        "data": "AAAA",
    }
    subscribe = {"unacknowledged_tasks": [], "unacknowledged_updates": [{"status": status}]}
    every = [
        {"type": "SUBSCRIBE", **ids, "subscribe": subscribe},
        {"type": "UPDATE", **ids, "update": {"status": status}},
        {"type": "MESSAGE", **ids, "message": {"data": "AAAA"}},
        {"type": "HEARTBEAT", **ids},
    ]
    # The real executor's own stream is not to be taken over by a good SUBSCRIBE.
    own = [{**call, "executor_id": {"value": "own"}} for call in every[1:]]
    return every + own


def clear(found: Response) -> bool:
    """Say whether an answer is one that a client can do something with."""
    if found.status in (200, 202):
        return True
    said = found.body or found.status in (403, 404)
    return found.status in (400, 403, 404, 406, 409, 413, 415, 501) and bool(said)


def healthy(cluster: Cluster) -> bool:
    """Say whether both daemons still answer with all that they know."""
    state = request(cluster.agent.address, "GET", "/state")
    return cluster.get("/state").status == 200 and state.status == 200


@pytest.mark.transcript(ERRORS)
@MANY
@given(data=st.data())
def test_spoiled_scheduler_calls(cluster: Cluster, framework: Scheduler, data: Any) -> None:
    """A call of a connected framework with something spoiled in it is taken or refused clearly."""
    offers = [event for event in framework.events if event.kind == "OFFERS"]
    offer_id = offers[-1]["offers"][-1]["id"]["value"]
    call = data.draw(spoiled(scheduler_calls(cluster, framework, offer_id)))
    stream = (
        {} if str(call.get("type")) == "SUBSCRIBE" else {"Mesos_Stream_Id": framework.stream_id}
    )
    found = answer(cluster.master, PATH, encode(call), **stream)
    assert clear(found), (found, call)


@pytest.mark.transcript(ERRORS)
@MANY
@given(data=st.data())
def test_spoiled_operator_calls(cluster: Cluster, data: Any) -> None:
    """A spoiled call to either operator API is answered clearly."""
    call = data.draw(spoiled(operator_calls(cluster)))
    address = data.draw(st.sampled_from([cluster.master, cluster.agent.address]))
    found = answer(address, "/api/v1", encode(call))
    assert clear(found), (found, call)


@pytest.mark.transcript("executor/errors.json")
@MANY
@given(data=st.data())
def test_spoiled_executor_calls(cluster: Cluster, framework: Scheduler, data: Any) -> None:
    """Executors that lie are refused, whoever they say that they are."""
    call = data.draw(spoiled(executor_calls(framework)))
    found = answer(cluster.agent.address, "/slave(1)/api/v1/executor", encode(call))
    assert clear(found), (found, call)


@pytest.mark.transcript(ERRORS)
@MANY
@given(data=st.data())
def test_spoiled_bytes(cluster: Cluster, framework: Scheduler, data: Any) -> None:
    """Bodies that were cut off or garbled on the way are refused, or still make sense."""
    calls = scheduler_calls(cluster, framework, "nope") + operator_calls(cluster)
    body = data.draw(spoiled_bytes(calls))
    path = data.draw(st.sampled_from([PATH, "/api/v1"]))
    found = answer(cluster.master, path, body, Mesos_Stream_Id=framework.stream_id)
    assert clear(found), (found, body)


@pytest.mark.transcript("master/http/files_read_bad_offset.json")
@MANY
@given(data=st.data())
def test_spoiled_queries(cluster: Cluster, data: Any) -> None:
    """Endpoints answer whatever stands behind the question mark."""
    path = data.draw(
        st.sampled_from(
            ["/tasks", "/files/read", "/files/browse", "/frameworks", "/slaves", "/state", "/roles"]
        )
    )
    key = data.draw(st.sampled_from(["limit", "offset", "order", "path", "length", "jsonp"]))
    value = data.draw(
        st.sampled_from(["", "-1", "9" * 30, "1e9", "%00", "%ff", "x", "/master/log", "a&path=b"])
    )
    extra = data.draw(st.sampled_from(["", "&path=/master/log", "&offset=1", "&duration=x"]))
    found = request(cluster.master, "GET", f"{path}?{key}={value}{extra}")
    assert found.status in (200, 400, 404), found


@pytest.mark.transcript(ERRORS)
def test_all_live_after_that(cluster: Cluster, framework: Scheduler, lab: PocketCluster) -> None:
    """The same daemons go on, and show all they know; a fresh framework runs its task."""
    assert [daemon.name for daemon in (*lab.masters, *lab.agents) if daemon.dead] == []
    assert healthy(cluster)
    request(cluster.master, "PUT", "/weights", [{"role": "w", "weight": 1.0}])
    framework.call("TEARDOWN")
    fresh = cluster.subscribe("fresh")
    fresh.launch(fresh.offer(), command_task("fine", cluster.agent.agent_id, "exit 0"))
    fresh.wait_status("fine", "TASK_FINISHED")
    fresh.accepted("TEARDOWN")
    eventually(lambda: held(cluster) == 0, "everything given back")


def held(cluster: Cluster) -> float:
    """CPUs of agents in use, by whomever."""
    return float(
        sum(one["used_resources"]["cpus"] for one in cluster.get("/slaves").json()["slaves"])
    )


HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
SAMPLES = "master/http/raw_wire_samples.txt"
BROKEN = {
    "ended in the headers": (HEAD, None),
    "ended in the body": (HEAD + b"Content-Length: 100\r\n\r\n{", None),
    "ended in a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\n{", None),
    "bad chunk size": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n{\r\n", b" 400 "),
    "bad length": (HEAD + b"Content-Length: -5\r\n\r\n{}", b" 400 "),
    "two lengths": (HEAD + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", b" 400 "),
    "endless header": (HEAD + b"X: " + b"x" * MEGABYTE + b"\r\n\r\n", b" 400 "),
    "no HTTP": (b"\0\1\2\3" * 100 + b"\r\n\r\n", b" 400 "),
    "TLS": (bytes.fromhex("16030100c8010000c40303") + b"\r\n" * 50, b" 400 "),
    "too much": (HEAD + b"Content-Length: 999999999999\r\n\r\n", b" 413 "),
}


@pytest.mark.transcript(SAMPLES)
@pytest.mark.parametrize("which", BROKEN)
def test_broken_http(cluster: Cluster, which: str) -> None:
    """What is no HTTP, or ends too early, ends with its connection; others don't notice."""
    data, status = BROKEN[which]
    for address in (cluster.master, cluster.agent.address):
        received = exchange(address, data, early=status is None)
        assert status is None or status in received.partition(b"\r\n")[0], received[:200]
    assert healthy(cluster)


def exchange(address: Address, data: bytes, *, early: bool) -> bytes:
    """Send bytes, end early or not; return what comes back until the other side has enough."""
    with socket.create_connection((address.host, address.port), timeout=TIMEOUT) as connection:
        received = b""
        with contextlib.suppress(ConnectionError):  # the other side does not want to hear it all
            connection.sendall(data)
            if early:
                connection.shutdown(socket.SHUT_WR)
            # Who answers and leaves the connection open for a while has said enough.
            while (early or b"\r\n\r\n" not in received) and (piece := connection.recv(65536)):
                received += piece
        return received


@pytest.mark.transcript(SAMPLES)
def test_clients_that_dawdle_hold_nobody_up(cluster: Cluster) -> None:
    """Connections that stay in the middle of a request leave the others their turn."""
    master = cluster.master
    with contextlib.ExitStack() as stack:
        for data in (b"", b"GET /sta", HEAD, HEAD + b"Content-Length: 9\r\n\r\n{") * 50:
            place = (master.host, master.port)
            connection = stack.enter_context(socket.create_connection(place, timeout=TIMEOUT))
            connection.sendall(data)
        fresh = cluster.subscribe("beside")
        fresh.offer()
        fresh.accepted("TEARDOWN")


def unread(cluster: Cluster, path: str, call: Json) -> EventStream:
    """Subscribe as a client that never reads on after the first line of the answer."""
    return EventStream(cluster.master, path, call, JSON_HEADERS, receive_bytes=4096)


@pytest.mark.transcript("scheduler/heartbeats.json")
def test_a_scheduler_that_does_not_read_is_cut_off(cluster: Cluster) -> None:
    """What waits for it is bounded; then it counts as disconnected, as one that has died."""
    call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": cluster.framework_info("slow")}}
    stream = unread(cluster, PATH, call)
    try:
        framework_id = named(cluster, call)["id"]
        stream_id = stream.head.header("Mesos-Stream-Id") or ""
        question = {"task_id": {"value": "x" * MEGABYTE}}
        body = {"type": "RECONCILE", "framework_id": {"value": framework_id}}
        asked = encode({**body, "reconcile": {"tasks": [question]}})
        refused = None
        for _ in range(MOST):
            found = answer(cluster.master, PATH, asked, Mesos_Stream_Id=stream_id)
            if found.status != 202:
                refused = found
                break
            assert cluster.get("/health").status == 200
        assert refused is not None, f"{MOST} MB wait for a client that does not read"
        assert refused.status in (400, 403), refused
    finally:
        stream.close()


@pytest.mark.transcript("master/subscribe/event_stream.json")
def test_an_operator_that_does_not_read_is_cut_off(cluster: Cluster) -> None:
    """What waits for it is bounded; its neighbours go on."""
    # The master may still have to notice that those of spoiled calls are gone.
    eventually(lambda: subscribers(cluster) == 0, "nobody else who watches")
    stream = unread(cluster, "/api/v1", {"type": "SUBSCRIBE"})
    framework = cluster.subscribe("loud")
    try:
        assert subscribers(cluster) == 1
        for number in range(MOST):
            labels = {"labels": [{"key": f"{number}", "value": "x" * MEGABYTE}]}
            wanted = {**framework.info_with_id(), "labels": labels}
            framework.accepted("UPDATE_FRAMEWORK", update_framework={"framework_info": wanted})
            if subscribers(cluster) == 0:
                break
        assert subscribers(cluster) == 0, f"{MOST} MB wait for a client that does not read"
        framework.offer()
    finally:
        stream.close()
        framework.accepted("TEARDOWN")


def named(cluster: Cluster, call: Json) -> Json:
    """Find the framework of a SUBSCRIBE by its role, which is its own."""
    roles = call["subscribe"]["framework_info"]["roles"]
    frameworks = cluster.get("/frameworks").json()["frameworks"]
    return dict(next(one for one in frameworks if one["roles"] == roles))


def subscribers(cluster: Cluster) -> float:
    """Count those who watch the operator's event stream."""
    metrics = cluster.get("/metrics/snapshot").json()
    return float(metrics["master/operator_event_stream_subscribers"])
