"""HTTP itself: connections, compression, and what is no HTTP at all."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
from typing import TYPE_CHECKING

import pytest

from . import transcripts
from .endpoints import MASTER_SHAPES
from .scheduler import PATH
from .wire import JSON_HEADERS, TIMEOUT, Address, EventStream, RecordDecoder

if TYPE_CHECKING:
    from .cluster import Cluster
    from .scheduler import Json

SAMPLES = "master/http/raw_wire_samples.txt"
COMPRESSION = "master/http/accept_encoding.json"


def exchange(address: Address, data: bytes) -> bytes:
    """Send bytes; return what comes until the other side closes."""
    with socket.create_connection((address.host, address.port), timeout=TIMEOUT) as connection:
        connection.sendall(data)
        received = b""
        while piece := connection.recv(65536):
            received += piece
        return received


@pytest.mark.transcript(SAMPLES)
def test_connection_is_kept(cluster: Cluster) -> None:
    """One connection serves request after request."""
    master = cluster.master
    connection = http.client.HTTPConnection(master.host, master.port, timeout=TIMEOUT)
    connection.connect()
    first = connection.sock
    for _ in range(2):
        connection.request("GET", "/version")
        answer = connection.getresponse()
        assert answer.status == 200
        assert len(answer.read()) == int(answer.getheader("Content-Length") or -1)
    assert connection.sock is first
    connection.close()


@pytest.mark.transcript(SAMPLES)
def test_pipelining(cluster: Cluster) -> None:
    """Requests sent at once are answered in order, and `Connection: close` ends it."""
    requests = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
    requests += b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    received = exchange(cluster.master, requests)
    version, health = received.split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert json.loads(version.partition(b"\r\n\r\n")[2])["version"]
    assert health.partition(b"\r\n\r\n")[2] == b""


@pytest.mark.transcript(SAMPLES)
def test_garbage(cluster: Cluster) -> None:
    """What is no HTTP ends the connection without disturbing others."""
    exchange(cluster.master, b"GARBAGE\r\n\r\n")
    assert cluster.get("/health").status == 200


def compressed(cluster: Cluster, path: str, encoding: str) -> tuple[str | None, bytes]:
    """GET with Accept-Encoding; return the answer's encoding and its bytes."""
    master = cluster.master
    connection = http.client.HTTPConnection(master.host, master.port, timeout=TIMEOUT)
    headers = {"Accept-Encoding": encoding, **master.authorization()}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.getheader("Content-Encoding"), body


@pytest.mark.transcript(COMPRESSION)
@pytest.mark.parametrize("encoding", ["gzip", "gzip, deflate"])
@pytest.mark.parametrize("path", ["/state", "/metrics/snapshot"])
def test_compression(cluster: Cluster, path: str, encoding: str) -> None:
    """A large answer is compressed for who says that he takes gzip."""
    used, body = compressed(cluster, path, encoding)
    assert used == "gzip"
    assert MASTER_SHAPES[path].problems(json.loads(gzip.decompress(body))) == []


@pytest.mark.transcript(COMPRESSION)
@pytest.mark.parametrize(("path", "encoding"), [("/state", "gzip;q=0"), ("/version", "gzip")])
def test_no_compression(cluster: Cluster, path: str, encoding: str) -> None:
    """Who refuses gzip gets plain text, and so does everyone for small answers."""
    used, body = compressed(cluster, path, encoding)
    assert used is None
    assert "version" in json.loads(body)


@pytest.mark.transcript(COMPRESSION)
def test_streams_are_not_compressed(cluster: Cluster) -> None:
    """An event stream is plain whatever its client accepts."""
    call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": cluster.framework_info("gzip")}}
    headers = {**JSON_HEADERS, "Accept-Encoding": "gzip"}
    stream = EventStream(cluster.master, PATH, call, headers)
    try:
        assert stream.head.header("Content-Encoding") is None
        assert json.loads(next(stream.records()))["type"] == "SUBSCRIBED"
    finally:
        stream.close()


SCHEDULER_WIRE = "scheduler/heartbeats.http_wire.bin"
OPERATOR_WIRE = "master/subscribe/event_stream.wire_head.txt"
STREAM_HEADERS = ["Date", "Transfer-Encoding", "Content-Type"]


