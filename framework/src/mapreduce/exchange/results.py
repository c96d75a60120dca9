"""How results reach the scheduler: parts with a digest each, and files of sorted rows.

An executor sends the parts of a task's result to the scheduler's server and then reports the task
finished with their digests. The scheduler counts a result only if all its parts are there.
"""

import hashlib
import heapq
import marshal
import os
import struct
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from mapreduce.errors import MapReduceError
from mapreduce.exchange.transfer import TransferError, kept
from mapreduce.job import Row
from mapreduce.tables import MARSHAL_VERSION

CHUNK_ROWS = 2000
CHUNK_BYTES = 1 << 17
"""A chunk of rows, at most and about: a merge holds one of each file, of which there are many."""

BLOCK = 1 << 20
"""Bytes of a part that a server takes in at a time."""

_LENGTH = struct.Struct("<Q")

SORTED_ROWS = 250_000
"""Rows that are sorted in memory; more are merged from files."""


class ResultError(MapReduceError):
    """Rows that cannot be sent: the job's fault."""


class PartError(MapReduceError):
    """A part that did not arrive as it was sent."""


class SendError(MapReduceError):
    """A result could not be brought to the scheduler."""


def digest(part: bytes) -> str:
    """Return the checksum of a part: 32 hexadecimal digits."""
    return _new_digest(part).hexdigest()


def file_digest(path: Path) -> str:
    """Return the checksum of a part that is a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, _new_digest).hexdigest()


def _new_digest(part: bytes = b"") -> "hashlib.blake2b":
    return hashlib.blake2b(part, digest_size=16)


class Parts:
    """The parts of one task's result; `digests` are of those that were sent, in order.

    `patience` is for how many seconds the scheduler may be away.
    """

    def __init__(self, server: str, task_id: str, patience: float) -> None:
        self.digests: list[str] = []
        self._client = kept(server, patience)
        self._path = f"{urllib.parse.urlsplit(server).path}/results/{task_id}"

    def send(self, part: bytes) -> None:
        """Send a part that is in memory; raises SendError."""
        self._send(digest(part), lambda path: self._client.put(path, part))

    def send_file(self, file: Path) -> None:
        """Send a part that is a file, without holding it in memory; raises SendError."""
        self._send(file_digest(file), lambda path: self._client.put_file(path, file))

    def _send(self, checksum: str, put: Callable[[str], None]) -> None:
        try:
            put(f"{self._path}/{len(self.digests)}/{checksum}")
        except TransferError as error:
            raise SendError(
                f"the result could not be sent to the scheduler: {error}. Agents must be able to "
                "reach that address; --advertise sets another."
            ) from error
        self.digests.append(checksum)


class Store:
    """Parts of results as files in `folder`, for as long as the job runs.

    A part's digest is in its file's name, and the file is there only once it was verified: what
    has arrived is known without reading it again, also by a scheduler that was started anew.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, task_id: str, number: int, wanted: str, blocks: Iterable[bytes]) -> None:
        """Keep the blocks as a part, if their digest is `wanted`.

        Raises PartError if it is another one, OSError if there is no room, and whatever the
        blocks' source raises.
        """
        # Complete under its name or not there; the same part may arrive twice at once.
        arriving = self._folder / f"arriving-{os.urandom(8).hex()}"
        found = _new_digest()
        try:
            with arriving.open("wb") as file:
                for block in blocks:
                    found.update(block)
                    file.write(block)
            if found.hexdigest() != wanted:
                raise PartError("the part arrived damaged")
            arriving.replace(self.path(task_id, number, wanted))
        finally:
            arriving.unlink(missing_ok=True)

    def intact(self, task_id: str, receipt: Sequence[str] | None) -> bool:
        """Whether there is a receipt, and all its parts are here."""
        return receipt is not None and all(path.exists() for path in self.paths(task_id, receipt))

    def paths(self, task_id: str, receipt: Sequence[str]) -> list[Path]:
        """Return the files of a result's parts, in order."""
        return [self.path(task_id, *item) for item in enumerate(receipt)]

    def discard(self, task_id: str, receipt: Sequence[str]) -> None:
        """Remove a result that is not wanted, where it has arrived."""
        for path in self.paths(task_id, receipt):
            path.unlink(missing_ok=True)

    def path(self, task_id: str, number: int, wanted: str) -> Path:
        """Return the file of a part; whether it has arrived is another question."""
        return self._folder / f"{task_id}.{number}.{wanted}"


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows as they come, and return how many they were.

    Raises ResultError for a row that is not plain data.
    """
    rows, count, size = iter(rows), 0, 16
    with path.open("wb") as file:
        while chunk := list(islice(rows, size)):
            encoded = _encode(chunk)
            file.write(_LENGTH.pack(len(encoded)) + encoded)
            count += len(chunk)
            size = max(1, min(CHUNK_ROWS, len(chunk) * CHUNK_BYTES // len(encoded)))
    return count


def _encode(rows: list[Row]) -> bytes:
    try:
        return marshal.dumps(rows, MARSHAL_VERSION)
    except ValueError as error:
        raise ResultError(
            "Rows of a result must be plain data: a text, and a value of None, bool, int, float, "
            f"str, and lists and dicts of these ({error})."
        ) from error


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file, holding one chunk at a time."""
    with path.open("rb") as file:
        while head := file.read(_LENGTH.size):
            yield from marshal.loads(file.read(*_LENGTH.unpack(head)))


def sorted_rows(rows: Iterator[Row], order: Callable[[Row], Any], folder: Path) -> Iterable[Row]:
    """Return the rows in order; `folder` takes the files that many rows need."""
    chunk = sorted(islice(rows, SORTED_ROWS), key=order)
    if len(chunk) < SORTED_ROWS:
        return chunk
    files: list[Path] = []
    while chunk:
        files.append(folder / f"sorted-{len(files)}")
        write_rows(files[-1], chunk)
        chunk = sorted(islice(rows, SORTED_ROWS), key=order)
    return heapq.merge(*map(read_rows, files), key=order)
