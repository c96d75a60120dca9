"""What an executor tells its agent, where it serves, and that nothing of it outlives it."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mapreduce.errors import ClusterError
from mapreduce.exchange.server import Content
from mapreduce.executor import executor
from mapreduce.executor.executor import Reports, Updates, in_sandbox, reach, serve
from mapreduce.executor.tasks import Outcome

PATIENCE = 60
"""Seconds for what takes milliseconds on an idle machine."""


def await_(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


class Agent:
    """PyMesos' driver, as far as updates go; one that may be away or fail."""

    def __init__(self):
        self.connected = True
        self.updates = {}
        self.failures = 0
        self.heard = []

    def sendStatusUpdate(self, status):  # noqa: N802 named by PyMesos
        if self.failures:
            self.failures -= 1
            raise OSError("it is restarting")
        self.heard.append(status)
        self.updates.popitem()  # which PyMesos does when the agent acknowledges


@pytest.fixture
def agent(monkeypatch):
    monkeypatch.setattr(executor, "RESEND", 0.01)
    return Agent()


@pytest.fixture
def reports(agent, tmp_path):
    return Reports(Updates(agent), tmp_path)


def heard(agent):
    await_(lambda: agent.heard)
    (status,) = agent.heard
    return status


def told(status):
    return json.loads(base64.b64decode(status["data"]))


def test_a_finished_task_is_reported_with_its_receipt(agent, reports):
    """By which the scheduler knows what it has to find."""
    reports.ended("map-1-try-1", Outcome(receipt={"parts": ["d"], "runs": []}))
    status = heard(agent)
    assert status["state"] == "TASK_FINISHED"
    assert status["task_id"] == {"value": "map-1-try-1"}
    assert told(status) == {"parts": ["d"], "runs": []}


def test_a_failed_task_is_reported_with_what_is_at_fault(agent, reports):
    """In words, and for the scheduler."""
    reports.ended("map-1-try-1", Outcome(error="no", fault={"unreachable": "e1"}))
    status = heard(agent)
    assert (status["state"], status["message"]) == ("TASK_FAILED", "no")
    assert told(status) == {"unreachable": "e1"}


@pytest.mark.parametrize("how", ["killed", "failed"])
def test_what_a_task_kept_goes_when_it_does_not_count(agent, reports, tmp_path, how):
    """But nothing of another task's, whatever the numbers."""
    mine = tmp_path / "map-1-try-1-0.run"
    others = tmp_path / "map-1-try-10-0.run"
    for path in (mine, others):
        path.touch()
    (tmp_path / "map-1-try-1-sorting").mkdir()
    if how == "killed":
        reports.killed("map-1-try-1")
    else:
        reports.ended("map-1-try-1", Outcome(error="no"))
    assert heard(agent)["state"] == ("TASK_KILLED" if how == "killed" else "TASK_FAILED")
    assert list(tmp_path.iterdir()) == [others]


def test_updates_are_sent_until_the_agent_has_them(agent, reports):
    """An agent may restart; none is lost and none overtakes another."""
    agent.connected = False
    agent.failures = 3
    reports.began("map-1-try-1")
    agent.connected = True
    await_(lambda: agent.heard)
    reports.killed("map-1-try-1")
    await_(lambda: len(agent.heard) == 2)
    assert [status["state"] for status in agent.heard] == ["TASK_RUNNING", "TASK_KILLED"]


@pytest.mark.parametrize(
    ("name", "here"),
    [
        ("jobs/grep.py:Grep", "job.py:Grep"),
        ("/a:b/c.py:Job", "job.py:Job"),
        ("wordcount", "wordcount"),
        ("job.pkl", "job.pkl"),
    ],
)
def test_a_jobs_file_is_the_one_in_the_sandbox(name, here):
    """Wherever the client has it."""
    assert in_sandbox(name) == here


@pytest.mark.parametrize(
    ("agent_at", "libprocess", "bound"),
    [
        ("127.0.0.1:5051", None, "127.0.0.1"),
        ("127.0.0.1:5051", "127.0.0.2", "127.0.0.2"),
        ("192.0.2.1:5051", None, "0.0.0.0"),  # such as the outer address of a NAT
    ],
)
def test_an_executor_serves_where_its_agent_is_reached(monkeypatch, agent_at, libprocess, bound):
    """Reducers on other agents know no other way to it."""
    monkeypatch.delenv("LIBPROCESS_IP", raising=False)
    if libprocess is not None:
        monkeypatch.setenv("LIBPROCESS_IP", libprocess)
    server = serve(Content(), agent_at, "token")
    try:
        assert server.url.startswith(f"http://{agent_at.partition(':')[0]}:{server.port}/")
        assert server._http.server_address[0] == bound
    finally:
        server.close()


def test_a_scheduler_out_of_reach_is_noticed_before_any_work():
    """With its address and the option that helps; one within reach is fine."""
    server = serve(Content(), "127.0.0.1:5051", "token")
    reach(server.url)
    server.close()
    with pytest.raises(ClusterError, match=rf"127\.0\.0\.1:{server.port}: .*refused.*--advertise"):
        reach(server.url)


STARTS_A_WORKER = """
import sys
from multiprocessing import Pipe
from mapreduce.executor.forkserver import ForkServer

fork_server = ForkServer()
about = dict(arguments={}, packages=[], prepare=False, patience=1.0, worker_mem=64.0)
fork_server.begin_load(job="wordcount", server="", folder=".", served="", **about)
error = fork_server.loaded()
assert not error, error
pipes = [Pipe(), Pipe()]
print(fork_server.pid, fork_server.fork(*(theirs for _, theirs in pipes)), flush=True)
sys.stdin.read()
"""


def test_workers_do_not_outlive_an_executor_that_is_killed():
    """Whatever kills it, with a signal that it cannot handle."""
    process = subprocess.Popen(
        [sys.executable, "-c", STARTS_A_WORKER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 2
        os.kill(process.pid, signal.SIGKILL)
    await_(lambda: not any(map(is_running, pids)))


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_executor_is_not_started_by_hand():
    """It would have nobody to talk to."""
    environment = {name: value for name, value in os.environ.items() if "MESOS" not in name}
    ran = subprocess.run(
        [sys.executable, "-c", "from mapreduce.executor.executor import main; main()"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert ran.returncode != 0
    assert "started by a Mesos agent" in ran.stderr
