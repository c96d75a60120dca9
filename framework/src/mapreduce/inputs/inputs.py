"""Finding the inputs that the command names, on the client, before anything is started.

An input becomes a reference: plain data that tells an executor where its bytes are. They are never
sent through Mesos. `mapreduce.inputs.sources` reads references.
"""

import os
import stat
import urllib.parse
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mapreduce.errors import SourceError, UsageError
from mapreduce.inputs import compression, globs, storage, web
from mapreduce.inputs.storage import Storage

AT_ONCE = 16
"""URLs that are asked for at once: most of the time is spent waiting."""

LOCAL = ("file://", "local://")
"""How URLs of this machine's files begin: they are served to agents that don't see them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One file or URL.

    `name` is fit to be shown. `size` is that of what is stored, None when only reading tells.
    `path` and `modified` (ns) are those of a local file: together with the size they tell whether
    a file that an agent sees is the same one; `version` does so for a URL. What is not
    `splittable` (compressed, or not served by range) is read from its start to its end.
    `credentials` says whether there are storage options for it.
    """

    name: str
    size: int | None
    path: str | None = None
    modified: int | None = None
    url: str | None = None
    version: str | None = None
    ranges: bool = True
    compression: str | None = None
    credentials: bool = False

    @property
    def splittable(self) -> bool:
        """Whether any range of it can be read by itself."""
        return self.ranges and self.size is not None and self.compression is None

    def reference(self, served_at: str, storage_at: str | None = None) -> dict[str, Any]:
        """Return what an executor needs.

        `served_at` is where the scheduler serves the file, `storage_at` the storage options.
        """
        about = {"name": self.name, "size": self.size, "compression": self.compression}
        if self.path is not None:
            return {**about, "path": self.path, "modified": self.modified, "served": served_at}
        about |= {"url": self.url, "version": self.version, "ranges": self.ranges}
        return {**about, "storage": storage_at} if self.credentials else about


def find(names: Iterable[str], options: Storage | None = None) -> list[Input]:
    """Return the inputs for files, folders (all files below, by name), globs and URLs, in order.

    What is named twice counts twice. Raises UsageError for what is missing or cannot be read.
    """
    known = options or Storage()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        # Files are looked at in their turn, which is faster than handing them over.
        found = [pool.submit(_urls, name, known) if _is_url(name) else name for name in names]
        return [
            item
            for one in found
            for item in (_files(one) if isinstance(one, str) else one.result())
        ]


def _is_url(name: str) -> bool:
    return "://" in name and not name.startswith(LOCAL)


# Files


def _files(name: str) -> Iterator[Input]:
    if name == "-":
        raise UsageError(
            "Standard input ('-') cannot be an input: a job reads its inputs in many places, in "
            "any order and again when a machine is lost. Save it to a file first."
        )
    if not name:
        raise UsageError("The input '' is nothing: a variable without a value?")
    path = urllib.parse.unquote(name.partition("://")[2]) if name.startswith(LOCAL) else name
    for file in globs.files(path):
        yield _file(file)


def _file(path: Path) -> Input:
    try:
        # A pipe would wait for its writer, and a device may do anything when it is opened.
        _require_regular(path, path.stat())
        with path.open("rb", buffering=0) as file:
            found = os.fstat(file.fileno())
            head = file.read(compression.HEAD)
    except (OSError, ValueError) as error:
        raise UsageError(
            f"The input {shown(path)!r} cannot be read: {_why(path, error)}."
        ) from error
    if head and not found.st_size:
        raise UsageError(
            f"The input {shown(path)!r} does not tell its size, as files that a kernel makes up. "
            "Copy it to a file first."
        )
    return Input(
        name=shown(path),
        size=found.st_size,
        path=str(path.absolute()),  # as it is: behind a link, '..' is another folder
        modified=found.st_mtime_ns,
        compression=_compression(shown(path), head),
    )


def _require_regular(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"The input {shown(path)!r} is not a regular file.")


def _why(path: Path, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError) and path.is_symlink():
        return f"it is a link to {shown(path.readlink())!r}, which does not exist"
    return (isinstance(error, OSError) and error.strerror) or str(error)


def shown(path: Path) -> str:
    """Return a path as text that any terminal and any message can hold."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _compression(name: str, head: bytes) -> str | None:
    kind = compression.detect(head)
    try:
        compression.check(kind, name)
    except SourceError as error:
        raise UsageError(str(error)) from error
    return kind


# URLs


def _urls(url: str, options: Storage) -> list[Input]:
    return [_web(url, options)] if web.is_web(url) else _objects(url, options)


def _web(url: str, options: Storage) -> Input:
    if "@" in urllib.parse.urlsplit(url).netloc:
        raise UsageError(
            "An input's URL holds a name or a password, which everybody would see. Give an "
            "Authorization header in a file of storage options instead (--storage)."
        )
    name = storage.shown(url)
    headers = options.headers(url)
    try:
        found = storage.within(web.TIMEOUT, lambda: web.probe(url, headers))
    except (*web.TROUBLE, ValueError) as error:
        raise UsageError(f"The input {name!r} cannot be read: {web.said(error)}.") from error
    return Input(
        name=name,
        size=found.size,
        url=url,
        version=found.version,
        ranges=found.ranges,
        compression=_compression(name, found.head),
        credentials=options.hold(url),
    )


def _objects(url: str, options: Storage) -> list[Input]:
    found = storage.find(url, options)
    if not found:
        raise UsageError(f"No file is at {url!r}.")
    return [
        Input(
            name=one.url,
            size=one.size,
            url=one.url,
            version=one.version,
            ranges=one.size is not None,
            compression=_compression(one.url, one.head),
            credentials=options.hold(one.url),
        )
        for one in found
    ]
