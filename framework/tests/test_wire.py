"""What goes to Mesos has the fields that it takes; what comes from it is read as it stands."""

import base64
import dataclasses
import json

from mapreduce.core.cutter import Block, Range
from mapreduce.core.events import Executor, Task
from mapreduce.core.sizing import Partition
from mapreduce.exchange import payload
from mapreduce.scheduler import wire

EXECUTOR = Executor(id="mapreduce-1", agent_id="S1", workers=2, cpus=0.1, mem=320.0, worker_mem=112)
RANGES = (Range(1, 10, 20), Range(4, 0, None), Range(1, 30, 40))
TASK = Task(id="map-3-try-1", content=Block(3, RANGES, 20), cpus=0.2, mem=1.0, keep=True)
SETUP = wire.Setup(
    command="/opt/a b/mapreduce-executor",
    job="/home/me/mine.py:Mine",
    arguments={"least": "3"},
    shipped={"job.py": "http://10.0.0.1:99/secret/job.py", "more.zip": "http://10.0.0.1:99/s/m"},
    packages=["more.zip"],
    server="http://10.0.0.1:99/token",
    token="theirs",
    bytes=1000,
)
REFERENCES = [{"name": f"input {number}"} for number in range(5)]


def scalar(name, value, **more):
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **more}


def task_info(task):
    return wire.task_info(task, EXECUTOR, REFERENCES, SETUP, "F", runs="http://list", top=10)


def told(data):
    return base64.b64encode(json.dumps(data).encode()).decode()


def status(state="TASK_FINISHED", **more):
    """A status as real Mesos forwards it."""
    return {
        "task_id": {"value": "map-3-try-1"},
        "state": state,
        "source": "SOURCE_EXECUTOR",
        "agent_id": {"value": "S1"},
        "timestamp": 1795331284.89,
        "uuid": "q7WVHM2lRGGf0LASpHBfdw==",
        **more,
    }


def test_an_offer_counts_what_is_free_for_everybody():
    """Revocable and reserved resources would be refused in a plain launch."""
    offer = wire.offer(
        {
            "id": {"value": "O1"},
            "framework_id": {"value": "F"},
            "agent_id": {"value": "S1"},
            "hostname": "agent1",
            "url": {
                "scheme": "http",
                "address": {"hostname": "agent1", "ip": "172.28.10.21", "port": 5051},
                "path": "/slave(1)",
            },
            "resources": [
                {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 2}]}},
                scalar("cpus", 1.5, role="*", allocation_info={"role": "*"}),
                scalar("cpus", 4, revocable={}),
                scalar("cpus", 2, reservations=[{"role": "*", "type": "DYNAMIC"}]),
                scalar("mem", 1024.0),
            ],
        }
    )
    assert (offer.id, offer.agent_id, offer.address) == ("O1", "S1", "172.28.10.21:5051")
    assert (offer.cpus, offer.mem) == (1.5, 1024.0)


def test_a_map_task_carries_where_its_bytes_are_and_no_more():
    """References of its own inputs, by number, and ranges."""
    info = task_info(TASK)
    assert payload.decode(info["data"]) == {
        "map": {
            "sources": {"1": {"name": "input 1"}, "4": {"name": "input 4"}},
            "ranges": [[1, 10, 20], [4, 0, None], [1, 30, 40]],
        },
        "keep": True,
    }
    assert info["task_id"] == {"value": "map-3-try-1"}
    assert info["agent_id"] == {"value": "S1"}
    assert info["resources"] == [scalar("cpus", 0.2), scalar("mem", 1.0)]


def test_a_reduce_task_carries_its_buckets_and_where_the_runs_are_listed():
    """The list may be long, and the same for all of them."""
    info = task_info(Task(id="reduce-0-try-1", content=Partition(0, 5, 9, 0), cpus=0.2, mem=1.0))
    assert payload.decode(info["data"]) == {
        "reduce": {"buckets": [5, 9], "runs": "http://list"},
        "top": 10,
    }


