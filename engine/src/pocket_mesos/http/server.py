"""The HTTP server edge: aiohttp reads requests, a router answers them in Mesos' wire shape."""

import asyncio
import gzip
import logging
import socket
import time
from email.utils import formatdate
from typing import BinaryIO
from urllib.parse import unquote

from aiohttp import web
from aiohttp.web_log import AccessLogger
from multidict import CIMultiDict

from pocket_mesos.http.messages import Request, Response, text
from pocket_mesos.http.router import Reply, Router
from pocket_mesos.http.stream import EventStream
from pocket_mesos.protocol.errors import PocketError

MAX_BODY_BYTES = 64 * 1024 * 1024
"""A larger body is refused with 413."""

_GZIP_MINIMUM_BYTES = 1024
"""Mesos compresses bodies from this size on."""

_PIECE_BYTES = 256 * 1024
"""Of a file that are in memory at a time."""

_log = logging.getLogger(__name__)


class BindError(PocketError):
    """The address can't be listened on."""


class Server:
    """Serves a router on one address."""

    def __init__(self, router: Router) -> None:
        """Prepare to serve ``router``; :meth:`start` binds."""
        self._router = router
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._serve)
        app.on_response_prepare.append(_strip_headers)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            access_log_class=AccessLogger,
            handler_cancellation=True,
            shutdown_timeout=1.0,
        )

    async def start(self, ip: str, port: int) -> int:
        """Bind and serve.

        Returns:
            The port, chosen by the system when ``port`` was 0.

        Raises:
            BindError: the address is taken or not this host's.
        """
        listener = bind(ip, port)
        await self.serve(listener)
        return int(listener.getsockname()[1])

    async def serve(self, listener: socket.socket) -> None:
        """Serve on a socket that listens already; clients that have connected were waiting."""
        await self._runner.setup()
        await web.SockSite(self._runner, listener, backlog=1024).start()

    async def stop(self) -> None:
        """Stop serving; open streams are cut."""
        await self._runner.cleanup()

    async def _serve(self, incoming: web.Request) -> web.StreamResponse:
        path, _, query = incoming.raw_path.partition("?")
        request = Request(
            method=incoming.method,
            path=unquote(path),
            query_string=query,
            headers=incoming.headers,
        )
        try:
            reply = await self._answer(request, incoming)
        except web.HTTPRequestEntityTooLarge:
            return _outgoing(_too_large())
        except Exception:
            _log.exception("Failed to answer %s %s", request.method, request.path)
            return _outgoing(text(500, "500 Internal Server Error."))
        if isinstance(reply, EventStream):
            return await _stream(incoming, reply)
        if reply.file is not None:
            return await _send_file(incoming, reply, reply.file)
        return _outgoing(reply, compress=_accepts_gzip(request))

    async def _answer(self, head: Request, incoming: web.Request) -> Reply:
        """Answer a request, whose body is read when it may come in and is none too large."""
        admitted = self._router.admit(head)
        if isinstance(admitted, Response):
            return admitted
        if (incoming.content_length or 0) > MAX_BODY_BYTES:
            return _too_large()
        return await admitted.answer(head, await incoming.read())


def _too_large() -> Response:
    return text(413, f"Expecting a body of at most {MAX_BODY_BYTES} bytes")


def bind(ip: str, port: int) -> socket.socket:
    """Return a listening socket.

    Raises:
        BindError: the address is taken or not this host's.
    """
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((ip, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        raise BindError(f"Failed to bind on {ip}:{port}: {error.strerror}") from None
    return listener


def _outgoing(response: Response, *, compress: bool = False) -> web.Response:
    headers: CIMultiDict[str] = CIMultiDict()
    body = response.body
    replaced = dict(response.headers)
    if compress and len(body) >= _GZIP_MINIMUM_BYTES:
        body = gzip.compress(body, 6)
        headers["Content-Encoding"] = "gzip"
        replaced["Content-Length"] = str(len(body))
    headers["Date"] = _date()
    headers.extend(replaced)
    return web.Response(status=response.status, reason=response.reason, headers=headers, body=body)


async def _send_file(incoming: web.Request, reply: Response, file: BinaryIO) -> web.StreamResponse:
    """Send a file piece by piece: it may be larger than the memory."""
    with file:
        response = web.StreamResponse(status=reply.status, headers={"Date": _date()})
        response.headers.extend(reply.headers)
        await response.prepare(incoming)
        left = 0 if incoming.method == "HEAD" else response.content_length or 0
        try:
            while left and (piece := await asyncio.to_thread(file.read, min(left, _PIECE_BYTES))):
                await response.write(piece)
                left -= len(piece)
        except ConnectionError:
            return response  # the client has enough
        if left and incoming.transport is not None:
            # The file has become shorter; who waits for the rest must learn that none comes.
            incoming.transport.abort()
    return response


async def _stream(incoming: web.Request, stream: EventStream) -> web.StreamResponse:
    headers: CIMultiDict[str] = CIMultiDict()
    headers["Date"] = _date()
    headers["Transfer-Encoding"] = "chunked"
    headers.extend(stream.headers())
    response = web.StreamResponse(headers=headers)
    response.enable_chunked_encoding()
    await stream.run(incoming, response)
    return response


async def _strip_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """Take out what aiohttp adds and Mesos does not send."""
    for name in ("Server", "Connection"):
        response.headers.popall(name, None)


def _accepts_gzip(request: Request) -> bool:
    for part in request.headers.get("Accept-Encoding", "").split(","):
        coding, _, parameters = part.partition(";")
        if coding.strip() in ("gzip", "*"):
            return parameters.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


_date_cache: tuple[int, str] = (0, "")
"""Second and its text: formatted once a second, not once a response."""


def _date() -> str:
    global _date_cache
    now = int(time.time())
    if _date_cache[0] != now:
        _date_cache = (now, formatdate(now, usegmt=True))
    return _date_cache[1]
