"""However inputs are cut, each record is mapped exactly once."""

import itertools
from collections import Counter

import awkward_text
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mapreduce import job
from mapreduce.errors import SourceError
from mapreduce.inputs import splits
from mapreduce.inputs.splits import records
from mapreduce.jobs.wordcount import WordCount

TEXTS = st.lists(awkward_text.FRAGMENTS, max_size=60).map(b"".join)


class Bytes:
    """A source of bytes, in chunks of any length."""

    name = "x.txt"

    def __init__(self, data: bytes, lengths=(7,)):
        self.data = data
        self.lengths = itertools.cycle(lengths)
        self.given = 0

    def chunks(self, start, stop):
        while start < len(self.data):
            chunk = self.data[start : start + next(self.lengths)]
            start += len(chunk)
            self.given += len(chunk)
            yield chunk


def read(data, start, end, ends, lengths=(7,), **limit):
    return list(records(Bytes(data, lengths), start, end, ends, **limit))


def borders(data: bytes, cuts: list[int]) -> list[tuple[int, int]]:
    points = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return list(itertools.pairwise(points))


def expected(data: bytes) -> Counter:
    return Counter(data.decode("utf-8", "surrogateescape").split())


def test_the_fixture_names_all_white_space():
    """The property below is only as good as its alphabet."""
    assert len(awkward_text.SPACES) == 29
    assert not any(chr(code).isspace() for code in range(0x3001, 0x110000))


CUTS = st.lists(st.integers(1, 200), max_size=8)
LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=5)


@settings(max_examples=500, deadline=None)
@given(data=TEXTS, cuts=CUTS, lengths=LENGTHS)
@example(data=b"a\xe2\x80\xa8b \xe2", cuts=[2, 3, 4], lengths=[1])
def test_word_counts_equal_counter_under_any_split(data, cuts, lengths):
    """Any text, cut anywhere and read in chunks of any size, counts as str.split() does."""
    table = WordCount().table()
    for start, end in borders(data, cuts):
        for offset, piece in read(data, start, end, WordCount.record_ends, lengths):
            table.map(job.Block(piece, "x.txt", offset))
    assert dict(table.rows()) == expected(data)


@pytest.mark.parametrize("space", awkward_text.SPACES)
def test_white_space_of_every_kind_on_every_border(space):
    """A border ahead of, behind and inside the white space, and chunks of one byte and of all."""
    data = f"ab{space}{space}c é{space}\n{space}d".encode()
    for cut_at, length in itertools.product(range(1, len(data)), (1, 2, 100)):
        table = WordCount().table()
        for start, end in borders(data, [cut_at]):
            for offset, piece in read(data, start, end, WordCount.record_ends, [length]):
                table.map(job.Block(piece, "x.txt", offset))
        assert dict(table.rows()) == expected(data), (cut_at, length)


@settings(max_examples=500, deadline=None)
@given(
    data=TEXTS, cuts=CUTS, lengths=LENGTHS, ends=st.sampled_from([b"\n", b"\r\n", b"a \n", b"\0"])
)
def test_ranges_give_back_the_bytes_in_whole_records(data, cuts, lengths, ends):
    """The pieces of all ranges are the input, each where its offset says, none inside a record."""
    pieces = [
        piece
        for start, end in borders(data, cuts)
        for piece in read(data, start, end, ends, lengths)
    ]
    assert b"".join(piece for _, piece in pieces) == data
    for offset, piece in pieces:
        assert piece
        assert data[offset : offset + len(piece)] == piece
        assert offset + len(piece) == len(data) or piece[-1] in ends


