"""The workers of an executor: who does which task, and what becomes of those that die.

One thread owns all of it and reads what the workers say; other threads talk to it in messages.
"""

import contextlib
import os
import queue
import signal
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from mapreduce.executor.forkserver import ForkServer, ForkServerError
from mapreduce.executor.tasks import Outcome, Task
from mapreduce.executor.worker import Message

AT_HAND = 2
"""Tasks that a worker has: the one that it does and the next, for which it reads ahead."""

STILLBORN = 3
"""Workers in a row that may die before they take up work: then no other will do better."""

OUTSIDE = {signal.SIGKILL, signal.SIGTERM}
"""Signals that come from outside; others are the doing of the code that ran."""


class Listener(Protocol):
    """Told by the pool's thread how tasks fare."""

    def began(self, task_id: str) -> None:
        """Learn that a worker does the task."""

    def ended(self, task_id: str, outcome: Outcome) -> None:
        """Learn that the task is done or has failed."""

    def killed(self, task_id: str) -> None:
        """Learn that the task was killed, as was asked for."""

    def broke(self, error: Exception) -> None:
        """Learn that there are no workers any more, and will be none."""


@dataclass(slots=True, eq=False)
class _Worker:
    """A process: `tasks` are at its hand in this order, it does the first.

    Those `dropped` it is to skip, as they were killed or are another worker's now. One that is
    `stopped` was killed here and is about to be replaced.
    """

    pid: int
    connection: "Connection[Task, Message]"
    turns: "Connection[bool, None]"
    tasks: deque[Task] = field(default_factory=deque)
    dropped: set[str] = field(default_factory=set)
    hungry: bool = False
    stopped: bool = False

    @property
    def open(self) -> bool:
        """Whether it can read ahead for another task."""
        return self.hungry and len(self.tasks) < AT_HAND

    def later(self) -> dict[str, Task]:
        """Return the tasks that it is to do behind the first, by id."""
        tasks = {task.id: task for task in list(self.tasks)[1:]}
        return {task_id: task for task_id, task in tasks.items() if task_id not in self.dropped}

    def next_turn(self) -> Task | None:
        """Have it do the next of its tasks that is not dropped, and return that."""
        while self.tasks:
            task = self.tasks[0]
            wanted = task.id not in self.dropped
            with contextlib.suppress(OSError):  # it died, which is about to be heard
                self.turns.send(wanted)
            if wanted:
                return task
            self.tasks.popleft()
            self.dropped.discard(task.id)
        return None


