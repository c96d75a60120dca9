"""Count words, exactly as `collections.Counter(text.split())` does.

Works on bytes, which is faster than on text and equals it: white space beyond ASCII begins with a
byte that never continues another character, so that its encoded form is white space wherever it
stands, also amid invalid UTF-8; and surrogateescape maps words to bytes one to one.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mapreduce.job import Job

ASCII_SPACE = b" \t\n\r\v\f"
"""What both `bytes.split` and `str.split` split on."""

# str.split() also splits on the information separators, bytes.split() does not.
_SEPARATORS_TO_SPACE = bytes.maketrans(b"\x1c\x1d\x1e\x1f", b"    ")

# The encoded forms of U+0085 U+00A0 U+1680 U+2000-200A U+2028 U+2029 U+202F U+205F U+3000.
_WIDE_SPACE = re.compile(
    rb"\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2(?:\x80[\x80-\x8a\xa8\xa9\xaf]|\x81\x9f)|\xe3\x80\x80"
)


class WordCount(Job[bytes, int]):
    """Words and how often each occurs; the most frequent first, ties by word."""

    record_ends = ASCII_SPACE

    def map(self, block: bytes) -> Mapping[bytes, int]:
        """Count the block's words."""
        block = block.translate(_SEPARATORS_TO_SPACE)
        if not block.isascii():
            block = _WIDE_SPACE.sub(b" ", block)
        return Counter(block.split())

    def combine(self, left: int, right: int) -> int:
        """Add two counts."""
        return left + right

    def order(self, row: tuple[str, Any]) -> Any:
        """Sort by count, highest first, then by word."""
        return -row[1], row[0]
