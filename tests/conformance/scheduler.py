"""A scheduler that does what a test says and remembers what the master told it.

A thread reads the event stream; the test waits for events by predicate. Every event
is held against its message, so that each test also guards the wire format.
"""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import messages
from .wire import JSON_HEADERS, Address, EventStream, Response, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PATH = "/api/v1/scheduler"
PATIENCE = 60.0  # seconds until an awaited event counts as missing
NEVER = 3600.0  # refuse_seconds of offers that a test has no use for

Json = dict[str, Any]


@dataclass(frozen=True)
class Event:
    """One record of the stream, with the time it was read."""

    at: float
    body: Json

    @property
    def kind(self) -> str:
        return str(self.body["type"])

    def __getitem__(self, key: str) -> Any:
        return self.body[self.kind.lower()][key]


def scalar(name: str, value: float) -> Json:
    """Describe an amount of a resource."""
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}}


def small(cpus: float = 0.1, mem: float = 32) -> list[Json]:
    """Resources of a task that fits everywhere."""
    return [scalar("cpus", cpus), scalar("mem", mem)]


def command_task(task_id: str, agent_id: str, command: str | Json, **fields: Any) -> Json:
    """Describe a task that runs a shell command (or a CommandInfo)."""
    info = {"value": command} if isinstance(command, str) else command
    return bare_task(task_id, agent_id, command=info, **fields)


def bare_task(task_id: str, agent_id: str, **fields: Any) -> Json:
    """Describe a task that has neither command nor executor yet."""
    return {
        "name": task_id,
        "task_id": {"value": task_id},
        "agent_id": {"value": agent_id},
        "resources": small(),
        **fields,
    }


def offered(offer: Json, name: str) -> float:
    """Sum a scalar resource of an offer."""
    found = (item for item in offer["resources"] if item["name"] == name)
    return float(sum(item["scalar"]["value"] for item in found if item["type"] == "SCALAR"))


