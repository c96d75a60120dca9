"""The scheduler's server over real sockets: ranges out, results in, nothing without the token."""

import http.client
import json
import os
import socket
import threading
import urllib.parse
import urllib.request
from pathlib import Path

import pytest

from mapreduce.errors import ClusterError
from mapreduce.exchange.results import Store, digest
from mapreduce.exchange.server import Content, Server
from mapreduce.exchange.transfer import Client, RefusedError
from mapreduce.inputs.inputs import find
from mapreduce.inputs.sources import ServedSource, SourceError

DATA = bytes(range(256)) * 8192


@pytest.fixture
def book(tmp_path) -> Path:
    path = tmp_path / "book.txt"
    path.write_bytes(DATA)
    return path


@pytest.fixture
def server(tmp_path, book):
    (tmp_path / "spool").mkdir()
    (tmp_path / "runs").mkdir()
    content = Content(
        inputs=find([str(book)]),
        store=Store(tmp_path / "spool"),
        runs=tmp_path / "runs",
        run_list=lambda: [{"path": "/a/run", "executor": None}],
        shipped={"job.py": Path(__file__), "my 100%#? (1).zip": book},
    )
    running = Server("127.0.0.1", "127.0.0.1", content)
    yield running
    running.close()


def request(server, method, path, body=None, **headers):
    url = urllib.parse.urlsplit(server.url)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    connection.request(method, path.format(token=server.main_token), body=body, headers=headers)
    response = connection.getresponse()
    return response.status, response.read()


def put(server, name, part, wanted=None):
    path = f"/{{token}}/results/{name}/{wanted or digest(part)}"
    return request(server, "PUT", path, body=part)[0]


def reference(server):
    return server.content.inputs[0].reference(server.input_url(0))


def source(server):
    return ServedSource(reference(server), patience=0.2)


def test_a_served_input_gives_its_bytes_from_anywhere(server):
    """Whatever their number; beyond the end there are none."""
    for start in (0, 1, 1_000_001, len(DATA) - 3, len(DATA)):
        assert b"".join(source(server).chunks(start, None)) == DATA[start:]


