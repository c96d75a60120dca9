"""Cutting inputs into blocks, lazily: each block is as large as seems right when it is launched.

Pure: only the inputs' names and sizes are looked at, never their bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

MOST_RANGES = 256
"""Ranges in a block: they travel in task data, which is no place for long lists."""

SMALLEST = 1 << 20
LARGEST = 32 << 20
"""Bytes of a block. Below, a task costs more than its work; above, losing one costs too much."""

EXPANSION = 4
"""How many times its size a compressed input is taken to hold."""

NAMED = 3
"""Inputs of a block that a message names."""


@dataclass(frozen=True, slots=True)
class Extent:
    """An input as the cutter sees it.

    `size` in bytes, None when only reading tells; one that is not `splittable`, such as a
    compressed file, is read front to back by one task.
    """

    name: str
    size: int | None
    splittable: bool = True


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes of one input: `source` is its number; `end` is None where only reading tells."""

    source: int
    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class Block:
    """What one map task maps: the unit of retry and of counting once.

    `size` in bytes of the inputs, 0 where they do not tell.
    """

    kind: ClassVar[str] = "map"
    number: int
    ranges: tuple[Range, ...]
    size: int

    def describe(self, extents: Sequence[Extent]) -> str:
        """Name the block with its inputs and bytes, for messages."""
        parts = [_describe(part, extents[part.source].name) for part in self.ranges[:NAMED]]
        more = len(self.ranges) - len(parts)
        rest = f" and {more} more" if more else ""
        return f"block {self.number} ({', '.join(parts)}{rest})"


def _describe(part: Range, name: str) -> str:
    if part.end is None:
        return f"all of {name!r}"
    return f"bytes {part.start}-{part.end} of {name!r}"


class Cutter:
    """Cuts blocks off the inputs, front to back.

    Small inputs share a block; empty ones need none; one of unknown size is a block of its own.
    """

    def __init__(self, extents: Sequence[Extent]) -> None:
        self._extents = extents
        self._source = 0
        self._offset = 0
        self._number = 0
        self.remaining = sum(extent.size or 0 for extent in extents)
        self._skip_empty()

    @property
    def exhausted(self) -> bool:
        """Whether all inputs are cut."""
        return self._source == len(self._extents)

    def cut(self, size: int) -> Block:
        """Return the next block, of about `size` bytes."""
        ranges: list[Range] = []
        cut = 0
        for part, weight in self._parts(size):
            ranges.append(part)
            cut += weight
            if len(ranges) == MOST_RANGES:
                break
        self.remaining -= cut
        self._number += 1
        return Block(self._number - 1, tuple(ranges), cut)

    def _parts(self, room: int) -> Iterator[tuple[Range, int]]:
        """Yield ranges with their sizes until the room is used."""
        first = True
        while room > 0 and not self.exhausted:
            extent = self._extents[self._source]
            if extent.size is None:
                if first:
                    yield self._whole(), 0
                return
            if extent.splittable:
                end = min(extent.size, self._offset + room)
                room -= end - self._offset
                yield self._up_to(end)
            else:
                room -= extent.size * EXPANSION
                if room < 0 and not first:
                    return
                yield self._whole(), extent.size
            first = False

    def _up_to(self, end: int) -> tuple[Range, int]:
        part = Range(self._source, self._offset, end)
        self._offset = end
        self._skip_empty()
        assert part.end is not None  # it is `end`
        return part, part.end - part.start

    def _whole(self) -> Range:
        part = Range(self._source, 0, None)
        self._source += 1
        self._skip_empty()
        return part

    def _skip_empty(self) -> None:
        """Go on to the next input that has bytes left."""
        while not self.exhausted and self._offset == self._extents[self._source].size:
            self._source += 1
            self._offset = 0
