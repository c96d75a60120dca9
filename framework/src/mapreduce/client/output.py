"""Writing a result: to a file whose extension says how, and its first rows for people.

Rows are taken as they come, a batch at a time, so that memory does not grow with the result.
"""

import contextlib
import csv
import gzip
import importlib.util
import io
import json
import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import IO, Any, TextIO, TypeAlias

from mapreduce.errors import JobFailedError, MapReduceError, UsageError

Row = tuple[str, Any]

Rows: TypeAlias = Callable[[], Iterable[Row]]
"""Gives all rows, in order, each time that it is called."""

STDOUT = "-"
"""Given instead of a file's name: lines as in a .tsv file, on standard output."""

BATCH = 10_000
"""Rows that are written at once."""

COMPRESSION_LEVEL = 6

_DESCRIPTORS = "/proc/self/fd"

_ESCAPES = str.maketrans({"\t": "\\t", "\n": "\\n", "\r": "\\r"})
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


class OutputError(MapReduceError):
    """The result is complete, but cannot be written where it should be."""


def check(path: Path) -> None:
    """Raise UsageError unless a result can be written there; before any work is done."""
    if str(path) == STDOUT:
        return
    if _kind(path) not in _WRITERS:
        raise UsageError(
            f"The output {str(path)!r} must end in one of {', '.join(sorted(_WRITERS))}"
            " (all but .parquet also with .gz behind), or be - for standard output."
        )
    if _kind(path) == ".parquet":
        require("pyarrow", "parquet", f"The output {str(path)!r}")
    check_folder(path, "output")


def check_folder(path: Path, what: str) -> None:
    """Raise UsageError unless a file of that name can be made or replaced."""
    folder = path.resolve().parent
    if not folder.is_dir():
        raise UsageError(f"The folder {str(folder)!r} of the {what} does not exist.")
    if path.is_dir() or not os.access(folder, os.W_OK):
        raise UsageError(f"The {what} {str(path)!r} cannot be written.")


def require(module: str, extra: str, what: str) -> None:
    """Raise UsageError unless a library that not everybody needs is installed."""
    if importlib.util.find_spec(module) is None:
        raise UsageError(f"{what} needs {module}: pip install 'mesos-mapreduce[{extra}]'")


def write(path: Path, rows: Rows) -> None:
    """Write all rows; a file appears complete or not at all.

    Raises OutputError where that is not possible, and JobFailedError for a row that cannot be
    expressed.
    """
    if str(path) == STDOUT:
        _tsv(for_bytes(sys.stdout), rows)
        sys.stdout.flush()
        return
    kind = _kind(path)
    with replacing(path, "output") as file:
        if kind == ".parquet":
            from mapreduce.client import parquet  # so is its library, which is large

            parquet.write(file, rows)
        else:
            with _text(file, compressed=path.suffix == ".gz") as text:
                _TEXTS[kind](text, rows)


def _kind(path: Path) -> str:
    """Return the extension that decides the format; Parquet files are compressed inside."""
    inner = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    return ".gz" if inner == ".parquet" and path.suffix == ".gz" else inner


@contextlib.contextmanager
def replacing(path: Path, what: str) -> Iterator[IO[bytes]]:
    """Open a file that replaces the one of that name when it is whole, and is gone otherwise.

    Raises OutputError where the system refuses.
    """
    target = path.resolve()  # through links, which stay
    hidden = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}")
    try:
        nameless = _nameless(target.parent)
        with nameless or hidden.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())  # some file systems only now say that they are full
            if nameless is not None:
                # Python follows the link only where a descriptor is given, any.
                os.link(f"{_DESCRIPTORS}/{file.fileno()}", hidden, src_dir_fd=file.fileno())
        hidden.replace(target)
    except OSError as error:
        raise OutputError(
            f"The {what} {str(path)!r} cannot be written: {error.strerror or error}. "
            "Nothing of it was left behind."
        ) from error
    finally:
        hidden.unlink(missing_ok=True)


def _nameless(folder: Path) -> IO[bytes] | None:
    """Open a file that goes with the process, even a killed one; None where there are no such."""
    if not os.path.isdir(_DESCRIPTORS):  # noqa: PTH112 a name, not a path
        return None
    try:
        return os.fdopen(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o666), "wb")
    except OSError:  # the file system lacks them, or what is wrong is said when it has a name
        return None


