"""Index words: in which inputs each occurs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mapreduce.job import Block, Job, Row, text
from mapreduce.jobs import words as texts


@dataclass
class InvertedIndex(Job[bytes, dict[str, Any]]):
    """For each word the inputs that it occurs in, as {input: how often} or {input: [offset, ...]}.

    words=space|unicode    What a word is, as for wordcount; here unicode unless told otherwise.
    values=counts|offsets  How often it occurs in an input, or at which offsets in bytes, all of
                           them in order: an index as large as the inputs, or larger.

    Words are sorted, and so are the inputs of a word.
    """

    words: Literal["space", "unicode"] = "unicode"
    values: Literal["counts", "offsets"] = "counts"

    record_ends = texts.ASCII_SPACE

    def map(self, block: Block) -> Mapping[bytes, dict[str, Any]]:
        """Index the block's words."""
        if self.values == "counts":
            return {word: {block.input: number} for word, number in self._counts(block).items()}
        index: dict[bytes, dict[str, Any]] = {}
        for word, offset in self._places(block):
            index.setdefault(word, {block.input: []})[block.input].append(block.offset + offset)
        return index

    def _counts(self, block: Block) -> Mapping[bytes, int]:
        count = texts.space_counts if self.words == "space" else texts.unicode_counts
        return count(block)

    def _places(self, block: Block) -> Iterator[tuple[bytes, int]]:
        return (texts.split_at if self.words == "space" else texts.unicode_at)(block)

    def combine(self, left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
        """Add up the numbers, or join the lists, of each input."""
        for name, value in right.items():
            left[name] = left[name] + value if name in left else value
        return left

    def reduce(self, key: bytes, value: dict[str, Any]) -> Row:
        """Sort, as blocks come in any order."""
        if self.values == "offsets":
            value = {name: sorted(offsets) for name, offsets in value.items()}
        return text(key), dict(sorted(value.items()))

    def prepare(self) -> None:
        """Build the pattern of words."""
        if self.words == "unicode":
            texts.unicode_pattern()
