"""What the core is told and what it asks for: plain values, free of Mesos' JSON."""

from dataclasses import dataclass, field

from mapreduce.core.cutter import Block
from mapreduce.core.sizing import Partition


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

TERMINAL = {
    "TASK_FINISHED",
    "TASK_FAILED",
    "TASK_KILLED",
    "TASK_ERROR",
    "TASK_LOST",
    "TASK_DROPPED",
    "TASK_GONE",
    "TASK_GONE_BY_OPERATOR",
    "TASK_UNREACHABLE",
    "TASK_UNKNOWN",
}
"""States after which a task is given up. An unreachable one may come back and still count."""

EXECUTOR_UNHARMED = {
    "REASON_AGENT_DISCONNECTED",
    "REASON_INVALID_OFFERS",
    "REASON_MASTER_DISCONNECTED",
    "REASON_RECONCILIATION",
    "REASON_SLAVE_DISCONNECTED",
}
"""Reasons for losing a task that say nothing about its executor."""

GONE = "REASON_AGENT_REMOVED_BY_OPERATOR"
BY_OPERATOR = {"REASON_AGENT_DRAINING", GONE}
"""Reasons for losing a task that are an operator's will and nobody's fault."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """The framework is registered, for the first time or with another leader."""

    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Disconnected:
    """The connection to the leader ended; tasks run on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """The framework is gone, and all its tasks and executors: a new one begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """The master offers resources."""

    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A task's state, as Mesos names it.

    Of TASK_FINISHED: `intact` is whether its result is here in full, or `kept` as runs by its
    executor; `seconds` and `bytes` are what the worker spent and mapped.
    Of TASK_FAILED: `block_fault` is whether the job's code or the input is to blame;
    `unreachable` names the executor whose runs could not be fetched.
    """

    task_id: str
    state: str
    from_executor: bool = False
    reason: str = ""
    message: str = ""
    intact: bool = False
    kept: bool = False
    seconds: float = 0.0
    bytes: int = 0
    block_fault: bool = False
    unreachable: str = ""

    def describe(self) -> str:
        """Return how the task ended, for messages."""
        if self.state == "TASK_FINISHED":
            return "TASK_FINISHED, but a result that did not arrive intact"
        reason = f" ({self.reason})" if self.reason else ""
        return f"{self.state}{reason}: {self.message.rstrip('.') or 'no message'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutorLost:
    """An executor ended."""

    executor_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLost:
    """An agent was removed; it may come back."""

    agent_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLost:
    """A counted result that was on this machine is not there any more."""

    task_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchFailed:
    """A launch could not be sent, or its answer was lost: whether the tasks run is unknown."""

    task_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Overflow:
    """The merged results passed the limit of what is merged here: executors keep theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """All results are merged here or listed as runs, the answer to Collect.

    `sizes` are the bytes of all runs by bucket and `pairs` how many they hold; no sizes mean that
    there are no runs: everything is merged here.
    """

    sizes: tuple[int, ...] = ()
    pairs: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Time passed."""


Event = (
    Registered
    | Disconnected
    | Removed
    | Offers
    | Update
    | ExecutorLost
    | AgentLost
    | ResultLost
    | LaunchFailed
    | Overflow
    | Collected
    | Tick
)


# Actions


@dataclass(frozen=True, slots=True, kw_only=True)
class Executor:
    """An executor to run tasks on; the same for all tasks of its id, as Mesos demands.

    `worker_mem` is what each of the workers may use, in MB, a part of `mem`.
    """

    id: str
    agent_id: str
    workers: int
    cpus: float
    mem: float
    worker_mem: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One attempt at a block or a partition; `keep`: its result stays with the executor."""

    id: str
    content: Block | Partition
    cpus: float
    mem: float
    keep: bool = False


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
    """Kill a task whose block or partition another one has done."""

    task_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconcile:
    """Ask the master for the states of tasks, by id with their agents' ids."""

    tasks: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Take the task's result: the block or partition is done, by this task alone."""

    task_id: str
    content: Block | Partition


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncount:
    """Forget a result that was counted: it is lost, and another task makes it again."""

    task_id: str
    content: Block | Partition


@dataclass(frozen=True, slots=True, kw_only=True)
class Collect:
    """Every block is counted: bring the results together and say Collected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Avoid:
    """Tell the user that an agent fails again and again, and gets no more tasks."""

    agent_id: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """Everything is counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail:
    """The job cannot be completed; `executor` is the one whose output may tell why.

    `startup`: executors end before they take up work.
    """

    message: str
    executor: Executor | None = field(default=None)
    startup: bool = False


Action = (
    Launch
    | Decline
    | Suppress
    | Revive
    | Kill
    | Reconcile
    | Count
    | Uncount
    | Collect
    | Avoid
    | Finish
    | Fail
)
