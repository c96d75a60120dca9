"""An executor's connection to its agent: the v1 executor API over plain sockets.

One connection carries the event stream; another, opened when needed, the calls.
"""

from __future__ import annotations

from pocket_mesos.executors.bare import connect, dumps, loads, socket

TYPE_CHECKING = False
"""Checkers take it for typing's, which takes a while to load."""

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Message: TypeAlias = dict[str, Any]
    """A call or event as JSON gives it."""

PATH = "/api/v1/executor"
CALL_SECONDS = 30.0
_MAX_HEAD = 65536


class LostError(Exception):
    """The agent can't be reached or the connection broke; trying again may help."""


class RefusedError(Exception):
    """The agent answered, but not as hoped."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"agent answered {status}: {body}")
        self.status = status


class Chunks:
    """Takes the framing of chunked transfer coding off a byte stream."""

    __slots__ = ("_buffer", "_left", "ended")

    def __init__(self) -> None:
        self._buffer = b""
        self._left = 0
        """Bytes to come of the current chunk, its line end included."""
        self.ended = False

    def feed(self, data: bytes) -> bytes:
        """Add bytes of the stream; return the content that they complete."""
        self._buffer += data
        content = b""
        while self._buffer and not self.ended:
            if self._left == 0 and not self._read_size():
                break
            if self._left > 2:
                piece = self._buffer[: self._left - 2]
                content += piece
                self._buffer = self._buffer[len(piece) :]
                self._left -= len(piece)
            if self._left <= 2:
                gone = min(self._left, len(self._buffer))
                self._buffer = self._buffer[gone:]
                self._left -= gone
        return content

    def _read_size(self) -> bool:
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            return False
        size = int(line.split(b";")[0], 16)
        self._buffer = rest
        self._left = size + 2
        self.ended = size == 0
        return True


class Records:
    """Cuts RecordIO into JSON objects."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Message]:
        """Add content of the stream; return the records that it completes."""
        self._buffer += data
        records: list[Message] = []
        while True:
            size, newline, rest = self._buffer.partition(b"\n")
            if not newline or len(rest) < int(size):
                return records
            records.append(loads(rest[: int(size)]))
            self._buffer = rest[int(size) :]


class Agent:
    """The agent as an executor sees it."""

    def __init__(self, endpoint: str) -> None:
        """Talk to ``endpoint``, ``host:port`` as in MESOS_AGENT_ENDPOINT."""
        host, _, port = endpoint.rpartition(":")
        self._address = (host.strip("[]"), int(port))
        self._endpoint = endpoint
        self._events: socket.socket | None = None
        self._calls: socket.socket | None = None
        self._chunks = Chunks()
        self._records = Records()
        self._early: list[Message] = []

    @property
    def connected(self) -> bool:
        """Whether an event stream is open as far as is known."""
        return self._events is not None

    def fileno(self) -> int:
        """Return the descriptor that is readable when events have come."""
        assert self._events is not None
        return self._events.fileno()

    def subscribe(self, call: Message) -> None:
        """Open the event stream.

        Raises:
            LostError: no agent there, or it went away.
            RefusedError: the agent does not want this executor.
        """
        self.close()
        connection = self._connect()
        try:
            _send(connection, self._request(call))
            status, rest, chunked, length = _read_head(connection)
            if status != 200 or not chunked:
                body = _read_body(connection, rest, length)
                raise RefusedError(status, body.decode("utf-8", "replace"))
        except BaseException:
            connection.close()
            raise
        self._chunks, self._records = Chunks(), Records()
        self._early = self._records.feed(self._chunks.feed(rest))
        self._events = connection

    def receive(self, wait: bool = True) -> list[Message]:
        """Return events that have come.

        Raises:
            LostError: the stream ended.
        """
        early, self._early = self._early, []
        if early or not wait:
            return early
        assert self._events is not None
        try:
            data = self._events.recv(65536)
        except OSError as error:
            self.close()
            raise LostError(str(error)) from error
        events = self._records.feed(self._chunks.feed(data))
        if not events and (not data or self._chunks.ended):
            self.close()
            raise LostError("event stream ended")
        return events

    def call(self, call: Message) -> None:
        """Make a call.

        Raises:
            LostError: the agent is gone; the call may or may not have reached it.
            RefusedError: the agent answered something else than 202.
        """
        reused = self._calls is not None
        try:
            self._call(call)
        except LostError:
            if not reused:
                raise
            # The agent may have closed a connection that was idle.
            self._call(call)

    def _call(self, call: Message) -> None:
        if self._calls is None:
            self._calls = self._connect()
        try:
            _send(self._calls, self._request(call))
            status, rest, _, length = _read_head(self._calls)
            body = _read_body(self._calls, rest, length)
        except LostError:
            self._calls.close()
            self._calls = None
            raise
        if status != 202:
            raise RefusedError(status, body.decode("utf-8", "replace"))

    def close(self) -> None:
        """Close both connections."""
        for connection in (self._events, self._calls):
            if connection is not None:
                connection.close()
        self._events = self._calls = None

    def _connect(self) -> socket.socket:
        try:
            connection = connect(*self._address, CALL_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise LostError(f"{self._endpoint}: {error}") from error
        if connection.getsockname() == connection.getpeername():
            # Where nobody listens, the kernel may connect a port of its own choice to itself.
            connection.close()
            raise LostError(f"{self._endpoint}: nobody listens")
        return connection

    def _request(self, call: Message) -> bytes:
        body = dumps(call).encode()
        head = (
            f"POST {PATH} HTTP/1.1\r\nHost: {self._endpoint}\r\n"
            "Content-Type: application/json\r\nAccept: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def _send(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except OSError as error:
        raise LostError(str(error)) from error


def _receive(connection: socket.socket) -> bytes:
    try:
        data = connection.recv(65536)
    except OSError as error:
        raise LostError(str(error)) from error
    if not data:
        raise LostError("connection closed")
    return data


def _read_head(connection: socket.socket) -> tuple[int, bytes, bool, int]:
    """Return the status, what followed the head, whether chunks follow, and the body's length."""
    data = b""
    while b"\r\n\r\n" not in data:
        if len(data) > _MAX_HEAD:
            raise LostError("answer without end of head")
        data += _receive(connection)
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    chunked = fields.get("transfer-encoding", "").lower() == "chunked"
    try:
        status, length = int(lines[0].split()[1]), int(fields.get("content-length", "0"))
    except (ValueError, IndexError):
        raise LostError(f"not the answer of an agent: {lines[0][:80]}") from None
    return status, rest, chunked, length


def _read_body(connection: socket.socket, body: bytes, length: int) -> bytes:
    while len(body) < length:
        body += _receive(connection)
    return body
