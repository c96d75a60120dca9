"""Tables: where workers, reducers and the scheduler gather a job's pairs by key.

A table maps blocks and takes in what other tables dumped. `DictTable` serves every job; a job whose
pairs have a bulk form brings a table of its own (`Job.table`).
"""

import marshal
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from mapreduce.errors import MapReduceError

if TYPE_CHECKING:
    from mapreduce.job import Block, Job, Row

K = TypeVar("K")
V = TypeVar("V")

BUCKETS = 1024
"""Into so many buckets, by the key's hash, pairs are sorted that travel between reducers."""

MARSHAL_VERSION = 4
"""Understood by every supported Python, so that client and agents may differ.

marshal rather than JSON: pairs hold bytes and tuples. Rather than pickle: it runs no code.
"""

PLAIN = frozenset({type(None), bool, int, float, str, bytes, tuple, list, dict})
CONTAINERS = (tuple, list, dict)
SCALARS = PLAIN - {*CONTAINERS}
FIXED = frozenset({type(None), bool, int, float})
"""Types whose values do not grow when they are combined, not by much."""

_MASK = (1 << 64) - 1
_SPREAD = 0x9E3779B97F4A7C15
"""Odd and close to 2**64 over the golden ratio: multiplying by it spreads what lies close."""


class NotPlainError(MapReduceError):
    """Keys or values that cannot travel: the job's fault."""


class Table(Protocol):
    """Pairs by key. What the job's own code raises passes through."""

    def map(self, block: "Block") -> None:
        """Add the block's pairs, combined."""

    def merge(self, payload: bytes) -> None:
        """Add the pairs of a payload that a table of the same job dumped."""

    def __len__(self) -> int:
        """Return the number of keys."""

    @property
    def nbytes(self) -> int:
        """The memory in use, estimated."""

    def dump(self, buckets: int = 1) -> list[bytes]:
        """Return one payload for each of 1 or BUCKETS buckets, b"" where empty; become empty."""

    def rows(self) -> "Iterator[Row]":
        """Yield the job's rows of all keys, in no order."""


class DictTable(Generic[K, V]):
    """Pairs in a dict; where the job does not combine, each key's values in a list."""

    def __init__(self, job: "Job[K, V]") -> None:
        self._job = job
        self._gathers = gathers(job)
        self._pairs: dict[K, Any] = {}
        self._contents = 0

    def map(self, block: "Block") -> None:
        """See Table."""
        found = self._job.map(block)
        if found is None:
            raise TypeError("map() returned None; it returns pairs, or yields them")
        items = found.items() if isinstance(found, Mapping) else found
        if self._gathers:
            self._gather((key, [value]) for key, value in items)
        else:
            self._combine(items)

    def merge(self, payload: bytes) -> None:
        """See Table."""
        items = marshal.loads(payload).items()
        if self._gathers:
            self._gather(items)
        else:
            self._combine(items)

    def _combine(self, items: Iterable[tuple[K, V]]) -> None:
        pairs, combine = self._pairs, self._job.combine
        grown = 0
        for key, value in items:
            if key not in pairs:
                pairs[key] = value
                grown += _memory(key) + _memory(value)
                continue
            held = pairs[key]
            if type(held) in FIXED:
                pairs[key] = combine(held, value)
            else:
                before = _memory(held)
                pairs[key] = together = combine(held, value)
                grown += _memory(together) - before
        self._contents += grown

    def _gather(self, items: Iterable[tuple[K, list[V]]]) -> None:
        pairs = self._pairs
        grown = 0
        for key, values in items:
            if key in pairs:
                pairs[key] += values
            else:
                pairs[key] = values
                grown += _memory(key) + sys.getsizeof(values)
            grown += len(values) * _memory(values[0])
        self._contents += grown

    def __len__(self) -> int:
        return len(self._pairs)

    @property
    def nbytes(self) -> int:
        """See Table."""
        return sys.getsizeof(self._pairs) + self._contents

    def dump(self, buckets: int = 1) -> list[bytes]:
        """See Table; raises NotPlainError for pairs that cannot travel."""
        pairs, self._pairs, self._contents = self._pairs, {}, 0
        _check(pairs)
        if buckets == 1:
            return [_encode(pairs)]
        shares: list[dict[K, Any]] = [{} for _ in range(buckets)]
        for key, value in pairs.items():
            shares[bucket(key)][key] = value
        return [_encode(share) for share in shares]

    def rows(self) -> "Iterator[Row]":
        """See Table."""
        for key, value in self._pairs.items():
            final = in_order(value) if self._gathers else value
            yield from rows_of(self._job.reduce(key, final))


