"""HTTP with a server of this framework's (the scheduler's, or another executor's), with patience.

A server may be away for a while: a scheduler that was killed comes back at the same address. What
it answers is final, what breaks on the way is tried again.
"""

import http.client
import json
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from mapreduce.errors import MapReduceError

T = TypeVar("T")

TIMEOUT = 30.0
"""Seconds without a byte after which an attempt is given up."""

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
"""Seconds between attempts, doubling from the first to the longest."""

BLOCK = 1 << 20
"""Bytes of a file sent at a time."""


_thread = threading.local()


class TransferError(MapReduceError):
    """The server could not be reached, or refused; the message says which, and its address."""


class RefusedError(TransferError):
    """The server answered, with another status than was asked for."""


class Client:
    """One server, over one kept connection, for one thread.

    `patience` is how many seconds of trouble with the connection it takes to give up.
    """

    def __init__(self, url: str, patience: float) -> None:
        parts = urllib.parse.urlsplit(url)
        self.netloc = parts.netloc
        self._patience = patience
        self._connection = http.client.HTTPConnection(
            parts.hostname or "", parts.port, timeout=TIMEOUT, blocksize=BLOCK
        )

    def get(self, path: str) -> bytes:
        """Return what is at a path."""
        return self._persist(lambda: self._request("GET", path, http.client.OK))

    def get_json(self, path: str) -> Any:
        """Return the JSON that is at a path."""
        return json.loads(self.get(path))

    def get_range(self, path: str, start: int, end: int) -> bytes:
        """Return the bytes from `start` up to `end`, all of them."""
        headers = {"Range": f"bytes={start}-{end - 1}"}
        wanted = http.client.PARTIAL_CONTENT
        return self._persist(lambda: self._request("GET", path, wanted, headers=headers))

    def put(self, path: str, body: bytes) -> None:
        """Bring bytes to a path."""
        self._persist(lambda: self._request("PUT", path, http.client.OK, body))

    def put_file(self, path: str, file: Path) -> None:
        """Bring a file to a path, without holding it in memory."""
        length = {"Content-Length": str(file.stat().st_size)}

        def send() -> bytes:
            with file.open("rb") as body:
                return self._request("PUT", path, http.client.OK, body, length)

        self._persist(send)

    def close(self) -> None:
        """Close the connection; another request would open it again."""
        self._connection.close()

    def _request(
        self,
        method: str,
        path: str,
        wanted: int,
        body: bytes | BinaryIO | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        self._connection.request(method, path, body, headers or {})
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != wanted:
            said = answer[:500].decode("utf-8", "replace").strip()
            raise RefusedError(
                f"the server at {self.netloc} answered HTTP {response.status} {response.reason}"
                f"{': ' if said else ''}{said}"
            )
        return answer

    def _persist(self, attempt: Callable[[], T]) -> T:
        """Attempt until it succeeds, is refused, or patience is at its end."""
        give_up = time.monotonic() + self._patience
        pause = FIRST_PAUSE
        while True:
            try:
                return attempt()
            except (OSError, http.client.HTTPException) as error:
                self.close()
                if time.monotonic() + pause > give_up:
                    raise TransferError(
                        f"the server at {self.netloc} cannot be reached: {_text(error)}"
                    ) from error
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)


def kept(url: str, patience: float) -> Client:
    """Return this thread's client of a URL's server, which keeps its connection."""
    clients: dict[tuple[str, float], Client] = _thread.__dict__.setdefault("clients", {})
    key = (address(url), patience)
    if key not in clients:
        clients[key] = Client(url, patience)
    return clients[key]


def connect(url: str, timeout: float) -> None:
    """Make sure that a server can be reached at all; raises OSError."""
    parts = urllib.parse.urlsplit(url)
    socket.create_connection((parts.hostname or "", parts.port or 80), timeout).close()


def address(url: str) -> str:
    """Return the host and port of a URL."""
    return urllib.parse.urlsplit(url).netloc


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