def chunks(data: bytes) -> list[bytes]:
    """Take the body of a chunked answer apart, as far as it goes."""
    found = []
    while (end := data.find(b"\r\n")) >= 0:
        size = int(data[:end], 16)
        chunk = data[end + 2 : end + 2 + size]
        if len(chunk) < size:
            break
        found.append(chunk)
        data = data[end + 4 + size :]
    return found


def stream_problems(data: bytes, headers: list[str]) -> list[str]:
    """Hold the raw start of an event stream against what it must be: a record in each chunk."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    problems = [] if lines[0] == "HTTP/1.1 200 OK" else [lines[0]]
    found = [line.partition(":")[0] for line in lines[1:]]
    problems += [] if found == headers else [f"headers {found}"]
    events = []
    for chunk in chunks(body):
        records = RecordDecoder().feed(chunk)
        if len(records) != 1 or chunk != b"%d\n%b" % (len(records[0]), records[0]):
            problems.append(f"no single record: {chunk!r:.100}")
        events += [json.loads(record)["type"] for record in records]
    return problems if events[:1] == ["SUBSCRIBED"] else [*problems, f"events {events}"]


def start_of_stream(address: Address, path: str, call: Json) -> bytes:
    """Open an event stream; return its bytes until the second chunk is whole."""
    body = json.dumps(call).encode()
    fields = {**JSON_HEADERS, **address.authorization(), "Content-Length": str(len(body))}
    lines = [f"POST {path} HTTP/1.1", "Host: x", *(f"{key}: {it}" for key, it in fields.items())]
    request = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    with socket.create_connection((address.host, address.port), timeout=TIMEOUT) as connection:
        connection.sendall(request)
        received = b""
        while len(chunks(received.partition(b"\r\n\r\n")[2])) < 2:
            received += connection.recv(65536)
        return received


@pytest.mark.transcript(SCHEDULER_WIRE)
def test_a_schedulers_stream_on_the_wire(cluster: Cluster) -> None:
    """Headers in Mesos' order, and each event in a chunk of its own, as some clients need it."""
    call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": cluster.framework_info("wire")}}
    data = start_of_stream(cluster.master, PATH, call)
    assert stream_problems(data, [*STREAM_HEADERS[:2], "Mesos-Stream-Id", STREAM_HEADERS[2]]) == []


@pytest.mark.transcript(OPERATOR_WIRE)
def test_an_operators_stream_on_the_wire(cluster: Cluster) -> None:
    """The same, without the id that nobody needs there."""
    data = start_of_stream(cluster.master, "/api/v1", {"type": "SUBSCRIBE"})
    assert stream_problems(data, STREAM_HEADERS) == []


@transcripts.recorded
@pytest.mark.transcript(SCHEDULER_WIRE)
def test_real_mesos_streams_so() -> None:
    """The recorded bytes are such streams."""
    data = (transcripts.ROOT / SCHEDULER_WIRE).read_bytes()
    wanted = [*STREAM_HEADERS[:2], "Mesos-Stream-Id", STREAM_HEADERS[2]]
    assert stream_problems(data, wanted) == []
    text = (transcripts.ROOT / OPERATOR_WIRE).read_bytes()
    head = text.partition(b"\r\n\r\n")[0].replace(b"\\r\\n", b"")
    names = [line.partition(b":")[0].decode() for line in head.split(b"\n")]
    assert [name for name in names if name in STREAM_HEADERS] == STREAM_HEADERS


@transcripts.recorded
@pytest.mark.transcript(COMPRESSION)
def test_real_mesos_compresses_so() -> None:
    """The recorded heads are compressed, or not, as asserted here."""
    told = {}
    for entry in transcripts.load(COMPRESSION):
        asked = dict(entry["request_headers"]).get("Accept-Encoding")
        told[entry["path"], asked] = "Content-Encoding: gzip" in entry["response_head"]
    wanted = {
        ("/state", "gzip"): True,
        ("/state", "gzip, deflate"): True,
        ("/metrics/snapshot", "gzip"): True,
        ("/state", "gzip;q=0"): False,
        ("/version", "gzip"): False,
        ("POST /api/v1/scheduler SUBSCRIBE", "gzip"): False,
    }
    assert {key: told[key] for key in wanted} == wanted
