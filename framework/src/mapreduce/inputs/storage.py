"""Object stores and every other file system that fsspec knows, and the options for them.

Options hold credentials. They come from a file or the environment, and reach the executors by the
scheduler's own server only: no argument, no message of Mesos', no log and no journal has them.
"""

import functools
import json
import os
import re
import socket
import stat
import threading
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from mapreduce.errors import SourceError, UsageError
from mapreduce.inputs import compression
from mapreduce.inputs.splits import PIECE, chunk_end

T = TypeVar("T")

VARIABLE = "MAPREDUCE_STORAGE"
"""The environment variable that names the file of options, or holds them itself, as JSON."""

TIMEOUT = 60.0
"""Seconds for a file system to answer; the back-ends try again themselves, within less."""

SPAN = 8 << 20
"""Bytes asked for at once: object stores take long to begin, and are fast then."""

EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gcs"),
    **dict.fromkeys(("az", "abfs", "abfss"), "azure"),
    "hdfs": "hdfs",
}
"""Extras of this package's, by the protocols that need them."""

SHORTEST_SECRET = 4
"""Characters of an option that is hidden in messages; shorter ones would hide everything else."""

_VERSIONS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "modified")
_SECRET = re.compile("key|secret|token|pass|cred|auth|sas|sig|headers", re.IGNORECASE)
_PARAMETER = re.compile("([?&]([^=&]+)=)[^&#]+")

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Storage:
    """Options by protocol (`s3`) or by the beginning of URLs (`https://host/folder/`).

    They are those of fsspec's file system; `headers` for http and https.
    """

    options: Mapping[str, Options] = field(default_factory=dict, repr=False)

    def of(self, url: str) -> Options:
        """Return the options for a URL: those of the longest name that fits it."""
        fitting = [name for name in self.options if _fits(name, url)]
        return self.options[max(fitting, key=len)] if fitting else {}

    def headers(self, url: str) -> Mapping[str, str]:
        """Return the headers for an http or https URL; raises UsageError for other options."""
        options = self.of(url)
        headers = options.get("headers", {})
        if options.keys() - {"headers"} or not isinstance(headers, dict):
            raise UsageError(
                f"The storage options for {shown(url)!r} hold {', '.join(map(repr, options))}; "
                "for http and https there is one, 'headers', an object."
            )
        return {name: str(value) for name, value in headers.items()}

    def part(self, urls: Iterable[str]) -> "Storage":
        """Return only what these URLs need, which is what executors are given."""
        links = [link for url in urls for link in url.split("::")]
        return Storage(
            {
                name: options
                for name, options in self.options.items()
                if any(_fits(name, link) for link in links)
            }
        )

    def hold(self, url: str) -> bool:
        """Whether there are options for a URL."""
        return bool(self.part([url]).options)

    def encode(self) -> bytes:
        """Return the options as JSON."""
        return json.dumps(self.options).encode()

    def hide(self, text: str) -> str:
        """Return a message without the secrets that a back-end may have put in it."""
        for secret in sorted(_secrets(self.options), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text


def shown(url: str) -> str:
    """Return a URL without the secrets that it may have in its query, as signed ones have."""
    return _PARAMETER.sub(lambda at: f"{at[1]}***" if _SECRET.search(at[2]) else at[0], url)


def _fits(name: str, url: str) -> bool:
    """Whether a protocol is the URL's, or the beginning of a URL that of this one, part by part."""
    if "://" not in name:
        return url.startswith(f"{name}://")
    return url == name or url.startswith(name.removesuffix("/") + "/")


def _secrets(options: Any, *, secret: bool = False) -> Iterator[str]:
    if isinstance(options, Mapping):
        for name, value in options.items():
            yield from _secrets(value, secret=secret or bool(_SECRET.search(name)))
    elif secret and isinstance(options, str) and len(options) >= SHORTEST_SECRET:
        yield options


def decode(text: bytes | str) -> Storage:
    """Read options from JSON; raises ValueError where they have another form."""
    options = json.loads(text)
    if not isinstance(options, dict) or not all(isinstance(of, dict) for of in options.values()):
        raise ValueError('options are objects by protocol: {"s3": {"key": "..."}}')
    return Storage(options)


def load(file: Path | None) -> Storage:
    """Return the options of a JSON or TOML file, else what the environment says, else none."""
    given = os.environ.get(VARIABLE, "").strip()
    try:
        if file is None and given.startswith("{"):
            return decode(given)
        if file is None and not given:
            return Storage()
        return _read(file or Path(given))
    except ValueError as error:
        where = f"The file {str(file)!r}" if file else f"${VARIABLE}"
        raise UsageError(f"{where} holds no storage options: {error}.") from error


def _read(file: Path) -> Storage:
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = opened.read()
    except OSError as error:
        raise UsageError(
            f"The storage options {str(file)!r} cannot be read: {error.strerror}."
        ) from error
    if stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(
            f"The storage options {str(file)!r} hold secrets that others may read: chmod 600 it."
        )
    text = content.decode()
    return decode(json.dumps(tomllib.loads(text), default=str) if file.suffix == ".toml" else text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """A file of a file system; `size` is None where it does not say, `version` likewise."""

    url: str
    size: int | None
    version: str | None
    head: bytes


def find(url: str, storage: Storage) -> list[Object]:
    """Return the file of a URL, or the files of a folder or a glob, by name.

    Raises UsageError; an empty list stands for a folder without files, or a glob that fits none.
    """
    try:
        return within(TIMEOUT, lambda: _find(url, storage))
    except UsageError:
        raise
    except Exception as error:  # whatever fsspec and its back-ends raise
        raise UsageError(f"The input {url!r} cannot be read: {said(error, storage)}.") from error


def _find(url: str, storage: Storage) -> list[Object]:
    import fsspec.core  # slow to import, and most runs have no URLs

    system, path = _system(url, storage)
    if fsspec.core.has_magic(path) and not system.exists(path):
        infos = system.glob(path, detail=True)
    else:
        infos = {path: system.info(path)}
    files: dict[str, Any] = {}
    for name, info in infos.items():
        files.update(
            system.find(name, detail=True) if info["type"] == "directory" else {name: info}
        )
    full = [name for name, info in files.items() if info.get("size") != 0]
    heads = dict(
        zip(full, system.cat_ranges(full, 0, compression.HEAD, on_error="raise"), strict=True)
    )
    rest = url.partition("::")
    return [
        Object(
            url=system.unstrip_protocol(name) + "".join(rest[1:]),
            size=info.get("size"),
            version=_version(info),
            head=heads.get(name, b""),
        )
        for name, info in files.items()
    ]


def _system(url: str, storage: Storage) -> tuple[Any, str]:
    """Return fsspec's file system for a URL, and the path in it; raises UsageError."""
    import fsspec.core

    links = url.split("::")
    options = {link.partition("://")[0]: storage.of(link) for link in links if storage.of(link)}
    try:
        system, path = fsspec.core.url_to_fs(url, **options)
    except ImportError as error:
        extra = EXTRAS.get(url.partition("://")[0])
        missing = getattr(error.__cause__, "name", None) or "fsspec"
        package = f"'mesos-mapreduce[{extra}]'" if extra else missing.partition(".")[0]
        raise UsageError(
            f"The input {url!r} needs a package that is not installed on {socket.gethostname()}: "
            f"pip install {package}"
        ) from error
    return system, path


def _version(info: Mapping[str, Any]) -> str | None:
    return next((str(info[name]) for name in _VERSIONS if info.get(name)), None)


class StorageSource:
    """A file of a file system of fsspec's, by range where its size is known."""

    def __init__(self, reference: dict[str, Any], storage: Storage) -> None:
        self.name: str = reference["name"]
        self._url: str = reference["url"]
        self._size: int | None = reference["size"]
        self._version: str | None = reference["version"]
        self._storage = storage

    def chunks(self, start: int, stop: int | None) -> Iterator[bytes]:
        """See `splits.Source`."""
        try:
            # Here rather than within(), as fsspec keeps its connections by thread.
            system, path = _system(self._url, self._storage)
            if self._size is None:
                yield from self._forward(system, path, start)
            else:
                yield from self._ranges(system, path, start, stop, self._size)
        except SourceError:
            raise
        except UsageError as error:
            raise SourceError(str(error)) from error
        except Exception as error:  # whatever fsspec and its back-ends raise
            raise SourceError(
                f"The input {self.name!r} could not be read: {said(error, self._storage)}."
            ) from error

    def _ranges(
        self, system: Any, path: str, start: int, stop: int | None, size: int
    ) -> Iterator[bytes]:
        while start < size:
            end = min(size, chunk_end(start, stop, SPAN))
            span = within(TIMEOUT, functools.partial(system.cat_file, path, start=start, end=end))
            if len(span) != end - start:
                raise SourceError(
                    f"The input {self.name!r} gave {len(span)} bytes where {end - start} were "
                    f"asked for, at byte {start}: it changed during the job, or its server does "
                    "not keep to ranges."
                )
            if size > SPAN:  # one that is read at once is of one version
                within(TIMEOUT, functools.partial(self._check, system, path))
            for at in range(0, len(span), PIECE):
                yield span[at : at + PIECE]
            start = end

    def _check(self, system: Any, path: str) -> None:
        system.invalidate_cache()
        info = system.info(path)
        if (info.get("size"), _version(info)) != (self._size, self._version):
            raise SourceError(f"The input {self.name!r} changed during the job.")

    def _forward(self, system: Any, path: str, start: int) -> Iterator[bytes]:
        assert start == 0, "what is not splittable is one range"
        with system.open(path, "rb") as file:
            while chunk := within(TIMEOUT, functools.partial(file.read, PIECE)):
                yield chunk


def within(seconds: float, call: Callable[[], T]) -> T:
    """Return what a call returns, or raise what it raises; TimeoutError where it takes longer.

    fsspec has no time limit of its own that covers every file system. A call that is given up
    stays behind, in a thread that holds nothing up.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # raised again by whoever waits
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer within {seconds:.0f} seconds")
    return results[0]


def said(error: Exception, storage: Storage) -> str:
    """Return an error of a back-end's as text, without secrets."""
    if isinstance(error, FileNotFoundError):
        return f"there is no such file, as {socket.gethostname()} sees it"
    text = str(error).strip().rstrip(".")
    return storage.hide(f"{type(error).__name__}: {text}" if text else type(error).__name__)
