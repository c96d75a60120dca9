"""A cluster of real processes for the framework's tests, jobs that can be held, and faults.

Masters, agents and ZooKeeper are the conformance suite's own; nothing here knows the engine.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the conformance suite's harness
from conformance.cluster import eventually
from conformance.pocket import Daemon, PocketCluster
from conformance.wire import JSON_HEADERS, Address, request
from conformance.zookeeper import ZooKeeper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

PATIENCE = 120.0
"""Seconds until what is awaited counts as missing, on a busy machine too."""

RESOURCES = "cpus:1;mem:1024;disk:1000;ports:[31000-31099]"
# Without cgroups: two agents of a machine would take each other's for orphans.
AGENT = {
    "resources": RESOURCES,
    "launcher": "posix",
    "isolation": "posix/cpu,posix/mem",
    "executor_shutdown_grace_period": "1secs",
}
# So that a lost agent is soon noticed.
MASTER = {"agent_ping_timeout": "1secs", "max_agent_ping_timeouts": "3"}
SESSION = "3secs"


@contextlib.contextmanager
def cluster(agents: int = 2, **options: str) -> Iterator[PocketCluster]:
    """A master and agents, all of which end with it; agents are as AGENT or the options say."""
    running = PocketCluster()
    try:
        leading = running.start_master()
        for _ in range(agents):
            running.start_agent(str(leading.address), **(options or AGENT))
        running.cluster()
        yield running
    finally:
        running.close()


# A word count that stops at gates, which are files: whoever comes to one that is shut notes it
# and waits, but for the first few.
#
# KEPT: each key counts for much more memory than it takes, so that tables outgrow their limits, and
# results are kept and reduced by tasks. The scheduler asks for that only when its own table is too
# large: the gate "overflow" holds tasks until it is, and "map" those that come when something is
# kept.
GATED = """
import os
import time
from collections import Counter
from pathlib import Path

from mapreduce import Job
from mapreduce.tables import DictTable

GATES = Path({folder!r})
FREE = {free!r}
KEPT = {kept!r}
ON_AGENT = "MESOS_EXECUTOR_ID" in os.environ
passed = set()


def gate(step):
    if step in passed:
        return
    number = arrive(step) if not (GATES / step).exists() else 0
    while number > FREE.get(step, 0) and not (GATES / step).exists():
        time.sleep(0.02)
    if (GATES / step).exists():
        passed.add(step)


def arrive(step):
    number = 1
    while True:
        try:
            (GATES / f"{{step}}.{{number}}").touch(exist_ok=False)
            return number
        except FileExistsError:
            number += 1


class Swollen(DictTable):
    @property
    def nbytes(self):
        return super().nbytes + (KEPT << 17) * len(self)

    def dump(self, buckets=1):
        if ON_AGENT and buckets > 1:
            (GATES / "kept").touch()
        return super().dump(buckets)

    def rows(self):
        if ON_AGENT:
            gate("reduce")
        return super().rows()


class Gated(Job):
    record_ends = b" \\n"

    def map(self, block):
        if KEPT:
            gate("overflow")
        if not KEPT or (GATES / "kept").exists():
            gate("map")
        return Counter(block.decode("utf-8", "surrogateescape").split())

    def combine(self, left, right):
        return left + right

    def order(self, row):
        if not ON_AGENT:
            gate("collect")
        return -row[1], row[0]

    def table(self):
        return Swollen(self)


if ON_AGENT:
    gate("start")
