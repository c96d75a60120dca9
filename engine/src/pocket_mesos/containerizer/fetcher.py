"""The program ``mesos-fetcher``: bring files into a sandbox before its executor starts.

It runs as the task's user, reads one JSON object from the environment variable
``MESOS_FETCHER_INFO``, writes what it does to standard error, which is the sandbox's, and exits
with 1 at the first failure. Imports nothing but the standard library.
"""

import gzip
import http.client
import json
import os
import shutil
import stat
import sys
import tarfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

_ARCHIVES = (
    (".tar", "tar"),
    (".tgz", "tar"),
    (".tar.gz", "tar"),
    (".tbz2", "tar"),
    (".tar.bz2", "tar"),
    (".txz", "tar"),
    (".tar.xz", "tar"),
    (".zip", "zip"),
    (".jar", ""),
    (".gz", "gz"),
)
"""Ending and how to extract it; the longest ending counts."""


class FetchError(Exception):
    """A file could not be fetched; the message says which and why."""


def fetch(
    item: dict[str, Any],
    sandbox: Path,
    stall_timeout: float,
    home: str,
    cached: Path | None = None,
    download: bool = True,
) -> Path:
    """Bring one item into the sandbox.

    Args:
        item: ``value``, ``extract``, ``executable``, ``output_file``.
        sandbox: folder that nothing may be written out of.
        stall_timeout: seconds without a byte after which a download fails.
        home: folder below which relative values are looked up; empty: there is none.
        cached: its file in the cache; None: it is fetched around the cache.
        download: whether that file is still to be fetched.

    Raises:
        FetchError: with the cause.
    """
    target = _target(item, sandbox)
    target.parent.mkdir(parents=True, exist_ok=True)
    if cached is None:
        _retrieve(item["value"], target, stall_timeout, home)
    else:
        if download:
            _retrieve(item["value"], cached, stall_timeout, home)
        # Of a packed file only the contents get into the sandbox.
        packed = item.get("extract", True) and not item.get("executable")
        if packed and extract(cached, sandbox, target):
            return sandbox
        _copy(cached, target)
    if item.get("executable"):
        target.chmod(target.stat().st_mode | 0o111)
    elif cached is None and item.get("extract", True):
        extract(target, sandbox)
    return target


def name_of(value: str) -> str:
    """Return the last part of a URI's path; empty when there is none."""
    return Path(urllib.parse.urlsplit(value).path).name


def size(value: str, home: str, timeout: float) -> int | None:
    """Return how many bytes a URI stands for; None when that can't be told in advance."""
    try:
        scheme = urllib.parse.urlsplit(value).scheme
        if scheme in ("", "file"):
            return _local(value, home).stat().st_size
        if scheme not in ("http", "https"):
            return None
        request = urllib.request.Request(value, method="HEAD")
        with urllib.request.urlopen(request, timeout=timeout) as response:
            length = response.headers.get("Content-Length")
            return None if length is None else int(length)
    except (OSError, ValueError, FetchError, http.client.HTTPException):
        return None


def _target(item: dict[str, Any], sandbox: Path) -> Path:
    value = item["value"]
    name = item.get("output_file") or name_of(value)
    if not name or name in (".", ".."):
        raise FetchError(f"Malformed URI (missing path): '{value}'")
    target = (sandbox / name).resolve()
    if not target.is_relative_to(sandbox.resolve()) or target == sandbox.resolve():
        raise FetchError(f"The output file '{name}' of '{value}' is not within the sandbox")
    return target


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
        shutil.copymode(source, target)
    except OSError as error:
        raise FetchError(f"Failed to copy '{source}' from the cache: {error}") from error


def _retrieve(value: str, target: Path, stall_timeout: float, home: str) -> None:
    scheme = urllib.parse.urlsplit(value).scheme
    try:
        if scheme in ("http", "https", "ftp", "ftps"):
            _download(value, target, stall_timeout)
        elif scheme in ("", "file"):
            shutil.copyfile(_local(value, home), target)
            shutil.copymode(_local(value, home), target)
        else:
            raise FetchError(f"Unsupported scheme '{scheme}' of '{value}'")
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise FetchError(f"Failed to fetch '{value}': {error}") from error


