"""Compare a word count with what Python's own counter finds: check_count.py TEXT COPIES RESULT.

TEXT was given COPIES times to the count that wrote RESULT (.tsv). Says what is the same or what
differs, word by word; the exit status is 0 only where nothing does.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path


def read(path: str) -> str:
    """Return a file's text, each byte of it."""
    with Path(path).open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        return file.read()


def result(path: str) -> dict[str, int]:
    """Return the counts that were written; words hold no white space, so none is escaped."""
    rows = (line.partition("\t") for line in read(path).split("\n") if line)
    return {word: int(count) for word, _, count in rows}


def say(line: str) -> None:
    """Write a line."""
    sys.stdout.write(line + "\n")


def main() -> int:
    """Compare and tell."""
    text, copies, output = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    expected = {w: n * copies for w, n in Counter(read(text).split()).items()}
    found = result(output)
    wrong = sorted(w for w in expected.keys() | found.keys() if expected.get(w) != found.get(w))
    for word in wrong[:5]:
        say(f"{word!a}: expected {expected.get(word, 0)}, found {found.get(word, 0)}")
    if wrong:
        say(f"{len(wrong)} of {len(expected)} words are counted wrongly")
        return 1
    say(f"exact: {len(found)} different words, {sum(found.values())} in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
