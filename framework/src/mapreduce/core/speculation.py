"""Second attempts at tasks that take much longer than others of their kind. Pure.

They run only when nothing else waits, on agents with idle workers; the first intact result counts.
"""

import bisect
from collections.abc import Collection, Sequence

from mapreduce.core.state import Agent, Attempt, Unit
from mapreduce.core.work import Work

SLOW = 2.0
"""Times the usual duration that makes a task a straggler."""

LEAST = 1.0
"""Seconds below which no task is a straggler."""

ASK_AFTER = 2.0
"""Seconds between requests for offers on behalf of stragglers."""

MOST_TASKS = 2
"""Live tasks of one unit."""

Running = Sequence[tuple[str, Attempt, Agent]]


class Speculation:
    """Knows how long tasks take, and which take too long."""

    def __init__(self, work: Work) -> None:
        self.launched = 0
        self._work = work
        self._paces: dict[str, list[float]] = {"map": [], "reduce": []}
        self._asked = float("-inf")

    def note(self, unit: Unit, seconds: float) -> None:
        """Take in how long a task took that is done."""
        if seconds > 0:
            bisect.insort(self._paces[unit.kind], seconds / (unit.content.size + 1))

    def wanted(self, running: Running, now: float) -> bool:
        """Whether to ask for offers now; answers so only once in a while."""
        if now - self._asked < ASK_AFTER or not self._stragglers(running, now):
            return False
        self._asked = now
        return True

    def choose(
        self, running: Running, taken: Collection[Unit], agent: Agent, spare: int, now: float
    ) -> list[Unit]:
        """Return the units to attempt a second time on an agent with so many idle workers.

        Those that are `taken` are about to be attempted elsewhere.
        """
        late = (one.unit for one, where in self._stragglers(running, now) if where is not agent)
        found = [unit for unit in late if unit not in taken][: max(0, spare)]
        self.launched += len(found)
        return found

    def _stragglers(self, running: Running, now: float) -> list[tuple[Attempt, Agent]]:
        """Return the tasks that are late and alone, the latest first."""
        late = [
            (self._lateness(attempt, agent, now), attempt, agent)
            for _, attempt, agent in running
            if len(attempt.unit.live) < MOST_TASKS
            # While a block is mapped again, reducers would look for a result that is lost.
            and (attempt.unit.kind == "map" or self._work.collected)
        ]
        late.sort(key=lambda one: -one[0])
        return [(attempt, agent) for lateness, attempt, agent in late if lateness > 0]

    def _lateness(self, attempt: Attempt, agent: Agent, now: float) -> float:
        """Return by how many seconds a task is late; below 0 if it is not."""
        paces = self._paces[attempt.unit.kind]
        if not paces:
            return -1.0
        usual = paces[len(paces) // 2] * (attempt.unit.content.size + 1)
        # One that is queued waits for others, as long as these come to an end.
        since = attempt.began if attempt.began is not None else max(attempt.launched, agent.heard)
        return now - since - max(LEAST, SLOW * usual)
