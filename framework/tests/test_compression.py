"""Compressed inputs give back what was compressed, or say where they are damaged."""

import bz2
import gzip
import importlib
import itertools
import struct
import sys
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mapreduce.errors import SourceError, UsageError
from mapreduce.inputs import compression
from mapreduce.inputs.compression import Decompressed, detect
from mapreduce.inputs.inputs import find
from mapreduce.inputs.sources import open_source
from mapreduce.inputs.splits import PIECE, records


def zstd(data: bytes) -> bytes:
    module = next(
        (found for name in ("compression.zstd", "backports.zstd") if (found := optional(name))),
        None,
    )
    if module is None:
        pytest.skip("no package for zstd")
    # As the command zstd does, so that damage shows.
    return module.compress(data, options={module.CompressionParameter.checksum_flag: 1})


def optional(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


COMPRESS = {"gzip": gzip.compress, "bzip2": bz2.compress, "zstd": zstd}
KINDS = sorted(COMPRESS)


class Bytes:
    name = "x"

    def __init__(self, data, lengths=(100,)):
        self.data = data
        self.lengths = lengths

    def chunks(self, start, stop):
        lengths = itertools.cycle(self.lengths)
        while start < len(self.data):
            yield (chunk := self.data[start : start + next(lengths)])
            start += len(chunk)


def decompressed(data, kind, lengths=(100,)):
    return b"".join(Decompressed(Bytes(data, lengths), kind).chunks(0, None))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=50, deadline=None)
@given(
    members=st.lists(st.binary(max_size=2000), min_size=1, max_size=4),
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=4),
)
def test_all_members_come_back_however_they_are_read(kind, members, lengths):
    """Files that were appended to each other, as parallel compressors write them, too."""
    data = b"".join(map(COMPRESS[kind], members))
    assert detect(data) == kind
    assert decompressed(data, kind, lengths) == b"".join(members)


@pytest.mark.parametrize("kind", KINDS)
def test_memory_is_bounded_whatever_the_compressed_file_expands_to(kind):
    """A small file may hold gigabytes; the chunks stay small."""
    data = COMPRESS[kind](b"\0" * (64 << 20))
    tracemalloc.start()
    try:
        size = 0
        for chunk in Decompressed(Bytes(data, [1 << 20]), kind).chunks(0, None):
            assert len(chunk) <= PIECE
            size += len(chunk)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
    assert size == 64 << 20


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.01, 0.5, 0.99])
def test_a_file_that_is_cut_short_is_an_error(kind, part):
    """What was read so far must not pass for the whole; the message names input and byte."""
    whole = COMPRESS[kind](bytes(range(256)) * 40)
    cut = whole[: max(1, int(len(whole) * part))]
    with pytest.raises(SourceError, match=rf"'x' is cut short.*{kind}.*byte {len(cut)}\b"):
        decompressed(cut, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_member_that_is_cut_short_is_an_error(kind):
    """The first one's end is not the file's."""
    whole = COMPRESS[kind](b"one") + COMPRESS[kind](b"two" * 100)
    with pytest.raises(SourceError, match="cut short"):
        decompressed(whole[:-5], kind)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_an_error_that_says_near_which_byte(kind, monkeypatch):
    """A checksum that does not match, or data that means nothing."""
    monkeypatch.setattr(compression, "FED", 1000)
    text = b" ".join(str(number).encode() for number in range(20_000))
    whole = bytearray(COMPRESS[kind](text))
    whole[len(whole) // 2 : len(whole) // 2 + 40] = b"\xff" * 40
    with pytest.raises(SourceError, match=rf"'x' is damaged.*{kind} data near byte \d+") as caught:
        decompressed(bytes(whole), kind)
    near = int(str(caught.value).partition("near byte ")[2].split()[0])
    assert len(whole) // 2 - 1000 <= near <= len(whole)


@pytest.mark.parametrize("kind", KINDS)
def test_what_follows_the_last_member_is_an_error(kind):
    """It may be text that somebody appended, which must not be missed."""
    with pytest.raises(SourceError, match=r"'x' is (damaged|cut short)"):
        decompressed(COMPRESS[kind](b"text") + b"something else, long enough", kind)


def test_zeros_behind_gzip_data_are_padding():
    """As tapes and block devices leave them; also between members, and in several chunks."""
    data = gzip.compress(b"one ") + b"\0" * 700 + gzip.compress(b"two") + b"\0" * 700
    assert decompressed(data, "gzip") == b"one two"


def test_gzip_data_with_a_checksum_of_something_else_is_an_error():
    """Each member carries the length and checksum of what it holds."""
    whole = bytearray(gzip.compress(b"text"))
    whole[-8:-4] = struct.pack("<I", zlib.crc32(b"else"))
    with pytest.raises(SourceError, match="damaged"):
        decompressed(bytes(whole), "gzip")


def test_skippable_zstd_frames_are_skipped():
    """Parallel compressors write one first, which tells the size of the next."""
    skippable = b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"size"
    data = skippable + zstd(b"one ") + skippable + zstd(b"two")
    assert detect(data) == "zstd"
    assert decompressed(data, "zstd") == b"one two"


@pytest.mark.parametrize(
    "text", [b"", b"text", b"BZh9 is how bzip2 begins", b"\x1f", b"\x1f\x8b", b"PK\x03\x04"]
)
def test_what_is_not_compressed_is_taken_as_it_is(text):
    """The first bytes decide, all of them."""
    assert detect(text[: compression.HEAD]) is None


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_compressed_file_is_recognised(kind):
    """It holds no records, instead of a few strange bytes."""
    data = COMPRESS[kind](b"")
    assert detect(data[: compression.HEAD]) == kind
    assert decompressed(data, kind) == b""


def test_records_of_a_compressed_input_have_offsets_in_what_it_expands_to():
    """Where a record begins is said as for any other input."""
    text = b"".join(b"line %d\n" % number for number in range(1000))
    source = Decompressed(Bytes(gzip.compress(text)), "gzip")
    for offset, piece in records(source, 0, None, b"\n"):
        assert text[offset : offset + len(piece)] == piece


def test_zstd_without_its_package_is_refused_with_what_to_install(tmp_path, monkeypatch):
    """On the client before anything is started, else by the agent that lacks it."""
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    path = tmp_path / "x.zst"
    path.write_bytes(b"\x28\xb5\x2f\xfd\x00\x00\x00\x00")
    message = r"'.*x\.zst' needs a package.* on .*pip install 'mesos-mapreduce\[zstd\]'"
    with pytest.raises(UsageError, match=message):
        find([str(path)])
    given = {"name": str(path), "path": str(path), "compression": "zstd", "size": 8}
    given |= {"modified": path.stat().st_mtime_ns}
    with pytest.raises(SourceError, match=message):
        open_source(given)
