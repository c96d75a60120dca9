"""How an agent's resources are used: how many workers and tasks an offer is good for.

One executor an agent, with as many worker processes as it has CPUs. Several tasks queue for each
worker, so that a worker that ends one begins the next without waiting for an offer. Memory is the
executor's: the workers that use it live as long as it does.
"""

from dataclasses import dataclass

from mapreduce.events import Executor, Offer

EXECUTOR_CPUS = 0.1
EXECUTOR_MEM = 64.0
WORKER_MEM = 128.0
"""MB. Measured: 25 for the executor, and at most 79 for a worker that counts words which are all
different, the most that it ever holds before it sends them; the rest is for other jobs."""

TASK_MEM = 1.0
"""MB. A token amount, as a task that asks for no memory is unusual; see the module's head."""

QUEUE = 4
"""Tasks for each worker, running or queued."""

SMALLEST_TASK_CPUS = 0.02
"""Mesos grants no less than 0.01."""


@dataclass(frozen=True, slots=True)
class Plan:
    """An executor's workers, and each task's share of the CPUs."""

    workers: int
    mem: float
    task_cpus: float

    @property
    def slots(self) -> int:
        """Tasks that the executor takes at once."""
        return self.workers * QUEUE


def plan(offer: Offer) -> Plan | None:
    """Return how to use an agent that has no executor yet; None if the offer is too small."""
    cpus = offer.cpus - EXECUTOR_CPUS
    by_mem = int((offer.mem - EXECUTOR_MEM) // (WORKER_MEM + QUEUE * TASK_MEM))
    workers = min(max(1, round(cpus)), by_mem)
    if workers < 1:
        return None
    # Mesos keeps three decimals; rounded down, so that the tasks fit into the offer.
    task_cpus = int(cpus / (workers * QUEUE) * 1000) / 1000
    if task_cpus < SMALLEST_TASK_CPUS:
        return None
    return Plan(workers, EXECUTOR_MEM + workers * WORKER_MEM, task_cpus)


LEAST_CPUS = EXECUTOR_CPUS + QUEUE * SMALLEST_TASK_CPUS
LEAST_MEM = EXECUTOR_MEM + WORKER_MEM + QUEUE * TASK_MEM
"""What an agent must have for one worker."""


def fits(offer: Offer, executor: Executor, task_cpus: float, *, running: bool) -> int:
    """Return how many tasks of an executor's an offer can hold; `running`: it was launched."""
    own_cpus, own_mem = (0.0, 0.0) if running else (executor.cpus, executor.mem)
    by_cpus = (offer.cpus - own_cpus + 1e-6) // task_cpus
    by_mem = (offer.mem - own_mem + 1e-6) // TASK_MEM
    return max(0, int(min(by_cpus, by_mem)))