@contextlib.contextmanager
def _text(file: IO[bytes], *, compressed: bool) -> Iterator[TextIO]:
    """Open a binary file, which stays open, for text that gives the input's bytes back."""
    packed = gzip.GzipFile("", "wb", COMPRESSION_LEVEL, file, mtime=0) if compressed else None
    text = io.TextIOWrapper(
        packed or file,
        encoding="utf-8",
        errors="surrogateescape",
        newline="",
    )
    yield text
    text.flush()
    text.detach()
    if packed is not None:
        packed.close()


def batches(rows: Rows, size: int = BATCH) -> Iterator[list[Row]]:
    """Yield the rows, a list at a time."""
    iterator = iter(rows())
    while batch := list(islice(iterator, size)):
        yield batch


def _tsv(file: TextIO, rows: Rows) -> None:
    r"""Write `key<TAB>value` lines; tabs and line ends inside either become \t, \n and \r."""
    for batch in batches(rows):
        with expressible(batch):
            _put(file, _tsv_lines(batch))


def _tsv_lines(batch: list[Row]) -> str:
    lines = "".join([key + f"\t{plain(value)}\n" for key, value in batch])
    if lines.count("\t") == lines.count("\n") == len(batch) and "\r" not in lines:
        return lines  # the usual case: there is nothing to escape
    return "".join(
        f"{key.translate(_ESCAPES)}\t{plain(value).translate(_ESCAPES)}\n" for key, value in batch
    )


def _csv(file: TextIO, rows: Rows) -> None:
    for batch in batches(rows):
        with expressible(batch):
            buffer = io.StringIO(newline="")
            csv.writer(buffer).writerows([("" + key, plain(value)) for key, value in batch])
            _put(file, buffer.getvalue())


def _json(file: TextIO, rows: Rows) -> None:
    """Write one object in the rows' order; bytes that are no UTF-8 come as lone surrogates."""
    separator = "{\n "
    for batch in batches(rows):
        with expressible(batch):
            members = [f"{encode_basestring_ascii(key)}: {_json_value(v)}" for key, v in batch]
        file.write(separator + ",\n ".join(members))
        separator = ",\n "
    file.write("{}\n" if separator.startswith("{") else "\n}\n")


def _json_value(value: Any) -> str:
    """Return a value as JSON; integers, the usual case, by a faster way to the same text."""
    return str(value) if type(value) is int else json.dumps(value)


def _put(file: TextIO, text: str) -> None:
    """Write text; a lone surrogate that stands for no byte is found now and not later."""
    text.encode("utf-8", "surrogateescape")
    file.write(text)


@contextlib.contextmanager
def expressible(batch: list[Row]) -> Iterator[None]:
    """Turn what cannot be written of a batch into a JobFailedError that names the row."""
    try:
        yield
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise JobFailedError(
            f"The job's result cannot be written: {_culprit(batch) or error}. A row is a text, "
            "and a value that JSON can express."
        ) from error


def _culprit(batch: list[Row]) -> str:
    for key, value in batch:
        try:
            f"{key.translate(_ESCAPES)}{plain(value)}".encode("utf-8", "surrogateescape")
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            return f"the row {ascii(key)[:80]}: {error}"
    return ""


def plain(value: Any) -> str:
    """Return a value as text: a text itself, whatever else as JSON."""
    if type(value) is int:  # as in _json_value
        return str(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_TEXTS: dict[str, Callable[[TextIO, Rows], None]] = {".tsv": _tsv, ".csv": _csv, ".json": _json}
_WRITERS = {*_TEXTS, ".parquet"}


def for_bytes(stream: TextIO) -> TextIO:
    """Return standard output such that the input's bytes come back, whatever its encoding."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    return stream


def show(rows: Iterable[Row], file: TextIO) -> None:
    """Print rows in columns: numbers before their keys, as `uniq -c` does, others behind.

    On a terminal, a row takes one line, and control characters are shown rather than obeyed.
    """
    listed = list(rows)
    numbers = all(isinstance(value, int | float) for _, value in listed)
    with expressible(listed):
        pairs = [(key, plain(value)) for key, value in listed]
    if numbers:
        pairs = [(value, key) for key, value in pairs]
    width = min(max((len(first) for first, _ in pairs), default=0), 40)
    terminal = file.isatty()
    columns = shutil.get_terminal_size().columns
    with expressible(listed):
        for first, second in pairs:
            line = f"{first:>{width}}  {second}" if numbers else f"{first:<{width}}  {second}"
            line = line.translate(_CONTROLS if terminal else _ESCAPES)
            if terminal and len(line) > columns:
                line = line[: columns - 1] + "…"
            _put(file, line + "\n")
    file.flush()
