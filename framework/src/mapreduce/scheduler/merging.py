"""What the scheduler itself holds of the results: one table, dumped as runs when it grows large.

So its memory stays bounded, and what it dumped is reduced like what executors kept.
"""

import heapq
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from mapreduce.exchange import results, runs
from mapreduce.exchange.runs import Run
from mapreduce.job import Job, failures
from mapreduce.tables import BUCKETS

LIMIT_KEYS = 300_000
LIMIT_BYTES = 64 << 20
"""Of the table: what one process merges and sorts within its memory."""

LARGE = 4 << 20
"""Bytes of payloads from which on it pays to have the job prepare for more of them."""

LIST_TIMEOUT = 20.0
"""Seconds that who asks for the runs waits, shorter than its own patience with an answer."""

EXPANSION = 6
"""How many times its size a payload takes in a table, at most and about."""


class Merger:
    """Merges payloads that arrived into a table, one at a time, and dumps it at its limit."""

    def __init__(self, job: Job[Any, Any], folder: Path) -> None:
        self.runs: list[Path] = []
        self.sizes = [0] * BUCKETS
        self.pairs = 0
        self._job = job
        self._folder = folder
        self._table = job.table()
        self._taken = 0
        self._pending: deque[Path] = deque()
        # Tasks of a run that was killed may still read its runs, under their own names.
        self._unique = os.urandom(6).hex()

    @property
    def busy(self) -> bool:
        """Whether payloads wait to be merged."""
        return bool(self._pending)

    def add(self, payloads: Iterable[Path]) -> None:
        """Queue payloads."""
        self._pending.extend(payloads)

    def step(self) -> bool:
        """Merge a payload; return whether the table was dumped, as it passed its limit."""
        before = len(self.runs)
        payload = self._pending.popleft().read_bytes()
        few, self._taken = self._taken < LARGE, self._taken + len(payload)
        if few and self._taken >= LARGE:
            with failures("preparing"):
                self._job.prepare()
        if self._table.nbytes + EXPANSION * len(payload) > LIMIT_BYTES:
            self.dump()
        with failures("combining"):
            self._table.merge(payload)
        del payload
        if len(self._table) >= LIMIT_KEYS or self._table.nbytes >= LIMIT_BYTES:
            self.dump()
        return len(self.runs) > before

    def drain(self) -> None:
        """Merge what waits."""
        while self.busy:
            self.step()

    def dump(self) -> None:
        """Write the table as a run, unless it is empty."""
        if not len(self._table):
            return
        self.pairs += len(self._table)
        path = self._folder / f"scheduler-{self._unique}-{len(self.runs)}.run"
        sizes = runs.write_run(path, self._table.dump(BUCKETS))
        self.sizes = [a + b for a, b in zip(self.sizes, sizes, strict=True)]
        self.runs.append(path)

    def listing(self, url: Callable[[str], str]) -> list[dict[str, Any]]:
        """Return the runs for the run list; `url` returns where one is served, by its name."""
        return [{"executor": None, "path": str(path), "url": url(path.name)} for path in self.runs]

    def reduce(self, path: Path, top: int | None) -> int:
        """Write all rows in the job's order, or the first `top` only; return the number of keys."""
        for run in self.runs:  # if any, a little more than the limit
            for payload in Run(run).payloads(0, BUCKETS):
                self._table.merge(payload)
        keys = len(self._table)
        with failures("reducing"):
            rows, order = self._table.rows(), self._job.order
            if top is None:
                results.write_rows(path, results.sorted_rows(rows, order, self._folder))
            else:
                results.write_rows(path, heapq.nsmallest(top, rows, key=order))
        return keys


class RunList:
    """Which runs reducers fetch.

    It is complete whenever it is read. Who asks before it is known waits: when a run is resumed,
    reducers that were launched before may ask at any time.
    """

    def __init__(self) -> None:
        self._runs: list[dict[str, Any]] = []
        self._known = threading.Event()

    def publish(self, runs: Sequence[dict[str, Any]]) -> None:
        """Make the list known, or another one in its place; of each run, what reducers need."""
        self._runs = [{name: run[name] for name in ("executor", "path", "url")} for run in runs]
        self._known.set()

    def get(self) -> list[dict[str, Any]]:
        """Return the list; raises TimeoutError if it does not become known for long."""
        if not self._known.wait(LIST_TIMEOUT):
            raise TimeoutError("the runs are not known yet")
        return self._runs


def add_sizes(into: Sequence[int], more: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Return the sums of sizes by bucket."""
    return tuple(map(sum, zip(into, *more, strict=True)))
