"""What the core keeps of blocks, tasks and agents, and the moves that a block may make.

A block is WAITING, or LAUNCHED as at least one live task, or DONE: counted, by one task only.
"""

from dataclasses import dataclass, field
from enum import Enum

from mapreduce.events import Executor
from mapreduce.sizing import Plan
from mapreduce.splits import Block


class State(Enum):
    """Where a block is."""

    WAITING = "waiting"
    LAUNCHED = "launched"
    DONE = "done"


MOVES = {
    State.WAITING: {State.LAUNCHED, State.DONE},
    State.LAUNCHED: {State.WAITING, State.DONE},
    State.DONE: set(),
}
"""WAITING to DONE: a task that was given up for lost finished after all."""


@dataclass(slots=True)
class BlockState:
    """A block, its live tasks, and what its attempts have cost so far."""

    block: Block
    state: State = State.WAITING
    live: set[str] = field(default_factory=set)
    attempts: int = 0
    failures: int = 0
    losses: int = 0
    history: list[str] = field(default_factory=list)

    def move(self, state: State, why: str) -> None:
        """Enter a state; raises AssertionError with the block's history if it must not."""
        self.history.append(f"{state.value}: {why}")
        assert state in MOVES[self.state], (self.block.number, self.history)
        self.state = state


@dataclass(slots=True)
class Attempt:
    """A task: `live` until it ended or was given up."""

    block: BlockState
    executor: Executor
    heard: float
    live: bool = True


@dataclass(slots=True)
class Agent:
    """An agent that made offers, its executor if one is thought to run, and its failed starts."""

    plan: Plan | None = None
    executor: Executor | None = None
    started: bool = False
    strikes: int = 0
    live: set[str] = field(default_factory=set)

    @property
    def running(self) -> bool:
        """Whether its executor was launched, so that its resources are taken already."""
        return self.executor is not None and (self.started or bool(self.live))