class Scheduler:
    """One framework on one event stream.

    `acknowledge` decides which statuses are acknowledged as they come (all by default).
    Calls made after the stream was replaced or closed still go out: tests want the answer.
    """

    def __init__(
        self,
        master: Address,
        framework_info: Json,
        *,
        agent_id: str | None = None,
        suppressed_roles: Iterable[str] = (),
        acknowledge: Callable[[Json], bool] = lambda status: True,
    ) -> None:
        self.master = master
        self.framework_info = framework_info
        self.agent_id = agent_id
        self.acknowledge = acknowledge
        self.events: list[Event] = []
        self.problems: list[str] = []
        self.calls: Counter[str] = Counter()
        """What was called by :meth:`call`, by its type."""
        self._offers: dict[str, Json] = {}
        self._changed = threading.Condition()
        self._stream = self._subscribe(list(suppressed_roles))
        self.head = self._stream.head
        self.stream_id = self.head.header("Mesos-Stream-Id") or ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        if self.head.status == 200:
            self._reader.start()

    def _subscribe(self, suppressed_roles: list[str]) -> EventStream:
        subscribe: Json = {"framework_info": self.framework_info}
        if suppressed_roles:
            subscribe["suppressed_roles"] = suppressed_roles
        call: Json = {"type": "SUBSCRIBE", "subscribe": subscribe}
        if "id" in self.framework_info:
            call["framework_id"] = self.framework_info["id"]
        return EventStream(self.master, PATH, call, JSON_HEADERS)

    # What the master sends.

    def _read(self) -> None:
        for record in self._stream.records():
            at = time.monotonic()
            problems = messages.record_problems(record, messages.SCHEDULER_EVENTS)
            self.problems += problems
            if not problems:
                self._take(Event(at, json.loads(record)))
        with self._changed:
            self._changed.notify_all()

    def _take(self, event: Event) -> None:
        """Acknowledge, then publish: what a test does next comes after the acknowledgement."""
        if event.kind == "UPDATE" and self.acknowledge(event["status"]):
            with contextlib.suppress(OSError):  # the master died meanwhile
                self.acknowledge_status(event["status"])
        with self._changed:
            if event.kind == "OFFERS":
                self._offers.update((offer["id"]["value"], offer) for offer in event["offers"])
            elif event.kind == "RESCIND":
                self._offers.pop(event["offer_id"]["value"], None)
            self.events.append(event)
            self._changed.notify_all()

    @property
    def ended(self) -> str | None:
        """How the stream ended; None while it is open."""
        return self._stream.ended

    def wait_ended(self, patience: float = PATIENCE) -> str:
        """Wait until the master has ended the stream; return how."""
        self._reader.join(patience)
        assert self.ended, f"stream still open after {patience} s; {self._story()}"
        return self.ended

    def wait(
        self,
        wanted: Callable[[Event], bool],
        what: str,
        *,
        since: int = 0,
        patience: float = PATIENCE,
    ) -> Event:
        """Return the first event from position `since` on that is wanted."""
        deadline = time.monotonic() + patience
        with self._changed:
            while True:
                for event in self.events[since:]:
                    if wanted(event):
                        return event
                left = deadline - time.monotonic()
                assert left > 0, f"no {what} within {patience} s; {self._story()}"
                if self.ended:
                    raise AssertionError(f"no {what} before the end; {self._story()}")
                self._changed.wait(min(left, 0.5))

    def wait_kind(self, kind: str, **options: Any) -> Event:
        """Wait for an event of this type."""
        return self.wait(lambda event: event.kind == kind, kind, **options)

    def wait_status(self, task_id: str, state: str, **options: Any) -> Json:
        """Wait for a status of this task in this state."""

        def wanted(event: Event) -> bool:
            if event.kind != "UPDATE":
                return False
            status = event["status"]
            return bool(status["task_id"]["value"] == task_id and status["state"] == state)

        return dict(self.wait(wanted, f"{state} of '{task_id}'", **options)["status"])

    def wait_answer(self, task_id: str, *, since: int = 0) -> Json:
        """Wait for what the master answers about this task, not the agent's own statuses."""

        def wanted(event: Event) -> bool:
            status = event["status"] if event.kind == "UPDATE" else {}
            return bool(
                status.get("reason") == "REASON_RECONCILIATION"
                and status["task_id"]["value"] == task_id
            )

        return dict(self.wait(wanted, f"answer about '{task_id}'", since=since)["status"])

    def statuses(self, task_id: str) -> list[Json]:
        """Return the task's statuses so far, in order."""
        updates = [event["status"] for event in list(self.events) if event.kind == "UPDATE"]
        return [status for status in updates if status["task_id"]["value"] == task_id]

    def states(self, task_id: str) -> list[str]:
        """Return the task's states so far; TASK_STARTING, which may be left out, is."""
        states = [status["state"] for status in self.statuses(task_id)]
        return [state for state in states if state != "TASK_STARTING"]

    def messages(self) -> list[bytes]:
        """Return the data of the executors' messages so far."""
        found = [event["data"] for event in list(self.events) if event.kind == "MESSAGE"]
        return [base64.b64decode(data) for data in found]

    def _story(self) -> str:
        last = [json.dumps(event.body)[:300] for event in self.events[-5:]]
        count = f"ended={self.ended}, problems={self.problems}, {len(self.events)} events"
        return f"{count}, the last: " + " | ".join(last)

    # What the test tells the master.

    @property
    def framework_id(self) -> str:
        """The id that the master gave."""
        return str(self.wait_kind("SUBSCRIBED")["framework_id"]["value"])

    def info_with_id(self) -> Json:
        """The framework's info, with the id that it was given: what subscribes it again."""
        return {**self.framework_info, "id": {"value": self.framework_id}}

    def call(self, kind: str, **fields: Any) -> Response:
        """Post a call of this framework; a field is named after the type in lower case."""
        self.calls[kind] += 1
        body = {"type": kind, "framework_id": {"value": self.framework_id}, **fields}
        return request(
            self.master, "POST", PATH, body, {**JSON_HEADERS, "Mesos-Stream-Id": self.stream_id}
        )

    def accepted(self, kind: str, **fields: Any) -> None:
        """Post a call that must be accepted."""
        answer = self.call(kind, **fields)
        assert answer.status in (200, 202), f"{kind}: {answer.status} {answer.body}"

    def acknowledge_status(self, status: Json) -> None:
        """Acknowledge a status that asks for it; one that has no uuid does not."""
        if "uuid" in status:
            fields = {key: status[key] for key in ("agent_id", "task_id", "uuid")}
            self.call("ACKNOWLEDGE", acknowledge=fields)

    def offer(self, *, cpus: float = 0.1, mem: float = 32, patience: float = PATIENCE) -> Json:
        """Take an unused offer of the agent under test that holds at least this much.

        Offers of other agents are declined for good; smaller ones come back soon.
        """
        deadline = time.monotonic() + patience
        while True:
            with self._changed:
                while not self._offers:
                    left = deadline - time.monotonic()
                    assert left > 0, f"no offer within {patience} s; {self._story()}"
                    assert not self.ended, f"no offer before the end; {self._story()}"
                    self._changed.wait(min(left, 0.5))
                _, offer = self._offers.popitem()
            if self.agent_id not in (None, offer["agent_id"]["value"]):
                self.decline(offer, NEVER)
            elif offered(offer, "cpus") < cpus or offered(offer, "mem") < mem:
                self.decline(offer, 0)
            else:
                return offer

    def decline(self, offer: Json, refuse_seconds: float | None = None) -> None:
        """Decline an offer, with Mesos' own filter when none is given."""
        decline: Json = {"offer_ids": [offer["id"]]}
        if refuse_seconds is not None:
            decline["filters"] = {"refuse_seconds": refuse_seconds}
        self.accepted("DECLINE", decline=decline)

    def accept(
        self, offer_ids: list[str], operations: list[Json], refuse_seconds: float = 0
    ) -> None:
        """Accept offers for operations; what is left is refused for this long."""
        accept = {
            "offer_ids": [{"value": offer_id} for offer_id in offer_ids],
            "operations": operations,
            "filters": {"refuse_seconds": refuse_seconds},
        }
        self.accepted("ACCEPT", accept=accept)

    def launch(self, offer: Json, *tasks: Json, refuse_seconds: float = 0) -> None:
        """Launch tasks on an offer."""
        operation = {"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}
        self.accept([offer["id"]["value"]], [operation], refuse_seconds)

    def kill(self, task_id: str, **fields: Any) -> None:
        """Ask for a task's end."""
        self.accepted("KILL", kill={"task_id": {"value": task_id}, **fields})

    def reconcile(self, *tasks: Json) -> None:
        """Ask for the state of these tasks, of all when none is named."""
        self.accepted("RECONCILE", reconcile={"tasks": list(tasks)})

    def send(self, agent_id: str, executor_id: str, data: bytes) -> None:
        """Send bytes to an executor."""
        fields = {
            "agent_id": {"value": agent_id},
            "executor_id": {"value": executor_id},
            "data": base64.b64encode(data).decode(),
        }
        self.accepted("MESSAGE", message=fields)

    def close(self) -> None:
        """Cut the stream, as a scheduler that dies."""
        self._stream.close()
        self._reader.join(PATIENCE)
