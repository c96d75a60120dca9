"""The word count on a real cluster of processes: exact whatever dies, and nothing left behind.

Masters, agents and ZooKeeper are the conformance suite's own; nothing here knows the engine.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the conformance suite's harness
from conformance.pocket import Daemon, PocketCluster, daemon_path, free_port
from conformance.wire import Address, request
from conformance.zookeeper import ZooKeeper, missing

pytestmark = [pytest.mark.integration, pytest.mark.slow]

RESOURCES = "cpus:1;mem:1024;disk:1000;ports:[31000-31099]"

# The word count, slow enough for something to happen to it.
SLOW_JOB = """
import time
from mapreduce.jobs.wordcount import WordCount

class Slow(WordCount):
    def map(self, block):
        time.sleep(0.4)
        return super().map(block)
"""


class Command:
    """A `mapreduce run` under way."""

    def __init__(self, *arguments: object) -> None:
        program = Path(sys.executable).parent / "mapreduce"
        self.process = subprocess.Popen(
            [program, "run", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def done(self, timeout: float = 120) -> tuple[int, str]:
        """Wait for its end; return the status and what it said on standard error."""
        _, said = self.process.communicate(timeout=timeout)
        return self.process.returncode, said


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    """12 MB of words with all kinds of white space, and some bytes that are no UTF-8."""
    chosen = random.Random(2)
    words = [f"wörd{number}".encode() for number in range(5000)] + [b"a\xff", b"\xe2\x80", b"\xc2"]
    spaces = [" ", "\n", "\r\n", "\t", "\x1c", "\x85", "\xa0", "\u2003", "\u2028", "\u3000"]
    separators = [space.encode() for space in spaces]
    parts = [chosen.choice(words) + chosen.choice(separators) for _ in range(1_300_000)]
    path = tmp_path_factory.mktemp("book") / "book.txt"
    path.write_bytes(b"".join(parts))
    path.parent.chmod(0o755)
    return path


@pytest.fixture
def slow(tmp_path) -> str:
    (tmp_path / "slow.py").write_text(SLOW_JOB)
    return f"{tmp_path}/slow.py:Slow"


@pytest.fixture
def pocket() -> Iterator[PocketCluster]:
    running = PocketCluster()
    yield running
    running.close()


@pytest.fixture
def master(pocket) -> Daemon:
    """A master that soon notices lost agents, with two agents."""
    leading = pocket.start_master(agent_ping_timeout="1secs", max_agent_ping_timeouts="3")
    pocket.start_agent(str(leading.address), resources=RESOURCES)
    # Without cgroups: two agents of a machine would take each other's for orphans.
    plain = {"launcher": "posix", "isolation": "posix/cpu,posix/mem"}
    pocket.start_agent(str(leading.address), resources=RESOURCES, **plain)
    pocket.cluster()
    return leading


def assert_exact(counts: Path, *texts: Path) -> None:
    expected: Counter[str] = Counter()
    for text in texts:
        expected.update(text.read_bytes().decode("utf-8", "surrogateescape").split())
    rows = sorted(expected.items(), key=lambda row: (-row[1], row[0]))
    lines = "".join(f"{word}\t{count}\n" for word, count in rows)
    assert counts.read_bytes() == lines.encode("utf-8", "surrogateescape")


def frameworks(address: Address) -> list[str]:
    return [framework["id"] for framework in request(address, "GET", "/state").json()["frameworks"]]


def unreachable(address: Address) -> int:
    return int(request(address, "GET", "/state").json()["unreachable_slaves"])


def executors(run: Path, *, workers: bool = False) -> list[int]:
    """Return the processes of executors that agents below a folder started, or their workers."""
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            ours = f"{run}/".encode() in (entry / "environ").read_bytes()
            if ours and b"mapreduce-executor" in (entry / "cmdline").read_bytes():
                status = (entry / "status").read_text()
                found[int(entry.name)] = int(status.partition("PPid:")[2].split()[0])
    return [pid for pid, parent in found.items() if (parent in found) == workers]


def await_(condition: Callable[[], object], timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)


def await_running(address: Address) -> None:
    """Wait until tasks run."""

    def running() -> bool:
        state = request(address, "GET", "/state").json()
        tasks = [task for framework in state["frameworks"] for task in framework["tasks"]]
        return any(task["state"] == "TASK_RUNNING" for task in tasks)

    await_(running)


def test_mesos_local_counts_exactly(book, tmp_path):
    """Without root's help, ZooKeeper or containers: one process with agents, and the command."""
    port = free_port()
    flags = {"ip": "127.0.0.1", "port": port, "work_dir": tmp_path / "work", "num_slaves": 2}
    local = subprocess.Popen(
        [daemon_path("mesos-local"), *(f"--{key}={value}" for key, value in flags.items())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await_(lambda: _agents(port) == 2)
        counts = tmp_path / "counts.tsv"
        command = Command(
            "wordcount", book, book, "--master", f"127.0.0.1:{port}", "--output", counts
        )
        status, said = command.done()
        assert status == 0, said
        assert_exact(counts, book, book)
        await_(lambda: not executors(tmp_path))
    finally:
        local.terminate()
        local.wait(20)


def _agents(port: int) -> int:
    with contextlib.suppress(OSError, KeyError, ValueError):
        answer = request(Address("127.0.0.1", port), "GET", "/state")
        return int(answer.json()["activated_slaves"])
    return 0


@pytest.mark.parametrize(
    "victim", ["executor", "worker", "agent", "agent that restarts", "agent that comes back"]
)
def test_a_kill_in_the_middle_costs_no_word(pocket, master, book, slow, tmp_path, victim):
    """kill -9 of an executor, one of its workers, or an agent: what is lost runs again."""
    counts = tmp_path / "counts.tsv"
    command = Command(slow, book, "--master", master.address, "--output", counts)
    await_running(master.address)
    if victim.startswith("agent"):
        pocket.agents[0].kill()
        if victim == "agent that comes back":
            # Its executor goes on: the master then reports tasks finished that it gave up for lost.
            await_(lambda: unreachable(master.address) == 1)
        if victim != "agent":
            pocket.agents[0].start()
    else:
        os.kill(executors(pocket.run, workers=victim == "worker")[0], signal.SIGKILL)
    status, said = command.done()
    assert status == 0, said
    assert_exact(counts, book)
    await_(lambda: frameworks(master.address) == [])


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_a_change_of_leader_costs_no_word(pocket, book, slow, tmp_path):
    """Tasks run on, and the framework finds the new leader through ZooKeeper."""
    zookeeper = ZooKeeper(pocket.run)
    try:
        flags = {"zk": zookeeper.url, "quorum": "2", "zk_session_timeout": "3secs"}
        masters = [pocket.start_master(**flags) for _ in range(3)]
        for _ in range(2):
            pocket.start_agent(zookeeper.url, resources=RESOURCES)
        leading = pocket.cluster().master
        counts = tmp_path / "counts.tsv"
        command = Command(slow, book, "--master", zookeeper.url, "--output", counts)
        await_running(leading)
        next(daemon for daemon in masters if daemon.address == leading).kill()
        status, said = command.done()
        assert status == 0, said
        assert_exact(counts, book)
    finally:
        zookeeper.close()


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_a_path_without_a_leader_is_not_waited_at_for_ever(pocket, book):
    """ZooKeeper is there, no master is: the message says which of the two."""
    zookeeper = ZooKeeper(pocket.run)
    try:
        command = Command("wordcount", book, "--master", zookeeper.url, "--wait", "1")
        status, said = command.done(15)
        assert status == 1
        assert f"No master is leading at {zookeeper.url}. Waited 1 seconds." in said
    finally:
        zookeeper.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_job_leaves_nothing_running(pocket, master, book, slow, number):
    """Ctrl-C tears the framework down, which ends its executors."""
    command = Command(slow, book, "--master", master.address)
    await_running(master.address)
    command.process.send_signal(number)
    status, said = command.done(15)
    assert (status, said) == (128 + number, "mapreduce: interrupted; nothing is left running\n")
    await_(lambda: frameworks(master.address) == [])
    await_(lambda: not executors(pocket.run))


def test_a_job_that_fails_says_where(master, book, tmp_path):
    """The exception, the input and the line; a status of 1 within seconds; no file."""
    (tmp_path / "bad.py").write_text(
        "from mapreduce import Job\nclass Bad(Job):\n    def map(self, block):\n        1 / 0\n"
    )
    counts = tmp_path / "counts.tsv"
    job = f"{tmp_path}/bad.py:Bad"
    command = Command(job, book, "--master", master.address, "--output", counts)
    status, said = command.done(30)
    assert status == 1
    assert "ZeroDivisionError" in said
    assert str(book) in said
    assert "job.py:4" in said
    assert not counts.exists()


def test_a_job_that_fails_on_the_client_says_so(master, book, tmp_path):
    """The last step runs there; it is reported like the others."""
    (tmp_path / "bad.py").write_text(
        "from mapreduce.jobs.wordcount import WordCount\n"
        "class Bad(WordCount):\n    def reduce(self, key, value):\n        return key.nonsense\n"
    )
    counts = tmp_path / "counts.tsv"
    job = f"{tmp_path}/bad.py:Bad"
    status, said = Command(job, book, "--master", master.address, "--output", counts).done(30)
    assert status == 1
    assert said.startswith("mapreduce: The job failed reducing: AttributeError: ")
    assert not counts.exists()


def test_a_reader_that_leaves_early_is_no_error_of_ours(master, book):
    """As in `mapreduce run ... | head -1`."""
    command = Command("wordcount", book, "--master", master.address, "--top", "5000")
    command.process.stdout.close()
    assert command.process.wait(60) == 128 + signal.SIGPIPE
    assert command.process.stderr.read() == ""


def test_an_executor_that_agents_lack_is_named_with_its_error(master, book):
    """The usual mistake: the framework is not installed there. The shell's complaint is shown."""
    began = time.monotonic()
    command = Command("wordcount", book, "--master", master.address, "--executor", "/no/executor")
    status, said = command.done(60)
    assert status == 1
    assert "the executors end before they take up work" in said
    assert "/no/executor: not found" in said
    assert time.monotonic() - began < 20


def test_an_address_that_agents_cannot_reach_is_named(master, book):
    """One that is reserved for documentation; within seconds, with the option to use."""
    began = time.monotonic()
    command = Command("wordcount", book, "--master", master.address, "--advertise", "192.0.2.1")
    status, said = command.done(60)
    assert status == 1
    assert "cannot reach the scheduler's server at 192.0.2.1:" in said
    assert "--advertise" in said
    assert time.monotonic() - began < 30


def test_a_cluster_without_agents_is_no_place_to_wait(pocket, book):
    """A message instead of an endless wait for offers."""
    leading = pocket.start_master()
    command = Command("wordcount", book, "--master", leading.address, "--wait", "2")
    status, said = command.done(15)
    assert status == 1
    assert "has no agents" in said


def test_agents_that_are_too_small_are_no_place_to_wait(pocket, book):
    """The message says what one agent must have."""
    leading = pocket.start_master()
    pocket.start_agent(str(leading.address), resources="cpus:1;mem:64")
    pocket.cluster()
    command = Command("wordcount", book, "--master", leading.address, "--wait", "2")
    status, said = command.done(15)
    assert status == 1
    assert "None of the 1 agents is large enough" in said