def _download(value: str, target: Path, stall_timeout: float) -> None:
    # Only schemes that _retrieve lets through arrive here.
    with urllib.request.urlopen(value, timeout=stall_timeout) as response:
        with target.open("wb") as out:
            shutil.copyfileobj(response, out, 1 << 20)
        length = response.headers.get("Content-Length")
        if length is not None and int(length) != target.stat().st_size:
            raise FetchError(f"'{value}' ended early, {target.stat().st_size} of {length} bytes")


def _local(value: str, home: str) -> Path:
    path = value.removeprefix("file://").removeprefix("localhost")
    if path.startswith("/"):
        return Path(path)
    if not home:
        raise FetchError(
            f"A relative path was passed for the resource '{value}' "
            "but the flag frameworks_home is not set"
        )
    return Path(home) / path


def extract(archive: Path, sandbox: Path, target: Path | None = None) -> bool:
    """Extract an archive into the sandbox; return False when its name is no archive's.

    Args:
        archive: the file; it may lie elsewhere.
        sandbox: where its contents go.
        target: where the file itself would be: a single file without name of its own is named
            after it.

    Raises:
        FetchError: it is damaged or holds paths that lead out of the sandbox.
    """
    unpacked = (target or archive).with_suffix("")
    kind = next((kind for end, kind in _ARCHIVES if archive.name.endswith(end)), "")
    try:
        match kind:
            case "tar":
                with tarfile.open(archive) as tar:
                    tar.extractall(sandbox, filter="data")
            case "zip":
                _unzip(archive, sandbox)
            case "gz":
                with gzip.open(archive) as packed, unpacked.open("wb") as out:
                    shutil.copyfileobj(packed, out, 1 << 20)
            case _:
                return False
    except (OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise FetchError(f"Failed to extract '{archive}': {error}") from error
    return True


def _unzip(archive: Path, sandbox: Path) -> None:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            target = (sandbox / info.filename).resolve()
            if not target.is_relative_to(sandbox.resolve()):
                raise FetchError(f"'{archive}' holds '{info.filename}', outside the sandbox")
        for info in packed.infolist():
            packed.extract(info, sandbox)
            # The upper half of the attributes is the mode, when the archive came from Unix.
            if mode := info.external_attr >> 16 & 0o777:
                (sandbox / info.filename).chmod(mode)


def _log(line: str) -> None:
    now = time.time()
    stamp = time.strftime("%m%d %H:%M:%S", time.localtime(now))
    place = f"I{stamp}.{int(now % 1 * 1e6):06d} {os.getpid()} fetcher.py"
    print(f"{place}] {line}", file=sys.stderr, flush=True)  # noqa: T201 (this is its output)


def _cached(info: dict[str, Any], item: dict[str, Any]) -> Path | None:
    if item["action"] == "BYPASS_CACHE":
        return None
    return Path(info["cache_directory"], item["cache_filename"])


def _end_with_agent() -> None:
    """Exit when standard input ends, if that is a pipe: its other end is the agent's."""
    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=_await_end, daemon=True).start()


def _await_end() -> None:
    os.read(0, 1)
    os._exit(1)


def main() -> int:
    """Fetch all items; the exit status is 0 only when every one is there."""
    _end_with_agent()
    text = os.environ["MESOS_FETCHER_INFO"]
    info = json.loads(text)
    sandbox = Path(info["sandbox_directory"])
    _log(f"Fetcher Info: {text}")
    for item in info["items"]:
        value = item["uri"]["value"]
        _log(f"Fetching URI '{value}'")
        try:
            target = fetch(
                item["uri"],
                sandbox,
                info["stall_timeout"]["nanoseconds"] / 1e9,
                info.get("frameworks_home", ""),
                _cached(info, item),
                item["action"] != "RETRIEVE_FROM_CACHE",
            )
        except FetchError as error:
            _log(str(error))
            return 1
        _log(f"Fetched '{value}' to '{target}'")
    _log(f"Successfully fetched all URIs into '{sandbox}'")
    return 0


if __name__ == "__main__":
    sys.exit(main())
