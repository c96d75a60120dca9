"""Reading the bytes that a reference points to, on the agent.

A file that the agent sees itself is read there, if it is the one that the client named; otherwise
the scheduler's range server is asked. URLs are read by HTTP, or by fsspec.
"""

import os
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from mapreduce.errors import SourceError
from mapreduce.exchange import transfer
from mapreduce.inputs import compression, storage, web
from mapreduce.inputs.splits import Source, chunk_end

__all__ = ["PATIENCE", "FileSource", "Source", "SourceError", "open_source"]

PATIENCE = 30.0
"""Seconds for which the scheduler's server may be away: one that is resumed comes back."""

_known: dict[str, storage.Storage] = {}
"""Storage options, by where the scheduler's server has them."""


def open_source(reference: dict[str, Any], patience: float = PATIENCE) -> Source:
    """Return the nearest source for a reference, decompressed; raises SourceError.

    It holds nothing open between the calls of its `chunks`.
    """
    source = _open(reference, patience)
    kind = reference.get("compression")
    return compression.Decompressed(source, kind) if kind else source


def _open(reference: dict[str, Any], patience: float) -> Source:
    if "path" in reference:
        try:
            return FileSource(reference)
        except OSError:
            return ServedSource(reference, patience)
    options = _storage(reference, patience)
    if web.is_web(reference["url"]):
        return web.UrlSource(reference, options.headers(reference["url"]))
    return storage.StorageSource(reference, options)


def _storage(reference: dict[str, Any], patience: float) -> storage.Storage:
    """Return the options that the scheduler's server has for the executors."""
    url = reference.get("storage")
    if url is None:
        return storage.Storage()
    if url not in _known:
        try:
            content = transfer.kept(url, patience).get(urllib.parse.urlsplit(url).path)
        except transfer.TransferError as error:
            raise SourceError(
                f"The credentials for the input {reference['name']!r}: {error}."
            ) from error
        _known[url] = storage.decode(content)
    return _known[url]


class FileSource:
    """A file on this machine. Raises OSError when it is not there or another one is."""

    def __init__(self, reference: dict[str, Any]) -> None:
        self.name: str = reference["name"]
        self._path: str = reference["path"]
        self._expected = (reference["size"], reference["modified"])
        with self._open() as file:
            if _state(file) != self._expected:
                raise FileNotFoundError("a file of the same name, but another one")

    def chunks(self, start: int, stop: int | None) -> Iterator[bytes]:
        """See `splits.Source`; a change of the file since the job began is an error."""
        try:
            file = self._open()
        except OSError as error:
            raise SourceError(
                f"The input {self.name!r} could not be read any more: {error.strerror}."
            ) from error
        with file:
            os.posix_fadvise(file.fileno(), start, 0, os.POSIX_FADV_SEQUENTIAL)
            while chunk := self._read(file, start, chunk_end(start, stop)):
                yield chunk
                start += len(chunk)

    def _read(self, file: BinaryIO, start: int, end: int) -> bytes:
        """Return the bytes, all of them unless the file ends before."""
        wanted = max(0, min(end, self._expected[0]) - start)
        try:
            chunk = os.pread(file.fileno(), wanted, start)
        except OSError as error:  # such as a stale handle of a network file system
            raise SourceError(
                f"The input {self.name!r} could not be read at byte {start}: {error.strerror}."
            ) from error
        if _state(file) != self._expected or (wanted and not chunk):
            raise SourceError(f"The input {self.name!r} changed during the job.")
        return chunk

    def _open(self) -> BinaryIO:
        return Path(self._path).open("rb", buffering=0)


class ServedSource:
    """A file of the client's, from the scheduler's range server."""

    def __init__(self, reference: dict[str, Any], patience: float) -> None:
        self.name: str = reference["name"]
        self._size: int = reference["size"]
        self._url: str = reference["served"]
        self._patience = patience

    def chunks(self, start: int, stop: int | None) -> Iterator[bytes]:
        """See `splits.Source`."""
        client = transfer.kept(self._url, self._patience)
        path = urllib.parse.urlsplit(self._url).path
        while start < self._size:
            end = min(chunk_end(start, stop), self._size)
            try:
                chunk = client.get_range(path, start, end)
            except transfer.TransferError as error:
                raise SourceError(f"The input {self.name!r}: {error}.") from error
            yield chunk
            start = end


def _state(file: BinaryIO) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_size, found.st_mtime_ns
