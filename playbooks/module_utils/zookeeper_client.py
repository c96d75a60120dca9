"""A client of ZooKeeper for modules that read and write whole trees.

Standard library only: nodes need nothing but Python. Requests are pipelined on one connection,
which ZooKeeper answers in their order.
"""

from __future__ import annotations

import collections
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

CREATE, DELETE, EXISTS, GET_DATA, SET_DATA, GET_ACL, SET_ACL = range(1, 8)
SYNC, GET_CHILDREN, CREATE_CONTAINER, CREATE_TTL = 9, 12, 19, 21
AUTH, CLOSE = 100, -11
AUTH_XID = -4
ERRORS = {
    -4: "connection lost",
    -6: "unimplemented",
    -8: "bad arguments",
    -101: "no node",
    -102: "not authorised",
    -103: "bad version",
    -110: "node exists",
    -111: "not empty",
    -112: "session expired",
    -114: "invalid ACL",
    -115: "authentication failed",
    -125: "quota exceeded",
}
NO_NODE = -101
NO_AUTH = -102

WINDOW_REQUESTS = 200
"""Requests that may be on their way; a server takes no more than 1000 of all clients."""
WINDOW_BYTES = 1 << 20
"""Bytes that requests and answers on their way may have: a small server has 96 MB for all."""
SESSION_TIMEOUT = 30_000
"""Milliseconds without a request after which the server forgets us."""


class ZooKeeperError(Exception):
    """ZooKeeper cannot be reached, or refuses; the message is for people."""


class Stat(NamedTuple):
    """What ZooKeeper keeps of a node beside its data."""

    czxid: int
    mzxid: int
    ctime: int
    mtime: int
    version: int
    cversion: int
    aversion: int
    ephemeral_owner: int
    data_length: int
    num_children: int
    pzxid: int


STAT = struct.Struct(">qqqqiiiqiiq")


class Request(NamedTuple):
    """An operation, its body, and how many bytes it and its answer come to."""

    operation: int
    body: bytes
    weight: int = 0


class Reply(NamedTuple):
    """An answer: 0 or the error, the body, and the last change that the server had seen."""

    error: int
    body: Reader
    zxid: int


class Reader:
    """Takes values off a message, in ZooKeeper's encoding."""

    def __init__(self, data: bytes) -> None:
        """Begin at the message's first byte."""
        self.data = data
        self.offset = 0

    def number(self, form: str) -> int:
        """Return a number: i or q, as the module struct names them."""
        (value,) = struct.unpack_from(f">{form}", self.data, self.offset)
        self.offset += struct.calcsize(form)
        return int(value)

    def buffer(self) -> bytes | None:
        """Return bytes, or None where ZooKeeper says that there are none."""
        length = self.number("i")
        if length < 0:
            return None
        start = self.offset
        self.offset += length
        return self.data[start : self.offset]

    def text(self) -> str:
        """Return a string."""
        return (self.buffer() or b"").decode("utf-8", "surrogatepass")

    def texts(self) -> list[str]:
        """Return a list of strings."""
        return [self.text() for _ in range(max(self.number("i"), 0))]

    def acl(self) -> list[tuple[int, str, str]]:
        """Return an ACL: permissions, scheme and id of each entry."""
        count = max(self.number("i"), 0)
        return [(self.number("i"), self.text(), self.text()) for _ in range(count)]

    def stat(self) -> Stat:
        """Return a node's stat."""
        values = STAT.unpack_from(self.data, self.offset)
        self.offset += STAT.size
        return Stat(*values)


def packed_buffer(data: bytes | None) -> bytes:
    """Return bytes as messages have them."""
    return struct.pack(">i", -1) if data is None else struct.pack(">i", len(data)) + data


def packed_text(text: str) -> bytes:
    """Return a string as messages have it."""
    return packed_buffer(text.encode("utf-8", "surrogatepass"))


