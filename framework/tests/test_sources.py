"""Inputs are read where they are; what goes wrong there is said with the input's name."""

import gzip
import itertools
import os
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mapreduce.exchange import transfer
from mapreduce.exchange.server import Content, Server
from mapreduce.inputs import splits
from mapreduce.inputs.inputs import find
from mapreduce.inputs.sources import FileSource, ServedSource, SourceError, open_source

NOBODY = "http://127.0.0.1:1/token/inputs/0"
"""Where no server is."""

DATA = b"".join(b"line %d\n" % number for number in range(300_000))
"""Of about four chunks."""


@pytest.fixture
def book(tmp_path):
    path = tmp_path / "b.txt"
    path.write_bytes(DATA)
    return path


def reference(path, served_at=NOBODY):
    return find([str(path)])[0].reference(served_at)


def read(source, start=0, stop=None, end=None):
    """What a reader gets that leaves off at `end`."""
    found = b""
    for chunk in source.chunks(start, stop):
        assert chunk
        found += chunk
        if end is not None and start + len(found) >= end:
            break
    return found


# On the agent


def test_a_file_that_is_seen_here_is_read_here(book):
    """No detour over the network for what is on the same machine or share."""
    source = open_source(reference(book))
    assert isinstance(source, FileSource)
    assert read(source) == DATA
    assert read(source, 5, 100, 100).startswith(DATA[5:100])
    assert read(source, len(DATA)) == b""


def test_a_range_of_a_file_is_one_read_and_a_little_more(book):
    """The end of the last record comes with it."""
    chunk = next(open_source(reference(book)).chunks(1000, 2000))
    assert len(chunk) == 1000 + splits.LOOKAHEAD


def test_a_source_holds_no_file_open(book):
    """A task may have hundreds of small inputs."""
    before = len(os.listdir("/proc/self/fd"))
    sources = [open_source(reference(book)) for _ in range(50)]
    for source in sources:
        read(source, end=1)
    assert len(os.listdir("/proc/self/fd")) == before


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cuts=st.lists(
        st.integers(1, len(DATA) - 1)
        | st.integers(-20, 20).map(lambda off: splits.PIECE + off)
        | st.integers(-20, 20).map(lambda off: splits.PIECE + splits.LOOKAHEAD + off),
        max_size=6,
    ),
    served=st.booleans(),
)
def test_records_come_back_however_a_file_is_cut(scheduler, book, cuts, served):
    """Also where a cut falls close to the end of a chunk."""
    source = open_source(scheduler.reference() if served else reference(book))
    borders = itertools.pairwise(sorted({0, len(DATA), *cuts}))
    pieces = [piece for cut in borders for piece in splits.records(source, *cut, b"\n")]
    assert b"".join(piece for _, piece in pieces) == DATA
    assert all(piece.endswith(b"\n") for _, piece in pieces)
    assert all(DATA.startswith(piece, offset) for offset, piece in pieces)


@pytest.mark.parametrize("change", ["other size", "other time", "absent", "folder"])
def test_another_file_of_the_same_name_is_not_taken_for_it(book, change):
    """An agent's own file at that path must not be counted instead."""
    known = reference(book)
    if change in ("absent", "folder"):
        book.unlink()
    if change == "folder":
        book.mkdir()
    elif change == "other size":
        book.write_bytes(b"four")
    elif change == "other time":
        os.utime(book, ns=(5, 5))
    assert isinstance(open_source(known), ServedSource)


@pytest.mark.parametrize("change", ["shrink", "grow", "touch", "replace", "remove"])
def test_a_file_that_changes_during_the_job_is_an_error(book, change):
    """No result may mix two versions of an input."""
    source = open_source(reference(book))
    assert read(source, end=1)
    if change == "shrink":
        os.truncate(book, 100)
    elif change == "grow":
        book.write_bytes(DATA + b"more")
    elif change == "touch":
        os.utime(book, ns=(5, 5))
    else:
        book.unlink()
    if change == "replace":
        book.write_bytes(b"other")
    with pytest.raises(SourceError, match=rf"{book}'.*(changed|No such file)"):
        read(source)


