"""PyMesos' driver with this framework's manners, and its callbacks as events in a queue.

Importing this module takes over SIGINT, as PyMesos does: only the framework's own process does.
"""

import contextlib
import json
import logging
import queue
import socket
import time
import types
from collections.abc import Sequence
from http.client import OK, HTTPConnection, HTTPException
from threading import current_thread
from typing import Any

from pymesos import MesosSchedulerDriver, process
from pymesos import Scheduler as PyMesosScheduler

LONGEST_BACKOFF = 1.0
"""Seconds between attempts to reach a leader; PyMesos' own grow to 15."""

BREATH = 0.2
"""Seconds between subscriptions that a master refuses; PyMesos itself would not pause."""

ANSWER_TIMEOUT = 10.0
"""Seconds for a master to answer. PyMesos would wait a day for one that the network lost."""

Message = tuple[str, Any]

# PyMesos reports the end of its thread as a SIGINT; here it is a message like the others.
process.thread = types.SimpleNamespace(interrupt_main=lambda: None)


class Driver(MesosSchedulerDriver):  # type: ignore[misc]  # PyMesos has no types
    """Calls that say whether they were sent, instead of raising."""

    def __init__(
        self,
        listener: "Listener",
        framework: dict[str, Any],
        master: str,
        credential: tuple[str, str] | None = None,
    ) -> None:
        principal, secret = credential or (None, None)
        # The framework acknowledges: an acknowledgement that cannot be sent must not end the
        # driver's thread, as it does where PyMesos sends it.
        super().__init__(
            listener,
            framework,
            master,
            implicit_acknowledgements=False,
            principal=principal,
            secret=secret,
        )

    def _run(self) -> None:
        super()._run()
        caught, process._exc_info = process._exc_info, None
        if caught is not None:
            self.sched.messages.put(("ended", f"{caught[0].__name__}: {caught[1]}"))

    def _backoff(self, num_conn_retry: int) -> float:
        return float(min(LONGEST_BACKOFF, super()._backoff(num_conn_retry) / 4))

    def _get_conn(self) -> HTTPConnection | None:
        connection: HTTPConnection | None = super()._get_conn()
        if connection is not None:
            connection.timeout = ANSWER_TIMEOUT
        return connection

    def change_master(self, master: str | None) -> None:
        """Follow who was elected. Without ZooKeeper also where a master sends us.

        A master that is elected and has not heard of it yet still names its predecessor: who
        followed it there would wait for one that is dead or cut off, and ZooKeeper, which has
        said all it has to say, would not call them back. The master is asked again instead.
        """
        redirected = current_thread() is self._io_thread
        if not (redirected and self.detector):
            self._hang_up()
            super().change_master(master)

    def _hang_up(self) -> None:
        """End a call that waits for the former master: it holds the lock that a change needs."""
        # Without a stream no other call begins. Only the change itself waits for the lock.
        self._stream_id = None
        called = getattr(self._conn, "sock", None)
        if called is not None:
            with contextlib.suppress(OSError):
                called.shutdown(socket.SHUT_RDWR)

    def _get_version(self, master: str | None) -> str | None:
        if master is None:
            return None
        connection = HTTPConnection(master, timeout=ANSWER_TIMEOUT)
        try:
            connection.request("GET", "/version")
            response = connection.getresponse()
            return str(json.load(response)["version"]) if response.status == OK else None
        except (OSError, HTTPException, ValueError, KeyError) as error:
            logging.getLogger(__name__).info("%s did not tell its version: %s", master, error)
            return None
        finally:
            connection.close()

    def stop(self, failover: bool = False) -> None:
        """Tear the framework down, on a fresh connection: a signal may have cut a call short."""
        with self._lock:
            self._close()
        super().stop(failover)

    def try_call(self, name: str, *args: Any, **kwargs: Any) -> bool:
        """Make one of PyMesos' calls; False if it was not or may not have been sent."""
        if not self.connected:
            return False
        try:
            getattr(self, name)(*args, **kwargs)
        except (RuntimeError, AssertionError, OSError, HTTPException) as error:
            logging.getLogger(__name__).info("%s was not sent: %s", name, error)
            return False
        return True

    def reconcile(self, tasks: Sequence[tuple[str, str]]) -> None:
        """Ask about tasks by id and agent's id.

        PyMesos leaves the agents out; a new leader then takes the tasks of agents that are yet
        to come back for unknown.
        """
        asked = [{"task_id": {"value": t}, "agent_id": {"value": a}} for t, a in tasks]
        self._send(
            {
                "type": "RECONCILE",
                "framework_id": {"value": self.framework_id},
                "reconcile": {"tasks": asked},
            }
        )


class Listener(PyMesosScheduler):  # type: ignore[misc]  # PyMesos has no types
    """Puts what PyMesos' threads report into a queue for the main thread."""

    def __init__(self, messages: "queue.SimpleQueue[Message]") -> None:
        self.messages = messages
        self._subscribed = False

    def registered(self, driver: Any, framework_id: Any, master: Any) -> None:
        self._subscribed = True
        self.messages.put(("registered", framework_id["value"]))

    def reregistered(self, driver: Any, master: Any) -> None:
        self._subscribed = True
        self.messages.put(("registered", driver.framework_id))

    def disconnected(self, driver: Any) -> None:
        if not self._subscribed:
            time.sleep(BREATH)
        self._subscribed = False
        self.messages.put(("disconnected", None))

    def resourceOffers(self, driver: Any, offers: Any) -> None:  # noqa: N802 named by PyMesos
        self.messages.put(("offers", offers))

    def statusUpdate(self, driver: Any, status: Any) -> None:  # noqa: N802 named by PyMesos
        self.messages.put(("update", status))

    def executorLost(  # noqa: N802 named by PyMesos
        self, driver: Any, executor_id: Any, agent_id: Any, status: Any
    ) -> None:
        self.messages.put(("executor lost", executor_id["value"]))

    def slaveLost(self, driver: Any, agent_id: Any) -> None:  # noqa: N802 named by PyMesos
        self.messages.put(("agent lost", agent_id["value"]))

    def error(self, driver: Any, message: Any) -> None:
        self.messages.put(("error", message))

    def inverseOffers(self, driver: Any, offers: Any) -> None:  # noqa: N802 named by PyMesos
        """Ignore inverse offers: tasks are short, and what a drained agent loses runs again."""
