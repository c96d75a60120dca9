"""Runs: any share of the buckets comes back from a file or from a server, or is known as lost."""

import random

import pytest

from mapreduce.exchange import runs
from mapreduce.exchange.runs import Run, RunError, write_run
from mapreduce.exchange.server import Content, Server
from mapreduce.tables import BUCKETS


@pytest.fixture
def payloads():
    """Some buckets empty, some large, as skewed keys make them."""
    chosen = random.Random(5)
    sizes = [chosen.choice([0, 0, 1, 50, 3000]) for _ in range(BUCKETS)]
    sizes[700] = 5 << 20
    return [chosen.randbytes(size) for size in sizes]


@pytest.fixture
def written(tmp_path, payloads):
    path = tmp_path / "block-1-try-1.run"
    assert write_run(path, payloads) == [len(payload) for payload in payloads]
    return path


@pytest.fixture
def server(written):
    running = Server("127.0.0.1", "127.0.0.1", Content(runs=written.parent))
    yield running
    running.close()


SHARES = [(0, BUCKETS), (0, 1), (1, 2), (BUCKETS - 1, BUCKETS), (3, 300), (650, 750), (9, 9)]


@pytest.mark.parametrize(("start", "stop"), SHARES)
def test_a_share_of_the_buckets_comes_back(written, payloads, server, start, stop):
    """From the file where it is here, else from the server, the same."""
    expected = [payload for payload in payloads[start:stop] if payload]
    for where in (written, server.run_url(written.name)):
        assert list(Run(where).payloads(start, stop)) == expected


def test_an_empty_run_has_no_payloads(tmp_path):
    """Whose end is the end of its head."""
    write_run(tmp_path / "empty.run", [b""] * BUCKETS)
    assert list(Run(tmp_path / "empty.run").payloads(0, BUCKETS)) == []


def test_a_share_is_read_in_bounded_steps(written, payloads, monkeypatch):
    """A reducer's memory does not follow the size of a run."""
    monkeypatch.setattr(runs, "FETCH", 10_000)
    asked = []
    read = runs._File.read
    monkeypatch.setattr(
        runs._File, "read", lambda self, a, b: asked.append(b - a) or read(self, a, b)
    )
    assert b"".join(Run(written).payloads(0, 700)) == b"".join(payloads[:700])
    assert max(asked[1:]) <= 10_000
    assert len(asked) > 20


def damage(path, how):
    content = path.read_bytes()
    match how:
        case "gone":
            path.unlink()
        case "cut short":
            path.write_bytes(content[:-1])
        case "only a head":
            path.write_bytes(content[:100])
        case "confused":
            path.write_bytes(content[:5000] + content[:8] + content[5008:])
        case "another version":
            path.write_bytes(b"X" + content[1:])


@pytest.mark.parametrize("how", ["gone", "cut short", "only a head", "confused", "another version"])
@pytest.mark.parametrize("served", [False, True])
def test_a_run_that_is_lost_is_an_error(written, server, how, served):
    """Its blocks can be mapped again; half of it must not count."""
    damage(written, how)
    with pytest.raises(RunError, match=r"block-1-try-1\.run"):
        list(Run(server.run_url(written.name) if served else written).payloads(0, BUCKETS))


def test_a_server_that_is_gone_is_an_error_after_some_patience(written, server, monkeypatch):
    """With its address."""
    server.close()
    with pytest.raises(RunError, match=rf"127\.0\.0\.1:{server.port} cannot be reached"):
        list(Run(server.run_url(written.name), patience=0.3).payloads(0, 1))
