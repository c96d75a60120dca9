"""What a job is: the one class that people write; and how a job is found by its name.

Scheduler and executor know jobs only through `Job` and the tables of `mapreduce.tables`. A job's
file is loaded twice: on the client, to see that it is usable, and on the agents, to do the work.
"""

import contextlib
import importlib
import importlib.util
import pickle
import sys
import traceback
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar

import mapreduce
from mapreduce import arguments as settings
from mapreduce.errors import JobFailedError, UsageError

if TYPE_CHECKING:
    from mapreduce.tables import Table

K = TypeVar("K")
V = TypeVar("V")

BUILTIN = {
    "distinct": "mapreduce.jobs.distinct:Distinct",
    "grep": "mapreduce.jobs.grep:Grep",
    "inverted-index": "mapreduce.jobs.invertedindex:InvertedIndex",
    "stats": "mapreduce.jobs.stats:Stats",
    "wordcount": "mapreduce.jobs.wordcount:WordCount",
}
"""The jobs that come with this package: where their classes are."""

PICKLED = ".pkl"
"""How the name of a job ends that is an object, pickled by the Python API."""

_PACKAGE = Path(mapreduce.__file__).parent

NONE: Mapping[str, str] = MappingProxyType({})

Row = tuple[str, Any]
"""A line of the result: the text of a key, and a value that JSON can express."""


class Block(bytes):
    """A piece of an input, as bytes: one or more whole records, never none.

    Everything that `bytes` can do works on it: `block.splitlines()`, `block.decode()`, ...
    """

    input: str
    """The name of the input that it comes from, as the user gave it."""
    offset: int
    """Where its first record begins, in bytes from the input's start (decompressed)."""

    def __new__(cls, data: bytes, input: str = "", offset: int = 0) -> Self:  # noqa: A002
        """Make a block of these bytes."""
        block = super().__new__(cls, data)
        block.input = input
        block.offset = offset
        return block


class Job(Generic[K, V]):
    r"""A job, in three steps: map blocks to pairs, combine the values of a key, reduce to rows.

    Write a class like this into a file, say `longest.py`, and run it with
    `mapreduce run longest.py:Longest INPUT... --set least=3`:

        from dataclasses import dataclass
        from mapreduce import Block, Job

        @dataclass
        class Longest(Job[str, str]):
            '''For each first letter, the longest word that begins with it.'''

            least: int = 1                  # a setting: --set least=3

            def map(self, block: Block):    # on the agents, for each piece of input
                for word in block.decode("utf-8", "replace").split():
                    if len(word) >= self.least:
                        yield word[0], word

            def combine(self, left, right): # two values of one key become one
                return max(left, right, key=lambda word: (len(word), word))

            def reduce(self, key, value):   # one key's final value becomes a row of the result
                return key, f"{value} ({len(value)})"

    Only `map` must be written. `mapreduce new FILE.py` writes a commented job to start from.

    What happens: the inputs are cut into blocks at the borders of records (by default, lines).
    Workers on the agents map blocks, and combine at once what they find, so that little has to
    travel. What many workers found is combined again, by key, and reduced; the rows are sorted
    by `order` and are the result.

    What to keep in mind:

    - Blocks come in any order, in any size, on any machine, and again where a machine was lost.
      A result that is right must not depend on that, so a job holds no state between calls;
      what it needs to know comes as settings.
    - Keys and values travel between machines. They are plain data: None, bool, int, float, str,
      bytes, and tuples, lists and dicts of these. Keys are hashable: no lists or dicts. Equal keys,
      such as 1, 1.0 and True, are one key; its text is that of any of them.
    - Inputs are bytes. `block.decode("utf-8", "surrogateescape")` never fails on invalid UTF-8
      and loses nothing; rows are written with the same bytes again.
    - An exception that a job raises ends the run, with the input's name and the job's line. Skip
      what you want to tolerate.
    - Many blocks, each about a MB: work on a block as a whole (`block.split()`, `Counter`,
      `re.findall`) is far faster than work on each record.

    Settings are the class' typed keyword arguments, as a dataclass has them: str, int, float,
    bool, `Literal["a", "b"]`, and lists of these (given as `--set names=x,y`). Raise ValueError in
    `__post_init__` for values that make no sense. What else the job's file imports comes with
    `--package FILE` (a zip or a wheel) or is installed on the agents.
    """

    record_ends: ClassVar[bytes] = b"\n"
    r"""Each of these bytes ends a record; a block never cuts a record in two.

    Lines by default, which suits CRLF, too. `b" \t\n"` for words: finer cuts, no long lines.
    """

    def map(self, block: Block) -> Mapping[K, V] | Iterable[tuple[K, V]]:
        """Return the pairs of one block: a mapping, or (key, value) tuples, or yield these.

        The same key may come more than once.
        """
        raise NotImplementedError

    def combine(self, left: V, right: V) -> V:
        """Return the value that stands for two values of one key.

        Values meet in any order and grouping, so that it must not matter: sums, maxima, unions.
        `left` may be changed and returned, if pairs share no value. Leave this method out where
        there is no such value: then `reduce` gets the list of a key's values, sorted - simple, but
        the lists have to travel and to fit into memory.
        """
        raise NotImplementedError

    def reduce(self, key: K, value: Any) -> Row | Iterable[Row]:
        """Return a key's row, (text, value); or a list of rows, or yield them, where not one.

        `value` is the combined value, or the sorted list of values without `combine`. What a row
        holds as value is what JSON can express. By default: the key's text, and the value.
        """
        return text(key), value

    def order(self, row: Row) -> Any:
        """Return what rows are sorted by, the lowest first; by default the key's text.

        Numbers sort from the highest with a minus: `return -row[1], row[0]`. Rows for which this
        is equal come in any order, which may differ from run to run.
        """
        return row[0]

    def prepare(self) -> None:
        """Load what all workers of an agent share: called once there, ahead of all mapping.

        For what takes long or much memory, such as a dictionary: workers are copies of the process
        that prepared, and share its memory.
        """

    def table(self) -> "Table":
        """Return an empty table of pairs; override where a bulk form is faster than a dict."""
        from mapreduce.tables import DictTable  # which imports this module

        return DictTable(self)