def test_a_file_that_shrinks_while_it_is_read_is_an_error(book):
    """Between two chunks, too."""
    chunks = open_source(reference(book)).chunks(0, None)
    next(chunks)
    os.truncate(book, splits.PIECE)
    with pytest.raises(SourceError, match="changed"):
        list(chunks)


def test_a_file_that_was_opened_is_read_on_when_it_is_removed(book):
    """What it held is still all there."""
    chunks = open_source(reference(book)).chunks(0, None)
    first = next(chunks)
    book.unlink()
    assert first + b"".join(chunks) == DATA


# From the scheduler


class Scheduler:
    """The range server of a client whose file the agent does not see."""

    def __init__(self, path):
        self.content = Content(inputs=find([str(path)]))
        self.server = Server("127.0.0.1", "127.0.0.1", self.content)

    def reference(self):
        served = self.content.inputs[0].reference(self.server.input_url(0))
        return served | {"path": served["path"] + ".elsewhere"}

    def close(self):
        self.server.close()

    def again(self):
        """Come back as a scheduler does that was killed and resumed."""
        before = self.server
        self.server = Server(
            "127.0.0.1", "127.0.0.1", self.content, port=before.port, token=before.token
        )


@pytest.fixture
def scheduler(book):
    running = Scheduler(book)
    yield running
    running.close()


def test_a_file_that_is_not_seen_here_comes_from_the_scheduler(scheduler):
    """All of it, or from one byte on."""
    source = open_source(scheduler.reference())
    assert isinstance(source, ServedSource)
    assert read(source) == DATA
    assert read(source, 5, 100, 100).startswith(DATA[5:100])
    assert read(source, len(DATA)) == b""


def test_the_connection_to_the_scheduler_is_kept(scheduler, monkeypatch):
    """Also from one input to the next: small ones would mostly wait for connections."""
    opened = []
    connect = transfer.http.client.HTTPConnection.connect
    monkeypatch.setattr(
        transfer.http.client.HTTPConnection,
        "connect",
        lambda self: (opened.append(self), connect(self)),
    )
    for _ in range(3):
        read(open_source(scheduler.reference()))
    assert len(opened) == 1


def test_a_scheduler_that_comes_back_is_waited_for(scheduler):
    """One that was killed and resumed has the same address."""
    chunks = open_source(scheduler.reference(), patience=60).chunks(0, None)
    first = next(chunks)
    scheduler.close()
    returning = threading.Timer(0.5, scheduler.again)
    returning.start()
    try:
        assert first + b"".join(chunks) == DATA
    finally:
        returning.join()


def test_a_scheduler_that_stays_away_is_an_error_with_its_address(scheduler):
    """And with the input, and what may be wrong."""
    scheduler.close()
    source = open_source(scheduler.reference(), patience=0.2)
    with pytest.raises(SourceError, match=r"b\.txt.*127\.0\.0\.1:\d+ cannot be reached"):
        read(source)


@pytest.mark.parametrize("change", ["touch", "remove"])
def test_what_the_scheduler_says_of_a_file_is_final(scheduler, book, change):
    """It changed, or cannot be read any more: nothing to wait for."""
    source = open_source(scheduler.reference(), patience=600)
    if change == "touch":
        os.utime(book, ns=(5, 5))
    else:
        book.unlink()
    with pytest.raises(SourceError, match=r"b\.txt.*(changed|No such file)"):
        read(source)


def test_compressed_files_are_decompressed_wherever_they_come_from(tmp_path):
    """The size is that of what is stored."""
    path = tmp_path / "b.gz"
    path.write_bytes(gzip.compress(DATA))
    assert read(open_source(reference(path))) == DATA
    scheduler = Scheduler(path)
    try:
        assert read(open_source(scheduler.reference())) == DATA
    finally:
        scheduler.close()
