"""Where the time of a run went, as far as its messages tell."""

from typing import Any

from mapreduce.core.events import Update
from mapreduce.scheduler.result import Span

OUTCOMES = {"TASK_FINISHED": "killed", "TASK_FAILED": "failed", "TASK_KILLED": "killed"}
"""Of tasks that do not count; all others are lost."""

BUSY = ("input", "map", "send", "shuffle", "reduce")
"""What a worker's seconds are spent on."""


def seconds(timing: dict[str, Any]) -> float:
    """Return what a worker spent on a task, of the timing in its receipt."""
    return sum(float(timing.get(name, 0.0)) for name in BUSY)


class Timeline:
    """Notes launches and ends; times are seconds of any one clock, spans begin at `began`.

    Agents go by their ids here.
    """

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.began = 0.0
        self._ends: dict[str, float] = {}
        self._spent: dict[str, float] = {}
        self._launched: dict[str, float] = {}
        self._started: set[str] = set()

    @property
    def phase(self) -> str:
        """The phase until all blocks are done."""
        if "start-up" in self._ends:
            return "map"
        return "start-up" if "offers" in self._ends else "offers"

    def launched(self, executor_id: str, now: float) -> None:
        """Note that tasks were launched on an executor."""
        if "offers" not in self._ends:
            self._ends["offers"] = now
            self._add("offers", "", self.began, now)
        self._launched.setdefault(executor_id, now)

    def running(self, executor_id: str, agent: str, now: float) -> None:
        """Note that a task of an executor's runs."""
        self._ends.setdefault("start-up", now)
        if executor_id not in self._started and executor_id in self._launched:
            self._started.add(executor_id)
            self._add("start", agent, self._launched[executor_id], now, task=executor_id)

    def ended(
        self,
        update: Update,
        kind: str,
        agent: str,
        receipt: dict[str, Any],
        now: float,
        *,
        counts: bool,
        speculative: bool,
    ) -> None:
        """Note how a task ended; `receipt` says what its worker spent, where there is one."""
        timing = receipt.get("timing", {})
        for name in (*BUSY, "cpu"):
            spent = self._spent.get(f"{kind} {name}", 0.0)
            self._spent[f"{kind} {name}"] = spent + float(timing.get(name, 0.0))
        self._add(
            kind,
            agent,
            max(self.began, now - seconds(timing)),
            now,
            worker=int(timing.get("pid", 0)),
            bytes=int(timing.get("bytes", 0)),
            task=update.task_id,
            outcome="done" if counts else OUTCOMES.get(update.state, "lost"),
            speculative=speculative,
        )

    def mapped(self, now: float) -> None:
        """Note that all blocks are done, for the first time or again."""
        self._ends["map"] = now

    def merged(self, now: float) -> None:
        """Note that the scheduler has brought its own share together."""
        self._ends["shuffle"] = now

    def finished(self, now: float) -> None:
        """Note that the result is complete."""
        self._ends["reduce"] = now

    def phases(self) -> dict[str, float]:
        """Return the seconds of each phase, and those of all workers together.

        What reduce tasks fetch and what they reduce overlaps: the time of that phase is shared
        out by what the workers spent on either.
        """
        found: dict[str, float] = {}
        last = self.began
        for name in ("offers", "start-up", "map", "shuffle", "reduce"):
            end = max(last, self._ends.get(name, last))
            found[name] = end - last
            last = end
        fetching, reducing = (self._spent.get(f"reduce {name}", 0.0) for name in BUSY[3:])
        if fetching + reducing:
            fetched = found["reduce"] * fetching / (fetching + reducing)
            found["shuffle"] += fetched
            found["reduce"] -= fetched
        found["input wait"] = self._spent.get("map input", 0.0)
        found["mapping"] = self._spent.get("map map", 0.0)
        found["mapping cpu"] = self._spent.get("map cpu", 0.0)
        return found

    def _add(self, kind: str, agent: str, began: float, ended: float, **more: Any) -> None:
        fields: dict[str, Any] = {"worker": 0, **more}
        self.spans.append(
            Span(
                kind=kind,
                agent=agent,
                began=began - self.began,
                ended=ended - self.began,
                **fields,
            )
        )
