"""HTTP as the suite speaks it: single requests, and RecordIO event streams.

Nothing is interpreted here. The streams are read from the socket itself, since
the tests must tell an end with a last chunk from a connection that was cut.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator

JSON_HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
TIMEOUT = 60.0  # seconds; an unoptimised master on a busy machine needs a few


@dataclass(frozen=True)
class Address:
    """Where a daemon listens."""

    host: str
    port: int
    credential: tuple[str, str] | None = field(default=None, compare=False, repr=False)
    """Principal and secret, shown with every request that brings no header of its own."""

    def known_as(self, credential: tuple[str, str] | None) -> Address:
        """Return the same place, for somebody else."""
        return replace(self, credential=credential)

    def authorization(self) -> dict[str, str]:
        """Return the header that shows the credential."""
        return {} if self.credential is None else {"Authorization": basic(*self.credential)}

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `http://host:port`, `//host:port` or `host:port`."""
        authority = text.split("//", 1)[-1].split("/", 1)[0]
        host, separator, port = authority.rpartition(":")
        if not separator or not port.isdigit():
            raise ValueError(f"expected http://host:port, found '{text}'")
        return cls(host.strip("[]"), int(port))

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Response:
    """An HTTP answer; `headers` in the order received, `body` as text."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: str

    def header(self, name: str) -> str | None:
        """Return the first header of this name, whatever its case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def json(self) -> Any:
        """Decode the body."""
        return json.loads(self.body)


def basic(principal: str, secret: str) -> str:
    """Return the value of the header that authenticates."""
    return "Basic " + base64.b64encode(f"{principal}:{secret}".encode()).decode()


def encode(body: Any) -> bytes:
    """Turn a request body into bytes: text as it is, anything else as JSON."""
    if body is None:
        return b""
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def request(
    address: Address,
    method: str,
    path: str,
    body: Any = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Send one request on a connection of its own. Redirects are not followed."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=TIMEOUT)
    try:
        payload = encode(body)
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in {**address.authorization(), **(headers or {})}.items():
            connection.putheader(name, value)
        if payload or method not in ("GET", "HEAD"):
            connection.putheader("Content-Length", str(len(payload)))
        connection.endheaders(payload)
        answer = connection.getresponse()
        text = answer.read().decode()
        return Response(answer.status, answer.reason, tuple(answer.getheaders()), text)
    finally:
        connection.close()


class RecordDecoder:
    """RecordIO, `<length>\\n<bytes>` repeated, fed in pieces of any size."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the records that they complete."""
        self._pending += data
        records = []
        while (end := self._pending.find(b"\n")) >= 0:
            length = int(self._pending[:end])
            record = self._pending[end + 1 : end + 1 + length]
            if len(record) < length:
                break
            records.append(record)
            self._pending = self._pending[end + 1 + length :]
        return records


class EventStream:
    """A POST whose chunked answer is read as records until it ends.

    `head` holds the status and headers (and the body, when the answer is no stream).
    `ended` is None while the stream is open, then "last chunk" or "connection closed".
    """

    def __init__(
        self,
        address: Address,
        path: str,
        call: Any,
        headers: dict[str, str],
        *,
        receive_bytes: int | None = None,
    ) -> None:
        payload = encode(call)
        self._socket = socket.create_connection((address.host, address.port), timeout=TIMEOUT)
        if receive_bytes is not None:  # the kernel takes no more for who does not read
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self._file: BinaryIO = self._socket.makefile("rb")
        fields = {"Host": str(address), **address.authorization(), **headers}
        fields["Content-Length"] = str(len(payload))
        lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
        self._socket.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)
        self.ended: str | None = None
        self.head = self._read_head()
        self._socket.settimeout(None)

    def _read_head(self) -> Response:
        status_line = self._file.readline().decode().rstrip("\r\n")
        if not status_line:
            raise ConnectionError("connection closed before an answer")
        _, status, reason = status_line.split(" ", 2)
        headers = []
        while line := self._file.readline().decode().rstrip("\r\n"):
            name, value = line.split(":", 1)
            headers.append((name, value.strip()))
        head = Response(int(status), reason, tuple(headers), "")
        if head.header("Transfer-Encoding") == "chunked":
            return head
        body = self._file.read(int(head.header("Content-Length") or 0)).decode()
        return Response(head.status, head.reason, head.headers, body)

    def records(self) -> Iterator[bytes]:
        """Yield records until the stream ends."""
        decoder = RecordDecoder()
        for chunk in self._chunks():
            yield from decoder.feed(chunk)

    def _chunks(self) -> Iterator[bytes]:
        try:
            while line := self._file.readline():
                size = int(line, 16)
                chunk = self._file.read(size)
                self._file.readline()
                if size == 0:
                    self.ended = "last chunk"
                    return
                yield chunk
        except (OSError, ValueError):
            pass  # closed by either side in the middle of a chunk
        self.ended = "connection closed"

    def close(self) -> None:
        """Cut the connection, as a scheduler does that dies."""
        with contextlib.suppress(OSError):  # the other side was first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