"""

GATES = ("start", "overflow", "map", "reduce", "collect")
BEFORE_OVERFLOW = 70
"""Pieces of a mebibyte: by then one of two workers has ended a task, however large these are."""


class Command:
    """A `mapreduce run` under way."""

    def __init__(self, *arguments: object, state: Path, **options: Any) -> None:
        self.state = state
        program = Path(sys.executable).parent / "mapreduce"
        clean = {key: value for key, value in os.environ.items() if "MAPREDUCE" not in key}
        self.process = subprocess.Popen(
            [program, "run", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**clean, "XDG_STATE_HOME": str(state)},
            **options,
        )

    def done(self) -> tuple[int, str]:
        """Wait for its end; return the status and what it said on standard error."""
        try:
            _, said = self.process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, said = self.process.communicate()
            raise AssertionError(f"it does not end; it said:\n{said}") from None
        return self.process.returncode, said

    def overflows(self) -> bool:
        """Say whether its own table has become too large, and was written to disk."""
        return any(self.state.rglob("scheduler-*.run"))

    def left(self) -> list[Path]:
        """Return what it left of its state."""
        return [path for path in self.state.rglob("*") if path.parent.name == "mapreduce"]

    def close(self) -> None:
        """End it, should it still run."""
        self.process.kill()
        self.process.communicate()


def make_book(path: Path, size: int, width: int = 1) -> bytes:
    """Write words with all kinds of white space, some of them no UTF-8, some with NUL bytes.

    The wider the words, the quicker so many bytes are counted. Return what counting must give,
    as `collections.Counter` does.
    """
    chosen = random.Random(2)
    words = [(f"wörd{number}" * width).encode() for number in range(1500)]
    words += [b"a\xff", b"\xe2\x80", b"\xc2", b"nul\0", b"\0"]
    spaces = [" ", "\n", "\r\n", "\t", "\x1c", "\x85", "\xa0", "\u2003", "\u2028", "\u3000"]
    separators = [space.encode() for space in spaces]
    page = b"".join(
        chosen.choice(words) + chosen.choice(separators) for _ in range(100_000 // width)
    )
    copies = size // len(page)
    path.write_bytes(page * copies + b"no end of line")
    path.parent.chmod(0o755)
    words_of_page = Counter(page.decode("utf-8", "surrogateescape").split())
    expected = Counter({word: count * copies for word, count in words_of_page.items()})
    expected.update(["no", "end", "of", "line"])
    rows = sorted(expected.items(), key=lambda row: (-row[1], row[0]))
    lines = "".join(f"{word}\t{count}\n" for word, count in rows)
    return lines.encode("utf-8", "surrogateescape")


@dataclass
class Gates:
    """The folder of a gated job's gates."""

    folder: Path

    def job(self, shut: str, *, kept: bool, free: int = 0) -> str:
        """Write the job, with one gate shut behind the first `free`; return its name."""
        self.folder.mkdir()
        for gate in GATES:
            if gate not in (shut, "overflow"):
                self.open(gate)
        passing = {"overflow": BEFORE_OVERFLOW, shut: free}
        text = GATED.format(folder=str(self.folder), free=passing, kept=kept)
        path = self.folder.parent / "gated.py"
        path.write_text(text)
        return f"{path}:Gated"

    def open(self, gate: str) -> None:
        """Let pass who waits there."""
        (self.folder / gate).touch()

    def waits(self, gate: str, free: int = 0) -> bool:
        """Say whether somebody waits there."""
        return (self.folder / f"{gate}.{free + 1}").exists()


@dataclass(frozen=True)
class Executor:
    """An executor's processes: itself, the others of its tree, those that do tasks among them."""

    pid: int
    sandbox: Path
    below: tuple[int, ...] = ()
    workers: tuple[int, ...] = ()


