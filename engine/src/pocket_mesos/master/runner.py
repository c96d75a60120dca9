"""The edge that runs the core: carries out actions, keeps streams and timers, follows elections.

While this master leads there is a core; otherwise there is none, and requests that need one are
told where the leader is. A new leader first reads the registry; until that is done its core is
blank, and shown, but not asked. While it is not known whether this master still leads, nothing is
decided: requests wait and timers hold still.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from pocket_mesos.http.messages import Request, Response, ok, temporary_redirect, text
from pocket_mesos.http.stream import EventStream
from pocket_mesos.master import actions, events
from pocket_mesos.master.core import Core
from pocket_mesos.master.timing import Timing
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.errors import PocketError
from pocket_mesos.protocol.mesos import MasterInfo
from pocket_mesos.registry.errors import FencedError, RegistryError
from pocket_mesos.registry.records import Registry
from pocket_mesos.registry.registrar import Registrar

_log = logging.getLogger(__name__)


class LeadershipLostError(PocketError):
    """A master that led does so no more; it must exit, and a supervisor starts it anew."""


class MasterAbortedError(PocketError):
    """The core will not go on; the message says why."""


class Runner:
    """A master process' view of who leads, and the core while it is this one."""

    def __init__(
        self, info: MasterInfo, make_core: Callable[[Registry], Core], registrar: Registrar
    ) -> None:
        self.info = info
        self.registrar = registrar
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
        self._recovered = asyncio.Event()
        self._failure: PocketError | None = None
        self._lost = asyncio.Event()
        """Set with ``_failure``."""
        self._registry_work: asyncio.Task[None] | None = None
        self._asked: dict[int, asyncio.Future[actions.Respond]] = {}
        """Requests that are answered later, by ticket."""
        self.allocation_times = Timing()
        self.store_times = Timing()

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
                self._fail(LeadershipLostError("Lost leadership"))
            return
        if leader is not None and leader.id == self.info.id:
            _log.info("Elected as the leading master!")
            self.elected = time.time()
            self.core = self._make_core(Registry())
            self._registry_work = asyncio.ensure_future(self._lead())

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
        assert self._failure is not None
        raise self._failure

    async def stop(self) -> None:
        """Write to the registry no more."""
        if self._registry_work is not None:
            self._registry_work.cancel()
        await self.registrar.close()

    async def recovered(self) -> None:
        """Wait until this master, if it leads, has read the registry."""
        while self.core is not None and not self._recovered.is_set() and not self._lost.is_set():
            waiting = [asyncio.ensure_future(one.wait()) for one in (self._recovered, self._lost)]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)

    async def gate(self, request: Request, *, reads: bool = False) -> Response | None:
        """Return the answer to a request that this master must not deal with itself.

        Args:
            request: what is asked.
            reads: whether it may be answered from what is known before the registry is read.
        """
        await self._certain.wait()
        if self.core is not None and not self._lost.is_set():
            if reads or self._recovered.is_set():
                return None
            return text(503, "Master has not finished recovery")
        if self.leader is None or self._lost.is_set():
            return text(503, "No leader elected")
        path = request.path.removeprefix("/master")
        query = f"?{request.query_string}" if request.query_string else ""
        return temporary_redirect(f"{leader_base(self.leader)}/master{path}{query}")

    # --- registry --------------------------------------------------------------------------

    async def _lead(self) -> None:
        """Read the registry, begin to decide by it, and write what is decided."""
        try:
            await self._recover()
            await self.registrar.run(self.store_times.add)
        except FencedError as error:
            self._fail(LeadershipLostError(f"Lost leadership: {error}"))
        except RegistryError as error:
            self._fail(error)

    async def _recover(self) -> None:
        try:
            registry = await self.registrar.recover(self.info)
        except FencedError:
            raise
        except RegistryError as error:
            reason = f"Recovery failed: Failed to recover registrar: {error}"
            raise RegistryError(reason) from error
        await self._certain.wait()
        self.core = self._make_core(registry)
        self._recovered.set()
        self._carry_out(self.core.start(self.now))

    def _fail(self, error: PocketError) -> None:
        """Stop acting; the process ends with this error."""
        if self._failure is None:
            _log.error("%s; exiting", error)
            self._failure = error
            self._lost.set()

    # --- events, actions -------------------------------------------------------------------

    def feed(self, event: events.Event) -> actions.Respond | None:
        """Have the core deal with an event, and carry out what it decides.

        Returns:
            How to answer the request behind the event, when the core has an opinion.
        """
        return self._decide(event)[0]

    async def ask(self, event: events.Event) -> actions.Respond | None:
        """Do as ``feed`` does, and wait for an answer that comes later."""
        answer, ticket = self._decide(event)
        if answer is not None or ticket is None:
            return answer
        self._asked[ticket] = self._loop.create_future()
        try:
            return await self._asked[ticket]
        finally:
            del self._asked[ticket]

    def _decide(self, event: events.Event) -> tuple[actions.Respond | None, int | None]:
        if self.core is None or self._lost.is_set():
            return None, None
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

    def _carry_out(self, made: list[actions.Action]) -> tuple[actions.Respond | None, int | None]:
        """Carry actions out; return the answer to the request in hand, or its ticket."""
        answer, ticket = None, None
        for action in made:
            match action:
                case actions.SendToScheduler() | actions.SendToAgent() | actions.SendToOperator():
                    self._send(action.stream_id, codec.encode(action.event))
                case actions.StartTimer():
                    self._start_timer(action)
                case actions.RequestAllocation():
                    self._loop.call_soon(self._feed_later, events.AllocationDue())
                case actions.Respond() if action.ticket is None:
                    answer = action
                case actions.Respond():
                    self._answer(action)
                case actions.AnswerLater():
                    ticket = action.ticket
                case actions.Store():
                    stored = events.Stored(number=action.number)
                    self.registrar.apply(action.changes, partial(self._feed_later, stored))
                case actions.Abort():
                    self._fail(MasterAbortedError(action.message))
                case actions.Log():
                    _log.log(logging.getLevelName(action.level), action.message)
                case actions.CloseScheduler() | actions.CloseAgent() | actions.CloseOperator():
                    stream = self._streams.pop(action.stream_id, None)
                    if stream is not None:
                        stream.close()
        return answer, ticket

    def _answer(self, action: actions.Respond) -> None:
        asked = self._asked.get(action.ticket or 0)
        if asked is not None and not asked.done():
            asked.set_result(action)

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
