"""What the core keeps of blocks, partitions, tasks and agents, and the moves that a unit may make.

A unit of work is a block to map or a partition to reduce. It is WAITING, or LAUNCHED as at least
one live task, or DONE: counted, by one task only.
"""

from dataclasses import dataclass, field
from enum import Enum

from mapreduce.core.cutter import Block
from mapreduce.core.events import Executor
from mapreduce.core.sizing import Partition, Plan


class State(Enum):
    """Where a unit is."""

    WAITING = "waiting"
    LAUNCHED = "launched"
    DONE = "done"


MOVES = {
    State.WAITING: {State.LAUNCHED, State.DONE},
    State.LAUNCHED: {State.WAITING, State.DONE},
    State.DONE: {State.WAITING},
}
"""WAITING to DONE: a task that was given up for lost finished after all. DONE to WAITING: the
result was kept by an executor that is lost."""


@dataclass(slots=True, eq=False)
class Unit:
    """A block or partition, its live tasks, and what its attempts have cost so far.

    `counted` is the task that counts while it is DONE; `keeper` the executor that holds its
    result, None where it is here.
    """

    content: Block | Partition
    state: State = State.WAITING
    live: set[str] = field(default_factory=set)
    attempts: int = 0
    failures: int = 0
    losses: int = 0
    counted: str | None = None
    keeper: str | None = None
    history: list[str] = field(default_factory=list)

    @property
    def kind(self) -> str:
        """`map` or `reduce`."""
        return self.content.kind

    @property
    def name(self) -> str:
        """Unique in a run; part of its tasks' ids."""
        return f"{self.content.kind}-{self.content.number}"

    def move(self, state: State, why: str) -> None:
        """Enter a state; raises AssertionError with the unit's history if it must not."""
        self.history.append(f"{state.value}: {why}")
        assert state in MOVES[self.state], (self.name, self.history)
        self.state = state


@dataclass(slots=True, eq=False)
class Attempt:
    """A task: `live` until it ended or was given up.

    `heard` is when anything was last known of it, `began` when a worker took it up; it is
    `speculative` where another one of its unit's ran already.
    """

    unit: Unit
    executor: Executor
    launched: float
    heard: float
    speculative: bool = False
    began: float | None = None
    live: bool = True


@dataclass(slots=True, eq=False)
class Agent:
    """An agent that made offers, its executor if one is thought to run, and its failures in a row.

    It is `avoided` for good after too many of them. `heard` is when its executor last reported on
    any task.
    """

    id: str
    plan: Plan | None = None
    executor: Executor | None = None
    started: bool = False
    strikes: int = 0
    avoided: bool = False
    heard: float = 0.0
    live: set[str] = field(default_factory=set)

    @property
    def running(self) -> bool:
        """Whether its executor was launched, so that its resources are taken already."""
        return self.executor is not None and (self.started or bool(self.live))
