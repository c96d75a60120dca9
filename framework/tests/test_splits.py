"""However inputs are cut, each record is mapped exactly once."""

import itertools
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mapreduce import splits
from mapreduce.jobs.wordcount import ASCII_SPACE, WordCount
from mapreduce.splits import Block, Range, block_size, cut, records

SPACES = [chr(code) for code in range(0x3001) if chr(code).isspace()]
"""Every character that str.split() splits on: there is none above U+3000."""

FRAGMENTS = st.one_of(
    st.sampled_from(SPACES).map(str.encode),
    st.sampled_from([b"\r\n", b"a", b"to", "\u2019".encode(), "ü€𝄞".encode(), b"\x00"]),
    # Truncated, overlong and stray bytes, also of the characters that are white space.
    st.sampled_from([b"\xe2", b"\xe2\x80", b"\xc2", b"\x85", b"\xa8", b"\xe3\x80", b"\xff"]),
    st.sampled_from([b"\xf0\x90", b"\xed\xa0\x80", b"\xc0\xa0", b"\xe1\x9a", b"\xf4\x90\x80\x80"]),
    st.binary(max_size=4),
)
TEXTS = st.lists(FRAGMENTS, max_size=60).map(b"".join)


def reader(data: bytes):
    return lambda start, end: data[start:end]


def borders(data: bytes, cuts: list[int]) -> list[tuple[int, int]]:
    points = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return list(itertools.pairwise(points))


def expected(data: bytes) -> Counter:
    return Counter(data.decode("utf-8", "surrogateescape").split())


def test_the_fixture_names_all_white_space():
    """The property below is only as good as its alphabet."""
    assert len(SPACES) == 29
    assert not any(chr(code).isspace() for code in range(0x3001, 0x110000))


@settings(max_examples=500, deadline=None)
@given(
    data=TEXTS,
    cuts=st.lists(st.integers(1, 200), max_size=8),
    piece=st.integers(1, 40),
    ahead=st.integers(0, 5),
)
@example(data=b"a\xe2\x80\xa8b \xe2", cuts=[2, 3, 4], piece=1, ahead=0)
def test_word_counts_equal_counter_under_any_split(data, cuts, piece, ahead):
    """Any text, cut anywhere and read in pieces of any size, counts as str.split() does."""
    job, totals = WordCount(), {}
    before, splits.LOOKAHEAD = splits.LOOKAHEAD, ahead
    try:
        for start, end in borders(data, cuts):
            for block in records(reader(data), start, end, job.record_ends, piece):
                assert block
                job.merge(totals, job.map(block))
    finally:
        splits.LOOKAHEAD = before
    assert dict(job.reduce(key, value) for key, value in totals.items()) == expected(data)


@settings(max_examples=300, deadline=None)
@given(data=TEXTS, cuts=st.lists(st.integers(1, 200), max_size=8), piece=st.integers(1, 40))
def test_ranges_give_back_the_bytes_in_whole_lines(data, cuts, piece):
    """The pieces of all ranges are the input, and none but the last ends inside a line."""
    pieces = [
        part
        for start, end in borders(data, cuts)
        for part in records(reader(data), start, end, b"\n", piece)
    ]
    assert b"".join(pieces) == data
    assert all(part.endswith(b"\n") for part in pieces[:-1])


@given(data=TEXTS, piece=st.integers(1, 40))
def test_an_input_of_unknown_size_is_read_to_its_end(data, piece):
    """Without a known end, the end of the source ends the range."""
    assert b"".join(records(reader(data), 0, None, ASCII_SPACE, piece)) == data


def test_a_record_much_longer_than_its_range_is_read_by_the_range_it_begins_in():
    """The ranges inside a long record own nothing; its length costs time in proportion only."""
    data = b"x" * 3_000_000 + b" y"
    assert list(records(reader(data), 0, 1000, b" ", 4096)) == [b"x" * 3_000_000 + b" "]
    assert list(records(reader(data), 1000, 2_000_000, b" ", 4096)) == []
    assert list(records(reader(data), 2_000_000, len(data), b" ", 4096)) == [b"y"]


def test_reading_stops_soon_behind_the_range():
    """A range must not fetch much of its neighbour's bytes."""
    asked = []

    def read(start, end):
        asked.append((start, end))
        return data[start:end]

    data = b"word " * 100_000
    assert b"".join(records(read, 100, 50_000, b" ")) == data[100:50_000]
    assert asked == [(99, 50_000 + splits.LOOKAHEAD)]


@given(
    sizes=st.lists(st.one_of(st.none(), st.integers(0, 5000)), max_size=20),
    size=st.integers(1, 2000),
)
def test_blocks_cover_every_byte_once(sizes, size):
    """Blocks are numbered in order, none exceeds the size, and none is empty."""
    blocks = cut(sizes, size)
    assert [block.number for block in blocks] == list(range(len(blocks)))
    assert all(block.ranges and block.size <= size for block in blocks)
    ranges = [part for block in blocks for part in block.ranges]
    for source, length in enumerate(sizes):
        own = [(part.start, part.end) for part in ranges if part.source == source]
        if length is None:
            assert own == [(0, None)]
        else:
            assert [start for start, _ in own] == [0, *(end for _, end in own)][: len(own)]
            assert (own[-1][1] if own else 0) == length


def test_small_inputs_share_blocks_up_to_a_limit(monkeypatch):
    """Ten thousand tiny files must not become ten thousand tasks, nor one endless task."""
    monkeypatch.setattr(splits, "MOST_RANGES", 3)
    assert cut([1, 1, 0, 1, 1], 1000) == [
        Block(0, (Range(0, 0, 1), Range(1, 0, 1), Range(3, 0, 1))),
        Block(1, (Range(4, 0, 1),)),
    ]


@pytest.mark.parametrize(
    ("total", "slots", "count"),
    [(1, 2, 1), (2_000_000, 2, 2), (4_400_000, 2, 5), (100_000_000, 2, 8), (4 << 30, 2, 128)],
)
def test_the_number_of_blocks_follows_from_size_and_slots(total, slots, count):
    """Small inputs give few blocks, large ones many of bounded size, all about equal."""
    size = block_size(total, slots)
    assert len(cut([total], size)) == count
    assert size <= splits.LARGEST_BLOCK
