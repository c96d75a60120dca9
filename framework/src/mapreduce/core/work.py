"""The units of work of a run: what waits, what is done, where the results are. Pure.

First the blocks are mapped. When all are done and their results are known (`partition`), the
partitions are reduced, if there are any. A block whose result is lost is mapped again, and what is
left to reduce waits for it.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from mapreduce.core import sizing
from mapreduce.core.cutter import Cutter, Extent
from mapreduce.core.state import State, Unit

SMOOTHING = 0.5
"""The weight of the latest task in the rate."""


class Work:
    """See the module's head."""

    def __init__(self, extents: Sequence[Extent]) -> None:
        self.units: dict[str, Unit] = {}
        self.waiting: dict[str, deque[Unit]] = {"map": deque(), "reduce": deque()}
        self.undone = {"map": 0, "reduce": 0}
        self.collected = False
        self.partitioned = False
        self.rate = float(sizing.FIRST_RATE)
        self._measured = False
        self._cutter = Cutter(extents)

    @property
    def mapped(self) -> bool:
        """Whether every block is done."""
        return self._cutter.exhausted and not self.undone["map"]

    @property
    def complete(self) -> bool:
        """Whether every block and partition is done."""
        return self.mapped and self.collected and not self.undone["reduce"]

    @property
    def available(self) -> bool:
        """Whether there is a unit to launch."""
        return (
            bool(self.waiting["map"])
            or not self._cutter.exhausted
            or (self.mapped and self.collected and bool(self.waiting["reduce"]))
        )

    def next(self, workers: int) -> Unit:
        """Take the unit to launch next, where so many workers share what there is."""
        for kind in ("map", "reduce"):
            if self.waiting[kind]:
                return self.waiting[kind].popleft()
            if kind == "map" and not self._cutter.exhausted:
                size = sizing.block_size(self._cutter.remaining, workers, self.rate)
                unit = self._add(Unit(self._cutter.cut(size)))
                self.waiting["map"].remove(unit)
                return unit
        raise LookupError("nothing is available")

    def _add(self, unit: Unit) -> Unit:
        self.units[unit.name] = unit
        self.waiting[unit.kind].append(unit)
        self.undone[unit.kind] += 1
        return unit

    def measure(self, size: int, seconds: float) -> None:
        """Take in how long a worker took to map so many bytes."""
        if size <= 0 or seconds <= 0:
            return
        rate = size / seconds
        weight = SMOOTHING if self._measured else 1.0
        self.rate += weight * (rate - self.rate)
        self._measured = True

    def done(self, unit: Unit, task_id: str, keeper: str | None) -> None:
        """Count a unit, by one task."""
        if unit.state is State.WAITING:
            self.waiting[unit.kind].remove(unit)
        unit.move(State.DONE, task_id)
        unit.counted, unit.keeper = task_id, keeper
        self.undone[unit.kind] -= 1

    def undo(self, unit: Unit, why: str) -> None:
        """Take back what was counted: it has to be done again."""
        unit.counted, unit.keeper = None, None
        self.undone[unit.kind] += 1
        if unit.kind == "map":
            self.collected = False
        self.wait(unit, why)

    def wait(self, unit: Unit, why: str) -> None:
        """Put a unit back, ahead of what was never tried."""
        unit.move(State.WAITING, why)
        self.waiting[unit.kind].appendleft(unit)

    def kept_by(self, executor_ids: Iterable[str]) -> list[Unit]:
        """Return the units whose results these executors hold."""
        wanted = set(executor_ids)
        return [unit for unit in self.units.values() if unit.keeper in wanted]

    def partition(self, sizes: Sequence[int], pairs: int, workers: int) -> None:
        """Begin to reduce; the partitions are chosen once, as some may be done already."""
        assert self.mapped
        self.collected = True
        if sizes and not self.partitioned:
            self.partitioned = True
            for found in sizing.partitions(sizes, pairs, workers):
                self._add(Unit(found))

    def check(self) -> None:
        """Assert what always holds; for tests."""
        for kind, queue in self.waiting.items():
            units = [unit for unit in self.units.values() if unit.kind == kind]
            waiting = {unit.name for unit in units if unit.state is State.WAITING}
            assert waiting == {unit.name for unit in queue}
            assert len(queue) == len(waiting)
            assert self.undone[kind] == sum(unit.state is not State.DONE for unit in units)
        for unit in self.units.values():
            assert (unit.state is State.LAUNCHED) == bool(unit.live), unit
            assert (unit.state is State.DONE) == (unit.counted is not None), unit
            assert unit.keeper is None or unit.kind == "map", unit
