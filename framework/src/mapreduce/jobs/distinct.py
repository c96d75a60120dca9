"""Find what is different from all else: lines or words."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from mapreduce.counts import CountTable, maps_as, prepare
from mapreduce.job import Block, Job
from mapreduce.jobs import words as texts
from mapreduce.tables import Table


@dataclass
class Distinct(Job[bytes, int]):
    """Each line (or word) once, sorted, and how often it occurs; as `sort | uniq -c` would.

    of=lines          Lines, without their end (LF or CRLF); the empty line is one of them.
    of=words          Words as wordcount has them; of=unicode-words those that people see.

    How many there are is the number of keys that the run reports; `--top 0` shows only that.
    """

    of: Literal["lines", "words", "unicode-words"] = "lines"

    def map(self, block: Block) -> Mapping[bytes, int]:
        """Count the block's lines or words."""
        if self.of == "words":
            return texts.space_counts(block)
        if self.of == "unicode-words":
            return texts.unicode_counts(block)
        lines = block.replace(b"\r\n", b"\n").split(b"\n")
        if not lines[-1]:
            lines.pop()  # what is behind the last line's end is no line
        return Counter(lines)

    def combine(self, left: int, right: int) -> int:
        """Add two counts."""
        return left + right

    def prepare(self) -> None:
        """Load the compiled code that counts words."""
        if self.of != "lines":
            prepare()

    def table(self) -> Table:
        """Count words in compiled code; lines, which may be empty, in a dict."""
        if self.of == "lines" or not maps_as(self, Distinct):
            return super().table()
        if self.of == "unicode-words":
            return CountTable(self, spelled=texts.spelled)
        return CountTable(self, words=True)
