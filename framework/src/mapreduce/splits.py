"""Cutting inputs into blocks by byte range, and reading a range's records back.

A range owns the records that begin in it. Where a record begins follows from the bytes alone, so
that ranges can be cut anywhere without reading, and each record is read exactly once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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

SMALLEST_BLOCK = 1 << 20
LARGEST_BLOCK = 32 << 20
"""Below, starting a task costs more than its work; above, losing one costs too much."""

BLOCKS_PER_SLOT = 4
"""Blocks for each task that can run at once, so that slower agents hold nobody up for long."""

MOST_RANGES = 256
"""Ranges in a block: they travel in task data, which is no place for long lists."""


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes of one input: `source` is its number; `end` is None for an input of unknown size."""

    source: int
    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class Block:
    """What one task maps: the unit of retry and of counting once."""

    number: int
    ranges: tuple[Range, ...]

    @property
    def size(self) -> int:
        """Bytes, as far as known."""
        return sum(part.end - part.start for part in self.ranges if part.end is not None)


def block_size(total: int, slots: int) -> int:
    """Return the size of blocks for `total` bytes where `slots` tasks run at once."""
    wanted = -(-total // max(1, slots * BLOCKS_PER_SLOT))
    size = min(max(wanted, SMALLEST_BLOCK), LARGEST_BLOCK)
    # Equal shares rather than full blocks and a small rest.
    count = max(1, -(-total // size))
    return max(1, -(-total // count))


def cut(sizes: Sequence[int | None], size: int) -> list[Block]:
    """Cut inputs of these sizes into blocks of about `size` bytes.

    Small inputs share a block; empty ones need none; one of unknown size is a block of its own.
    """
    blocks: list[Block] = []
    pending: list[Range] = []
    room = size

    def close() -> None:
        nonlocal room
        if pending:
            blocks.append(Block(len(blocks), tuple(pending)))
            pending.clear()
        room = size

    for source, length in enumerate(sizes):
        if length is None:
            close()
            pending.append(Range(source, 0, None))
            close()
            continue
        start = 0
        while start < length:
            end = min(length, start + room)
            pending.append(Range(source, start, end))
            room -= end - start
            start = end
            if room == 0 or len(pending) == MOST_RANGES:
                close()
    close()
    return blocks


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
