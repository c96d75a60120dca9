"""How partial results travel: encoded pairs in parts, and a receipt by which they are verified.

An executor sends the parts of a task's result to the scheduler's server and then reports the task
finished with the receipt. The scheduler counts a result only if every part of the receipt is there
and intact.
"""

import hashlib
import marshal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mapreduce.errors import MapReduceError

MARSHAL_VERSION = 4
"""Understood by every supported Python, so that client and agents may differ.

marshal rather than JSON: pairs hold bytes and tuples. Rather than pickle: it runs no code.
"""

PAIRS_PER_PART = 200_000
"""Pairs after which an executor sends what it has, so that its memory stays bounded."""


class ResultError(MapReduceError):
    """Pairs that cannot be sent: the job's fault."""


def encode(pairs: Mapping[Any, Any]) -> bytes:
    """Return pairs of plain data as bytes."""
    try:
        return marshal.dumps(dict(pairs), MARSHAL_VERSION)
    except ValueError as error:
        raise ResultError(
            "The job's keys and values must be plain data: None, bool, int, float, str, bytes, "
            f"and tuples, lists and dicts of these ({error})."
        ) from error


def digest(part: bytes) -> str:
    """Return the checksum of a part."""
    return hashlib.blake2b(part, digest_size=16).hexdigest()


class Store:
    """Parts that arrived, as files in `folder`, until the result they belong to is taken."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, task_id: str, number: int, part: bytes) -> None:
        """Keep a part; one sent again replaces the first."""
        path = self._path(task_id, number)
        # Complete under its name or not there: the connection that sends it may break.
        arriving = path.with_suffix(f".{id(part)}")
        arriving.write_bytes(part)
        arriving.replace(path)

    def intact(self, task_id: str, receipt: list[str] | None) -> bool:
        """Whether there is a receipt, and all its parts (by checksum, in order) are here."""
        if receipt is None:
            return False
        paths = (self._path(task_id, number) for number in range(len(receipt)))
        try:
            return all(
                digest(path.read_bytes()) == expected
                for path, expected in zip(paths, receipt, strict=True)
            )
        except FileNotFoundError:
            return False

    def take(self, task_id: str, receipt: list[str]) -> Iterator[dict[Any, Any]]:
        """Yield the pairs of an intact result, part by part, and forget them."""
        for number in range(len(receipt)):
            path = self._path(task_id, number)
            yield marshal.loads(path.read_bytes())
            path.unlink()

    def _path(self, task_id: str, number: int) -> Path:
        return self._folder / f"{task_id}.{number}"
