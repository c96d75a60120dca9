"""Writing a result: to a file whose extension says how, and its top rows for people."""

import csv
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TextIO

from mapreduce.errors import UsageError

Row = tuple[str, Any]


def check(path: Path) -> None:
    """Raise UsageError unless a result can be written there; before any work is done."""
    if path.suffix not in _WRITERS:
        raise UsageError(
            f"The output {str(path)!r} must end in one of {', '.join(sorted(_WRITERS))}."
        )
    folder = path.resolve().parent
    if not folder.is_dir():
        raise UsageError(f"The folder {str(folder)!r} of the output does not exist.")
    if path.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"The output {str(path)!r} cannot be written.")


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write all rows; the file appears complete or not at all."""
    folder = path.resolve().parent
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            _WRITERS[path.suffix](file, rows)
        os.chmod(name, 0o666 & ~_umask())  # noqa: PTH101 mkstemp's files are the owner's alone
        os.replace(name, path)  # noqa: PTH105 a name, not a path
    except BaseException:
        os.unlink(name)  # noqa: PTH108 a name, not a path
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _tsv(file: TextIO, rows: Sequence[Row]) -> None:
    r"""Write `key<TAB>value` lines; tabs and line ends inside a key become \t, \n and \r."""
    table = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})
    file.writelines(f"{key.translate(table)}\t{_plain(value)}\n" for key, value in rows)


def _csv(file: TextIO, rows: Sequence[Row]) -> None:
    csv.writer(file).writerows((key, _plain(value)) for key, value in rows)


def _json(file: TextIO, rows: Sequence[Row]) -> None:
    """Write one object in the rows' order; bytes that are no UTF-8 come as lone surrogates."""
    json.dump(dict(rows), file, indent=1)
    file.write("\n")


def _plain(value: Any) -> str:
    if type(value) is int:  # the usual case, much faster than JSON's way to the same text
        return str(value)
    return value if isinstance(value, str) else json.dumps(value)


_WRITERS: dict[str, Callable[[TextIO, Sequence[Row]], None]] = {
    ".tsv": _tsv,
    ".csv": _csv,
    ".json": _json,
}


def show(rows: Sequence[Row], file: TextIO) -> None:
    """Print rows in columns, as `uniq -c` does: the value, then the key."""
    values = [_plain(value) for _, value in rows]
    width = max(map(len, values), default=0)
    for (key, _), value in zip(rows, values, strict=True):
        file.write(f"{value:>{width}}  {key}\n")
    file.flush()
