"""What a job is, and how one is found by its name.

Scheduler and executor know jobs only through `Job`. A job's file is loaded twice: on the client,
to see that it is usable, and on the agents, to do the work.
"""

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Generic, TypeVar

from mapreduce.errors import JobFailedError, UsageError

K = TypeVar("K")
V = TypeVar("V")

BUILTIN = {"wordcount": "mapreduce.jobs.wordcount:WordCount"}


class Job(Generic[K, V]):
    """Map a block of input to pairs, combine the values of a key, reduce a pair to a result row.

    Keys and values travel between machines and are plain data: None, bool, int, float, str,
    bytes, and tuples, lists and dicts of these (keys are hashable). A job holds no state: blocks
    are mapped in any order, on any machine, and again when a machine was lost.
    """

    record_ends: ClassVar[bytes] = b"\n"
    """Each of these bytes ends a record; a block never cuts a record in two."""

    def map(self, block: bytes) -> Mapping[K, V]:
        """Return the pairs of one block, which holds whole records and is never empty."""
        raise NotImplementedError

    def combine(self, left: V, right: V) -> V:
        """Return the value that stands for two values of one key, in any order and grouping."""
        raise NotImplementedError

    def merge(self, into: dict[K, V], more: Mapping[K, V]) -> None:
        """Combine the pairs of `more` into `into`; override where a bulk operation is faster."""
        for key, value in more.items():
            into[key] = self.combine(into[key], value) if key in into else value

    def reduce(self, key: K, value: V) -> tuple[str, Any]:
        """Return the result row of a key: its text, and a value that JSON can express."""
        return text(key), value

    def order(self, row: tuple[str, Any]) -> Any:
        """Return what result rows are sorted by; the lowest comes first."""
        return row[0]


@contextlib.contextmanager
def failures(doing: str) -> Iterator[None]:
    """Turn whatever a job's own code raises on the client into a JobFailedError."""
    try:
        yield
    except Exception as error:
        raise JobFailedError(f"The job failed {doing}: {type(error).__name__}: {error}") from error


def text(key: object) -> str:
    """Return a key as text; bytes as UTF-8 with surrogateescape, so that no byte is lost."""
    return key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else str(key)


def load(name: str) -> Job[Any, Any]:
    """Return the job of that name: a built-in's, or `path/to/file.py:name`.

    Raises UsageError when there is none, or when its file cannot be imported.
    """
    if name in BUILTIN:
        module_name, _, attribute = BUILTIN[name].partition(":")
        return _instance(importlib.import_module(module_name), attribute, name)
    path, attribute = split_name(name)
    return _instance(_import_file(path), attribute, name)


def split_name(name: str) -> tuple[Path, str]:
    """Split `path/to/file.py:name`; raises UsageError when `name` has another form."""
    path, colon, attribute = name.rpartition(":")
    if not colon or not path.endswith(".py") or not attribute.isidentifier():
        raise UsageError(
            f"There is no job {name!r}. Built in: {', '.join(sorted(BUILTIN))}; "
            "a job of your own is given as path/to/file.py:name."
        )
    return Path(path), attribute


def _import_file(path: Path) -> ModuleType:
    try:
        path.open("rb").close()
    except OSError as error:
        raise UsageError(
            f"The job's file {str(path)!r} cannot be read: {error.strerror}."
        ) from error
    spec = importlib.util.spec_from_file_location("mapreduce_job", path)
    assert spec is not None  # guaranteed for names ending in .py
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Registered so that dataclasses and the like in a job's file find their module.
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UsageError(
            f"The job's file {str(path)!r} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    return module


def _instance(module: ModuleType, attribute: str, name: str) -> Job[Any, Any]:
    found = getattr(module, attribute, None)
    job = found() if isinstance(found, type) and issubclass(found, Job) else found
    if not isinstance(job, Job):
        raise UsageError(f"{attribute!r} in {name!r} is not a mapreduce.Job.")
    return job
