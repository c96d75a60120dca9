"""What a worker knows of its executor, takes in as a task and gives back as an outcome."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mapreduce.errors import MapReduceError
from mapreduce.job import Job, told


class JobError(MapReduceError):
    """The job's own code raised; the message says on what and where."""


class LostRunError(MapReduceError):
    """An executor's run cannot be read any more; `executor` is the executor's id."""

    def __init__(self, message: str, executor: str) -> None:
        super().__init__(message)
        self.executor = executor


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all tasks of a worker share.

    `server` is the scheduler's URL; `folder` holds the worker's runs, which others read below the
    URL `served`; a table that passes `table_bytes` goes out. `patience` is for how many seconds
    the scheduler may be away.
    """

    job: Job[Any, Any]
    server: str
    folder: Path
    served: str
    table_bytes: int
    patience: float


@dataclass(frozen=True, slots=True)
class Task:
    """A task as it came, and when: seconds of the machine's monotonic clock."""

    id: str
    data: dict[str, Any]
    received: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A task's receipt, or why there is none, with what the scheduler should know of it."""

    receipt: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    fault: dict[str, Any] = field(default_factory=dict)


class Clock:
    """Seconds that a task spent, by what it spent them on."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def on(self, what: str, *, cpu: str = "") -> Iterator[None]:
        """Add the time that this takes, also if it fails; as `cpu`, the time that it computes."""
        began, computed = time.monotonic(), time.thread_time()
        try:
            yield
        finally:
            self.seconds[what] += time.monotonic() - began
            if cpu:
                self.seconds[cpu] += time.thread_time() - computed


@contextmanager
def job_errors(doing: str, offset: int | None = None) -> Iterator[None]:
    """Turn what the job's own code raises into a JobError that says `doing` what and where."""
    try:
        yield
    except (MapReduceError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        at = "" if offset is None else f", in the piece that begins at byte {offset}"
        raise JobError(f"the job failed {doing}{at}: {told(error)}") from error
