"""What goes to Mesos has the fields that it takes; what comes from it is read as it stands."""

import base64
import json

from mapreduce import payload, wire
from mapreduce.events import Executor, Task
from mapreduce.splits import Block, Range

EXECUTOR = Executor(id="mapreduce-1", agent_id="S1", workers=2, cpus=0.1, mem=320.0)
TASK = Task(
    id="block-3-try-1",
    block=Block(3, (Range(1, 10, 20), Range(4, 0, None), Range(1, 30, 40))),
    cpus=0.2,
    mem=1.0,
)
SETUP = wire.Setup(
    command="/opt/a b/mapreduce-executor",
    job="/home/me/mine.py:Mine",
    job_url="http://10.0.0.1:99/secret/job",
    server="http://10.0.0.1:99/token",
)
REFERENCES = [{"name": f"input {number}"} for number in range(5)]


def scalar(name, value, **more):
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **more}


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


def test_a_task_carries_where_its_bytes_are_and_no_more():
    """References of its own inputs, by number, and ranges."""
    info = wire.task_info(TASK, EXECUTOR, REFERENCES, SETUP, "F")
    assert payload.decode(info["data"]) == {
        "sources": {"1": {"name": "input 1"}, "4": {"name": "input 4"}},
        "ranges": [[1, 10, 20], [4, 0, None], [1, 30, 40]],
    }
    assert info["task_id"] == {"value": "block-3-try-1"}
    assert info["agent_id"] == {"value": "S1"}
    assert info["resources"] == [scalar("cpus", 0.2), scalar("mem", 1.0)]


def test_an_executor_is_described_as_mesos_wants_it():
    """A shell command with exec, so that signals reach the executor; the file as a URI."""
    info = wire.executor_info(EXECUTOR, SETUP, "F")
    assert info["type"] == "CUSTOM"
    assert info["executor_id"] == {"value": "mapreduce-1"}
    assert info["framework_id"] == {"value": "F"}
    assert info["command"] == {
        "value": "exec '/opt/a b/mapreduce-executor'",
        "shell": True,
        "uris": [{"value": SETUP.job_url, "output_file": "job.py", "extract": False}],
    }
    assert info["resources"] == [scalar("cpus", 0.1), scalar("mem", 320.0)]
    assert payload.decode(info["data"]) == {"job": SETUP.job, "server": SETUP.server, "workers": 2}


def test_a_framework_outlives_a_change_of_leader():
    """Failover timeout and checkpointing are what tasks need to run on."""
    info = wire.framework_info("wordcount", "mapreduce")
    assert info["user"] == "mapreduce"
    assert info["checkpoint"] is True
    assert info["failover_timeout"] >= 30
    assert wire.framework_info("wordcount", "")["user"] != ""


def test_a_status_is_read_with_its_receipt():
    """As real Mesos forwards it."""
    status = {
        "task_id": {"value": "block-3-try-1"},
        "state": "TASK_FINISHED",
        "source": "SOURCE_EXECUTOR",
        "data": base64.b64encode(json.dumps({"parts": ["ab", "cd"]}).encode()).decode(),
        "agent_id": {"value": "S1"},
        "timestamp": 1795331284.89,
        "uuid": "q7WVHM2lRGGf0LASpHBfdw==",
    }
    assert wire.receipt(status) == ["ab", "cd"]
    update = wire.update(status, intact=True)
    assert (update.task_id, update.state) == ("block-3-try-1", "TASK_FINISHED")
    assert update.from_executor
    assert update.intact


def test_a_status_without_or_with_odd_data_has_no_receipt():
    """Others may write there; no trace of it reaches the user."""
    for data in ("", "!", "cmVzdWx0", base64.b64encode(b'{"parts": 7}').decode(), "W10="):
        assert wire.receipt({"data": data}) is None
    assert wire.receipt({}) is None
    assert wire.receipt({"data": payload.encode({"parts": []})}) == []


def test_a_masters_own_status_names_its_reason():
    """Why a task was lost decides what is done about it."""
    update = wire.update(
        {
            "task_id": {"value": "a"},
            "state": "TASK_LOST",
            "message": "health check timed out",
            "source": "SOURCE_MASTER",
            "reason": "REASON_AGENT_REMOVED",
            "agent_id": {"value": "S0"},
        },
        intact=False,
    )
    assert not update.from_executor
    assert update.reason == "REASON_AGENT_REMOVED"
    assert update.message == "health check timed out"
