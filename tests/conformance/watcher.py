"""An operator that watches a master's event stream and remembers what it was told."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

from . import messages
from .scheduler import PATIENCE
from .wire import JSON_HEADERS, Address, EventStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from .scheduler import Json

PATH = "/api/v1"


def identity(event: Json) -> str:
    """Return the id of whom an event is about: an agent, a framework or a task."""
    body = event.get(event["type"].lower(), {})
    found: Json
    match event["type"]:
        case "AGENT_ADDED":
            found = body["agent"]["agent_info"]["id"]
        case "AGENT_REMOVED":
            found = body["agent_id"]
        case "FRAMEWORK_ADDED" | "FRAMEWORK_UPDATED":
            found = body["framework"]["framework_info"]["id"]
        case "FRAMEWORK_REMOVED":
            found = body["framework_info"]["id"]
        case "TASK_ADDED":
            found = body["task"]["task_id"]
        case "TASK_UPDATED":
            found = body["status"]["task_id"]
        case _:
            return ""
    return str(found["value"])


def told_of(event: Json) -> str:
    """Return what an event says in short: its type, and of a task the state."""
    if event["type"] == "TASK_UPDATED":
        return str(event["task_updated"]["status"]["state"])
    return str(event["type"])


class Watcher:
    """One event stream."""

    def __init__(self, master: Address) -> None:
        self.events: list[Json] = []
        self.problems: list[str] = []
        self._changed = threading.Condition()
        self._stream = EventStream(master, PATH, {"type": "SUBSCRIBE"}, JSON_HEADERS)
        self.head = self._stream.head
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for record in self._stream.records():
            problems = messages.record_problems(record, messages.OPERATOR_EVENTS)
            with self._changed:
                self.problems += problems
                if not problems:
                    self.events.append(json.loads(record))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def about(self, who: str) -> list[Json]:
        """Return what was told of an agent, a framework or a task so far."""
        return [event for event in list(self.events) if identity(event) == who]

    def story(self, who: str) -> list[str]:
        """Return the same in short."""
        return [told_of(event) for event in self.about(who)]

    def wait(self, wanted: Callable[[Json], bool], what: str) -> Json:
        """Return the first event that is wanted."""
        deadline = time.monotonic() + PATIENCE
        with self._changed:
            while True:
                found = next((event for event in self.events if wanted(event)), None)
                if found is not None:
                    return found
                story = [(told_of(event), identity(event)) for event in self.events]
                ended = self._stream.ended
                left = deadline - time.monotonic()
                assert left > 0 and not ended, f"no {what}; {ended=}, {self.problems}, {story}"
                self._changed.wait(min(left, 0.5))

    def wait_for(self, said: str, who: str) -> Any:
        """Wait until something is said of somebody; return the event's content."""
        event = self.wait(
            lambda event: told_of(event) == said and identity(event) == who, f"{said} of {who}"
        )
        return event[event["type"].lower()]

    def wait_ended(self) -> None:
        """Wait until the master has ended the stream."""
        self._reader.join(PATIENCE)
        assert self._stream.ended, "stream still open"

    def close(self) -> None:
        """Cut the stream."""
        self._stream.close()
        self._reader.join(PATIENCE)
