"""The pool keeps workers at work, whatever becomes of one of them. With real processes."""

import os
import queue
import re
import signal
import time
from pathlib import Path

import pytest

from mapreduce.executor import worker
from mapreduce.executor.forkserver import ForkServer, ForkServerError
from mapreduce.executor.pool import Pool
from mapreduce.executor.tasks import Task

PATIENCE = 60
"""Seconds for what takes milliseconds on an idle machine."""

JOB = """
import os, signal, sys, time
from pathlib import Path
from mapreduce import Job

class Marked(Job):
    '''Says who maps what; does what the block says.'''

    def map(self, block):
        word = block.split()[0].decode()
        Path(f"{word}.{os.getpid()}").touch()
        match word:
            case "sleep":
                time.sleep(600)
            case "wait":
                while not Path("go").exists():
                    time.sleep(0.01)
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "eat":
                os.kill(os.getpid(), signal.SIGKILL)
            case "odd":
                os.kill(os.getpid(), signal.SIGRTMIN + 6)
            case "quit":
                os._exit(3)
        return {word: 1}

    def combine(self, left, right):
        return left + right
"""


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self):
        self.events = queue.SimpleQueue()

    def began(self, task_id):
        self.events.put(("began", task_id))

    def ended(self, task_id, outcome):
        self.events.put(("ended", task_id, outcome))

    def killed(self, task_id):
        self.events.put(("killed", task_id))

    def broke(self, error):
        self.events.put(("broke", error))

    def next(self):
        return self.events.get(timeout=PATIENCE)

    def until(self, kind, task_id=None):
        while (event := self.next())[0] != kind or (task_id and event[1] != task_id):
            pass
        return event


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.py").write_text(JOB)
    return tmp_path


@pytest.fixture
def heard():
    return Heard()


@pytest.fixture
def start(folder, heard):
    """Start a pool of one worker, or of several."""
    servers = []

    def start(workers=1, job="job.py:Marked"):
        servers.append(ForkServer())
        pool = Pool(servers[-1], heard)
        pool.start(
            workers,
            64.0,
            job=job,
            arguments={},
            packages=[],
            prepare=True,
            patience=1.0,
            server="http://127.0.0.1:9/token",
            folder=str(folder),
            served="http://127.0.0.1:9/token/runs",
        )
        return pool

    yield start
    for server in servers:
        server.close()


def task(folder, task_id, word):
    path = folder / f"{word}.txt"
    if not path.exists():
        path.write_text(f"{word}\n")
    found = path.stat()
    about = {
        "name": str(path),
        "size": found.st_size,
        "path": str(path),
        "modified": found.st_mtime_ns,
        "served": "http://127.0.0.1:9/none",
    }
    data = {"map": {"sources": {"0": about}, "ranges": [[0, 0, found.st_size]]}, "keep": True}
    return Task(task_id, data, time.monotonic())


