"""Count words, exactly as `collections.Counter(text.split())` does, or as people see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mapreduce.counts import CountTable, maps_as, prepare
from mapreduce.job import Block, Job, Row
from mapreduce.jobs import words as texts
from mapreduce.tables import Table


@dataclass
class WordCount(Job[bytes, int]):
    """Words and how often each occurs; the most frequent first, ties by word.

    words=space    Words are what white space separates, exactly as Python's str.split() does it.
    words=unicode  Words are runs of letters, digits and marks of any script, also with apostrophes
                   inside; upper and lower case are one (mapreduce/words.py has the rule).
    """

    words: Literal["space", "unicode"] = "space"

    record_ends = texts.ASCII_SPACE

    def map(self, block: Block) -> Mapping[bytes, int]:
        """Count the block's words."""
        if self.words == "space":
            return texts.space_counts(block)
        return texts.unicode_counts(block)

    def combine(self, left: int, right: int) -> int:
        """Add two counts."""
        return left + right

    def order(self, row: Row) -> Any:
        """Sort by count, highest first, then by word."""
        return -row[1], row[0]

    def prepare(self) -> None:
        """Load the compiled code that counts, or build the pattern of words."""
        prepare()
        if self.words == "unicode":
            texts.unicode_pattern()

    def table(self) -> Table:
        """Count in compiled code; a class derived from this one may map in its own way."""
        if not maps_as(self, WordCount):
            return super().table()
        if self.words == "unicode":
            return CountTable(self, spelled=texts.spelled, by_count=True)
        return CountTable(self, words=True, by_count=True)