def test_an_executor_is_described_as_mesos_wants_it():
    """A shell command with exec, so that signals reach the executor; files as URIs."""
    info = wire.executor_info(EXECUTOR, SETUP, "F")
    assert info["type"] == "CUSTOM"
    assert info["executor_id"] == {"value": "mapreduce-1"}
    assert info["framework_id"] == {"value": "F"}
    assert info["command"] == {
        "value": "exec '/opt/a b/mapreduce-executor'",
        "shell": True,
        "uris": [
            {"value": url, "output_file": name, "extract": False}
            for name, url in SETUP.shipped.items()
        ],
    }
    assert info["resources"] == [scalar("cpus", 0.1), scalar("mem", 320.0)]
    assert payload.decode(info["data"]) == {
        "job": SETUP.job,
        "arguments": {"least": "3"},
        "packages": ["more.zip"],
        "server": SETUP.server,
        "token": "theirs",
        "bytes": 1000,
        "workers": 2,
        "worker_mem": 112,
        "patience": wire.FAILOVER_TIMEOUT,
    }


def test_what_is_not_known_of_the_inputs_is_not_told():
    """Their size, where one does not tell."""
    info = wire.executor_info(EXECUTOR, dataclasses.replace(SETUP, bytes=None), "F")
    assert "bytes" not in payload.decode(info["data"])


def test_a_framework_outlives_a_change_of_leader():
    """Failover timeout and checkpointing are what tasks need to run on."""
    info = wire.framework_info("wordcount", "mapreduce")
    assert info["user"] == "mapreduce"
    assert info["checkpoint"] is True
    assert info["failover_timeout"] >= 30
    assert "id" not in info
    assert wire.framework_info("wordcount", "")["user"] != ""


def test_a_framework_that_is_resumed_has_the_same_id():
    """And the principal that it authenticates with, as Mesos demands."""
    info = wire.framework_info("wordcount", "", "F-1", "me")
    assert (info["id"], info["principal"]) == ({"value": "F-1"}, "me")


def test_a_status_is_read_with_its_receipt():
    """What was sent, what it took; nothing else of what may be in it."""
    timing = {"input": 0.5, "map": 1.0, "send": 0.25, "bytes": 1000, "pid": 7}
    found = wire.receipt(
        status(data=told({"parts": ["ab", "cd"], "pairs": 3, "timing": timing, "more": "x"}))
    )
    assert found == {"parts": ["ab", "cd"], "runs": [], "pairs": 3, "timing": timing}
    update = wire.update(status(), found, intact=True)
    assert (update.task_id, update.state) == ("map-3-try-1", "TASK_FINISHED")
    assert (update.from_executor, update.intact, update.kept) == (True, True, False)
    assert (update.seconds, update.bytes) == (1.75, 1000)


def test_a_receipt_of_runs_says_that_the_result_is_kept():
    """Where they are and how large their buckets."""
    run = {"name": "a.run", "path": "/s/a.run", "url": "http://h/a.run", "sizes": "eJw="}
    found = wire.receipt(status(data=told({"parts": [], "runs": [run]})))
    assert found == {"parts": [], "runs": [run], "timing": {}}
    assert wire.update(status(), found, intact=True).kept


def test_a_status_without_or_with_odd_data_has_no_receipt():
    """Others may write there; no trace of it reaches the user."""
    odd = [{"parts": 7}, [], {"parts": [], "runs": [{}]}, {"parts": [], "timing": {"map": "x"}}]
    for data in ("", "!", "cmVzdWx0", *map(told, odd)):
        assert wire.receipt({"data": data}) is None
    assert wire.receipt({}) is None
    assert wire.receipt({"data": told({"parts": []})}) == {"parts": [], "runs": [], "timing": {}}


def test_a_failure_says_whose_fault_it_is():
    """The block's, or that of an executor whose runs are out of reach."""
    fault = wire.update(status("TASK_FAILED", data=told({"block_fault": True})), None, intact=False)
    assert (fault.block_fault, fault.unreachable) == (True, "")
    reach = wire.update(
        status("TASK_FAILED", data=told({"unreachable": "mapreduce-2"})), None, intact=False
    )
    assert (reach.block_fault, reach.unreachable) == (False, "mapreduce-2")
    assert not wire.update(status("TASK_FAILED"), None, intact=False).block_fault


def test_a_masters_own_status_names_its_reason():
    """Why a task was lost decides what is done about it."""
    update = wire.update(
        status(
            "TASK_LOST",
            message="health check timed out",
            source="SOURCE_MASTER",
            reason="REASON_AGENT_REMOVED",
        ),
        None,
        intact=False,
    )
    assert not update.from_executor
    assert update.reason == "REASON_AGENT_REMOVED"
    assert update.message == "health check timed out"
