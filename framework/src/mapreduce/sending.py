"""Bringing a task's result to the scheduler, part by part."""

import urllib.parse
from collections.abc import Callable
from pathlib import Path

from mapreduce import results
from mapreduce.errors import MapReduceError
from mapreduce.transfer import TransferError, kept


class SendError(MapReduceError):
    """A result could not be brought to the scheduler."""


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
        self._send(results.digest(part), lambda path: self._client.put(path, part))

    def send_file(self, file: Path) -> None:
        """Send a part that is a file, without holding it in memory; raises SendError."""
        self._send(results.file_digest(file), lambda path: self._client.put_file(path, file))

    def _send(self, digest: str, put: Callable[[str], None]) -> None:
        try:
            put(f"{self._path}/{len(self.digests)}/{digest}")
        except TransferError as error:
            raise SendError(
                f"the result could not be sent to the scheduler: {error}. Agents must be able to "
                "reach that address; --advertise sets another."
            ) from error
        self.digests.append(digest)
