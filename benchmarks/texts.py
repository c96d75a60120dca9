"""The texts that are counted: one that is given, repeated to a size, or one that is made up.

They are kept in a folder and made once. Each is known with the fingerprint of its counts.
"""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

TIME = 1_700_000_000
"""Every text's time of change, whole seconds, which every file system keeps."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text: `ascii` if it has no white space but the usual; the digest of its counts."""

    path: Path
    size: int
    ascii: bool
    digest: str


@dataclass(frozen=True, slots=True)
class Tools:
    """The C programs in native/, compiled."""

    folder: Path

    @classmethod
    def compiled(cls, sources: Path, folder: Path) -> "Tools":
        """Compile what is in `sources` for this very machine."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("counter", "digest", "words"):
            program = str(folder / name)
            source = str(sources / f"{name}.c")
            subprocess.run([*COMPILE, "-o", program, source], check=True)
        return cls(folder)

    def program(self, name: str) -> str:
        """Return the path of a program."""
        return str(self.folder / name)

    def digest_of(self, counts: Path) -> str:
        """Return the fingerprint of a table of counts, whatever the order of its lines."""
        with counts.open("rb") as file:
            return subprocess.check_output(self.program("digest"), stdin=file, text=True).strip()


COMPILE: Sequence[str] = ("gcc", "-O3", "-march=native")


def as_is(path: Path, tools: Tools) -> Text:
    """Return a text that is there."""
    page = path.read_bytes()
    counts = tools.folder / "expected.tsv"
    subprocess.run([tools.program("counter"), path, counts], check=True)
    os.utime(path, (TIME, TIME))
    return Text(path, len(page), _is_ascii(page), tools.digest_of(counts))


def repeated(original: Path, size: int, folder: Path, tools: Tools) -> Text:
    """Return the text, repeated and cut at its last whole line to be of that size at most."""
    path = folder / f"{original.stem}-{size // 1_000_000}mb.txt"
    page = original.read_bytes()
    if not page.endswith(b"\n"):
        page += b"\n"
    with path.open("wb") as file:
        for _ in range(size // len(page)):
            file.write(page)
        file.write(page[: page.rfind(b"\n", 0, size % len(page)) + 1])
    os.utime(path, (TIME, TIME))
    counts = folder / "expected.tsv"
    subprocess.run([tools.program("counter"), path, counts], check=True)
    return Text(path, path.stat().st_size, _is_ascii(page), tools.digest_of(counts))


def made_up(different: int, total: int, folder: Path, tools: Tools) -> Text:
    """Return a text of `total` words, `different` of which differ; see native/words.c."""
    path = folder / f"words-{different}.txt"
    with path.open("wb") as file:
        command = [tools.program("words"), str(different), str(total)]
        done = subprocess.run(command, check=True, stdout=file, stderr=subprocess.PIPE, text=True)
    os.utime(path, (TIME, TIME))
    return Text(path, path.stat().st_size, True, done.stderr.strip())


def _is_ascii(text: bytes) -> bool:
    return text.isascii() and not set(text) & set(b"\x1c\x1d\x1e\x1f")