def executors(run: Path) -> list[Executor]:
    """Return the executors that agents of a run started, by the order of their agents."""
    parents, sandboxes = {}, {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            variables = (entry / "environ").read_bytes().split(b"\0")
            ours = any(f"={run}/".encode() in variable for variable in variables)
            if not ours or b"mapreduce-executor" not in (entry / "cmdline").read_bytes():
                continue
            status = (entry / "status").read_text()
            if "State:\tZ" in status:
                continue
            pid = int(entry.name)
            parents[pid] = int(status.partition("PPid:")[2].split()[0])
            sandboxes[pid] = Path(
                next(
                    variable.decode().partition("=")[2]
                    for variable in variables
                    if variable.startswith(b"MESOS_SANDBOX=")
                )
            )
    tops = [pid for pid, parent in parents.items() if parent not in parents]
    return sorted((_tree(pid, parents, sandboxes[pid]) for pid in tops), key=lambda x: x.sandbox)


def _tree(top: int, parents: dict[int, int], sandbox: Path) -> Executor:
    below: list[int] = []
    layer = [top]
    last: list[int] = []
    while layer := [pid for pid, parent in parents.items() if parent in layer]:
        below += layer
        last = layer
    return Executor(top, sandbox, tuple(below), tuple(last))


@dataclass
class Lab:
    """ZooKeeper, masters and agents, which tests may kill; `whole` brings all of it back."""

    pocket: PocketCluster = field(default_factory=PocketCluster)
    zookeeper: ZooKeeper | None = None

    def start(self, masters: int = 2, agents: int = 2) -> None:
        """Start everything and wait until it is one cluster."""
        self.zookeeper = ZooKeeper(self.pocket.run)
        flags = {"zk": self.url, "quorum": "2", "zk_session_timeout": SESSION, **MASTER}
        for _ in range(masters):
            self.pocket.start_master(**flags)
        for _ in range(agents):
            self.pocket.start_agent(self.url, **AGENT)
        self.whole()

    @property
    def url(self) -> str:
        """The address under which the masters elect their leader."""
        assert self.zookeeper is not None
        return self.zookeeper.url

    @property
    def masters(self) -> list[Daemon]:
        """The masters."""
        return self.pocket.masters

    @property
    def agents(self) -> list[Daemon]:
        """The agents."""
        return self.pocket.agents

    def whole(self) -> None:
        """Bring back what is dead or drained; wait until nothing of a job is left."""
        for daemon in (*self.masters, *self.agents):
            if daemon.dead:
                daemon.start()
                daemon.wait_serving()
        eventually(self._reactivate, "all agents reactivated", PATIENCE)
        self.pocket.cluster()
        eventually(lambda: self.frameworks() == [], "no framework left", PATIENCE)
        eventually(lambda: executors(self.pocket.run) == [], "no executor left", PATIENCE)

    def leader(self) -> Daemon:
        """Return the leading master."""

        def leading() -> Daemon | None:
            found = [one for one in self.masters if state_of(one.address) is not None]
            return found[0] if len(found) == 1 else None

        found: Daemon = eventually(leading, "one leader", PATIENCE)
        return found

    def state(self) -> Any:
        """Return the leader's /state."""
        return eventually(lambda: state_of(self.leader().address), "the leader's state", PATIENCE)

    def decide(self, call: str, agent: Daemon, **fields: object) -> int:
        """Have an operator decide about an agent; return the answer's status."""
        port = agent.address.port
        found = [one["id"] for one in self.state()["slaves"] if one["port"] == port]
        body = {"type": call, call.lower(): {"agent_id": {"value": found[0]}, **fields}}
        return request(self.leader().address, "POST", "/api/v1", body, JSON_HEADERS).status

    def drained(self, agent: Daemon) -> bool:
        """Say whether an agent is drained."""
        shown = {one["port"]: one.get("drain_info") for one in self.state()["slaves"]}
        info = shown.get(agent.address.port)
        return info is not None and info["state"] == "DRAINED"

    def _reactivate(self) -> bool:
        """Let agents take tasks again; say whether all can."""
        away = {one["port"] for one in self.state()["slaves"] if one["deactivated"]}
        drained = [agent for agent in self.agents if agent.address.port in away]
        answers = [self.decide("REACTIVATE_AGENT", agent) for agent in drained]
        return set(answers) <= {200}

    def frameworks(self) -> list[str]:
        """Return the ids of the frameworks that are registered."""
        return [framework["id"] for framework in self.state()["frameworks"]]

    def tasks(self, kind: str, *states: str) -> list[str]:
        """Return the ids of tasks of a kind, those that ended included, in any of these states."""
        found = [
            task
            for framework in self.state()["frameworks"]
            for task in (*framework["tasks"], *framework["completed_tasks"])
        ]
        ids = [task["id"] for task in found if not states or task["state"] in states]
        return [one for one in ids if one.startswith(kind)]

    def executors(self) -> list[Executor]:
        """Return the executors that run on the agents."""
        return executors(self.pocket.run)

    def runs(self) -> list[Path]:
        """Return the runs that executors keep."""
        return sorted(path for one in self.executors() for path in one.sandbox.rglob("*.run"))

    def agent_of(self, executor: Executor) -> Daemon:
        """Return the agent that started an executor."""
        folders = {self.pocket.run / agent.name: agent for agent in self.agents}
        return next(agent for path, agent in folders.items() if path in executor.sandbox.parents)

    def close(self) -> None:
        """End everything."""
        self.pocket.close()
        if self.zookeeper is not None:
            self.zookeeper.close()


def state_of(master: Address) -> Any:
    """Return a master's /state, None where it does not lead, or is dead."""
    try:
        answer = request(master, "GET", "/state")
    except OSError:
        return None
    return answer.json() if answer.status == 200 else None


def kill(pids: Iterable[int], number: int = signal.SIGKILL) -> None:
    """Send a signal to processes, some of which may have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def await_(condition: Callable[[], object], what: str, command: Command | None = None) -> None:
    """Wait for a condition; fail early where a command ends that it depends on."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if command is not None and command.process.poll() is not None:
            raise AssertionError(f"{what}: the command has ended:\n{command.done()}")
        assert time.monotonic() < deadline, f"not within {PATIENCE} s: {what}"
        time.sleep(0.05)
