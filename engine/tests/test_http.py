"""The HTTP edges: Mesos' wire shape, routing, streams that don't buffer without end."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pocket_mesos.http import messages
from pocket_mesos.http.authentication import BasicAuthenticator, Realm, authorization
from pocket_mesos.http.client import Client, RefusedError, UnreachableError
from pocket_mesos.http.messages import Request, Response
from pocket_mesos.http.router import Reply, Router
from pocket_mesos.http.server import BindError, Server
from pocket_mesos.http.stream import EventStream

PATIENCE = 60.0
"""Seconds until what is awaited counts as missing, on a busy machine too."""


@asynccontextmanager
async def serving(router: Router) -> AsyncIterator[int]:
    server = Server(router)
    port = await server.start("127.0.0.1", 0)
    try:
        yield port
    finally:
        await server.stop()


async def exchange(port: int, request: bytes) -> tuple[list[str], bytes]:
    """Send raw bytes, return the answer's head lines and body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
    length = next((int(h.split(": ")[1]) for h in head if h.startswith("Content-Length")), 0)
    body = b"" if request.startswith(b"HEAD") else await reader.readexactly(length)
    writer.close()
    return head, body


async def answered(made: Router, request: Request) -> Reply:
    """Have a router answer a request without a server around it."""
    admitted = made.admit(request)
    return admitted if isinstance(admitted, Response) else await admitted.answer(request, b"")


def shape(head: list[str]) -> list[str]:
    """The status line and the header names in order."""
    return [head[0], *(line.split(":")[0] for line in head[1:])]


def router() -> Router:
    made = Router()
    both = ("", "/master")
    made.add("/state", lambda r: messages.endpoint_json({"a": 1.0}, r), prefixes=both)
    made.add("/health", lambda _: messages.ok(), prefixes=both)
    made.add("/version", lambda r: messages.endpoint_json({}, r), exact=True)
    made.add("/redirect", lambda _: messages.temporary_redirect("//h:1"), prefixes=both)
    made.add("/weights", lambda _: messages.ok(), methods=("GET", "PUT"))
    made.add("/api/v1", lambda _: messages.api_json({"api": "operator"}), methods=("POST",))
    made.add("/api/v1/scheduler", lambda _: messages.accepted(), methods=("POST",))
    made.add("/large", lambda r: messages.endpoint_json({"x": "y" * 5000}, r))
    return made


