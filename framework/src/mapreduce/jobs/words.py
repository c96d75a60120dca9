"""What a word is: to `str.split`, and to people.

To people (`words=unicode`), a word is a run of letters, marks, digits and other numbers of any
script, and connectors such as the underscore (Unicode's categories L, M, N and Pc, and the
zero-width joiners). An apostrophe (' or U+2019) between two of these belongs to the word, and is
written '. Words are casefolded and in normal form C, so that "Straße", "STRASSE" and "strasse" are
one, and so are the two ways to write "é". Bytes that are no UTF-8 separate words. Which characters
are letters follows the Unicode version of the Python that runs.
"""

import functools
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator

ASCII_SPACE = b" \t\n\r\v\f"
"""What both `bytes.split` and `str.split` split on."""

# str.split() also splits on the information separators, bytes.split() does not.
_SEPARATORS_TO_SPACE = bytes.maketrans(b"\x1c\x1d\x1e\x1f", b"    ")

# The encoded forms of U+0085 U+00A0, and U+1680 U+2000-200A U+2028 U+2029 U+202F U+205F U+3000.
_TWO = re.compile(rb"\xc2[\x85\xa0]")
_THREE = re.compile(rb"\xe1\x9a\x80|\xe2(?:\x80[\x80-\x8a\xa8\xa9\xaf]|\x81\x9f)|\xe3\x80\x80")

_NO_SPACE = re.compile(rb"[^ \t\n\r\v\f]+")


def spaced(text: bytes) -> bytes:
    """Return the text with all white space of `str.split` as what `bytes.split` knows.

    As long as the text. Bytes serve as well as characters: white space beyond ASCII begins with a
    byte that never continues another character, so that its encoded form is white space wherever
    it stands, also amid invalid UTF-8; and surrogateescape maps words to bytes one to one.
    """
    text = text.translate(_SEPARATORS_TO_SPACE)
    if not text.isascii():
        text = _THREE.sub(b"   ", _TWO.sub(b"  ", text))
    return text


def split(text: bytes) -> list[bytes]:
    """Return the words of `text.decode("utf-8", "surrogateescape").split()`, as bytes."""
    return spaced(text).split()


def space_counts(text: bytes) -> Counter[bytes]:
    """Return these words, and how often each occurs."""
    return Counter(split(text))


def split_at(text: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the same words, each with the offset where it begins."""
    for found in _NO_SPACE.finditer(spaced(text)):
        yield found[0], found.start()


def without_end(line: bytes) -> bytes:
    """Return a line without the LF or CRLF that ends it."""
    if line.endswith(b"\r\n"):
        return line[:-2]
    return line[:-1] if line.endswith(b"\n") else line


@functools.lru_cache(1 << 16)
def spelled(word: bytes) -> tuple[bytes, ...]:
    """Return the words that people see in one of `split`'s, as UTF-8: often one, or none."""
    return tuple(map(_folded, unicode_pattern().findall(_decoded(word))))


def unicode_counts(text: bytes) -> Counter[bytes]:
    """Return the words that people see in a text, and how often each occurs."""
    counts: Counter[bytes] = Counter()
    for word, count in Counter(split(text)).items():
        for seen in spelled(word):
            counts[seen] += count
    return counts


def unicode_at(text: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield these words one by one, each with the offset in bytes where it begins."""
    decoded, offset, end = _decoded(text), 0, 0
    for found in unicode_pattern().finditer(decoded):
        offset += _size(decoded[end : found.start()])
        yield _folded(found[0]), offset
        offset, end = offset + _size(found[0]), found.end()


def _folded(word: str) -> bytes:
    """Return the form that stands for a word in every case and spelling, as UTF-8."""
    plain = word.replace("\u2019", "'").casefold()
    return unicodedata.normalize("NFC", plain).encode()


@functools.cache
def unicode_pattern() -> re.Pattern[str]:
    r"""Return what matches a word.

    Python's \w lacks marks, without which many scripts fall apart.
    """
    marks = "".join(_marks())
    return re.compile(rf"[\w{marks}\u200c\u200d]+(?:['\u2019][\w{marks}\u200c\u200d]+)*")


def _marks() -> Iterator[str]:
    """Yield the marks and connectors for a regular expression's class.

    The planes 2 to 13 hold ideographs or nothing, and would take most of the time.
    """
    codes = itertools.chain(range(0x20000), range(0xE0000, 0xE1000))
    for code in codes:
        if unicodedata.category(chr(code)) in ("Mn", "Mc", "Me", "Pc"):
            yield f"\\U{code:08x}"


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def _size(text: str) -> int:
    """Return how many bytes a decoded text has."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
