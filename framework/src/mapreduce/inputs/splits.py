"""Reading the records of a range of bytes, which `mapreduce.core.cutter` cuts off an input.

A range owns the records that begin in it. Where a record begins follows from the bytes alone, so
that ranges can be cut anywhere without reading, and each record is read exactly once.
"""

from collections.abc import Iterator
from typing import Protocol

from mapreduce.errors import SourceError

PIECE = 1 << 20
"""Bytes read and mapped at once: small enough that a piece's words stay in a core's cache."""

LOOKAHEAD = 1 << 14
"""Read beyond a range's end in one go with its last bytes, for the end of the last record."""

LONGEST_RECORD = 64 << 20
"""Bytes of a record that is still held in memory as a whole."""

NEARBY = 1 << 12
"""Bytes that are searched for a record's end before the rest is: most ends are near."""


class Source(Protocol):
    """One input, as its records are read."""

    name: str

    def chunks(self, start: int, stop: int | None) -> Iterator[bytes]:
        """Yield the bytes from offset `start` to the input's end; no chunk is empty.

        The reader will probably leave off soon behind `stop`; None stands for the input's end.
        Raises SourceError.
        """
        ...


def chunk_end(start: int, stop: int | None, size: int = PIECE) -> int:
    """Return where a chunk of about `size` bytes best ends: soon behind `stop`, if it gets there.

    A reader that goes on behind `stop` is on the way to the end of a long record.
    """
    if stop is not None and start >= stop:
        return start + PIECE
    return start + size if stop is None or stop - start > size else stop + LOOKAHEAD


def records(
    source: Source, start: int, end: int | None, ends: bytes, limit: int = LONGEST_RECORD
) -> Iterator[tuple[int, bytes]]:
    """Yield the records that begin in a range: pieces of whole records, each with its offset.

    A record begins at offset 0 and behind each of the bytes `ends`. Pieces are about as long as
    the source's chunks, or as their only record. Raises SourceError, also for a record of more
    than `limit` bytes.
    """
    held: list[bytes] = []
    size = 0
    position = start
    for position, chunk in _owned(source, start, end, ends):
        last = _last(chunk, ends) + 1
        if size + (_first(chunk, ends) + 1 if last else len(chunk)) > limit:
            raise _too_long(source, position - size, ends, limit)
        if last:
            yield position - size, b"".join((*held, memoryview(chunk)[:last]))
            held, size = [], 0
        if last < len(chunk):
            held.append(chunk[last:])
            size += len(chunk) - last
        position += len(chunk)
    if held:
        yield position - size, b"".join(held)


def _owned(source: Source, start: int, end: int | None, ends: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield chunks, with their offsets, from the range's first record to the end of its last."""
    position = max(start - 1, 0)  # the byte ahead tells whether a record begins at `start`
    inside = start == 0
    for chunk in source.chunks(position, end):
        base, position = position, position + len(chunk)
        begin = 0
        if not inside:
            begin = _first(chunk, ends) + 1
            inside = begin > 0
            if end is not None and (base + begin if inside else position) >= end:
                return
        if end is not None and position >= end:
            last = _first(chunk, ends, max(end - 1 - base, begin)) + 1
            if last:
                yield base + begin, chunk[begin:last]
                return
        if inside and begin < len(chunk):
            yield base + begin, chunk[begin:]


def _first(chunk: bytes, ends: bytes, start: int = 0) -> int:
    """Return the lowest index from `start` of any of the bytes `ends`, or -1."""
    for stop in (start + NEARBY, len(chunk)):
        found = [index for end in ends if (index := chunk.find(end, start, stop)) >= 0]
        if found:
            return min(found)
    return -1


def _last(chunk: bytes, ends: bytes) -> int:
    """Return the highest index of any of the bytes `ends`, or -1."""
    for start in (max(len(chunk) - NEARBY, 0), 0):
        found = max((chunk.rfind(end, start) for end in ends), default=-1)
        if found >= 0:
            return found
    return -1


def _too_long(source: Source, offset: int, ends: bytes, limit: int) -> SourceError:
    return SourceError(
        f"The input {source.name!r} has a record of more than {limit} bytes, which is the most; "
        f"it begins at byte {offset}. This job's records end with any of {ends!r}; a job may set "
        "other record_ends."
    )
