"""How much of what: workers and tasks for an offer, bytes for a block, buckets for a reduce task.

One executor an agent, with as many worker processes as it has CPUs. Several tasks queue for each
worker, so that a worker that ends one begins the next without waiting for an offer. Memory is the
executor's: the workers that use it live as long as it does. Pure.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mapreduce.core.cutter import LARGEST, SMALLEST

if TYPE_CHECKING:
    from mapreduce.core.events import Executor, Offer

EXECUTOR_CPUS = 0.1
EXECUTOR_MEM = 96.0
"""MB for the executor itself, with the libraries that its workers share."""

LEAST_WORKER_MEM = 96
MOST_WORKER_MEM = 144
ALONE_WORKER_MEM = 256
"""MB for a worker: the least that is worth starting, the most of several and of only one. What
is offered beyond it stays with others; tables that outgrow it go to disk."""

TASK_MEM = 1.0
"""MB. A token amount, as a task that asks for no memory is unusual; see the module's head."""

QUEUE = 4
"""Tasks for each worker, running or queued."""

SMALLEST_TASK_CPUS = 0.02
"""Mesos grants no less than 0.01."""

BLOCK_SECONDS = 1.0
LEAST_SECONDS = 0.03
"""What a block should take, at most and at least: short enough to lose, long enough to outweigh
its task."""

FIRST_RATE = 8 << 20
"""Bytes per second taken for a worker's rate until one is measured."""

PARTITION_PAIRS = 250_000
PARTITION_BYTES = 48 << 20
"""What one reduce task merges, so that it fits into any worker's memory."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An executor's workers, their memory in MB, and each task's share of the CPUs."""

    workers: int
    worker_mem: int
    task_cpus: float

    @property
    def mem(self) -> float:
        """MB of the executor as a whole."""
        return EXECUTOR_MEM + self.workers * self.worker_mem

    @property
    def slots(self) -> int:
        """Tasks that the executor takes at once."""
        return self.workers * QUEUE


def plan(offer: "Offer") -> Plan | None:
    """Return how to use an agent that has no executor yet; None if the offer is too small."""
    cpus = offer.cpus - EXECUTOR_CPUS
    mem = offer.mem - EXECUTOR_MEM
    workers = min(max(1, round(cpus)), int(mem // (LEAST_WORKER_MEM + QUEUE * TASK_MEM)))
    if workers < 1:
        return None
    # Mesos keeps three decimals; rounded down, so that the tasks fit into the offer.
    task_cpus = int(cpus / (workers * QUEUE) * 1000) / 1000
    if task_cpus < SMALLEST_TASK_CPUS:
        return None
    most = ALONE_WORKER_MEM if workers == 1 else MOST_WORKER_MEM
    return Plan(workers, min(most, int(mem / workers - QUEUE * TASK_MEM)), task_cpus)


LEAST_CPUS = EXECUTOR_CPUS + QUEUE * SMALLEST_TASK_CPUS
LEAST_MEM = EXECUTOR_MEM + LEAST_WORKER_MEM + QUEUE * TASK_MEM
"""What an agent must have for one worker."""


def fits(offer: "Offer", executor: "Executor", task_cpus: float, *, running: bool) -> int:
    """Return how many tasks of an executor's an offer can hold; `running`: it was launched."""
    own_cpus, own_mem = (0.0, 0.0) if running else (executor.cpus, executor.mem)
    by_cpus = (offer.cpus - own_cpus + 1e-6) // task_cpus
    by_mem = (offer.mem - own_mem + 1e-6) // TASK_MEM
    return max(0, int(min(by_cpus, by_mem)))


def block_size(remaining: int, workers: int, rate: float) -> int:
    """Return the bytes of the next block.

    `remaining` bytes are yet to be cut for so many workers, each of which maps `rate` bytes in a
    second. Blocks shrink towards the end, so that all workers end at about the same time.
    """
    wanted = min(rate * BLOCK_SECONDS, remaining / (2 * max(1, workers)))
    size = min(max(int(wanted), int(rate * LEAST_SECONDS), SMALLEST), LARGEST)
    return remaining if size <= remaining < size + SMALLEST // 2 else size


@dataclass(frozen=True, slots=True)
class Partition:
    """What one reduce task reduces: the buckets from `start` up to `stop`, in all runs.

    `size` in bytes of encoded pairs, as known when the partitions were chosen.
    """

    kind: ClassVar[str] = "reduce"
    number: int
    start: int
    stop: int
    size: int

    def describe(self, _: object) -> str:
        """Name the partition, for messages."""
        return f"partition {self.number} (buckets {self.start}-{self.stop})"


def partitions(sizes: Sequence[int], pairs: int, workers: int) -> list[Partition]:
    """Cut the buckets of these sizes, which hold so many pairs, into ranges for reduce tasks.

    Each is small enough for a worker's memory, and no worker need be idle.
    """
    total = sum(sizes)
    if not total:
        return []
    limit = min(PARTITION_BYTES, total * PARTITION_PAIRS / pairs if pairs else total)
    count = max(math.ceil(total / limit), workers)
    ends = list(itertools.accumulate(sizes))
    # Each bucket belongs where its middle lies, if all partitions were equal.
    places = [
        min(count - 1, int((end - size / 2) * count / total))
        for end, size in zip(ends, sizes, strict=True)
    ]
    starts = [0, *(n for n in range(1, len(sizes)) if places[n] != places[n - 1])]
    stops = [*starts[1:], len(sizes)]
    return [
        Partition(number, start, stop, sum(sizes[start:stop]))
        for number, (start, stop) in enumerate(zip(starts, stops, strict=True))
    ]
