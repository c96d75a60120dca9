"""The edge that runs the core: carries out actions, keeps streams and timers, follows elections.

While this master leads there is a core; otherwise there is none, and requests that need one are
told where the leader is. While it is not known whether this master still leads, nothing is decided:
requests wait and timers hold still.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from http import HTTPStatus

from pocket_mesos.http.messages import Request, Response, ok, temporary_redirect, text
from pocket_mesos.http.stream import EventStream
from pocket_mesos.master import actions, events
from pocket_mesos.master.core import Core
from pocket_mesos.master.timing import Timing
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.errors import PocketError
from pocket_mesos.protocol.mesos import MasterInfo

_log = logging.getLogger(__name__)


class LeadershipLostError(PocketError):
    """A master that led does so no more; it must exit, and a supervisor starts it anew."""


class Runner:
    """A master process' view of who leads, and the core while it is this one."""

    def __init__(self, info: MasterInfo, make_core: Callable[[], Core]) -> None:
        self.info = info
        self.leader: MasterInfo | None = None
        self.core: Core | None = None
        self.started = time.time()
        self.elected: float | None = None
        self._make_core = make_core
        self._loop = asyncio.get_running_loop()
        self._clock_offset = time.time() - self._loop.time()
        self._streams: dict[str, EventStream] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._certain = asyncio.Event()
        self._certain.set()
        self._deferred: list[events.Event] = []
        self._lost = asyncio.Event()
        self.allocation_times = Timing()

    # --- election --------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Seconds since the epoch, on a clock that never jumps."""
        return self._clock_offset + self._loop.time()

    def follow(self, leader: MasterInfo | None) -> None:
        """Learn who leads now."""
        self.leader = leader
        if self.core is not None:
            if leader is None or leader.id != self.info.id:
                _log.error("Lost leadership; exiting")
                self._lost.set()
            return
        if leader is not None and leader.id == self.info.id:
            _log.info("Elected as the leading master!")
            self.elected = time.time()
            self.core = self._make_core()
            self._carry_out(self.core.start(self.now))

    def suspend(self) -> None:
        """Stop deciding until it is known again who leads."""
        self._certain.clear()

    def resume(self) -> None:
        """Go on: the session that made this master the leader lives."""
        self._certain.set()
        deferred, self._deferred = self._deferred, []
        for event in deferred:
            self._feed_later(event)

    def session_lost(self) -> None:
        """Give up leadership, if there is any: another master may lead already."""
        if self.core is not None:
            self.follow(None)
        else:
            self.leader = None
            self.resume()

    async def wait_until_lost(self) -> None:
        """Wait until this master, having led, leads no more.

        Raises:
            LeadershipLostError: then.
        """
        await self._lost.wait()
        raise LeadershipLostError("Lost leadership")

    async def gate(self, request: Request) -> Response | None:
        """Return the answer to a request that this master must not deal with itself."""
        await self._certain.wait()
        if self.core is not None and not self._lost.is_set():
            return None
        if self.leader is None or self._lost.is_set():
            return text(503, "No leader elected")
        path = request.path.removeprefix("/master")
        query = f"?{request.query_string}" if request.query_string else ""
        return temporary_redirect(f"{leader_base(self.leader)}/master{path}{query}")

    # --- events, actions -------------------------------------------------------------------

    def feed(self, event: events.Event) -> actions.Respond | None:
        """Have the core deal with an event, and carry out what it decides.

        Returns:
            How to answer the request behind the event, when the core has an opinion.
        """
        if self.core is None or self._lost.is_set():
            return None
        began = time.perf_counter()
        made = self.core.handle(event, self.now)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug("%s: %s", type(event).__name__, _named(made))
        if _allocates(event):
            self.allocation_times.add((time.perf_counter() - began) * 1000)
        return self._carry_out(made)

    def open_stream(self, stream_id: str, stream: EventStream) -> None:
        """Make a stream known under an id, so that the core's events reach it."""
        self._streams[stream_id] = stream

    def stream_closed(self, stream_id: str, event: events.Event) -> None:
        """Forget a stream and tell the core."""
        self._streams.pop(stream_id, None)
        self._feed_later(event)

    def _carry_out(self, made: list[actions.Action]) -> actions.Respond | None:
        answer = None
        for action in made:
            match action:
                case actions.SendToScheduler() | actions.SendToAgent() | actions.SendToOperator():
                    self._send(action.stream_id, codec.encode(action.event))
                case actions.StartTimer():
                    self._start_timer(action)
                case actions.RequestAllocation():
                    self._loop.call_soon(self._feed_later, events.AllocationDue())
                case actions.Respond():
                    answer = action
                case actions.Log():
                    _log.log(logging.getLevelName(action.level), action.message)
                case actions.CloseScheduler() | actions.CloseAgent() | actions.CloseOperator():
                    stream = self._streams.pop(action.stream_id, None)
                    if stream is not None:
                        stream.close()
        return answer

    def _send(self, stream_id: str, record: bytes) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None:
            stream.send(record)

    def _start_timer(self, action: actions.StartTimer) -> None:
        def fire() -> None:
            self._timers.discard(handle)
            self._feed_later(events.TimerFired(timer=action.timer))

        handle = self._loop.call_later(action.delay, fire)
        self._timers.add(handle)

    def _feed_later(self, event: events.Event) -> None:
        """Feed an event that nobody waits for; hold it back while nothing may be decided."""
        if self._certain.is_set():
            self.feed(event)
        else:
            self._deferred.append(event)


def answered(answer: actions.Respond | None) -> Response:
    """Write the core's answer to an operator; without one all is well."""
    if answer is None or answer.status == HTTPStatus.OK:
        return ok()
    return text(answer.status, answer.body)


def leader_base(leader: MasterInfo) -> str:
    """Return ``//host:port`` of a master."""
    return f"//{leader.hostname}:{leader.port}"


def _named(made: list[actions.Action]) -> str:
    return ", ".join(type(one).__name__ for one in made) or "nothing to do"


def _allocates(event: events.Event) -> bool:
    return isinstance(event, events.AllocationDue) or (
        isinstance(event, events.TimerFired) and isinstance(event.timer, events.AllocationTimer)
    )
