"""The executor: an agent starts one for a run, and it maps the tasks that it is given.

A shell around PyMesos' driver. Worker processes, as many as the scheduler says, map blocks; they
are started once and live as long as the executor does.
"""

import contextlib
import ctypes
import functools
import logging
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
import uuid
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from pymesos import Executor as PyMesosExecutor
from pymesos import MesosExecutorDriver
from pymesos.utils import decode_data, encode_data, parse_duration

from mapreduce import payload, worker
from mapreduce.errors import MapReduceError
from mapreduce.job import Job, load, split_name

SHIPPED = "job.py"
"""The name under which a job's file is fetched into the sandbox."""

RECOVERY_TIMEOUT = "15mins"
"""Mesos' own default for how long an executor waits for its agent to come back."""

RECONNECT = 0.3
"""Seconds between attempts to reach an agent that is away."""

RESEND = 0.2
"""Seconds between attempts to hand an update to the agent."""

PR_SET_PDEATHSIG = 1

_job: Job[Any, Any] | None = None
"""The job, in a worker process: inherited, so that it is loaded once."""


def _start_worker() -> None:
    """Tie a worker's life to the executor's, which may be killed without warning."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _map(server: str, task_id: str, data: dict[str, Any]) -> worker.Outcome:
    assert _job is not None  # workers are forked after the job is loaded
    return worker.run(_job, server, task_id, data)


def _ready() -> None:
    """Do nothing, which makes the pool start its workers."""


class Driver(MesosExecutorDriver):  # type: ignore[misc]  # PyMesos has no types
    """PyMesos' driver, in time for an agent that restarts.

    Such an agent waits 2 seconds for its executors; PyMesos would try after 2, 4, 8.
    """

    def _backoff(self, num_conn_retry: int) -> float:
        return RECONNECT


class Updates:
    """Sends status updates, in order and until the agent has them.

    PyMesos keeps no record of its own: what is on `driver.updates` it sends again when it
    subscribes again, and it removes what the agent acknowledges.
    """

    def __init__(self, driver: Any) -> None:
        self._driver = driver
        self._queue: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._run, daemon=True).start()

    def send(self, task_id: str, state: str, message: str = "", data: str = "") -> None:
        """Queue an update."""
        identity = uuid.uuid4()
        status = {
            "task_id": {"value": task_id},
            "state": state,
            "source": "SOURCE_EXECUTOR",
            "uuid": encode_data(identity.bytes),
        }
        if message:
            status["message"] = message
        if data:
            status["data"] = data
        self._driver.updates[identity] = {"status": status}
        self._queue.put(status)

    def _run(self) -> None:
        while True:
            status = self._queue.get()
            identity = uuid.UUID(bytes=decode_data(status["uuid"]))
            # Also while the agent is away: a subscription that is under way may lack this one.
            while identity in self._driver.updates and not self._sent(status):
                time.sleep(RESEND)

    def _sent(self, status: dict[str, Any]) -> bool:
        if not self._driver.connected:
            return False
        try:
            self._driver.sendStatusUpdate(status)
        except Exception as error:  # PyMesos lets everything through
            logging.warning("update not sent yet: %s", error)
            return False
        return True


class MapExecutor(PyMesosExecutor):  # type: ignore[misc]  # PyMesos has no types
    """Queues tasks for the workers and reports how they end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, dict[str, Any]]] = deque()
        self._running: set[str] = set()
        self._killed: set[str] = set()
        self._workers = 0
        self._server = ""
        self._trouble = ""
        self._pool: ProcessPoolExecutor | None = None
        self.updates: Updates | None = None

    # Callbacks of PyMesos, on its thread.

    def registered(self, driver: Any, executor: Any, framework: Any, agent: Any) -> None:
        """Load the job and find the scheduler; a failure to do so is every task's."""
        data = payload.decode(executor["data"])
        self._server, self._workers = data["server"], data["workers"]
        try:
            worker.reach(self._server)
            self._start(data["job"])
        except MapReduceError as error:
            self._trouble = str(error)

    def _start(self, name: str) -> None:
        global _job
        shipped = os.path.join(os.environ.get("MESOS_SANDBOX", "."), SHIPPED)  # noqa: PTH118
        _job = load(f"{shipped}:{split_name(name)[1]}" if ".py:" in name else name)
        self._pool = ProcessPoolExecutor(
            self._workers, multiprocessing.get_context("fork"), initializer=_start_worker
        )
        self._pool.submit(_ready)

    def launchTask(self, driver: Any, task: Any) -> None:  # noqa: N802 named by PyMesos
        """Take in a task."""
        task_id = task["task_id"]["value"]
        if self._trouble:
            self._report(task_id, "TASK_FAILED", self._trouble)
            return
        with self._lock:
            self._waiting.append((task_id, payload.decode(task["data"])))
        self._next()

    def killTask(self, driver: Any, task_id: Any) -> None:  # noqa: N802 named by PyMesos
        """Drop a task that waits; the result of one that runs is not reported."""
        name = task_id["value"]
        with self._lock:
            waits = [task for task in self._waiting if task[0] == name]
            for task in waits:
                self._waiting.remove(task)
            if name in self._running:
                self._killed.add(name)
        if waits:
            self._report(name, "TASK_KILLED", "killed before it ran")

    def disconnected(self, driver: Any) -> None:
        """Take a breath: PyMesos would ask an agent that recovers again without a pause."""
        time.sleep(RECONNECT)

    def shutdown(self, driver: Any) -> None:
        """End at once: what was not reported is not wanted."""
        end(0)

    def error(self, driver: Any, message: Any) -> None:
        """End: the agent refuses this executor."""
        logging.error("the agent refuses this executor: %s", message)
        end(1)

    # Tasks

    def _next(self) -> None:
        """Give waiting tasks to free workers."""
        while True:
            with self._lock:
                if not self._waiting or len(self._running) >= self._workers:
                    return
                task_id, data = self._waiting.popleft()
                self._running.add(task_id)
            assert self._pool is not None  # tasks are taken in only then
            future = self._pool.submit(_map, self._server, task_id, data)
            self._report(task_id, "TASK_RUNNING")
            future.add_done_callback(functools.partial(self._done, task_id))

    def _done(self, task_id: str, future: Future[worker.Outcome]) -> None:
        with self._lock:
            self._running.discard(task_id)
            killed = task_id in self._killed
        if killed:
            self._report(task_id, "TASK_KILLED", "killed")
        else:
            self._report_outcome(task_id, future)
        if isinstance(future.exception(), BrokenProcessPool):
            end(1)  # a worker was killed; the scheduler starts another executor
        self._next()

    def _report_outcome(self, task_id: str, future: Future[worker.Outcome]) -> None:
        trouble = future.exception()
        if isinstance(trouble, BrokenProcessPool):
            return  # the agent reports the executor's end
        outcome = worker.Outcome(error=repr(trouble)) if trouble else future.result()
        if outcome.error:
            print(f"{task_id}: {outcome.error}", file=sys.stderr, flush=True)  # noqa: T201
            self._report(task_id, "TASK_FAILED", outcome.error)
        else:
            data = payload.encode({"parts": outcome.parts})
            self._report(task_id, "TASK_FINISHED", data=data)

    def _report(self, task_id: str, state: str, message: str = "", data: str = "") -> None:
        assert self.updates is not None  # set before the driver starts
        self.updates.send(task_id, state, message, data)


def end(status: int) -> None:
    """End the process, and with it its workers, whatever other threads do."""
    os._exit(status)


def main() -> None:
    """Run as an executor; a Mesos agent sets the environment that this takes."""
    if "MESOS_AGENT_ENDPOINT" not in os.environ:
        raise SystemExit("mapreduce-executor is started by a Mesos agent, not by hand.")
    wait = parse_duration(os.environ.get("MESOS_RECOVERY_TIMEOUT", RECOVERY_TIMEOUT))
    executor = MapExecutor()
    driver = Driver(executor, timeout=wait)
    executor.updates = Updates(driver)
    signal.signal(signal.SIGTERM, lambda *_: end(143))
    signal.signal(signal.SIGINT, lambda *_: end(1))  # how PyMesos reports that its thread died
    driver.start()
    driver.join()
    end(0)
