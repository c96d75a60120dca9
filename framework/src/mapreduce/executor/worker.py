"""A worker process of an executor's: takes tasks over a connection and answers with outcomes.

The main thread does the tasks' work; another takes them in and reads ahead for them. What can go
wrong is answered as text rather than raised, as it goes into a task's status.
"""

import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Generator
from multiprocessing.connection import Connection
from typing import Any

from mapreduce.errors import MapReduceError, SourceError
from mapreduce.exchange.results import ResultError
from mapreduce.executor import mapping, reducing
from mapreduce.executor.readahead import Budget, Feed
from mapreduce.executor.tasks import Clock, JobError, LostRunError, Outcome, Setup, Task
from mapreduce.tables import NotPlainError

READ_AHEAD = 3 << 20
"""Bytes that are read ahead: about three pieces, the one being mapped apart."""

LONGEST_TEXT = 2000
"""Characters of an error in a task's status; jobs may put whole records into theirs."""

HUNGRY = "hungry"
"""What a worker says when it has read all that it has: another task can be read ahead for it."""

FAULTS = (JobError, SourceError, ResultError, NotPlainError, MemoryError)
"""Errors that would come again wherever the task runs."""

Message = str | Outcome
"""What a worker sends: HUNGRY, or the outcome of the first task that it has not answered yet."""


class Worker:
    """Does tasks until the connection ends.

    `turns` brings one message for each task, when it is its turn: whether it is still wanted.
    """

    def __init__(
        self,
        setup: Setup,
        connection: "Connection[Message, Task]",
        turns: "Connection[None, bool]",
    ) -> None:
        self._setup = setup
        self._connection = connection
        self._turns = turns
        self._budget = Budget(READ_AHEAD)
        self._sending = threading.Lock()
        self._taken: queue.SimpleQueue[tuple[Task, Feed[bytes]]] = queue.SimpleQueue()

    def serve(self) -> None:
        """Do tasks; does not return."""
        threading.Thread(target=self._read, daemon=True).start()
        while True:
            task, feed = self._taken.get()
            with feed:
                if self._turns.recv():
                    self._send(perform(self._setup, task, feed))

    def _read(self) -> None:
        """Take in tasks, and what they read."""
        while True:
            self._send(HUNGRY)
            try:
                task = self._connection.recv()
            except (EOFError, OSError):
                os._exit(0)  # the executor is gone
            feed: Feed[bytes] = Feed(self._budget)
            self._taken.put((task, feed))
            feed.fill(_items(self._setup, task))

    def _send(self, message: Message) -> None:
        with self._sending:
            self._connection.send(message)


def _items(setup: Setup, task: Task) -> Generator[bytes, None, None]:
    if "map" in task.data:
        return mapping.blocks(setup, task.data["map"])
    return reducing.payloads(setup, task.data["reduce"])


def perform(setup: Setup, task: Task, feed: Feed[Any]) -> Outcome:
    """Do a task with what its feed gives, and return what came of it."""
    clock = Clock()
    start = time.monotonic() - task.received
    try:
        if "map" in task.data:
            receipt = mapping.run(setup, task.id, feed, clock, keep=task.data["keep"])
        else:
            receipt = reducing.run(setup, task.id, feed, clock, task.data["top"])
    except Exception as error:
        return _failed(task, error)
    receipt["timing"] |= {
        "start": start,
        "input": feed.waited,
        "pid": os.getpid(),
        **dict.fromkeys(("map", "cpu", "send", "shuffle", "reduce"), 0.0),
        **clock.seconds,
    }
    return Outcome(receipt=receipt)


def _failed(task: Task, error: Exception) -> Outcome:
    text = _text(error)[:LONGEST_TEXT]
    print(f"{task.id}: {text}", file=sys.stderr, flush=True)  # noqa: T201 into the sandbox
    if not isinstance(error, SourceError):
        traceback.print_exception(error.__cause__ if isinstance(error, JobError) else error)
    if isinstance(error, LostRunError):
        return Outcome(error=text, fault={"unreachable": error.executor})
    return Outcome(error=text, fault={"block_fault": True} if isinstance(error, FAULTS) else {})


def _text(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "the worker ran out of memory"
    return str(error) if isinstance(error, MapReduceError) else f"{type(error).__name__}: {error}"
