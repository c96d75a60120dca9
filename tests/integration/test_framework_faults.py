"""Whatever dies, at whatever step of a job's life: exact counts, status 0, and nothing left.

Each test holds a job at one step (before its first task, while it maps, between map and shuffle,
while it reduces, while results are collected), does the harm, and lets the job go on. Direct
results go to the scheduler; kept ones stay with the executors until tasks reduce them.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from conformance.zookeeper import missing
from framework_lab import Command, Executor, Gates, Lab, await_, kill, make_book

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
]

DIRECT_SIZE, KEPT_SIZE = 12 << 20, 80 << 20
"""Bytes of input. The first tasks, which are launched before there is a reason to keep anything,
take most of it; it takes some more for tasks that keep what they find."""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, tuple[Path, bytes]]:
    """A text to be counted with direct results, one with kept results, and what is expected."""
    folder = tmp_path_factory.mktemp("book")
    sizes = {False: DIRECT_SIZE, True: KEPT_SIZE}
    books = {kept: folder / f"{size}.txt" for kept, size in sizes.items()}
    widths = {False: 1, True: 14}
    return {
        kept: (book, make_book(book, sizes[kept], widths[kept])) for kept, book in books.items()
    }


@pytest.fixture(scope="module")
def running() -> Iterator[Lab]:
    made = Lab()
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    """A cluster that is whole, before the test and after it."""
    running.whole()
    yield running
    running.whole()


@dataclass
class Job:
    """A job that is held at one step."""

    lab: Lab
    gates: Gates
    command: Command
    again: Callable[[], Command]
    """Starts it again, to go on from what is done."""

    def victims(self) -> list[Executor]:
        """Return the executors, those first that keep runs."""
        found = self.lab.executors()
        return sorted(found, key=lambda one: not any(one.sandbox.rglob("*.run")))


# What can be done to a job that is held.


def worker(job: Job) -> None:
    kill(job.victims()[0].workers[:1])


def executor(job: Job) -> None:
    kill([job.victims()[0].pid])


def agent(job: Job) -> None:
    """The agent dies with its executor, as when a machine loses its power."""
    victims = job.victims()  # none when their work is done
    daemon = job.lab.agent_of(victims[0]) if victims else job.lab.agents[0]
    daemon.kill()
    kill(one.pid for one in victims[:1])


def agent_restarts(job: Job) -> None:
    """The agent dies and comes back; its executor lives on meanwhile."""
    daemon = job.lab.agent_of(job.victims()[0])
    daemon.kill()
    daemon.start()


def agent_comes_back(job: Job) -> None:
    """The agent comes back when the master has given it up, and its tasks with it."""
    daemon = job.lab.agent_of(job.victims()[0])
    daemon.kill()
    await_(lambda: job.lab.state()["unreachable_slaves"] == 1, "the agent given up", job.command)
    daemon.start()


def drain(job: Job) -> None:
    """An operator drains the agent; its executor lives on, with what it keeps, and gets nothing."""
    daemon = job.lab.agent_of(job.victims()[0])
    assert job.lab.decide("DRAIN_AGENT", daemon) == 200
    await_(lambda: job.lab.drained(daemon), "the agent drained", job.command)


def gone(job: Job) -> None:
    """An operator strikes the agent off; it ends, and its executor with it."""
    daemon = job.lab.agent_of(job.victims()[0])
    assert job.lab.decide("MARK_AGENT_GONE", daemon) == 200
    assert daemon.wait_ended() == 0


def leader(job: Job) -> None:
    job.lab.leader().kill()


def stall(job: Job) -> None:
    """The executor answers nothing any more, and nobody says so."""
    victim = job.victims()[0]
    kill([*victim.below, victim.pid], signal.SIGSTOP)


def scheduler(job: Job) -> None:
    job.command.process.kill()
    job.command.process.communicate()
    job.command = job.again()


@dataclass(frozen=True)
class Step:
    """Where a job is held: at a gate, once so many have passed it, and something holds."""

    name: str
    gate: str
    free: int = 0
    reached: Callable[[Lab], object] = lambda lab: True


START = Step("before the first task", "start")
MAP = Step("while mapping", "map", free=3)
KEPT_MAP = Step("while mapping", "map", reached=Lab.runs)
SHUFFLE = Step("between map and shuffle", "reduce")
REDUCE = Step(
    "while reducing", "reduce", free=1, reached=lambda lab: lab.tasks("reduce", "TASK_FINISHED")
)
COLLECT = Step("while results are collected", "collect")

OF_TASKS = (worker, executor, agent, agent_restarts, drain, gone, leader, stall, scheduler)
OF_CLUSTER = (agent, leader, scheduler)
CASES = [
    *((False, START, harm) for harm in OF_TASKS if harm is not worker),
    *((False, MAP, harm) for harm in (*OF_TASKS, agent_comes_back)),
    *((False, COLLECT, harm) for harm in OF_CLUSTER),
    *((True, KEPT_MAP, harm) for harm in OF_TASKS),
    *((True, SHUFFLE, harm) for harm in OF_TASKS),
    *((True, REDUCE, harm) for harm in OF_TASKS),
    *((True, COLLECT, harm) for harm in OF_CLUSTER),
]


def name(value: object) -> str:
    """Name a case as a reader would."""
    if isinstance(value, bool):
        return "kept" if value else "direct"
    return value.name if isinstance(value, Step) else value.__name__.replace("_", " ")


def hidden(folder: Path) -> list[str]:
    """Return the hidden files of a folder that can do without: kill -9 can't remove a name."""
    with contextlib.suppress(OSError):
        os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY))
        return [name for name in os.listdir(folder) if name.startswith(".")]
    return []


@pytest.mark.parametrize(("kept", "step", "harm"), CASES, ids=name)
def test_no_harm_costs_a_word(
    lab: Lab,
    texts: dict[bool, tuple[Path, bytes]],
    tmp_path: Path,
    kept: bool,
    step: Step,
    harm: Callable[[Job], None],
) -> None:
    """What was lost runs again, what counts counts once."""
    book, expected = texts[kept]
    gates = Gates(tmp_path / "gates")
    job_name = gates.job(step.gate, kept=kept, free=step.free)
    counts = tmp_path / "counts.tsv"

    def start(*options: str) -> Command:
        arguments = (job_name, book, "--master", lab.url, "--output", counts, *options)
        return Command(*arguments, state=tmp_path / "state")

    job = Job(lab, gates, start(), lambda: start("--resume"))
    try:
        if kept:
            await_(job.command.overflows, "results that are to be kept", job.command)
            gates.open("overflow")
        await_(lambda: gates.waits(step.gate, step.free), f"a job held {step.name}", job.command)
        await_(lambda: step.reached(lab), f"a job that is {step.name}", job.command)
        harm(job)
        gates.open(step.gate)
        status, said = job.command.done()
        assert status == 0, said
        assert counts.read_bytes() == expected
        assert job.command.left() == []
        assert [path.name for path in tmp_path.glob("counts*")] == ["counts.tsv"]
        assert hidden(tmp_path) == []
    finally:
        job.command.close()
