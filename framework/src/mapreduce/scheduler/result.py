"""What a run returns: the rows in the job's order, and where the time went."""

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Self

from mapreduce.exchange import results
from mapreduce.job import Job, failures

Row = tuple[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What a worker, an executor or the cluster did for a while.

    `kind` is "map", "reduce", "start" (an executor, until its first task ran) or "offers" (until
    there was one that could be used). `began` and `ended` in seconds since the run began. `worker`
    is the worker's process id, 0 where there is none; `task` the id of the task or executor;
    `outcome` "done", "failed", "lost", or "killed": another task had done the same. A
    `speculative` one was launched while another one of the same block or partition ran.
    """

    kind: str
    agent: str
    worker: int
    began: float
    ended: float
    bytes: int = 0
    task: str = ""
    outcome: str = "done"
    speculative: bool = False


@dataclass(slots=True, kw_only=True)
class Result:
    """The result of a run, in files until it is closed.

    `phases` are seconds of wall time by phase, and those of all workers together under "input
    wait", "mapping" and "mapping cpu".
    """

    job: Job[Any, Any]
    keys: int
    files: Sequence[Path]
    limit: int | None
    timeline: list[Span] = field(default_factory=list)
    phases: dict[str, float] = field(default_factory=dict)
    on_close: Callable[[], None] | None = None
    on_keep: Callable[[], None] | None = None

    def rows(self) -> Iterator[Row]:
        """Yield the rows in the job's order; all of them, unless the run was for the first only.

        Bounded in memory. Can be called again until `close`.
        """
        with failures("sorting"):
            merged = heapq.merge(*map(results.read_rows, self.files), key=self.job.order)
            yield from islice(merged, self.limit)

    def top(self, count: int) -> list[Row]:
        """Return the first rows."""
        return list(islice(self.rows(), count))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the files; does nothing after `close` or `keep`."""
        self._end(self.on_close)

    def keep(self) -> None:
        """Let go of the files, so that `--resume` gives this result again."""
        self._end(self.on_keep)

    def _end(self, ending: Callable[[], None] | None) -> None:
        self.on_close = self.on_keep = None
        if ending is not None:
            ending()