@given(data=TEXTS, lengths=LENGTHS)
def test_an_input_of_unknown_size_is_read_to_its_end(data, lengths):
    """Without a known end, the end of the source ends the range."""
    pieces = read(data, 0, None, WordCount.record_ends, lengths)
    assert b"".join(piece for _, piece in pieces) == data


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [b"\n"]),
        (b"one", [b"one"]),
        (b"one\r\ntwo\r\n", [b"one\r\n", b"two\r\n"]),
        (b"one\n\ntwo", [b"one\n", b"\n", b"two"]),
    ],
)
def test_ends_of_lines_of_all_kinds(data, lines):
    """CRLF, empty lines, no end behind the last one; a range for each byte gives each line once."""
    pieces = [piece for at in range(len(data)) for _, piece in read(data, at, at + 1, b"\n", [1])]
    assert pieces == lines


def test_a_record_much_longer_than_its_range_is_read_by_the_range_it_begins_in():
    """The ranges inside a long record own nothing; its length costs time in proportion only."""
    data = b"x" * 3_000_000 + b" y"
    assert read(data, 0, 1000, b" ", [4096]) == [(0, b"x" * 3_000_000 + b" ")]
    assert read(data, 1000, 2_000_000, b" ", [4096]) == []
    assert read(data, 2_000_000, len(data), b" ", [4096]) == [(3_000_001, b"y")]


@pytest.mark.parametrize("length", [1000, 9000, 100_000])
def test_ends_of_records_are_found_however_far_apart(length):
    """Beyond what is searched first, from the front as from the back."""
    data = b"".join(bytes([65 + number]) * 7000 + b"\n" for number in range(10))
    for at in range(10):
        first, last = at * 7001, (at + 1) * 7001
        assert read(data, first, last, b"\n", [length]) == [(first, data[first:last])]
    pieces = read(data, 0, None, b"\n", [length], limit=7001)
    assert b"".join(piece for _, piece in pieces) == data
    assert all(piece.endswith(b"\n") for _, piece in pieces)


def test_a_record_beyond_the_limit_is_an_error_that_says_where():
    """One line of a gigabyte must neither fill the memory nor be cut in two."""
    source = Bytes(b"short\n" + b"x" * 100_000, [64])
    with pytest.raises(SourceError, match=r"x\.txt.*more than 1000 bytes.*at byte 6\b"):
        list(records(source, 0, None, b"\n", limit=1000))
    assert source.given < 2000


@pytest.mark.parametrize("length", [1, 9, 10, 11, 100])
def test_the_limit_is_the_longest_record_however_it_is_read(length):
    """A record of just that length is fine, one byte more is not."""
    data = b"a\n" + b"x" * 99 + b"\ny"
    assert b"".join(piece for _, piece in read(data, 0, None, b"\n", [length], limit=100)) == data
    if length < 100:
        with pytest.raises(SourceError, match="at byte 2"):
            read(data, 0, None, b"\n", [length], limit=99)


def test_long_input_with_short_records_stays_in_small_pieces():
    """A gigabyte of words in one line is read as any other text: a piece is about a chunk."""
    data = b"some words " * 10_000
    pieces = read(data, 0, None, WordCount.record_ends, [1000], limit=20)
    assert max(len(piece) for _, piece in pieces) <= 1000 + len("some words ")


def test_reading_stops_soon_behind_the_range():
    """A range must not fetch much of its neighbour's bytes."""
    source = Bytes(b"word " * 100_000, [1000])
    pieces = list(records(source, 100, 50_000, b" "))
    assert b"".join(piece for _, piece in pieces) == source.data[100:50_000]
    assert source.given <= 51_000


@given(
    start=st.integers(0, 100),
    stop=st.none() | st.integers(0, 3 * splits.PIECE),
    size=st.sampled_from([splits.PIECE, 8 * splits.PIECE]),
)
def test_chunks_reach_a_little_behind_the_end_of_what_is_wanted(start, stop, size):
    """So that the end of a range and of its last record mostly come at once."""
    end = splits.chunk_end(start, stop, size)
    if stop is not None and start < stop <= start + size:
        assert end == stop + splits.LOOKAHEAD
    else:
        assert end - start in (size, splits.PIECE)