def gathers(job: "Job[Any, Any]") -> bool:
    """Whether the job leaves `combine` out, so that the values of a key make a list."""
    from mapreduce.job import Job

    return getattr(job.combine, "__func__", None) is Job.combine


def in_order(values: list[Any]) -> list[Any]:
    """Return values in an order that follows from them alone, not from how they met."""
    if len(set(map(type, values))) > 1:  # among which values may be equal, such as 1 and 1.0
        values = sorted(values, key=repr)
    try:
        return sorted(values)
    except TypeError:  # dicts, or types that do not compare
        return sorted(values, key=repr)


def rows_of(found: Any) -> "Iterator[Row]":
    """Yield the rows that a job's `reduce` returned, in any of the forms that it may.

    Raises TypeError for what is no row, and NotPlainError.
    """
    from mapreduce.job import text

    for row in [found] if isinstance(found, tuple) else _listed(found):
        if not isinstance(row, tuple) or len(row) != 2:
            raise TypeError(
                f"reduce() gave {row!r:.100}; a row is a tuple (text, value), and several rows "
                "come in a list or are yielded"
            )
        if type(row[1]) not in SCALARS:
            _check([row[1]])
        yield (row[0] if type(row[0]) is str else text(row[0])), row[1]


def _listed(found: Any) -> Iterable[Any]:
    if not isinstance(found, Iterable):
        raise TypeError(
            f"reduce() returned {found!r:.100}; it returns a row (text, value), or a list of rows "
            "([] for none), or yields rows"
        )
    return found


def bucket(key: Any) -> int:
    """Return the bucket of a key; the same everywhere and always, and for keys that are equal."""
    return stable_hash(key) >> 54


def stable_hash(key: Any) -> int:
    """Return 64 bits that follow from the key alone, whatever the machine and the Python.

    Python's own hash of numbers is like that, and equal for equal numbers of any type; that of
    texts is not.
    """
    if isinstance(key, bytes):
        bits = zlib.crc32(key)
    elif isinstance(key, str):
        bits = zlib.crc32(key.encode("utf-8", "surrogatepass"))
    elif isinstance(key, tuple):
        bits = len(key)
        for item in key:
            bits = ((bits ^ stable_hash(item)) * _SPREAD + 1) & _MASK
            bits ^= bits >> 32
    elif isinstance(key, (int, float)) and key == key:
        bits = hash(key)
    else:  # None; and not-a-number, which Python tells apart by its place in memory
        bits = 0
    return (bits * _SPREAD) & _MASK


def _memory(value: Any) -> int:
    """Return about how many bytes a value takes; a container's by its first item."""
    size = sys.getsizeof(value)
    if isinstance(value, CONTAINERS) and value:
        first = next(iter(value))
        size += len(value) * _memory(first)
        if isinstance(value, dict):
            size += len(value) * _memory(value[first])
    return size


def _check(content: Mapping[Any, Any] | list[Any]) -> None:
    """Raise NotPlainError unless all is plain data, to any depth.

    marshal alone would take what has a buffer, such as numpy's numbers, and give back bytes.
    """
    level: list[Any] = [content]
    while level:
        inner: list[Any] = []
        for container in level:
            inner.extend(container)
            if isinstance(container, dict):
                inner.extend(container.values())
        for kind in set(map(type, inner)) - PLAIN:
            raise NotPlainError(
                "The job's keys, values and rows must be plain data: None, bool, int, float, str, "
                f"bytes, and tuples, lists and dicts of these. There is one of type {_name(kind)}: "
                f"{next(item for item in inner if type(item) is kind)!r:.100}."
            )
        level = [item for item in inner if isinstance(item, CONTAINERS)]


def _name(kind: type[Any]) -> str:
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _encode(pairs: dict[Any, Any]) -> bytes:
    return marshal.dumps(pairs, MARSHAL_VERSION) if pairs else b""
