"""The framework on a real cluster of processes: whole jobs, and whatever keeps one from its end.

Every refusal says what is wrong, ends with a status other than 0, and leaves no output.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import framework_lab
from conformance.pocket import Daemon, PocketCluster, daemon_path, free_port
from conformance.wire import Address, request
from conformance.zookeeper import ZooKeeper, missing
from framework_lab import PATIENCE, Command, Gates, await_, executors, make_book

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.integration, pytest.mark.slow]

BOOK_BYTES = 8 << 20


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A text, and what counting its words must give."""
    path = tmp_path_factory.mktemp("book") / "book.txt"
    return path, make_book(path, BOOK_BYTES)


@pytest.fixture(scope="module")
def text(book: tuple[Path, bytes]) -> Path:
    return book[0]


@pytest.fixture
def pocket() -> Iterator[PocketCluster]:
    """A run without daemons yet."""
    running = PocketCluster()
    yield running
    running.close()


@pytest.fixture(scope="module")
def cluster() -> Iterator[PocketCluster]:
    """A master and two agents."""
    with framework_lab.cluster() as running:
        yield running


@pytest.fixture
def master(cluster: PocketCluster) -> Iterator[Daemon]:
    """The master of two agents; no framework and no executor is left on them afterwards."""
    yield cluster.masters[0]
    address = cluster.masters[0].address
    await_(lambda: request(address, "GET", "/state").json()["frameworks"] == [], "no framework")
    await_(lambda: executors(cluster.run) == [], "no executor")


def running_tasks(address: Address) -> bool:
    state = request(address, "GET", "/state").json()
    tasks = [task for framework in state["frameworks"] for task in framework["tasks"]]
    return any(task["state"] == "TASK_RUNNING" for task in tasks)


def refused(tmp_path: Path, *arguments: object, **options: object) -> str:
    """Run a job that must not come to its end; return what is said about it."""
    counts = tmp_path / "counts.tsv"
    command = Command(*arguments, "--output", counts, state=tmp_path / "state", **options)
    status, said = command.done()
    assert status in (1, 2), said
    assert "Traceback" not in said.partition("standard error")[0], "of the command itself"
    assert list(tmp_path.glob("*counts*")) == []
    assert command.left() == []
    return said


def write_job(folder: Path, body: str) -> str:
    """Write a job `Bad`, given what is in its class; return its name."""
    (folder / "bad.py").write_text(f"from mapreduce import Job\n\nclass Bad(Job):\n{body}")
    return f"{folder}/bad.py:Bad"


# --- jobs that end well ------------------------------------------------------------------------


