"""Files that a name stands for: a file itself, a folder's, or those that fit a glob.

Strict where a shell is not: whatever cannot be looked into is an error, as nothing may be missing
from a result unnoticed.
"""

import fnmatch
import os
from collections.abc import Iterator
from pathlib import Path

from mapreduce.errors import UsageError

MAGIC = frozenset("*?[")


def files(name: str) -> list[Path]:
    """Return the files, those below folders by name; links are followed.

    Globs are as a shell's, `**` standing for any folders, and give each file once. What does not
    exist is given as it is named. Raises UsageError for a glob that fits nothing, or a folder that
    cannot be read.
    """
    path = Path(name)
    if not MAGIC & set(name) or _exists(path):
        return list(_expand(path))
    found = dict.fromkeys(file for fitting in _fitting(path) for file in _expand(fitting))
    if not found:
        raise UsageError(f"No file fits the input {name!r}.")
    return list(found)


def _expand(path: Path) -> Iterator[Path]:
    if not os.path.isdir(path):  # noqa: PTH112 False rather than an error where it may not look
        yield path
        return
    for folder in _folders(path):
        yield from (Path(entry.path) for entry in _entries(folder) if not _is_folder(entry))


def _folders(
    folder: Path, above: frozenset[tuple[int, int]] = frozenset(), *, hidden: bool = True
) -> Iterator[Path]:
    """Yield a folder and all below it, but none inside itself, where a link may lead."""
    found = folder.stat()
    identity = found.st_dev, found.st_ino
    if identity in above:
        return
    yield folder
    for entry in _entries(folder):
        if _is_folder(entry) and (hidden or not entry.name.startswith(".")):
            yield from _folders(Path(entry.path), above | {identity}, hidden=hidden)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(f"The folder {str(folder)!r} cannot be read: {error.strerror}.") from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # such as a link to itself, which cannot be read, whatever it is
        return False


def _exists(path: Path) -> bool:
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UsageError(f"The input {str(path)!r} cannot be read: {error.strerror}.") from error
    return True


def _fitting(pattern: Path) -> list[Path]:
    found = [Path(pattern.anchor)]
    for part in pattern.parts[bool(pattern.anchor) :]:
        found = [fitting for path in found for fitting in _fitting_below(path, part)]
    return found


def _fitting_below(path: Path, part: str) -> Iterator[Path]:
    """Yield what fits one part of a pattern."""
    if not MAGIC & set(part):
        yield from [path / part] if _exists(path / part) else []
    elif not os.path.isdir(path):  # noqa: PTH112 False rather than an error where it may not look
        return
    elif part == "**":
        yield from _folders(path, hidden=False)
    else:
        hidden = part.startswith(".")
        for entry in _entries(path):
            if fnmatch.fnmatchcase(entry.name, part) and (hidden or entry.name[0] != "."):
                yield path / entry.name