def packed_acl(acl: Iterable[Iterable[Any]]) -> bytes:
    """Return an ACL as messages have it."""
    entries = [
        struct.pack(">i", perms) + packed_text(scheme) + packed_text(ident)
        for perms, scheme, ident in acl
    ]
    return struct.pack(">i", len(entries)) + b"".join(entries)


def read(operation: int, path: str, weight: int = 0) -> Request:
    """Return a request about a node, without a watch."""
    watch = b"" if operation in (GET_ACL, SYNC) else b"\0"
    return Request(operation, packed_text(path) + watch, weight)


class Client:
    """A session with one of the servers."""

    def __init__(self, servers: list[str], credentials: list[str], timeout: float) -> None:
        """Connect to the first server that answers, as whom the credentials say."""
        self.timeout = timeout
        self.xid = 0
        self.stream, self.address = self.connect(servers)
        for credential in credentials:
            body = struct.pack(">i", 0) + packed_text("digest")
            self.send(AUTH_XID, AUTH, body + packed_buffer(credential.encode()))
            if self.receive(AUTH_XID).error:
                raise ZooKeeperError(f"{self.address} refuses the credential")

    def connect(self, servers: list[str]) -> tuple[socket.socket, str]:
        """Return a connection with a session, and the server's address."""
        reasons = []
        for address in servers:
            host, _, port = address.rpartition(":")
            try:
                stream = socket.create_connection((host, int(port)), timeout=self.timeout)
                self.stream = stream
                self.send_frame(
                    struct.pack(">iqiq", 0, 0, SESSION_TIMEOUT, 0)
                    + packed_buffer(bytes(16))
                    + b"\0"
                )
                self.receive_frame()
            except (OSError, ZooKeeperError) as error:
                reasons.append(f"{address}: {error}")
            else:
                return stream, address
        raise ZooKeeperError(f"No server takes a session ({'; '.join(reasons)})")

    def calls(self, requests: Iterable[Request]) -> Iterator[Reply]:
        """Carry requests out in their order and return the answers in the same."""
        pending: collections.deque[tuple[int, int]] = collections.deque()
        load = 0
        for request in requests:
            weight = len(request.body) + request.weight
            while pending and (len(pending) >= WINDOW_REQUESTS or load + weight > WINDOW_BYTES):
                xid, done = pending.popleft()
                load -= done
                yield self.receive(xid)
            self.xid += 1
            self.send(self.xid, request.operation, request.body)
            pending.append((self.xid, weight))
            load += weight
        for xid, _ in pending:
            yield self.receive(xid)

    def call(self, request: Request) -> Reply:
        """Carry one request out."""
        return next(self.calls([request]))

    def send(self, xid: int, operation: int, body: bytes) -> None:
        """Send one request."""
        self.send_frame(struct.pack(">ii", xid, operation) + body)

    def send_frame(self, data: bytes) -> None:
        """Send one message."""
        self.stream.sendall(struct.pack(">i", len(data)) + data)

    def receive(self, xid: int) -> Reply:
        """Return the answer to a request."""
        reader = Reader(self.receive_frame())
        found, zxid, error = reader.number("i"), reader.number("q"), reader.number("i")
        if found != xid:
            raise ZooKeeperError(f"{self.address} answers request {found} instead of {xid}")
        return Reply(error, reader, zxid)

    def receive_frame(self) -> bytes:
        """Return one message."""
        (length,) = struct.unpack(">i", self.exactly(4))
        return self.exactly(length)

    def exactly(self, count: int) -> bytes:
        """Return so many bytes."""
        data = bytearray()
        while len(data) < count:
            chunk = self.stream.recv(min(count - len(data), 1 << 16))
            if not chunk:
                raise ZooKeeperError("it closed the connection")
            data += chunk
        return bytes(data)

    def close(self) -> None:
        """End the session."""
        self.xid += 1
        self.send(self.xid, CLOSE, b"")
        self.stream.close()


def reason(error: int) -> str:
    """Return what an error's number means."""
    return ERRORS.get(error, f"error {error}")