class Pool:
    """Workers, as many as `start` says; tasks that come before wait.

    `fork_server` is used by the pool's thread alone from `start` on.
    """

    def __init__(self, fork_server: ForkServer, listener: Listener) -> None:
        self._fork_server = fork_server
        self._listener = listener
        self._workers: dict[Any, _Worker] = {}
        self._waiting: deque[Task] = deque()
        self._trouble = ""
        self._worker_mem = 0.0
        self._stillborn = 0
        self._told: queue.SimpleQueue[tuple[Callable[[Any], None], Any]] = queue.SimpleQueue()
        # A message here for each one there: a thread can wait for connections, not for queues.
        self._woken, self._wake = Pipe(duplex=False)
        self._waking = threading.Lock()

    def start(self, count: int, worker_mem: float, **about: Any) -> None:
        """Load the job and start workers with so many MB each, on a thread of the pool's own."""
        self._worker_mem = worker_mem
        about["worker_mem"] = worker_mem
        threading.Thread(target=self._run, args=(count, about), daemon=True).start()

    def submit(self, task: Task) -> None:
        """Have a task done."""
        self._tell(self._submit, task)

    def kill(self, task_id: str) -> None:
        """End a task, whatever it does; nothing comes of it if it has ended."""
        self._tell(self._kill, task_id)

    def _tell(self, what: Callable[[Any], None], about: Any) -> None:
        self._told.put((what, about))
        with self._waking:
            self._wake.send_bytes(b"")

    # The pool's thread

    def _run(self, count: int, about: dict[str, Any]) -> None:
        try:
            self._load(about)
            if not self._trouble:
                for _ in range(count):
                    self._add_worker()
            while True:
                self._step()
        except Exception as error:
            self._listener.broke(error)

    def _load(self, about: dict[str, Any]) -> None:
        """Have the job loaded; tasks can be killed meanwhile, however long that takes."""
        self._fork_server.begin_load(**about)
        answer = self._fork_server.fileno()
        while answer not in wait([self._woken, answer]):
            self._listen()
        self._trouble = self._fork_server.loaded()
        while self._trouble and self._waiting:
            self._submit(self._waiting.popleft())

    def _listen(self) -> None:
        self._woken.recv_bytes()
        what, about = self._told.get()
        what(about)

    def _step(self) -> None:
        for ready in wait([self._woken, *self._workers]):
            if ready is self._woken:
                self._listen()
            elif ready in self._workers:
                self._hear(self._workers[ready])
        self._hand_out()

    def _add_worker(self) -> None:
        connection, theirs = Pipe()
        their_turns, turns = Pipe(duplex=False)
        with theirs, their_turns:
            pid = self._fork_server.fork(theirs, their_turns)
        self._workers[connection] = _Worker(pid, connection, turns)

    def _submit(self, task: Task) -> None:
        if self._trouble:
            self._listener.ended(task.id, Outcome(error=self._trouble))
        else:
            self._waiting.append(task)

    def _kill(self, task_id: str) -> None:
        for task in self._waiting:
            if task.id == task_id:
                self._waiting.remove(task)
                self._listener.killed(task_id)
                return
        for worker in self._workers.values():
            if worker.tasks and worker.tasks[0].id == task_id:
                self._stop(worker)
            elif task_id in worker.later():
                worker.dropped.add(task_id)
                self._listener.killed(task_id)

    def _stop(self, worker: _Worker) -> None:
        """End a worker, which ends soon whatever the job's code does."""
        worker.stopped = True
        os.kill(worker.pid, signal.SIGKILL)

    def _hand_out(self) -> None:
        """Give waiting tasks to workers that can read ahead, idle ones first."""
        able = [worker for worker in self._workers.values() if worker.open]
        for worker in sorted(able, key=lambda worker: len(worker.tasks)):
            if not self._waiting and not worker.tasks:
                self._take_back()
            if not self._waiting:
                return
            worker.hungry = False
            worker.tasks.append(self._waiting.popleft())
            with contextlib.suppress(OSError):  # it died, which is about to be heard
                worker.connection.send(worker.tasks[-1])
            if len(worker.tasks) == 1:
                self._turn(worker)

    def _take_back(self) -> None:
        """Take a task, for a worker that is idle, from one that is not there yet."""
        for worker in self._workers.values():
            for task_id, task in worker.later().items():
                worker.dropped.add(task_id)
                self._waiting.append(task)
                return

    def _turn(self, worker: _Worker) -> None:
        task = worker.next_turn()
        if task is not None:
            self._listener.began(task.id)

    def _hear(self, worker: _Worker) -> None:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            self._replace(worker)
            return
        if worker.stopped:
            return  # too late: what it did is not wanted any more
        if isinstance(message, Outcome):
            self._listener.ended(worker.tasks.popleft().id, message)
            self._turn(worker)
        else:
            worker.hungry = True
            self._stillborn = 0

    def _replace(self, worker: _Worker) -> None:
        """Start another worker for one that died; the task behind the one it did waits again."""
        status = self._fork_server.reap(worker.pid)
        del self._workers[worker.connection]
        worker.connection.close()
        worker.turns.close()
        self._waiting.extendleft(worker.later().values())
        if worker.stopped:
            self._listener.killed(worker.tasks[0].id)
        elif worker.tasks:
            self._listener.ended(worker.tasks[0].id, self._death(status))
        elif not worker.hungry:
            self._stillborn += 1
            if self._stillborn == STILLBORN:
                raise ForkServerError(f"workers die as they start, {_ending(status)}")
        self._add_worker()

    def _death(self, status: int) -> Outcome:
        """Say how a worker died."""
        why = ""
        if status == -signal.SIGKILL:
            why = f", as happens where memory runs out; a worker has {self._worker_mem:.0f} MB"
        return Outcome(
            error=f"the worker died while it did this task, {_ending(status)}{why}",
            fault={} if -status in OUTSIDE else {"block_fault": True},
        )


def _ending(status: int) -> str:
    """Say how a process ended, which is told as subprocess does."""
    if status >= 0:
        return f"with status {status}"
    names = {number.value: number.name for number in signal.Signals}
    return f"of {names.get(-status, f'signal {-status}')}"
