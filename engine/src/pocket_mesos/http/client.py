"""The HTTP client edge: single calls, and event streams as async iterators of records."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp

from pocket_mesos.http.messages import JSON
from pocket_mesos.protocol import recordio
from pocket_mesos.protocol.errors import PocketError

_FAULTS = (aiohttp.ClientError, OSError, asyncio.TimeoutError)


class UnreachableError(PocketError):
    """The peer can't be reached, or the connection broke before the answer was complete."""


class RefusedError(PocketError):
    """The peer answered a subscription with something else than a stream."""

    def __init__(self, url: str, status: int, body: str, location: str | None) -> None:
        super().__init__(f"{url} answered {status}: {body or location or ''}")
        self.status = status
        self.body = body
        self.location = location
        """Where a redirect points, such as ``//10.0.0.2:5050/master/api/v1``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a single call got."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Subscription:
    """The client's end of an event stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        """Read records from an answer whose head has arrived."""
        self._response = response
        self.stream_id = response.headers.get("Mesos-Stream-Id")

    async def records(self) -> AsyncIterator[bytes]:
        """Yield records until the peer ends the stream.

        Raises:
            UnreachableError: the connection broke.
            ProtocolError: the stream is not RecordIO.
        """
        decoder = recordio.Decoder()
        try:
            async for data in self._response.content.iter_any():
                for record in decoder.feed(data):
                    yield record
        except _FAULTS as error:
            raise UnreachableError(f"stream broke: {error!r}") from error

    def close(self) -> None:
        """Cut the connection; the peer sees it at once."""
        self._response.close()


class Client:
    """Connections to any number of peers; an async context manager."""

    def __init__(self, connect_timeout: float = 5.0) -> None:
        """Prepare; connections are opened as calls need them."""
        self._connect_timeout = connect_timeout
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_timeout),
            auto_decompress=True,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        within: float = 30.0,
    ) -> Answer:
        """Make one call; redirects are returned, not followed.

        Raises:
            UnreachableError: no complete answer within ``within`` seconds.
        """
        assert self._session is not None, "use the client as a context manager"
        try:
            async with asyncio.timeout(within):
                response = await self._session.request(
                    method, url, data=body, headers=_with_json(headers), allow_redirects=False
                )
                async with response:
                    content = await response.read()
                    return Answer(status=response.status, headers=response.headers, body=content)
        except _FAULTS as error:
            raise UnreachableError(f"{method} {url}: {error!r}") from error

    async def subscribe(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        within: float = 30.0,
    ) -> Subscription:
        """POST ``body`` and return the event stream that answers it.

        Raises:
            UnreachableError: no answer within ``within`` seconds.
            RefusedError: the answer is not 200.
        """
        assert self._session is not None, "use the client as a context manager"
        try:
            async with asyncio.timeout(within):
                response = await self._session.post(
                    url, data=body, headers=_with_json(headers), allow_redirects=False
                )
                if response.status == 200:
                    return Subscription(response)
                async with response:
                    text = await response.text(errors="replace")
        except _FAULTS as error:
            raise UnreachableError(f"POST {url}: {error!r}") from error
        raise RefusedError(url, response.status, text, response.headers.get("Location"))


def _with_json(headers: Mapping[str, str] | None) -> dict[str, str]:
    return {"Content-Type": JSON, "Accept": JSON, **(headers or {})}