@pytest.mark.component
@pytest.mark.parametrize(
    ("request_line", "expected", "body"),
    [
        ("GET /state", ["HTTP/1.1 200 OK", "Date", "Content-Length", "Content-Type"], b'{"a":1.0}'),
        ("HEAD /state", ["HTTP/1.1 200 OK", "Date", "Content-Length", "Content-Type"], b""),
        (
            "POST /state",
            ["HTTP/1.1 200 OK", "Date", "Content-Length", "Content-Type"],
            b'{"a":1.0}',
        ),
        ("GET /health", ["HTTP/1.1 200 OK", "Date", "Content-Length"], b""),
        (
            "GET /redirect",
            ["HTTP/1.1 307 Temporary Redirect", "Date", "Location", "Content-Length"],
            b"",
        ),
        (
            "DELETE /weights",
            ["HTTP/1.1 405 Method Not Allowed", "Date", "Allow", "Content-Type", "Content-Length"],
            b"405 Method Not Allowed. Expecting one of { 'GET', 'PUT' }, but received 'DELETE'.",
        ),
        (
            "GET /nosuch",
            ["HTTP/1.1 404 Not Found", "Date", "Content-Type", "Content-Length"],
            b"404 Not Found.",
        ),
        ("POST /api/v1", ["HTTP/1.1 200 OK", "Date", "Content-Type", "Content-Length"], None),
    ],
)
async def test_answers_have_the_shape_of_mesos(
    request_line: str, expected: list[str], body: bytes | None
) -> None:
    """Status line, header names and their order are those that a real master sends."""
    async with serving(router()) as port:
        head, got = await exchange(port, f"{request_line} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert shape(head) == expected
    if body is not None:
        assert got == body


@pytest.mark.parametrize(
    ("path", "served"),
    [
        ("/state", True),
        ("/state/", True),
        ("/state/nosuch", True),
        ("/master/state/x/y", True),
        ("/stateX", False),
        ("/version", True),
        ("/version/x", False),
        ("/", False),
        ("/master(1)/state", False),
    ],
)
def test_longest_prefix_of_whole_components_serves(path: str, served: bool) -> None:
    """Deeper paths reach the endpoint above them, similar names don't."""
    assert (router().find(path) is not None) is served


async def test_the_longest_prefix_wins() -> None:
    """The scheduler API is not the operator API, though its path lies below."""
    made = router()
    deep = await answered(made, Request(method="POST", path="/api/v1/scheduler/"))
    above = await answered(made, Request(method="POST", path="/api/v1/schedulerx"))
    assert isinstance(deep, messages.Response)
    assert isinstance(above, messages.Response)
    assert deep.status == 202
    assert above.status == 200


async def test_jsonp_wraps_the_answer() -> None:
    """?jsonp=cb gives a call of cb, as JavaScript."""
    reply = messages.endpoint_json(
        {"roles": []}, Request(method="GET", path="/", query_string="jsonp=f")
    )
    assert reply.body == b'f({"roles":[]})'
    assert ("Content-Type", "text/javascript") in reply.headers


@pytest.mark.component
async def test_large_answers_are_compressed_for_clients_that_take_it() -> None:
    """gzip from 1 KB on, announced in front, and never against q=0."""
    async with serving(router()) as port:
        ask = "GET /large HTTP/1.1\r\nHost: x\r\nAccept-Encoding: {}\r\n\r\n"
        head, body = await exchange(port, ask.format("gzip, deflate").encode())
        plain, _ = await exchange(port, ask.format("gzip;q=0").encode())
    assert shape(head)[1:] == ["Content-Encoding", "Date", "Content-Length", "Content-Type"]
    assert json.loads(gzip.decompress(body)) == {"x": "y" * 5000}
    assert "Content-Encoding" not in shape(plain)


def streaming(streams: list[EventStream], **options: object) -> Router:
    made = Router()

    def subscribe(_: Request) -> EventStream:
        stream = EventStream(stream_id="s1", **options)  # type: ignore[arg-type]
        stream.send(b"first")
        streams.append(stream)
        return stream

    made.add("/api", subscribe)
    return made


@pytest.mark.component
async def test_stream_delivers_records_and_heartbeats_until_closed() -> None:
    """Records arrive in order, heartbeats in between, the end is a clean one."""
    streams: list[EventStream] = []
    closed = asyncio.Event()
    made = streaming(streams, heartbeat=b"beat", heartbeat_interval=0.05, on_closed=closed.set)
    async with serving(made) as port, Client() as client:
        subscription = await client.subscribe(f"http://127.0.0.1:{port}/api", b"{}")
        assert subscription.stream_id == "s1"
        received = []
        async for record in subscription.records():
            received.append(record)
            if record == b"beat" and streams[0].open:
                streams[0].send(b"last")
                streams[0].close()
        await asyncio.wait_for(closed.wait(), PATIENCE)
    first, *beats, last = received  # a slow machine may come to more than one heartbeat
    assert (first, set(beats), last) == (b"first", {b"beat"}, b"last")


@pytest.mark.component
async def test_stream_has_the_shape_of_mesos() -> None:
    """Header order and one chunk per record, as raw clients see it."""
    async with serving(streaming([])) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        chunk = await reader.readexactly(12)
        writer.close()
    assert shape(head)[1:] == ["Date", "Transfer-Encoding", "Mesos-Stream-Id", "Content-Type"]
    assert chunk == b"7\r\n5\nfirst\r\n"


@pytest.mark.component
async def test_nobody_sends_a_body_who_may_not_come_in() -> None:
    """The refusal comes on the head alone; what follows costs no memory, and the connection
    serves on once it is through.
    """
    made = Router({Realm.READWRITE: BasicAuthenticator("r", {"p": "s"})})
    made.add("/api", lambda asked: messages.text(200, str(len(asked.body))), realm=Realm.READWRITE)
    head = "POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
    async with serving(made) as port, asyncio.timeout(PATIENCE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{head}\r\n".encode())
        refusal = await reader.readuntil(b"\r\n\r\n401 Unauthorized.")
        assert refusal.startswith(b"HTTP/1.1 401 Unauthorized\r\n")
        writer.write(b"x" * 1_000_000)
        writer.write(f"{head}Authorization: {authorization('p', 's')}\r\n\r\n".encode())
        writer.write(b"x" * 1_000_000)
        answer = await reader.readuntil(b"\r\n\r\n1000000")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()


@pytest.mark.component
async def test_a_client_that_goes_away_is_noticed_at_once() -> None:
    """The server learns of a closed connection without having anything to send."""
    streams: list[EventStream] = []
    closed = asyncio.Event()
    async with serving(streaming(streams, on_closed=closed.set)) as port, Client() as client:
        subscription = await client.subscribe(f"http://127.0.0.1:{port}/api", b"{}")
        subscription.close()
        await asyncio.wait_for(closed.wait(), PATIENCE)
        assert not streams[0].open


@pytest.mark.component
async def test_a_client_that_leaves_first_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Ending a stream whose client has gone is part of everyday life, not of the error log."""
    streams: list[EventStream] = []
    async with serving(streaming(streams)) as port, Client() as client:
        for _ in range(20):
            subscription = await client.subscribe(f"http://127.0.0.1:{port}/api", b"{}")
            subscription.close()
            await asyncio.sleep(0)
            streams[-1].close()
        await asyncio.sleep(0.1)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


@pytest.mark.component
async def test_a_slow_reader_is_dropped() -> None:
    """A client that does not read costs at most the bound, then its connection is cut."""
    streams: list[EventStream] = []
    closed = asyncio.Event()
    made = streaming(streams, on_closed=closed.set, max_pending_bytes=1_000_000)
    async with serving(made) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(2000):
            streams[0].send(b"x" * 10_000)
            await asyncio.sleep(0)
            if not streams[0].open:
                break
        await asyncio.wait_for(closed.wait(), PATIENCE)
        writer.close()
    assert not streams[0].open


@pytest.mark.component
async def test_refusals_and_absence_are_told_apart() -> None:
    """A redirect carries its target; a peer that is not there is another error."""
    made = Router()
    made.add("/api", lambda _: messages.temporary_redirect("//leader:5050/api"))
    async with serving(made) as port, Client() as client:
        with pytest.raises(RefusedError) as refused:
            await client.subscribe(f"http://127.0.0.1:{port}/api", b"{}")
        assert (refused.value.status, refused.value.location) == (307, "//leader:5050/api")
    async with Client() as client:
        with pytest.raises(UnreachableError):
            await client.request("GET", f"http://127.0.0.1:{port}/api")


async def test_a_port_that_is_taken_is_named() -> None:
    """The operator reads which address could not be had."""
    async with serving(Router()) as port:
        with pytest.raises(BindError, match=f"Failed to bind on 127.0.0.1:{port}"):
            await Server(Router()).start("127.0.0.1", port)
