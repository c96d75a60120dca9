"""Cutting inputs into blocks by byte range, and reading a range's records back.

A range owns the records that begin in it. Where a record begins follows from the bytes alone, so
that ranges can be cut anywhere without reading, and each record is read exactly once.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Read = Callable[[int, int], bytes]
"""Returns the bytes from an offset up to another; fewer only where the source ends before."""

PIECE = 1 << 20
"""How much is read and mapped at once: small enough that the words of a piece stay in cache."""

LOOKAHEAD = 1 << 14
"""Read beyond a range's end in one go with its last bytes, for the end of the last record."""

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


def records(
    read: Read, start: int, end: int | None, ends: bytes, piece: int = PIECE
) -> Iterator[bytes]:
    """Yield the records that begin in a range, in pieces of whole records.

    A record begins at offset 0 and behind each of the bytes `ends`. Pieces are about `piece`
    bytes long, or as long as their only record.
    """
    position = max(start - 1, 0)  # the byte ahead tells whether a record begins at `start`
    inside = start == 0
    held: list[bytes] = []
    while chunk := read(position, _read_until(position, end, piece)):
        base, position = position, position + len(chunk)
        begin = 0
        if not inside:
            begin = _first(chunk, ends, 0) + 1
            inside = begin > 0
            if end is not None and (base + begin if inside else position) >= end:
                return
            if not inside:
                continue
        if end is not None and position >= end:
            last = _first(chunk, ends, max(end - 1 - base, 0))
            if last >= 0:
                yield from _joined(held, chunk[begin : last + 1])
                return
            held.append(chunk[begin:])
            continue
        last = _last(chunk, ends, begin)
        if last < 0:
            held.append(chunk[begin:])
            continue
        yield from _joined(held, chunk[begin : last + 1])
        held = [chunk[last + 1 :]]
    yield from _joined(held, b"")


def _read_until(position: int, end: int | None, piece: int) -> int:
    """Return how far to read: not much beyond the end, unless the last record is long."""
    if end is None or position >= end:
        return position + piece
    return min(position + piece, end + LOOKAHEAD)


def _joined(held: list[bytes], more: bytes) -> Iterator[bytes]:
    whole = b"".join((*held, more))
    if whole:
        yield whole


def _first(chunk: bytes, ends: bytes, start: int) -> int:
    """Return the lowest index from `start` of any of the bytes `ends`, or -1."""
    found = (chunk.find(end, start) for end in ends)
    return min((index for index in found if index >= 0), default=-1)


def _last(chunk: bytes, ends: bytes, start: int) -> int:
    return max(chunk.rfind(end, start) for end in ends)
