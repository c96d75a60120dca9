"""Reading inputs that are http and https URLs.

One request for all that a reader is likely to want, and another from where a connection broke.
"""

import contextlib
import http.client
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from mapreduce.errors import SourceError
from mapreduce.inputs import compression
from mapreduce.inputs.splits import PIECE, chunk_end

TIMEOUT = 30.0
"""Seconds without a byte after which a server counts as out of reach."""

URL_PATIENCE = 10.0
"""Seconds for which requests to a server that fails are repeated."""

LONGEST_PAUSE = 1.0
"""Seconds between such requests at most; the first is repeated at once."""

TROUBLE = (OSError, http.client.HTTPException)

_PASSING = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")


class _Patience:
    """Waits between attempts, and raises when nothing has come for too long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.renew()

    def renew(self) -> None:
        """Begin anew, as something came."""
        self._since = time.monotonic()
        self._pause = 0.0

    def wait(self, error: Exception) -> None:
        """Wait for the next attempt, or raise the error."""
        if time.monotonic() + self._pause - self._since >= self._seconds:
            raise error
        time.sleep(self._pause)
        self._pause = min(LONGEST_PAUSE, 2 * self._pause + 0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What a server says about a URL: `size` in bytes or None, whether it serves ranges.

    `version` changes with the content, where the server says so; `head` is how it begins.
    """

    size: int | None
    ranges: bool
    version: str | None
    head: bytes


def is_web(url: str) -> bool:
    """Whether a URL is one of HTTP's, which is read here."""
    return url.lower().startswith(("http://", "https://"))


def probe(url: str, headers: Mapping[str, str]) -> Resource:
    """Ask for a URL's first bytes; raises what `TROUBLE` names."""
    try:
        with _open(url, {**headers}, (0, compression.HEAD)) as response:
            total = _total(response)
            part = response.status == HTTPStatus.PARTIAL_CONTENT
            return Resource(
                size=total if part else response.length,
                ranges=part,
                version=_version(response),
                head=response.read(compression.HEAD),
            )
    except urllib.error.HTTPError as error:
        with error:
            if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and _total(error) == 0:
                return Resource(size=0, ranges=True, version=None, head=b"")
        raise


class UrlSource:
    """An http or https URL, by range where its server keeps to ranges, else front to back."""

    def __init__(self, reference: dict[str, Any], headers: Mapping[str, str]) -> None:
        self.name: str = reference["name"]
        self._url: str = reference["url"]
        self._size: int | None = reference["size"]
        self._by_range: bool = reference["ranges"]
        self._version: str | None = reference["version"]
        self._headers = headers

    def chunks(self, start: int, stop: int | None) -> Iterator[bytes]:
        """See `splits.Source`; a server without ranges is read from the start only."""
        try:
            if self._by_range and self._size is not None:
                yield from self._ranges(start, stop, self._size)
            else:
                yield from self._forward(start)
        except TROUBLE as error:
            raise SourceError(
                f"The input {self.name!r} could not be read: {said(error)}."
            ) from error

    def _forward(self, start: int) -> Iterator[bytes]:
        assert start == 0, "what is not splittable is one range"
        with self._checked(None) as response:
            while chunk := response.read(PIECE):
                yield chunk
                start += len(chunk)
        if self._size not in (None, start):
            raise ConnectionError(f"the connection ended at byte {start} of {self._size}")

    def _ranges(self, start: int, stop: int | None, size: int) -> Iterator[bytes]:
        while start < size:
            for chunk in self._range(start, min(size, chunk_end(start, stop, size))):
                yield chunk
                start += len(chunk)

    def _range(self, start: int, end: int) -> Iterator[bytes]:
        """Yield all bytes of a range, whatever the number of requests that it takes."""
        patience = _Patience(URL_PATIENCE)
        while start < end:
            try:
                with self._get(start, end) as response:
                    while chunk := response.read(min(end - start, PIECE)):
                        yield chunk
                        start += len(chunk)
                        patience.renew()
                if start < end:
                    raise ConnectionError(f"the connection ended early, at byte {start}")
            except TROUBLE as error:
                patience.wait(error)

    @contextlib.contextmanager
    def _get(self, start: int, end: int) -> Generator[http.client.HTTPResponse]:
        with self._checked((start, end)) as response:
            said_range = response.headers.get("Content-Range", "no range")
            found = _CONTENT_RANGE.fullmatch(said_range)
            if found is None or found[1] != str(start):
                raise SourceError(
                    f"The input {self.name!r}: the server answered {response.status} with "
                    f"{said_range} where it was asked for bytes {start}-{end - 1}."
                )
            if found[2] != str(self._size):
                raise self._changed()
            yield response

    def _checked(self, part: tuple[int, int] | None) -> http.client.HTTPResponse:
        """Return the answer, if it is of the version that the job began with."""
        try:
            response = _open(self._url, self._headers, part)
        except urllib.error.HTTPError as error:
            with error:
                if error.code in _PASSING or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR:
                    raise
                raise SourceError(
                    f"The input {self.name!r} could not be read: {said(error)}."
                ) from error
        if _version(response) != self._version:
            response.close()
            raise self._changed()
        return response

    def _changed(self) -> SourceError:
        return SourceError(f"The input {self.name!r} changed during the job.")


def _open(
    url: str, headers: Mapping[str, str], part: tuple[int, int] | None
) -> http.client.HTTPResponse:
    parts = urllib.parse.urlsplit(url)
    # As browsers do, without touching what is quoted already.
    path, query = (urllib.parse.quote(text, safe="%/:=&?~+!$,;'@()*[]") for text in parts[2:4])
    request = urllib.request.Request(parts._replace(path=path, query=query, fragment="").geturl())
    for name, value in headers.items():
        request.add_unredirected_header(name, value)  # another host must not see them
    if part is not None:
        request.add_header("Range", f"bytes={part[0]}-{part[1] - 1}")
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError:
        raise
    except urllib.error.URLError as error:
        raise (error.reason if isinstance(error.reason, OSError) else error) from error
    return response


def _total(answer: http.client.HTTPResponse | urllib.error.HTTPError) -> int | None:
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return int(found[2]) if found else None


def _version(response: http.client.HTTPResponse) -> str | None:
    return response.headers.get("ETag") or response.headers.get("Last-Modified")


def said(error: Exception) -> str:
    """Return an error as text, with its kind where the text is empty."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the answer is {error.code} {error.reason}"
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT:.0f} seconds"
    return str(error) or type(error).__name__