def workers_of(folder, word):
    """Return the processes that began to map a block, once one has."""
    deadline = time.monotonic() + PATIENCE
    while not (found := [int(path.suffix[1:]) for path in folder.glob(f"{word}.[0-9]*")]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_workers_do_tasks_one_after_the_other_and_stay(start, folder, heard):
    """They are started once, and told in order what begins and ends."""
    pool = start()
    for number in range(10):
        pool.submit(task(folder, f"t{number}", "fine"))
    for number in range(10):
        assert heard.until("began")[1] == f"t{number}"
        _, task_id, outcome = heard.until("ended")
        assert task_id == f"t{number}"
        assert outcome.receipt["pairs"] == 1
    assert len(workers_of(folder, "fine")) == 1


def test_several_workers_work_at_once(start, folder, heard):
    """One that is busy holds up none of the others."""
    pool = start(workers=2)
    pool.submit(task(folder, "slow", "sleep"))
    for number in range(5):
        pool.submit(task(folder, f"t{number}", "fine"))
    assert {heard.until("ended")[1] for _ in range(5)} == {f"t{number}" for number in range(5)}


@pytest.mark.parametrize(
    ("word", "said", "fault"),
    [
        ("crash", "SIGSEGV", {"block_fault": True}),
        ("odd", f"signal {signal.SIGRTMIN + 6}", {"block_fault": True}),
        ("quit", "status 3", {"block_fault": True}),
        ("eat", "SIGKILL.*memory.*64 MB", {}),
    ],
)
def test_a_worker_that_dies_fails_its_task_alone_and_is_replaced(
    start, folder, heard, word, said, fault
):
    """The task behind it is done by the next worker."""
    pool = start()
    pool.submit(task(folder, "bad", word))
    pool.submit(task(folder, "good", "fine"))
    _, task_id, outcome = heard.until("ended")
    assert task_id == "bad"
    assert re.search(said, outcome.error)
    assert outcome.fault == fault
    _, task_id, outcome = heard.until("ended")
    assert (task_id, outcome.error) == ("good", "")
    assert workers_of(folder, word) != workers_of(folder, "fine")


def test_a_killed_task_ends_at_once_whatever_it_does(start, folder, heard):
    """A speculative loser must not hold a worker; the task behind it is done."""
    pool = start()
    pool.submit(task(folder, "loser", "sleep"))
    pool.submit(task(folder, "next", "fine"))
    (held,) = workers_of(folder, "sleep")
    pool.kill("loser")
    assert heard.until("killed")[1] == "loser"
    assert heard.until("ended")[1] == "next"
    assert held not in workers_of(folder, "fine")


def test_a_task_that_waits_is_killed_without_ado(start, folder, heard):
    """Nothing else notices."""
    pool = start()
    pool.submit(task(folder, "running", "sleep"))
    workers_of(folder, "sleep")
    for number in range(4):
        pool.submit(task(folder, f"t{number}", "fine"))
    pool.kill("t3")
    assert heard.until("killed")[1] == "t3"
    pool.kill("running")
    assert [heard.until("ended")[1] for _ in range(3)] == ["t0", "t1", "t2"]


def test_killing_a_task_behind_another_disturbs_only_it(start, folder, heard):
    """Whether the worker had it already or not."""
    pool = start()
    for name, word in (("t0", "wait"), ("t1", "unwanted"), ("t2", "fine")):
        pool.submit(task(folder, name, word))
    workers_of(folder, "wait")
    pool.kill("t1")
    (folder / "go").touch()
    ends = []
    while len(ends) < 3:
        kind, task_id, *rest = heard.next()
        if kind != "began":
            ends.append((kind, task_id, *(outcome.error for outcome in rest)))
    assert sorted(ends) == [("ended", "t0", ""), ("ended", "t2", ""), ("killed", "t1")]
    assert not list(folder.glob("unwanted.[0-9]*"))


def test_a_task_that_is_over_or_unknown_cannot_be_killed(start, folder, heard):
    """Nor is anything reported twice."""
    pool = start()
    pool.submit(task(folder, "t0", "fine"))
    heard.until("ended", "t0")
    pool.kill("t0")
    pool.kill("none")
    pool.submit(task(folder, "t1", "fine"))
    assert heard.next() == ("began", "t1")
    assert heard.next()[:2] == ("ended", "t1")


def test_a_job_that_cannot_be_loaded_fails_every_task(start, folder, heard):
    """Those that came before it was known, too, with the reason."""
    pool = start(job="job.py:Missing")
    for name in ("t0", "t1"):
        pool.submit(task(folder, name, "fine"))
        _, task_id, outcome = heard.next()
        assert task_id == name
        assert "Missing" in outcome.error


def test_a_task_is_killed_while_the_job_is_loaded(start, folder, heard):
    """Whoever kills it need not wait for the job's code, which may take its time; others do."""
    waiting = "import time\nfrom pathlib import Path\n"
    waiting += "while not Path('loaded').exists():\n    time.sleep(0.01)\n"
    (folder / "job.py").write_text(waiting + JOB)
    pool = start()
    for name in ("t0", "t1"):
        pool.submit(task(folder, name, "fine"))
    pool.kill("t0")
    assert heard.next() == ("killed", "t0")
    (folder / "loaded").touch()
    assert heard.next() == ("began", "t1")


def test_a_job_that_ends_the_process_that_loads_it_is_said_to(start, folder, heard):
    """The executor ends, and its standard error tells why."""
    (folder / "job.py").write_text("import os\nos._exit(3)")
    start()
    assert "did not survive it" in str(heard.until("broke")[1])


def test_workers_that_die_as_they_start_are_not_started_for_ever(start, heard, monkeypatch):
    """Whatever is wrong with the machine: the executor ends and says so."""
    monkeypatch.setattr(worker.Worker, "serve", lambda self: os._exit(7))
    start(workers=2)
    assert "workers die as they start, with status 7" in str(heard.until("broke")[1])


def test_tasks_go_to_workers_that_are_idle(start, folder, heard):
    """Also those that another worker was to do next."""
    pool = start(workers=2)
    for name, word in (("t0", "wait"), ("t1", "wait")):
        pool.submit(task(folder, name, word))
    for number in range(2, 8):
        pool.submit(task(folder, f"t{number}", "sleep" if number == 2 else "fine"))
    (folder / "go").touch()
    assert {heard.until("ended")[1] for _ in range(7)} == {
        "t0",
        "t1",
        *map("t{}".format, range(3, 8)),
    }


def test_without_its_fork_server_a_pool_is_broken(start, folder, heard, monkeypatch):
    """Its workers go with it."""
    pool = start()
    pool.submit(task(folder, "t0", "sleep"))
    (pid,) = workers_of(folder, "sleep")
    os.kill(pool._fork_server.pid, signal.SIGKILL)
    assert isinstance(heard.until("broke")[1], ForkServerError)
    deadline = time.monotonic() + PATIENCE
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
