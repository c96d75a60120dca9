"""Compressed inputs: told by how they begin, and read as a stream, whose memory is bounded.

Such an input cannot be split: where a record begins shows only when all before it is decompressed.
"""

import bz2
import importlib
import re
import socket
import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from mapreduce.errors import SourceError
from mapreduce.inputs.splits import PIECE, Source

_BEGINNINGS = {
    "gzip": rb"\x1f\x8b\x08",
    # The magic number of a first block, or of an empty file's end.
    "bzip2": rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)",
    # A frame, or one that is to be skipped, with which parallel compressors begin.
    "zstd": rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18",
}

HEAD = 16
"""Bytes that tell how an input is compressed."""

FED = 1 << 18
"""Compressed bytes that a decompressor is given at once: damage is that near where it is said."""


def detect(head: bytes) -> str | None:
    """Return how an input that begins so is compressed: gzip, bzip2, zstd, or None for not."""
    for kind, beginning in _BEGINNINGS.items():
        if re.match(beginning, head, re.DOTALL):
            return kind
    return None


class _Member(Protocol):
    """Decompresses one member (frame, stream) of a file, in the way of `bz2.BZ2Decompressor`."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: memoryview, max_length: int) -> bytes: ...


class _Gzip:
    """zlib's decompressor of a gzip member, in the form of bz2's."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: memoryview, max_length: int) -> bytes:
        out = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.needs_input = not self._inner.unconsumed_tail
        return out


def _zstd(name: str) -> Any:
    for module in ("compression.zstd", "backports.zstd"):  # Python's own from 3.14 on
        try:
            return importlib.import_module(module)
        except ImportError:
            continue
    raise SourceError(
        f"The input {name!r} needs a package that is not installed on {socket.gethostname()}: "
        "pip install 'mesos-mapreduce[zstd]'"
    )


def check(kind: str | None, name: str) -> None:
    """Make sure that an input can be decompressed here; raises SourceError with what to do."""
    if kind == "zstd":
        _zstd(name)


class Decompressed:
    """What another source holds, decompressed; read from its start, and only once at a time."""

    def __init__(self, source: Source, kind: str) -> None:
        self.name = source.name
        self._source = source
        self._kind = kind
        self._member: Callable[[], _Member]
        self._damage: type[Exception]
        if kind == "zstd":
            zstd = _zstd(self.name)
            self._member, self._damage = zstd.ZstdDecompressor, zstd.ZstdError
        elif kind == "bzip2":
            self._member, self._damage = bz2.BZ2Decompressor, OSError
        else:
            self._member, self._damage = _Gzip, zlib.error

    def chunks(self, start: int, stop: int | None) -> Iterator[bytes]:
        """See `splits.Source`; `start` must be 0. Damaged data is an error that says where."""
        assert start == 0, "what is not splittable is one range"
        feed = _Feed(self._source.chunks(0, None))
        # Zeros behind a gzip file are what tapes and block devices pad with.
        while feed.more(skip=b"\0" if self._kind == "gzip" else b""):
            yield from self._members_chunks(feed, self._member())

    def _members_chunks(self, feed: "_Feed", member: _Member) -> Iterator[bytes]:
        while not member.eof:
            data = feed.take() if member.needs_input else memoryview(b"")
            if member.needs_input and not data:
                raise SourceError(
                    f"The input {self.name!r} is cut short: its {self._kind} data goes on behind "
                    f"byte {feed.offset}, where the file ends."
                )
            try:
                chunk = member.decompress(data, PIECE)
            except self._damage as error:
                raise SourceError(
                    f"The input {self.name!r} is damaged: its {self._kind} data near byte "
                    f"{feed.offset - len(data)} cannot be decompressed ({error})."
                ) from error
            if chunk:
                yield chunk
        feed.give_back(member.unused_data)


class _Feed:
    """Compressed bytes, a little at a time; `offset` counts those that were taken."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = memoryview(b"")
        self.offset = 0

    def take(self) -> memoryview:
        """Return the next bytes, none at the end."""
        held = self._held or memoryview(next(self._chunks, b""))
        taken, self._held = held[:FED], held[FED:]
        self.offset += len(taken)
        return taken

    def give_back(self, rest: bytes) -> None:
        """Take back the end of what was taken last."""
        self.offset -= len(rest)
        # It lies ahead of what is held, of which less than a chunk is copied, once a member.
        self._held = memoryview(rest + bytes(self._held))

    def more(self, skip: bytes) -> bool:
        """Whether there is more than the bytes `skip`, which are dropped."""
        while taken := self.take():
            if rest := bytes(taken).lstrip(skip) if skip else bytes(taken):
                self.give_back(rest)
                return True
        return False
