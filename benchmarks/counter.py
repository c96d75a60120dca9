"""Count words with collections.Counter, in one process: counter.py TEXT COUNTS.

The text is taken in pieces of whole lines: the words of 1 GB as a list need 12 GB, and are no
quicker to count.
"""

import sys
from collections import Counter
from pathlib import Path

PIECE = 4 << 20
"""Characters."""

text, counts = sys.argv[1:]
words: Counter[str] = Counter()
with Path(text).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
    while lines := file.readlines(PIECE):
        words.update("".join(lines).split())
rows = sorted(words.items(), key=lambda row: (-row[1], row[0]))
with Path(counts).open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
    file.writelines(f"{word}\t{count}\n" for word, count in rows)
