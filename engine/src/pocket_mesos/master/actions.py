"""What the master's core wants done: its outputs, carried out by the edge in order."""

from typing import Any

import msgspec

from pocket_mesos.master.events import Timer
from pocket_mesos.protocol import link, scheduler
from pocket_mesos.registry.records import Change


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """An output."""


class Respond(Action, frozen=True, kw_only=True):
    """Answer the request that the event came from; without one, it is accepted."""

    status: int
    body: str = ""
    ticket: int | None = None
    """Names a request of an earlier event, which was to be answered later."""


class AnswerLater(Action, frozen=True, kw_only=True):
    """The request that the event came from is answered by a ``Respond`` with this ticket."""

    ticket: int


class Store(Action, frozen=True, kw_only=True):
    """Write to the registry, all of it or nothing, then feed ``Stored(number)``."""

    number: int
    changes: list[Change]


class Abort(Action, frozen=True, kw_only=True):
    """End this master with a message: it must not go on."""

    message: str


class SendToScheduler(Action, frozen=True, kw_only=True):
    """Send an event on a scheduler's stream."""

    stream_id: str
    event: scheduler.Event


class CloseScheduler(Action, frozen=True, kw_only=True):
    """End a scheduler's stream."""

    stream_id: str


class SendToAgent(Action, frozen=True, kw_only=True):
    """Send an event on an agent's link."""

    stream_id: str
    event: link.Event


class CloseAgent(Action, frozen=True, kw_only=True):
    """End an agent's link."""

    stream_id: str


class SendToOperator(Action, frozen=True, kw_only=True):
    """Send an event on an operator's stream."""

    stream_id: str
    event: dict[str, Any]


class CloseOperator(Action, frozen=True, kw_only=True):
    """End an operator's stream."""

    stream_id: str


class StartTimer(Action, frozen=True, kw_only=True):
    """Feed ``TimerFired(timer)`` after ``delay`` seconds."""

    timer: Timer
    delay: float


class RequestAllocation(Action, frozen=True, kw_only=True):
    """Feed ``AllocationDue`` in this turn of the loop, after what else is there to be handled."""


class Log(Action, frozen=True, kw_only=True):
    """Write a line to the log."""

    message: str
    level: str = "INFO"