def test_mesos_local_counts_exactly(book: tuple[Path, bytes], tmp_path: Path) -> None:
    """Without root's help, ZooKeeper or containers: one process with agents, and the command."""
    text, expected = book
    port = free_port()
    flags = {"ip": "127.0.0.1", "port": port, "work_dir": tmp_path / "work", "num_slaves": 2}
    local = subprocess.Popen(
        [daemon_path("mesos-local"), *(f"--{key}={value}" for key, value in flags.items())],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        await_(lambda: agents_of(port) == 2, "two agents")
        counts = tmp_path / "counts.tsv"
        place = ("--master", f"127.0.0.1:{port}", "--output", counts)
        status, said = Command("wordcount", text, *place, state=tmp_path / "state").done()
        assert status == 0, said
        assert counts.read_bytes() == expected
        await_(lambda: not executors(tmp_path), "no executor")
    finally:
        local.terminate()
        local.wait(PATIENCE)


def agents_of(port: int) -> int:
    with contextlib.suppress(OSError, KeyError, ValueError):
        answer = request(Address("127.0.0.1", port), "GET", "/state")
        return int(answer.json()["activated_slaves"])
    return 0


def test_a_reader_that_leaves_early_is_no_error_of_ours(
    master: Daemon, text: Path, tmp_path: Path
) -> None:
    """As in `mapreduce run ... | head -1`."""
    arguments = ("wordcount", text, "--master", master.address, "--top", "100000")
    command = Command(*arguments, state=tmp_path / "state")
    assert command.process.stdout is not None
    command.process.stdout.close()
    assert command.process.wait(PATIENCE) == 128 + signal.SIGPIPE
    assert command.process.stderr is not None
    said = command.process.stderr.read()
    assert "Traceback" not in said and "Error" not in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_job_leaves_nothing_running(
    master: Daemon, text: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C tears the framework down, which ends its executors."""
    gates = Gates(tmp_path / "gates")
    arguments = (gates.job("map", kept=False), text, "--master", master.address)
    command = Command(*arguments, state=tmp_path / "state")
    try:
        await_(lambda: gates.waits("map"), "a job that maps", command)
        command.process.send_signal(number)
        status, said = command.done()
        assert status == 128 + number, said
        assert said.endswith("mapreduce: interrupted; nothing is left running\n")
        assert command.left() == []
    finally:
        command.close()


# --- jobs that are wrong -----------------------------------------------------------------------


def test_a_syntax_error_is_shown(master: Daemon, text: Path, tmp_path: Path) -> None:
    """File and line, before anything is started."""
    name = write_job(tmp_path, "    def map(self, block):\n        return {\n")
    said = refused(tmp_path, name, text, "--master", master.address)
    assert "bad.py" in said
    assert "SyntaxError" in said
    assert "line 5" in said


def test_a_job_that_fails_says_where(master: Daemon, text: Path, tmp_path: Path) -> None:
    """The exception, the input and the line, after its retries, with the block that it is."""
    name = write_job(tmp_path, "    def map(self, block):\n        1 / 0\n")
    said = refused(tmp_path, name, text, "--master", master.address)
    assert "ZeroDivisionError" in said
    assert str(text) in said
    assert "job.py:5" in said


def test_a_job_that_fails_on_one_record_names_its_block(master: Daemon, tmp_path: Path) -> None:
    """All other blocks are fine: the one that is not is named, and not tried for ever."""
    poisoned = tmp_path / "poisoned.txt"
    good = b"good words\n" * 100_000
    poisoned.write_bytes(good * 6 + b"poison\n" + good * 2)
    name = write_job(
        tmp_path,
        "    def map(self, block):\n"
        "        assert b'poison' not in block\n"
        "        return {'bytes': len(block)}\n"
        "    def combine(self, left, right):\n"
        "        return left + right\n",
    )
    said = refused(tmp_path, name, poisoned, "--master", master.address)
    assert "AssertionError" in said
    assert str(poisoned) in said
    assert "failed 3 times" in said


def test_a_job_that_fails_on_the_client_says_so(master: Daemon, text: Path, tmp_path: Path) -> None:
    """The last step of small results runs there; it is reported like the others."""
    name = write_job(
        tmp_path,
        "    def map(self, block):\n"
        "        return {'bytes': len(block)}\n"
        "    def combine(self, left, right):\n"
        "        return left + right\n"
        "    def reduce(self, key, value):\n"
        "        return key.nonsense\n",
    )
    said = refused(tmp_path, name, text, "--master", master.address)
    assert "The job failed reducing: AttributeError: " in said


# --- places that won't do ----------------------------------------------------------------------


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_a_path_without_a_leader_is_not_waited_at_for_ever(
    pocket: PocketCluster, text: Path, tmp_path: Path
) -> None:
    """ZooKeeper is there, no master is: the message says which of the two."""
    zookeeper = ZooKeeper(pocket.run)
    try:
        place = ("--master", zookeeper.url, "--wait", "1")
        said = refused(tmp_path, "wordcount", text, *place)
        assert f"No master is leading at {zookeeper.url}." in said
    finally:
        zookeeper.close()


def test_an_executor_that_agents_lack_is_named_with_its_error(
    master: Daemon, text: Path, tmp_path: Path
) -> None:
    """The usual mistake: the framework is not installed there. The shell's complaint is shown."""
    place = ("--master", master.address, "--executor", "/no/executor")
    said = refused(tmp_path, "wordcount", text, *place)
    assert "the executors end before they take up work" in said
    assert "/no/executor: not found" in said


def test_an_address_that_agents_cannot_reach_is_named(
    master: Daemon, text: Path, tmp_path: Path
) -> None:
    """One that is reserved for documentation, with the option to use."""
    place = ("--master", master.address, "--advertise", "192.0.2.1")
    said = refused(tmp_path, "wordcount", text, *place)
    assert "cannot reach the scheduler's server at 192.0.2.1:" in said
    assert "--advertise" in said


def test_a_cluster_without_agents_is_no_place_to_wait(
    pocket: PocketCluster, text: Path, tmp_path: Path
) -> None:
    """A message instead of an endless wait for offers."""
    place = ("--master", pocket.start_master().address, "--wait", "2")
    assert "has no agents" in refused(tmp_path, "wordcount", text, *place)


def test_agents_that_are_too_small_are_no_place_to_wait(
    pocket: PocketCluster, text: Path, tmp_path: Path
) -> None:
    """The message says what one agent must have."""
    leading = pocket.start_master()
    pocket.start_agent(str(leading.address), resources="cpus:1;mem:64")
    pocket.cluster()
    place = ("--master", leading.address, "--wait", "2")
    assert "None of the 1 agents is large enough" in refused(tmp_path, "wordcount", text, *place)


# --- permissions -------------------------------------------------------------------------------


def without_the_rights_of_root() -> None:
    """Give up, before a program is started, what lets root read every file."""
    drop_capability, overriding, reading = 24, 1, 2  # as in prctl.h and capability.h
    for capability in (overriding, reading):
        ctypes.CDLL(None).prctl(drop_capability, capability)


def test_a_file_that_may_not_be_read_is_named(master: Daemon, text: Path, tmp_path: Path) -> None:
    """By its path, with the system's reason, before anything is started."""
    secret = tmp_path / "secret.txt"
    secret.write_text("words")
    secret.chmod(0)
    options = {"preexec_fn": without_the_rights_of_root} if os.geteuid() == 0 else {}
    said = refused(tmp_path, "wordcount", text, secret, "--master", master.address, **options)
    assert str(secret) in said
    assert "Permission denied" in said
