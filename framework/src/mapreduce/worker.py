"""Mapping one block, in a worker process of an executor's, and sending the result.

What can go wrong is returned as text rather than raised, as it goes into a task's status.
"""

import http.client
import socket
import time
import traceback
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mapreduce import results, splits
from mapreduce.errors import MapReduceError
from mapreduce.job import Job
from mapreduce.sources import Source, open_source

CONNECT_TIMEOUT = 3.0
CONNECT_ATTEMPTS = 2
"""For the first contact with the scheduler's server: one that is out of reach stays so."""

UPLOAD_ATTEMPTS = 4
UPLOAD_TIMEOUT = 30.0
"""Seconds for the scheduler's server to take in a part, each time."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A task's receipt, or why there is none."""

    parts: list[str] = field(default_factory=list)
    error: str = ""


class MapError(MapReduceError):
    """The job's own code raised; the message names the input and says where."""


class UploadError(MapReduceError):
    """The result could not be brought to the scheduler."""


def run(job: Job[Any, Any], server: str, task_id: str, data: dict[str, Any]) -> Outcome:
    """Map the task's ranges and send the combined pairs to the scheduler's server."""
    receipt: list[str] = []

    def send(pairs: dict[Any, Any]) -> None:
        part = results.encode(pairs)
        upload(server, task_id, len(receipt), part)
        receipt.append(results.digest(part))

    try:
        _map(job, data, send)
    except MapReduceError as error:
        return Outcome(error=str(error))
    except MemoryError:
        return Outcome(error="out of memory")
    return Outcome(parts=receipt)


def _map(job: Job[Any, Any], data: dict[str, Any], send: Callable[[dict[Any, Any]], None]) -> None:
    pairs: dict[Any, Any] = {}
    for name, block in _blocks(job, data):
        try:
            job.merge(pairs, job.map(block))
        except Exception as error:
            raise MapError(f"the job failed on the input {name!r}: {_where(error)}") from error
        if len(pairs) >= results.PAIRS_PER_PART:
            send(pairs)
            pairs = {}
    if pairs:
        send(pairs)


def _blocks(job: Job[Any, Any], data: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    sources: dict[int, Source] = {}
    for number, start, end in data["ranges"]:
        reference = data["sources"][str(number)]
        if number not in sources:
            sources[number] = open_source(reference)
        for block in splits.records(sources[number].read, start, end, job.record_ends):
            yield reference["name"], block


def _where(error: Exception) -> str:
    """Return the error and the job's lines that led to it, without those of this package."""
    frames = traceback.extract_tb(error.__traceback__)[1:]
    lines = "".join(f" at {frame.filename}:{frame.lineno}" for frame in frames[-3:])
    return f"{type(error).__name__}: {error}{lines}"


def reach(server: str) -> None:
    """Make sure that the scheduler's server can be reached; raises UploadError."""
    url = urllib.parse.urlsplit(server)
    trouble: Exception | None = None
    for _ in range(CONNECT_ATTEMPTS):
        try:
            assert url.hostname is not None  # the scheduler's own address
            socket.create_connection((url.hostname, url.port or 80), CONNECT_TIMEOUT).close()
            return
        except OSError as error:
            trouble = error
    raise UploadError(
        f"this agent cannot reach the scheduler's server at {url.netloc}: {trouble}. "
        "--advertise sets another address."
    )


def upload(server: str, task_id: str, number: int, part: bytes) -> None:
    """Send a part, again where a connection breaks; raises UploadError."""
    url = urllib.parse.urlsplit(server)
    path = f"{url.path}/results/{task_id}/{number}/{results.digest(part)}"
    trouble: Exception | str = ""
    for attempt in range(UPLOAD_ATTEMPTS):
        if attempt:
            time.sleep(0.2 * 3**attempt)
        assert url.hostname is not None  # the scheduler's own address
        connection = http.client.HTTPConnection(url.hostname, url.port, timeout=UPLOAD_TIMEOUT)
        try:
            connection.request("PUT", path, body=part)
            response = connection.getresponse()
            said = response.read().decode("utf-8", "replace").strip()
            if response.status == http.client.OK:
                return
            trouble = f"HTTP {response.status} {response.reason}: {said}"
        except (OSError, http.client.HTTPException) as error:
            trouble = error
        finally:
            connection.close()
    raise UploadError(
        f"the result could not be sent to the scheduler's server at {url.netloc}: {trouble}. "
        "Agents must be able to reach that address; --advertise sets another."
    )
