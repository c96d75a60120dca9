"""An event stream: a chunked answer of RecordIO records, one chunk each, with heartbeats.

Sending never waits. What the client does not read piles up to a bound, then the client is cut
off: a slow reader must not cost memory without end.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence

from aiohttp import web

from pocket_mesos.http.messages import JSON
from pocket_mesos.protocol import recordio

MAX_PENDING_BYTES = 64 * 1024 * 1024
"""Bytes that wait for one client before it counts as too slow."""


class EventStream:
    """The server's end of one stream."""

    def __init__(
        self,
        *,
        stream_id: str | None = None,
        heartbeat: bytes | None = None,
        heartbeat_interval: float = 15.0,
        on_closed: Callable[[], None] | None = None,
        max_pending_bytes: int = MAX_PENDING_BYTES,
    ) -> None:
        """Make a stream that starts when the server answers with it.

        Args:
            stream_id: value of the header Mesos-Stream-Id.
            heartbeat: record to send when ``heartbeat_interval`` seconds have passed.
            heartbeat_interval: seconds between heartbeats, counted from the start.
            on_closed: called once when the client is gone or :meth:`close` has taken effect.
            max_pending_bytes: bound of what waits to be read.
        """
        self.stream_id = stream_id
        self._heartbeat = heartbeat
        self._heartbeat_interval = heartbeat_interval
        self._on_closed = on_closed
        self._max_pending_bytes = max_pending_bytes
        self._records: deque[bytes] = deque()
        self._pending_bytes = 0
        self._wakeup = asyncio.Event()
        self._closing = False
        self._broken = False
        self._transport: asyncio.Transport | None = None

    @property
    def open(self) -> bool:
        """Whether records still reach the client as far as is known."""
        return not (self._closing or self._broken)

    def send(self, record: bytes) -> None:
        """Queue a record; without effect once the stream is closed."""
        if not self.open:
            return
        self._records.append(record)
        self._pending_bytes += len(record)
        if self._pending_bytes > self._max_pending_bytes:
            self._cut()
        self._wakeup.set()

    def close(self) -> None:
        """End the stream after what is queued."""
        self._closing = True
        self._wakeup.set()

    def headers(self) -> Sequence[tuple[str, str]]:
        """Return the answer's headers, those of framing and date aside."""
        stream_id = () if self.stream_id is None else (("Mesos-Stream-Id", self.stream_id),)
        return (*stream_id, ("Content-Type", JSON))

    async def run(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        """Write records until the stream ends; the server calls this."""
        heart = asyncio.ensure_future(self._beat())
        try:
            await self._write(request, response)
        except ConnectionError:
            pass  # the client is gone, which is its right
        finally:
            heart.cancel()
            self._broken = True
            self._records.clear()
            if self._on_closed is not None:
                self._on_closed()

    async def _write(self, request: web.BaseRequest, response: web.StreamResponse) -> None:
        self._transport = request.transport
        await response.prepare(request)
        while True:
            while self._records and not self._broken:
                record = self._records.popleft()
                await response.write(recordio.encode(record))
                self._pending_bytes -= len(record)
            if self._broken:
                return
            if self._closing:
                await response.write_eof()
                return
            self._wakeup.clear()
            await self._wakeup.wait()

    def _cut(self) -> None:
        """Give the client up without waiting for it."""
        self._broken = True
        if self._transport is not None:
            self._transport.abort()

    async def _beat(self) -> None:
        if self._heartbeat is None:
            return
        while self.open:
            await asyncio.sleep(self._heartbeat_interval)
            self.send(self._heartbeat)
