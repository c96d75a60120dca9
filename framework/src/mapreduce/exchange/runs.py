"""Runs: combined pairs that stay where they were made until reducers fetch their share.

A run is a file: a head with where each bucket of keys ends, and behind it the buckets, each an
encoded payload of a table's (empty where the bucket has no keys).
"""

import base64
import os
import struct
import urllib.parse
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from mapreduce.errors import MapReduceError
from mapreduce.exchange.transfer import TransferError, kept
from mapreduce.tables import BUCKETS

MAGIC = b"MRRUN\0\0\1"
"""With the format's version in its last byte."""

_SIZES = struct.Struct(f"<{BUCKETS}I")
_ENDS = struct.Struct(f"<{BUCKETS}Q")

HEAD = len(MAGIC) + _ENDS.size

FETCH = 4 << 20
"""Bytes of neighbouring buckets read at once; a bucket above it is read alone."""

PATIENCE = 8.0
"""Seconds for which a run's server may be away: then its data is made again elsewhere."""


class RunError(MapReduceError):
    """A run that cannot be read: it or its server is gone, or it is damaged."""


def write_run(path: Path, payloads: Sequence[bytes]) -> list[int]:
    """Write the payloads of all buckets as a run and return their sizes in bytes.

    The file is complete under its name, or not there.
    """
    assert len(payloads) == BUCKETS
    sizes = [len(payload) for payload in payloads]
    ends, total = [], 0
    for size in sizes:
        total += size
        ends.append(total)
    growing = path.with_suffix(".growing")
    with growing.open("wb") as file:
        file.write(MAGIC + _ENDS.pack(*ends))
        file.writelines(payloads)
    growing.replace(path)
    return sizes


class Run:
    """A run to read, by its file's path or its URL.

    `patience` is for how many seconds the server of a URL may be away.
    """

    def __init__(self, where: str | Path, patience: float = PATIENCE) -> None:
        self.where = str(where)
        self._patience = patience

    def payloads(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the payloads of the buckets from `start` up to `stop` that have any.

        Raises RunError.
        """
        reader = self._open()
        with closing(reader):
            ends = self._ends(reader, start, stop)
            for first, last in _shares(ends):
                chunk = memoryview(reader.read(HEAD + ends[first], HEAD + ends[last]))
                for begin, end in zip(ends[first:last], ends[first + 1 : last + 1], strict=True):
                    if begin != end:
                        yield bytes(chunk[begin - ends[first] : end - ends[first]])

    def _open(self) -> "_File | _Served":
        if "://" in self.where:
            return _Served(self.where, self._patience)
        return _File(self.where)

    def _ends(self, reader: "_File | _Served", start: int, stop: int) -> list[int]:
        """Return where the buckets begin and end: one number more than there are buckets."""
        head = reader.read(0, len(MAGIC) + 8 * stop)
        ends = [0, *struct.unpack_from(f"<{stop}Q", head, len(MAGIC))][start:]
        if not head.startswith(MAGIC) or ends != sorted(ends):
            raise RunError(f"{self.where} is damaged, or no run of this version")
        return ends


def _shares(ends: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield which neighbours among the ends to read from and to at once."""
    first = 0
    for last in range(1, len(ends)):
        if last + 1 == len(ends) or ends[last + 1] - ends[first] > FETCH:
            if ends[first] != ends[last]:
                yield first, last
            first = last


class _File:
    """A run that this machine holds."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._file = Path(path).open("rb", buffering=0)  # noqa: SIM115 closed by close()
        except OSError as error:
            raise RunError(f"{path} cannot be read: {error.strerror}") from error

    def read(self, start: int, end: int) -> bytes:
        try:
            parts = []
            while start < end and (part := os.pread(self._file.fileno(), end - start, start)):
                parts.append(part)
                start += len(part)
        except OSError as error:
            raise RunError(f"{self._path} cannot be read: {error.strerror}") from error
        if start < end:
            raise RunError(f"{self._path} was cut short")
        return b"".join(parts)

    def close(self) -> None:
        self._file.close()


class _Served:
    """A run on another machine, from the server there."""

    def __init__(self, url: str, patience: float) -> None:
        self._path = urllib.parse.urlsplit(url).path
        self._client = kept(url, patience)

    def read(self, start: int, end: int) -> bytes:
        try:
            return self._client.get_range(self._path, start, end)
        except TransferError as error:
            raise RunError(f"the run {self._path.rpartition('/')[2]}: {error}") from error

    def close(self) -> None:
        pass  # the connection is kept for the next run of that server


def encode_sizes(sizes: Sequence[int]) -> str:
    """Return the sizes of all buckets as text for a receipt."""
    return base64.b64encode(zlib.compress(_SIZES.pack(*sizes))).decode("ascii")


def decode_sizes(text: str) -> list[int]:
    """Return the sizes of all buckets that a receipt tells; raises ValueError."""
    try:
        return list(_SIZES.unpack(zlib.decompress(base64.b64decode(text))))
    except (zlib.error, struct.error) as error:
        raise ValueError(f"no sizes of buckets: {error}") from error
