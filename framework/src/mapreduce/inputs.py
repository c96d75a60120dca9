"""Finding the inputs that the command names, on the client, before anything is started.

An input becomes a reference: plain data that tells an executor where its bytes are. They are never
sent through Mesos. `mapreduce.sources` reads references.
"""

import os
import stat
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mapreduce.errors import UsageError

URL_TIMEOUT = 10.0
"""Seconds for a URL's server to say how large the resource is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One file or URL.

    `size` is None when only reading tells. `path` and `modified` (ns) are those of a local file:
    together with the size they tell whether a file that an agent sees is the same one.
    """

    name: str
    size: int | None
    path: str | None = None
    modified: int | None = None

    def reference(self, served_at: str) -> dict[str, Any]:
        """Return what an executor needs; `served_at` is where the scheduler serves the file."""
        if self.path is None:
            return {"name": self.name, "size": self.size, "url": self.name}
        return {
            "name": self.name,
            "size": self.size,
            "path": self.path,
            "modified": self.modified,
            "served": served_at,
        }


def find(names: Iterable[str]) -> list[Input]:
    """Return the inputs for files, folders (all files below, by name) and URLs.

    Raises UsageError for one that is missing or cannot be read.
    """
    return [found for name in names for found in _find(name)]


def _find(name: str) -> Iterator[Input]:
    if "://" in name:
        yield _url(name)
    elif os.path.isdir(name):  # noqa: PTH112 False rather than an error where it may not look
        for path in _files_below(Path(name)):
            yield _file(path)
    else:
        yield _file(Path(name))


def _files_below(folder: Path) -> Iterator[Path]:
    def fail(error: OSError) -> None:
        raise UsageError(f"The folder {error.filename!r} cannot be read: {error.strerror}.")

    for parent, folders, files in os.walk(folder, onerror=fail):
        folders.sort()
        yield from (Path(parent) / file for file in sorted(files))


def _file(path: Path) -> Input:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
    except OSError as error:
        raise UsageError(f"The input {str(path)!r} cannot be read: {error.strerror}.") from error
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"The input {str(path)!r} is not a regular file.")
    return Input(
        name=str(path),
        size=found.st_size,
        path=str(path.resolve()),
        modified=found.st_mtime_ns,
    )


def _url(url: str) -> Input:
    answer: list[Input | Exception] = []
    # fsspec offers no time limit of its own that covers every kind of URL.
    asking = threading.Thread(target=_ask, args=(url, answer), daemon=True)
    asking.start()
    asking.join(URL_TIMEOUT)
    if not answer:
        raise UsageError(f"The input {url!r} did not answer within {URL_TIMEOUT:.0f} seconds.")
    if isinstance(answer[0], Exception):
        error = answer[0]
        detail = str(error).strip() or "no details"
        raise UsageError(f"The input {url!r} cannot be read: {type(error).__name__}: {detail}")
    return answer[0]


def _ask(url: str, answer: list[Input | Exception]) -> None:
    try:
        import fsspec.core  # slow to import, and most runs have no URLs

        system, path = fsspec.core.url_to_fs(url)
        found = system.info(path)
        # An HTTP server that does not say that it serves ranges may ignore them.
        splits = found.get("partial", not url.startswith(("http://", "https://")))
        answer.append(Input(name=url, size=found.get("size") if splits else None))
    except Exception as error:  # whatever fsspec and its back-ends raise
        answer.append(error)
