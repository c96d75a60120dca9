"""Reading the bytes that a reference points to, on the agent.

A file that the agent sees itself is read there, if it is the one that the client named; otherwise
the scheduler's range server is asked, or, for a URL, fsspec.
"""

import http.client
import os
import urllib.parse
from pathlib import Path
from typing import Any, Protocol

from mapreduce.errors import MapReduceError

TIMEOUT = 30.0
"""Seconds without a byte after which the scheduler's server counts as unreachable."""


class SourceError(MapReduceError):
    """An input could not be read; the message names it."""


class Source(Protocol):
    """Random access to one input."""

    def read(self, start: int, end: int) -> bytes:
        """Return bytes `start` to `end`, fewer only at the input's end; raises SourceError."""
        ...


def open_source(reference: dict[str, Any]) -> Source:
    """Return the nearest source for a reference."""
    if "url" in reference:
        return UrlSource(reference)
    try:
        return FileSource(reference)
    except OSError:
        return ServedSource(reference)


class FileSource:
    """A file on this machine. Raises OSError when it is not there or another one is."""

    def __init__(self, reference: dict[str, Any]) -> None:
        self._name: str = reference["name"]
        self._expected = (reference["size"], reference["modified"])
        self._file = Path(reference["path"]).open("rb", buffering=0)  # noqa: SIM115 for as long as we live
        if self._found() != self._expected:
            self._file.close()
            raise FileNotFoundError("a file of the same name, but another one")

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes; a change of the file since the job began is an error."""
        end = min(end, self._expected[0])
        parts = []
        while start < end and (part := os.pread(self._file.fileno(), end - start, start)):
            parts.append(part)
            start += len(part)
        if start < end or self._found() != self._expected:
            raise SourceError(f"The input {self._name!r} changed during the job.")
        return b"".join(parts)

    def _found(self) -> tuple[int, int]:
        found = os.fstat(self._file.fileno())
        return found.st_size, found.st_mtime_ns


class ServedSource:
    """A file of the client's, from the scheduler's range server, over one kept connection."""

    def __init__(self, reference: dict[str, Any]) -> None:
        self._name: str = reference["name"]
        self._size: int = reference["size"]
        self._url = urllib.parse.urlsplit(reference["served"])
        self._connection: http.client.HTTPConnection | None = None

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes, after one more attempt where a kept connection had ended."""
        end = min(end, self._size)
        if start >= end:
            return b""
        try:
            try:
                return self._request(start, end)
            except (http.client.HTTPException, ConnectionError):
                self._connection = None
                return self._request(start, end)
        except (http.client.HTTPException, OSError) as error:
            raise SourceError(
                f"The input {self._name!r} could not be read from the scheduler's server at "
                f"{self._url.netloc}: {error or type(error).__name__}. Agents must be able to "
                "reach that address; --advertise sets another."
            ) from error

    def _request(self, start: int, end: int) -> bytes:
        if self._connection is None:
            assert self._url.hostname is not None  # the scheduler's own address
            self._connection = http.client.HTTPConnection(
                self._url.hostname, self._url.port, timeout=TIMEOUT
            )
        self._connection.request(
            "GET", self._url.path, headers={"Range": f"bytes={start}-{end - 1}"}
        )
        response = self._connection.getresponse()
        body = response.read()
        if response.status != http.client.PARTIAL_CONTENT:
            raise SourceError(
                f"The input {self._name!r}: {body.decode('utf-8', 'replace').strip()}"
            )
        return body


class UrlSource:
    """Any URL that fsspec reads; ranges where the size is known, otherwise front to back."""

    def __init__(self, reference: dict[str, Any]) -> None:
        import fsspec.core  # slow to import, and most jobs have no URLs

        self._url: str = reference["url"]
        self._size: int | None = reference["size"]
        self._system, self._path = fsspec.core.url_to_fs(self._url)
        self._stream: Any = None
        self._position = 0

    def read(self, start: int, end: int) -> bytes:
        """Return the bytes; without a known size, `start` must be where the last read ended."""
        try:
            return self._forward(start, end) if self._size is None else self._range(start, end)
        except SourceError:
            raise
        except Exception as error:  # whatever fsspec and its back-ends raise
            raise SourceError(
                f"The input {self._url!r} could not be read: {type(error).__name__}: {error}"
            ) from error

    def _range(self, start: int, end: int) -> bytes:
        assert self._size is not None  # read() sees to it
        end = min(end, self._size)
        if start >= end:
            return b""
        body: bytes = self._system.cat_file(self._path, start=start, end=end)
        if len(body) != end - start:
            raise SourceError(
                f"The input {self._url!r} gave {len(body)} bytes for a range of {end - start}: "
                "it changed during the job, or its server does not keep to ranges."
            )
        return body

    def _forward(self, start: int, end: int) -> bytes:
        if self._stream is None or start == 0:
            self._stream, self._position = self._system.open(self._path, "rb"), 0
        assert start == self._position, "an input of unknown size is read in order"
        body: bytes = self._stream.read(end - start)
        self._position += len(body)
        return body