@contextlib.contextmanager
def failures(doing: str) -> Iterator[None]:
    """Turn whatever a job's own code raises on the client into a JobFailedError."""
    try:
        yield
    except Exception as error:
        raise JobFailedError(f"The job failed {doing}: {told(error)}") from error


def told(error: BaseException) -> str:
    """Return what a job's own code raised, with up to three of its lines that led there."""
    files = [(Path(f.filename), f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    places = dict.fromkeys(f" at {file.name}:{line}" for file, line in files if _of_a_job(file))
    said = f": {error}" if str(error) else ""
    return f"{type(error).__name__}{said}{''.join([*places][-3:])}"


def _of_a_job(file: Path) -> bool:
    return not file.is_relative_to(_PACKAGE) or file.is_relative_to(_PACKAGE / "jobs")


def text(key: object) -> str:
    """Return a key as text; bytes as UTF-8 with surrogateescape, so that no byte is lost."""
    return key.decode("utf-8", "surrogateescape") if isinstance(key, bytes) else str(key)


def load(
    name: str, arguments: Mapping[str, str] = NONE, *, packages: Sequence[Path] = ()
) -> Job[Any, Any]:
    """Return the job of that name, with these settings.

    `name` is a built-in's, `path/to/file.py:name`, or a pickled job's `path/to/file.pkl`. The
    packages (zip or wheel files) go ahead of everything else that Python finds. Raises UsageError
    when there is no such job, when it cannot be imported, or when the settings are not its own.
    """
    _add_packages(packages)
    if name in BUILTIN:
        module_name, _, attribute = BUILTIN[name].partition(":")
        return _instance(importlib.import_module(module_name), attribute, name, arguments)
    if name.endswith(PICKLED):
        return _unpickled(Path(name))
    path, attribute = split_name(name)
    return _instance(_import_file(path), attribute, name, arguments)


def split_name(name: str) -> tuple[Path, str]:
    """Split `path/to/file.py:name`; raises UsageError when `name` has another form."""
    path, colon, attribute = name.rpartition(":")
    if not colon or not path.endswith(".py") or not attribute.isidentifier():
        raise UsageError(
            f"There is no job {name!r}.{settings.close([name], BUILTIN)} "
            f"Built in: {', '.join(sorted(BUILTIN))}; "
            "a job of your own is given as path/to/file.py:name."
        )
    return Path(path), attribute


def _add_packages(packages: Sequence[Path]) -> None:
    for package in reversed(packages):
        if not zipfile.is_zipfile(package):
            there = "is no zip or wheel file" if package.exists() else "does not exist"
            raise UsageError(f"The package {str(package)!r} {there}.")
        entry = str(package.resolve())
        if entry in sys.path:
            sys.path.remove(entry)
        sys.path.insert(0, entry)
    importlib.invalidate_caches()


def _import_file(path: Path) -> ModuleType:
    _ensure_readable(path)
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


def _unpickled(path: Path) -> Job[Any, Any]:
    _ensure_readable(path)
    try:
        found = pickle.loads(path.read_bytes())
    except Exception as error:  # unpickling imports and runs the job's code
        raise UsageError(
            f"The job in {str(path)!r} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, Job):
        raise UsageError(f"What {str(path)!r} holds is not a mapreduce.Job.")
    return found


def _ensure_readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise UsageError(
            f"The job's file {str(path)!r} cannot be read: {error.strerror}."
        ) from error


def _instance(
    module: ModuleType, attribute: str, name: str, arguments: Mapping[str, str]
) -> Job[Any, Any]:
    found = getattr(module, attribute, None)
    if isinstance(found, type) and issubclass(found, Job):
        return settings.construct(found, name, arguments)
    if not isinstance(found, Job):
        raise UsageError(f"{attribute!r} in {name!r} is not a mapreduce.Job.")
    if arguments:
        raise UsageError(
            f"{attribute!r} in {name!r} is a ready object and takes no settings; a class does."
        )
    return found