def test_many_readers_at_once_get_their_own_ranges(server):
    """Threads share nothing that a neighbour could move."""
    right = []

    def is_right(at):
        return next(source(server).chunks(at, at + 70_000))[:70_000] == DATA[at : at + 70_000]

    def read(start):
        right.extend(map(is_right, range(start, start + 50_000, 5_000)))

    threads = [threading.Thread(target=read, args=(n * 100_000,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert right == [True] * 120


def test_a_kept_connection_that_ended_is_replaced(server):
    """Servers may close idle connections; the next read opens another."""
    client = Client(server.url, patience=10)
    path = urllib.parse.urlsplit(server.input_url(0)).path
    assert client.get_range(path, 0, 1) == DATA[:1]
    client._connection.sock.shutdown(socket.SHUT_RDWR)
    assert client.get_range(path, 5, 9) == DATA[5:9]


@pytest.mark.parametrize(
    "path", ["/inputs/0", "/wrong/inputs/0", "/", "/wrong/job.py", "/wrong/runs"]
)
def test_nothing_is_served_without_the_token(server, path):
    """Who does not know the token cannot tell what exists."""
    assert request(server, "GET", path, Range="bytes=0-1")[0] == 404


def test_results_are_not_taken_without_the_token(server, tmp_path):
    """Nobody else can slip in a result."""
    path = f"/wrong/results/b0-1/0/{digest(b'x')}"
    assert request(server, "PUT", path, body=b"x")[0] == 404
    assert not list((tmp_path / "spool").iterdir())


@pytest.mark.parametrize(
    ("path", "wanted", "status"),
    [
        ("/{token}/inputs/1", "bytes=0-1", 404),
        ("/{token}/inputs/-1", "bytes=0-1", 404),
        ("/{token}/inputs/0", "bytes=5-4", 416),
        ("/{token}/inputs/0", f"bytes=0-{len(DATA)}", 416),
        ("/{token}/inputs/0", "lines=1-2", 416),
        ("/{token}/results/b0-1/0", "bytes=0-1", 404),
        ("/{token}/runs/none", "bytes=0-1", 404),
        ("/{token}/runs/..%2fbook.txt", "bytes=0-1", 404),
        ("/{token}/runs/../book.txt", "bytes=0-1", 404),
        ("/{token}/job.py", "bytes=0-1", 404),
    ],
)
def test_a_request_for_what_is_not_there_is_refused(server, path, wanted, status):
    """Errors have the status that HTTP has for them."""
    assert request(server, "GET", path, Range=wanted)[0] == status


def test_shipped_files_are_served_as_they_are(server):
    """Executors run what the client has; who fetches it cannot do more with its URL."""
    path = urllib.parse.urlsplit(server.shipped_url("job.py")).path
    assert request(server, "GET", path) == (200, Path(__file__).read_bytes())
    assert server.main_token not in path
    assert request(server, "GET", path.replace("job.py", "other.py"))[0] == 404
    result = path.replace("job.py", f"results/b0-1/0/{digest(b'x')}")
    assert request(server, "PUT", result, body=b"x")[0] == 404


def test_shipped_files_may_have_any_name(server):
    """As what browsers save."""
    url = server.shipped_url("my 100%#? (1).zip")
    with urllib.request.urlopen(url, timeout=60) as response:
        assert response.read() == DATA


def test_runs_are_listed_and_served_by_range(server, tmp_path):
    """Reducers learn of all runs and fetch the buckets that are theirs."""
    assert json.loads(request(server, "GET", "/{token}/runs")[1]) == server.content.run_list()
    (tmp_path / "runs" / "b0-1.run").write_bytes(DATA)
    path = urllib.parse.urlsplit(server.run_url("b0-1.run")).path
    assert request(server, "GET", path, Range="bytes=5-300") == (206, DATA[5:301])


def test_a_server_goes_on_at_the_port_and_with_the_token_of_another(server, tmp_path):
    """Executors find a scheduler that was started anew."""
    part = b"x" * 3_000_000
    put(server, "b0-1/0", part)
    server.close()
    content = Content(store=Store(tmp_path / "spool"), shipped=server.content.shipped)
    again = Server("127.0.0.1", "127.0.0.1", content, port=server.port, token=server.token)
    try:
        assert again.url == server.url
        assert again.shipped_url("job.py") == server.shipped_url("job.py")
        assert content.store.intact("b0-1", [digest(part)])
        assert put(again, "b0-1/1", b"y") == 200
    finally:
        again.close()


def test_an_input_that_changed_or_vanished_is_an_error_that_names_it(server, book):
    """No result may mix two versions of an input."""
    os.utime(book, ns=(1, 1))
    with pytest.raises(SourceError, match=r"book\.txt.*changed during the job"):
        next(source(server).chunks(0, 1))
    book.unlink()
    with pytest.raises(SourceError, match=r"book\.txt.*cannot be read any more"):
        next(source(server).chunks(0, 1))


def test_a_server_that_is_gone_is_named(server):
    """With its address, which may be one that agents cannot reach."""
    server.close()
    with pytest.raises(SourceError, match=rf"book\.txt.*127\.0\.0\.1:{server.port}"):
        next(source(server).chunks(0, 1))


def test_credentials_have_a_token_of_their_own(server):
    """Mesos shows the others to whoever asks."""
    server.content.storage = b'{"s3": {"key": "k"}}'
    path = urllib.parse.urlsplit(server.storage_url).path
    assert request(server, "GET", path) == (200, server.content.storage)
    for token in (server.main_token, server.shipped_token):
        assert request(server, "GET", f"/{token}/storage")[0] == 404
    assert len({server.token, server.main_token, server.shipped_token, server.storage_token}) == 4


def test_results_come_back_as_sent(server):
    """A result of several parts is there once all are; one sent again changes nothing."""
    parts = [b"a" * 2_500_000, b"", b"c"]
    receipt = [digest(part) for part in parts]
    store = server.content.store
    for number, part in enumerate(parts):
        assert not store.intact("b0-1", receipt)
        assert put(server, f"b0-1/{number}", part) == 200
        assert put(server, f"b0-1/{number}", part) == 200
    assert store.intact("b0-1", receipt)
    assert not store.intact("b0-2", receipt)
    assert [path.read_bytes() for path in store.paths("b0-1", receipt)] == parts


def test_no_receipt_is_not_an_empty_one(server):
    """A status without a receipt says nothing about the result; one without parts is complete."""
    assert not server.content.store.intact("b0-1", None)
    assert server.content.store.intact("b0-1", [])


def test_a_damaged_part_is_refused(server, tmp_path):
    """The sender learns of it and can send it again, over the same connection."""
    assert put(server, "b0-1/0", b"what arrived", digest(b"what was sent")) == 422
    assert not list((tmp_path / "spool").iterdir())


def test_a_large_part_that_is_refused_is_told_why(server):
    """Rather than cut off, which would look like a network's fault and be tried again."""
    client = Client(server.url, patience=10)
    with pytest.raises(RefusedError, match="404"):
        client.put("/wrong/results/b0-1/0", bytes(30_000_000))
    assert client.get("/" + server.main_token + "/runs")


def test_a_result_that_is_not_wanted_leaves_the_disk(server, tmp_path):
    """Of two attempts at a block one counts."""
    put(server, "b0-1/0", b"x")
    put(server, "b0-2/0", b"x")
    server.content.store.discard("b0-2", [digest(b"x")])
    assert not server.content.store.intact("b0-2", [digest(b"x")])
    assert server.content.store.intact("b0-1", [digest(b"x")])
    assert len(list((tmp_path / "spool").iterdir())) == 1


@pytest.mark.parametrize("name", ["../../evil/0", "b0/x", "b0", "b%2f0/0", "..%2fb0/0"])
def test_a_result_cannot_leave_its_folder(server, tmp_path, name):
    """Paths are names, never routes through the file system."""
    assert put(server, name, b"x") == 404
    assert not list((tmp_path / "spool").iterdir())


def test_an_upload_that_breaks_off_leaves_nothing(server, tmp_path):
    """Half a part must not look like one."""
    url = urllib.parse.urlsplit(server.url)
    with socket.create_connection((url.hostname, url.port)) as peer:
        path = f"{url.path}/results/b0-1/0/{digest(b'x' * 50)}"
        head = f"PUT {path} HTTP/1.1\r\nContent-Length: 100\r\n\r\n"
        peer.sendall(head.encode() + b"x" * 50)
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(1000).startswith(b"HTTP/1.1 422 ")
    assert not list((tmp_path / "spool").iterdir())


def test_an_address_that_is_not_this_machines_is_refused():
    """The message names the option that helps."""
    with pytest.raises(ClusterError, match="--advertise"):
        Server("192.0.2.1", "192.0.2.1", Content())
