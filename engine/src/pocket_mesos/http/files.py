"""The endpoints below /files: browse, read and download what a daemon chose to show.

A daemon shows folders and files under virtual names; nothing outside of them can be reached,
whatever the path or the links in them.
"""

import contextlib
import grp
import os
import pwd
import re
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from pocket_mesos.http.authentication import Realm
from pocket_mesos.http.messages import (
    Request,
    Response,
    bad_request,
    download,
    endpoint_json,
    forbidden,
    text,
)
from pocket_mesos.http.router import Permit, Router
from pocket_mesos.protocol.errors import PocketError

MAX_READ_BYTES = 16 * 4096
"""A single read gives no more than 16 pages."""

_NO_FILE = "Cannot read what is no regular file."
"""A task may leave a pipe in its sandbox: whoever opened it would wait, and all others too."""

_HEADER_BREAKING = re.compile(r"[^\x20-\x7e]")


class FilesError(PocketError):
    """The client asked for what can't be shown; ``str()`` is Mesos' sentence."""


class NoFileError(FilesError):
    """There is no such file below anything that is shown."""


class NoRightError(FilesError):
    """The client may not see what it asked for."""


def _anybody(_name: str, _principal: str | None) -> bool:
    return True


class Files:
    """What one daemon shows."""

    def __init__(
        self,
        attached: Callable[[], Mapping[str, str]],
        permit: Callable[[str, str | None], bool] = _anybody,
    ) -> None:
        """Show files.

        Args:
            attached: returns real paths by the virtual ones that are shown.
            permit: whether what is shown under a virtual path is shown to a principal.
        """
        self._attached = attached
        self._permit = permit

    def register(self, router: Router, permit_debug: Permit | None = None) -> None:
        """Serve the endpoints, with and without the old ending ``.json``."""
        for name, handler, permit in (
            ("browse", self._browse, None),
            ("read", self._read, None),
            ("download", self._download, None),
            ("debug", self._debug, permit_debug),
        ):
            for ending in ("", ".json"):
                router.add(f"/files/{name}{ending}", handler, realm=Realm.READONLY, permit=permit)

    # --- for endpoints and v1 calls alike ----------------------------------------------------

    def resolve(self, path: str, principal: str | None) -> Path:
        """Find the real path of a virtual one.

        Raises:
            NoRightError: what is shown there is not shown to this principal.
            NoFileError: nothing of that name.
            FilesError: it leads out of what is shown.
        """
        attached = self._attached()
        parts = path.rstrip("/").split("/")
        for count in range(len(parts), 0, -1):
            name = "/".join(parts[:count])
            real = attached.get(name)
            if real is None:
                continue
            if not self._permit(name, principal):
                raise NoRightError
            base = Path(real).resolve()
            try:
                found = base.joinpath(*parts[count:]).resolve()
                there = found.exists()
            except (OSError, ValueError):  # no name that a file could have
                raise NoFileError(path) from None
            if not found.is_relative_to(base):
                raise FilesError(f"'{path}' is inaccessible.")
            if not there:
                raise NoFileError(path)
            return found
        raise NoFileError(path)

    def browse(self, path: str, principal: str | None) -> list[tuple[str, os.stat_result]]:
        """List a folder: virtual paths with what lstat says; nothing for a file."""
        real = self.resolve(path, principal)
        if not real.is_dir():
            return []
        prefix = path.rstrip("/")
        found = []
        for entry in sorted(real.iterdir()):
            with contextlib.suppress(FileNotFoundError):  # its owner has removed it just now
                found.append((f"{prefix}/{_printable(entry.name)}", entry.lstat()))
        return found

    def read(
        self, path: str, offset: int, length: int | None, principal: str | None
    ) -> tuple[bytes, int, int]:
        """Read a part of a file.

        Args:
            path: virtual.
            principal: who reads.
            offset: first byte; -1 asks for the size alone.
            length: at most so many bytes.

        Returns:
            The bytes, the offset they start at, and the file's size.

        Raises:
            FilesError: in Mesos' words.
        """
        if offset < -1:
            raise FilesError(f"Negative offset provided: {offset}.")
        if length is not None and length < -1:
            raise FilesError(f"Negative length provided: {length}.")
        real = self.resolve(path, principal)
        if real.is_dir():
            raise FilesError("Cannot read a directory.")
        with _open(real) as file:
            size = file.seek(0, os.SEEK_END)
            if offset == -1:
                return b"", size, size
            file.seek(min(offset, size))
            wanted = size if length is None or length == -1 else length
            return file.read(min(wanted, MAX_READ_BYTES)), offset, size

    # --- endpoints ---------------------------------------------------------------------------

    def _browse(self, request: Request) -> Response:
        return _answer(
            request,
            lambda path: [_entry(*one) for one in self.browse(path, request.principal)],
        )

    def _read(self, request: Request) -> Response:
        def value(path: str) -> Any:
            offset = _number(request, "offset", -1)
            length = _number(request, "length", None)
            start = -1 if offset is None else offset
            data, start, _ = self.read(path, start, length, request.principal)
            return {"data": data.decode("utf-8", "replace"), "offset": start}

        return _answer(request, value)

    def _download(self, request: Request) -> Response:
        path = request.query.get("path")
        if not path:
            return bad_request("Expecting 'path=value' in query.\n")
        try:
            real = self.resolve(path, request.principal)
        except NoFileError:
            return text(404, "")
        except NoRightError:
            return forbidden()
        except FilesError as error:
            return bad_request(f"{error}\n")
        if real.is_dir():
            return bad_request("Cannot download a directory.\n")
        name = _HEADER_BREAKING.sub("_", _printable(real.name))
        try:
            file = _open(real)
            return download(file, os.fstat(file.fileno()).st_size, name)
        except FilesError as error:
            return bad_request(f"{error}\n")
        except OSError as error:
            return text(500, f"Failed to read '{path}': {error.strerror}\n")

    def _debug(self, request: Request) -> Response:
        return endpoint_json(dict(sorted(self._attached().items())), request)


