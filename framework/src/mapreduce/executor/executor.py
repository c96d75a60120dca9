"""The executor: an agent starts one for a run, and it does the tasks that it is given.

A shell around PyMesos' driver and a pool of workers, which does the work, with a server for the
runs that the workers keep.
"""

import contextlib
import logging
import os
import queue
import shutil
import signal
import sys
import threading
import time
import uuid
from pathlib import Path
from typing import Any, NoReturn

from pymesos import Executor as PyMesosExecutor
from pymesos import MesosExecutorDriver
from pymesos.utils import decode_data, encode_data, parse_duration

from mapreduce.errors import ClusterError, MapReduceError
from mapreduce.exchange import payload, transfer
from mapreduce.exchange.server import Content, Server
from mapreduce.executor.forkserver import ForkServer
from mapreduce.executor.pool import Pool
from mapreduce.executor.tasks import Outcome, Task

SHIPPED = "job.py"
"""The name under which a job's file is fetched into the sandbox."""

RUNS = "runs"
"""The folder of the sandbox that holds runs and what is on its way to the scheduler."""

RECOVERY_TIMEOUT = "15mins"
"""Mesos' own default for how long an executor waits for its agent to come back."""

RECONNECT = 0.3
"""Seconds between attempts to reach an agent that is away."""

RESEND = 0.2
"""Seconds between attempts to hand an update to the agent."""

PREPARE_FROM = 4 << 20
"""Bytes of input for which workers load what takes a while before they begin."""

CONNECT_TIMEOUT = 3.0
CONNECT_ATTEMPTS = 2
"""For the first contact with the scheduler's server: one that is out of reach stays so."""


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


class Reports:
    """Tells the agent how tasks fare; the pool's listener."""

    def __init__(self, updates: Updates, folder: Path) -> None:
        self._updates = updates
        self._folder = folder

    def began(self, task_id: str) -> None:
        """See `pool.Listener`."""
        self._updates.send(task_id, "TASK_RUNNING")

    def ended(self, task_id: str, outcome: Outcome) -> None:
        """See `pool.Listener`."""
        if outcome.error:
            self._clear(task_id)
            data = payload.encode(outcome.fault) if outcome.fault else ""
            self._updates.send(task_id, "TASK_FAILED", outcome.error, data)
        else:
            self._updates.send(task_id, "TASK_FINISHED", data=payload.encode(outcome.receipt))

    def killed(self, task_id: str) -> None:
        """See `pool.Listener`."""
        self._clear(task_id)
        self._updates.send(task_id, "TASK_KILLED", "killed, as asked")

    def broke(self, error: Exception) -> None:
        """See `pool.Listener`; the scheduler starts another executor."""
        print(f"The executor ends: {error}", file=sys.stderr, flush=True)  # noqa: T201
        end(1, self._folder)

    def _clear(self, task_id: str) -> None:
        """Remove what the task has kept: it does not count."""
        for path in self._folder.glob(f"{task_id}-*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)


class MapExecutor(PyMesosExecutor):  # type: ignore[misc]  # PyMesos has no types
    """Hands tasks to the pool; its methods are PyMesos' callbacks, on its thread."""

    def __init__(self, pool: Pool, reports: Reports, folder: Path) -> None:
        self._pool = pool
        self._reports = reports
        self._folder = folder
        self._trouble = ""

    def registered(self, driver: Any, executor: Any, framework: Any, agent: Any) -> None:
        """Start the workers and find the scheduler; a failure to do so is every task's."""
        data = payload.decode(executor["data"])
        try:
            self._start(data)
            reach(data["server"])
        except MapReduceError as error:
            self._trouble = str(error)

    def _start(self, data: dict[str, Any]) -> None:
        self._folder.mkdir(exist_ok=True)
        content = Content(runs=self._folder)
        server = serve(content, os.environ["MESOS_AGENT_ENDPOINT"], data["token"])
        self._pool.start(
            data["workers"],
            data["worker_mem"],
            job=in_sandbox(data["job"]),
            arguments=data["arguments"],
            packages=data["packages"],
            # What takes long to load does not pay for little input.
            prepare=data.get("bytes", PREPARE_FROM) >= PREPARE_FROM,
            patience=data["patience"],
            server=data["server"],
            folder=str(self._folder),
            served=f"{server.url}/runs",
        )

    def launchTask(self, driver: Any, task: Any) -> None:  # noqa: N802 named by PyMesos
        """Take in a task."""
        task_id = task["task_id"]["value"]
        if self._trouble:
            self._reports.ended(task_id, Outcome(error=self._trouble))
        else:
            self._pool.submit(Task(task_id, payload.decode(task["data"]), time.monotonic()))

    def killTask(self, driver: Any, task_id: Any) -> None:  # noqa: N802 named by PyMesos
        """End a task."""
        self._pool.kill(task_id["value"])

    def disconnected(self, driver: Any) -> None:
        """Take a breath: PyMesos would ask an agent that recovers again without a pause."""
        time.sleep(RECONNECT)

    def shutdown(self, driver: Any) -> None:
        """End at once: what was not reported is not wanted."""
        end(0, self._folder)

    def error(self, driver: Any, message: Any) -> None:
        """End: the agent refuses this executor."""
        logging.error("the agent refuses this executor: %s", message)
        end(1, self._folder)


def in_sandbox(job: str) -> str:
    """Return a job's name as it is here, where its file was fetched to."""
    file, colon, attribute = job.rpartition(":")
    return f"{SHIPPED}:{attribute}" if colon and file.endswith(".py") else job


def serve(content: Content, agent: str, token: str) -> Server:
    """Serve where the agent is reached by others; raises ClusterError.

    An agent's address may be one that is not this machine's own, but leads to it.
    """
    host = agent.rpartition(":")[0]
    with contextlib.suppress(ClusterError):
        return Server(os.environ.get("LIBPROCESS_IP", host), host, content, token=token)
    return Server("", host, content, token=token)


def reach(server: str) -> None:
    """Make sure that the scheduler's server can be reached; raises ClusterError."""
    trouble: OSError | None = None
    for _ in range(CONNECT_ATTEMPTS):
        try:
            transfer.connect(server, CONNECT_TIMEOUT)
            return
        except OSError as error:
            trouble = error
    raise ClusterError(
        f"this agent cannot reach the scheduler's server at {transfer.address(server)}: "
        f"{trouble}. --advertise sets another address."
    )


def end(status: int, folder: Path) -> NoReturn:
    """End the process, and with it its workers, whatever other threads do; runs are removed."""
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(status)


def main() -> None:
    """Run as an executor; a Mesos agent sets the environment that this takes."""
    if "MESOS_AGENT_ENDPOINT" not in os.environ:
        raise SystemExit("mapreduce-executor is started by a Mesos agent, not by hand.")
    sandbox = Path(os.environ.get("MESOS_SANDBOX", "."))
    os.chdir(sandbox)
    folder = sandbox / RUNS
    fork_server = ForkServer()
    wait = parse_duration(os.environ.get("MESOS_RECOVERY_TIMEOUT", RECOVERY_TIMEOUT))
    driver = Driver(None, timeout=wait)
    reports = Reports(Updates(driver), folder)
    driver.executor = MapExecutor(Pool(fork_server, reports), reports, folder)
    signal.signal(signal.SIGTERM, lambda *_: end(143, folder))
    # How PyMesos reports that its thread died.
    signal.signal(signal.SIGINT, lambda *_: end(1, folder))
    driver.start()
    driver.join()
    end(0, folder)
