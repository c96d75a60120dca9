"""What the core is told and what it asks for: plain values, free of Mesos' JSON."""

from dataclasses import dataclass, field

from mapreduce.splits import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """Resources of one agent; `address` is where the agent itself answers."""

    id: str
    agent_id: str
    hostname: str
    address: str
    cpus: float
    mem: float


# Events


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """The framework is registered, for the first time or with another leader."""

    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """The connection to the leader ended; tasks run on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """The master offers resources."""

    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A task's state, as Mesos names it.

    `intact` is about TASK_FINISHED: whether the task's result is here in full.
    """

    task_id: str
    state: str
    from_executor: bool = False
    reason: str = ""
    message: str = ""
    intact: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorLost:
    """An executor ended."""

    executor_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchFailed:
    """A launch could not be sent, or its answer was lost: whether the tasks run is unknown."""

    task_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time passed."""


Event = Registered | Disconnected | Offers | Update | ExecutorLost | LaunchFailed | Tick


# Actions


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """An executor to run tasks on; the same for all tasks of its id, as Mesos demands."""

    id: str
    agent_id: str
    workers: int
    cpus: float
    mem: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One attempt at a block."""

    id: str
    block: Block
    cpus: float
    mem: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Accept an offer with these tasks; refuse what is left of it for `refuse` seconds."""

    offer_id: str
    executor: Executor
    tasks: tuple[Task, ...]
    refuse: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """Decline offers, and the like of them for `refuse` seconds."""

    offer_ids: tuple[str, ...]
    refuse: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppress:
    """Ask for no more offers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revive:
    """Ask for offers again, forgetting what was declined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """Kill a task whose block another one has done."""

    task_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """Ask the master for the states of tasks, by id with their agents' ids."""

    tasks: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Take the task's result: the block is done, by this task alone."""

    task_id: str
    block: Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Every block is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """The job cannot be completed; `executor` is the one whose output may tell why."""

    message: str
    executor: Executor | None = field(default=None)


Action = Launch | Decline | Suppress | Revive | Kill | Reconcile | Count | Finish | Fail
