"""A job to start from: which two words follow each other in a line, and how often.

It runs as it is:

    mapreduce run THIS_FILE.py:Pairs book.txt
    mapreduce run THIS_FILE.py:Pairs book.txt --set least=10 --top 20
    mapreduce run THIS_FILE.py:Pairs 'texts/*.txt' --output pairs.tsv

What all of this means, and what else there is: `pydoc mapreduce.Job`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mapreduce import Block, Job

# Keys and values travel between machines, so they are plain data: None, bool, int, float, str,
# bytes, and tuples, lists and dicts of these. Here: a pair of words, and a number.
Pair = tuple[str, str]


@dataclass
class Pairs(Job[Pair, int]):
    """Pairs of words and how often each occurs; the most frequent first."""

    # Settings, with their types and defaults: --set least=5 --set ignore_case=no
    least: int = 2
    ignore_case: bool = True

    # Where inputs may be cut: behind any of these bytes. Lines are whole in every block, so that
    # no pair is lost; a pair across two lines is none here.
    record_ends = b"\n"

    def map(self, block: Block) -> Mapping[Pair, int]:
        """Find pairs: called on the agents, for each block of about a megabyte.

        A block is bytes, and knows `block.input` and `block.offset`. The pairs come as a dict, or
        as (key, value) tuples in a list, or one by one with `yield`.
        """
        text = block.decode(
            "utf-8", "replace"
        )  # never fails; bytes that are no UTF-8 become U+FFFD
        if self.ignore_case:
            text = text.casefold()
        found: Counter[Pair] = Counter()
        for line in text.split("\n"):
            found.update(pairwise(line.split()))
        return found

    def combine(self, left: int, right: int) -> int:
        """Make one value of two of the same key; in any order, so that it must not matter.

        Without this method, `reduce` gets a sorted list of all values of the key.
        """
        return left + right

    def reduce(self, key: Pair, value: int) -> Iterable[tuple[str, Any]]:
        """Make a key's rows of the result: a text and a value each, or none at all."""
        if value < self.least:
            return []
        return [(" ".join(key), value)]

    def order(self, row: tuple[str, Any]) -> Any:
        """Return what rows are sorted by: the highest number first, then the text."""
        return -row[1], row[0]