def _open(real: Path) -> BinaryIO:
    """Open a regular file; its owner may put something else in its place at any moment.

    Raises:
        FilesError: it is something else.
    """
    descriptor = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise FilesError(_NO_FILE)
    return file


def _answer(request: Request, value: Callable[[str], Any]) -> Response:
    path = request.query.get("path")
    if not path:
        return bad_request("Expecting 'path=value' in query.\n")
    try:
        return endpoint_json(value(path), request)
    except NoFileError:
        return text(404, "")
    except NoRightError:
        return text(403, "")
    except FilesError as error:
        return bad_request(f"{error}\n")
    except OSError as error:
        return text(500, f"Failed to read '{path}': {error.strerror}\n")


def _printable(name: str) -> str:
    """Return a file's name, of any bytes, as JSON can hold it."""
    return os.fsencode(name).decode("utf-8", "replace")


def _number(request: Request, name: str, default: int | None) -> int | None:
    given = request.query.get(name)
    if given is None:
        return default
    try:
        return int(given)
    except ValueError:
        raise FilesError(
            f"Failed to parse {name}: Failed to convert '{given}' to number."
        ) from None


def _entry(path: str, found: os.stat_result) -> dict[str, Any]:
    return {
        "gid": group_name(found.st_gid),
        "mode": stat.filemode(found.st_mode),
        "mtime": float(int(found.st_mtime)),
        "nlink": found.st_nlink,
        "path": path,
        "size": found.st_size,
        "uid": user_name(found.st_uid),
    }


def user_name(uid: int) -> str:
    """Return a user's name, the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """Return a group's name, the number where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def file_info(path: str, found: os.stat_result) -> dict[str, Any]:
    """Describe a file as LIST_FILES does."""
    return {
        "path": path,
        "nlink": found.st_nlink,
        "size": found.st_size,
        "mtime": {"nanoseconds": int(found.st_mtime) * 1_000_000_000},
        "mode": found.st_mode,
        "uid": user_name(found.st_uid),
        "gid": group_name(found.st_gid),
    }
