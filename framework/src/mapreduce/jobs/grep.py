"""Find lines by a regular expression."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from mapreduce.job import Block, Job, Row, text
from mapreduce.jobs.words import without_end

Place = tuple[str, int]


@dataclass
class Grep(Job[Place, Any]):
    """Lines that match a regular expression, each with its input and its offset in bytes.

    pattern=EXPR     Python's regular expressions, searched in each line as text (UTF-8; bytes that
                     are none match only themselves). The line's end (LF or CRLF) is no part of it.
    ignore_case=yes  Upper and lower case are one, in all scripts.
    invert=yes       Lines that do not match.
    count=yes        Only how many lines of each input that is not empty, 0 included.

    Rows are ("input:offset", line) in the inputs' order of names and in the lines' order within;
    or (input, number). An input that is given twice counts twice.
    """

    pattern: str
    ignore_case: bool = False
    invert: bool = False
    count: bool = False
    _search: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile the pattern; raises ValueError where it is none."""
        try:
            compiled = re.compile(self.pattern, re.IGNORECASE if self.ignore_case else 0)
        except re.error as error:
            raise ValueError(f"{self.pattern!r} is no regular expression: {error}") from error
        self._search = compiled.search

    def map(self, block: Block) -> Iterator[tuple[Place, Any]]:
        """Yield the block's lines that are wanted, or their number."""
        found = self._lines(block)
        if self.count:
            yield (block.input, 0), sum(1 for _ in found)
        else:
            for offset, line in found:
                yield (block.input, offset), [line]

    def _lines(self, block: Block) -> Iterator[tuple[int, str]]:
        offset, search, wanted = block.offset, self._search, not self.invert
        for line in io.BytesIO(block):
            seen = text(without_end(line))
            if (search(seen) is not None) is wanted:
                yield offset, seen
            offset += len(line)

    def combine(self, left: Any, right: Any) -> Any:
        """Add two numbers, or the lines of one place, which are several where inputs repeat."""
        return left + right

    def reduce(self, key: Place, value: Any) -> Row | list[Row]:
        """Name the place."""
        name, offset = key
        if self.count:
            return name, value
        return [(f"{name}:{offset}", line) for line in sorted(value)]

    def order(self, row: Row) -> Any:
        """Sort by input, then by offset."""
        if self.count:
            return row[0], 0
        name, _, offset = row[0].rpartition(":")
        return name, int(offset)
