"""`CountTable`: the table of jobs that count, in compiled code where it pays.

Begins with a dict, as compiled code takes a tenth of a second to load, and goes over to it once
much has come, or at once where it is loaded (`prepare`). Where it cannot be compiled, the dict
serves on. What a table dumps is the same in both cases.
"""

import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from mapreduce.tables import BUCKETS, bucket, rows_of

# numpy is imported where it is used: otherwise the command waits for it before it does anything.
if TYPE_CHECKING:
    import numpy as np

    from mapreduce.job import Block, Job, Row
    from mapreduce.kernel.table import Integers, Kernel

    Keys = tuple[bytes, Integers]  # one behind the other, and their lengths

PAYS = 4 << 20
"""Bytes of blocks and payloads that a dict takes in before compiled code is loaded: as many as it
counts in the time that loading takes."""

SLICE = 1 << 14
"""Keys that are turned into objects at once."""

PER_KEY = 150
"""Bytes that a key of some letters and its count take in a dict."""


class CountTable:
    """Counts of bytes keys that are not empty; counts of a key are added up.

    `words` says that a block's pairs are its words, each with how often it occurs, as `str.split`
    finds them in the text decoded as UTF-8 with surrogateescape: then the kernel counts them
    itself, and the job's `map` is not called unless a dict is in use. `spelled` says that a
    block's pairs are what it makes of these words; it is called once for many of the same. Rows
    come nearly in the order of their keys, or `by_count` from the highest count on, which makes
    sorting them quick.
    """

    def __init__(
        self,
        job: "Job[bytes, int]",
        *,
        words: bool = False,
        spelled: Callable[[bytes], Iterable[bytes]] | None = None,
        by_count: bool = False,
    ) -> None:
        self._job = job
        self._words = words or spelled is not None
        self._spelled = spelled
        self._by_count = by_count
        self._pairs: dict[bytes, int] = {}
        self._kernel: Kernel | None = None
        self._unspelled: Kernel | None = None
        self._seen = 0

    def map(self, block: "Block") -> None:
        """See Table."""
        self._choose(len(block))
        if self._unspelled is not None:
            self._unspelled.count(block)
            return
        if self._kernel is not None and self._words:
            self._kernel.count(block)
            return
        found = self._job.map(block)
        self._add(found.items() if isinstance(found, Mapping) else found)

    def merge(self, payload: bytes) -> None:
        """See Table."""
        self._choose(len(payload))
        keys, lengths, counts = _decoded(payload)
        if self._kernel is not None:
            self._kernel.add(keys, lengths, counts)
        else:
            self._add(zip(_cut(keys, lengths), counts.tolist(), strict=True))

    def _choose(self, coming: int) -> None:
        """Go over to the kernel where it pays."""
        if self._kernel is not None:
            return
        self._seen += coming
        if self._seen > PAYS:
            prepare(wait=False)
        if kernels.made is not None:
            self._kernel = kernels.made()
            self._unspelled = kernels.made() if self._spelled is not None else None
            pairs, self._pairs = self._pairs, {}
            self._add(pairs.items())

    def _add(self, items: Iterable[tuple[bytes, int]]) -> None:
        if self._kernel is not None:
            self._kernel.add(*_columns(items))
            return
        pairs, get = self._pairs, self._pairs.get
        for key, count in items:
            pairs[key] = get(key, 0) + count

    def _spell(self) -> None:
        """Bring what was counted as the kernel finds it into the form that was asked for."""
        if self._unspelled is None or self._spelled is None:
            return
        spelled: Counter[bytes] = Counter()
        for keys, counts in _slices(self._unspelled, self._unspelled.places()):
            for word, count in zip(_cut(*keys), counts, strict=True):
                for seen in self._spelled(word):
                    spelled[seen] += count
        self._unspelled.clear()
        self._add(spelled.items())

    def __len__(self) -> int:
        """Return the number of keys; not less, where words wait to be spelled."""
        waiting = 0 if self._unspelled is None else len(self._unspelled)
        return waiting + len(self._pairs if self._kernel is None else self._kernel)

    @property
    def nbytes(self) -> int:
        """See Table."""
        if self._kernel is None:
            return len(self._pairs) * PER_KEY
        unspelled = 0 if self._unspelled is None else self._unspelled.nbytes
        return self._kernel.nbytes + unspelled

    def dump(self, buckets: int = 1) -> list[bytes]:
        """See Table."""
        if self._kernel is None:
            return self._dump_pairs(buckets)
        self._spell()
        whole = [self._kernel.places()]
        shares = whole if buckets == 1 else self._kernel.by_bucket(buckets)
        payloads = [_encoded(*self._kernel.export(share)) for share in shares]
        self._kernel.clear()
        return payloads

    def _dump_pairs(self, buckets: int) -> list[bytes]:
        pairs, self._pairs = self._pairs, {}
        shares: list[list[tuple[bytes, int]]] = [[] for _ in range(buckets)]
        for pair in pairs.items():
            shares[bucket(pair[0]) if buckets == BUCKETS else 0].append(pair)
        return [_encoded(*_columns(share)) for share in shares]

    def rows(self) -> "Iterator[Row]":
        """See Table."""
        from mapreduce.job import Job

        self._spell()
        if getattr(self._job.reduce, "__func__", None) is Job.reduce:
            for keys, counts in self._slices():
                yield from zip(_texts(keys), counts, strict=True)
        else:
            for keys, counts in self._slices():
                for key, count in zip(_cut(*keys), counts, strict=True):
                    yield from rows_of(self._job.reduce(key, count))

    def _slices(self) -> "Iterator[tuple[Keys, list[int]]]":
        if self._kernel is not None:
            yield from _slices(self._kernel, self._kernel.in_order(by_count=self._by_count))
        else:
            keys, lengths, counts = _columns(self._pairs.items())
            yield (keys, lengths), counts.tolist()


def _slices(kernel: "Kernel", places: "Integers") -> "Iterator[tuple[Keys, list[int]]]":
    for start in range(0, len(places), SLICE):
        keys, lengths, counts = kernel.export(places[start : start + SLICE])
        yield (keys, lengths), counts.tolist()


def maps_as(job: "Job[Any, Any]", kind: "type[Job[Any, Any]]") -> bool:
    """Whether the job maps and combines as that class does, whatever is derived from it."""
    return type(job).map is kind.map and type(job).combine is kind.combine


# The kernel, loaded once a process


class _Kernels:
    """How kernels are made, once they can be."""

    def __init__(self) -> None:
        self.made: type[Kernel] | None = None
        self.loading: threading.Thread | None = None
        self.lock = threading.Lock()


kernels = _Kernels()


def prepare(*, wait: bool = True) -> None:
    """Load the compiled code, which takes a tenth of a second, or begin to."""
    with kernels.lock:
        if kernels.loading is None:
            kernels.loading = threading.Thread(target=_load, daemon=True)
            kernels.loading.start()
    if wait:
        kernels.loading.join()


def _load() -> None:
    try:
        from mapreduce.kernel.table import Kernel
    except Exception as error:  # the compiler is not there, or does not work here
        print(  # noqa: T201 the executor's standard error is its log
            f"mapreduce: counting without compiled code: {type(error).__name__}: {error}",
            file=sys.stderr,
        )
    else:
        kernels.made = Kernel


# Payloads: two digits for the widths of lengths and counts, then lengths, counts, keys. Widths are
# the narrowest that do, as most keys are short and rare.


def _columns(items: Iterable[tuple[bytes, int]]) -> "tuple[bytes, Integers, Integers]":
    import numpy as np

    pairs = list(items)
    lengths = np.fromiter((len(key) for key, _ in pairs), np.int64, len(pairs))
    counts = np.fromiter((count for _, count in pairs), np.int64, len(pairs))
    return b"".join(key for key, _ in pairs), lengths, counts


def _cut(keys: bytes, lengths: "Integers") -> Iterator[bytes]:
    for start, end in pairwise(accumulate(lengths.tolist(), initial=0)):
        yield keys[start:end]


def _texts(keys: "Keys") -> Iterator[str]:
    """Yield keys as text; bytes that are no UTF-8 as lone surrogates."""
    if not keys[0].isascii():
        return (key.decode("utf-8", "surrogateescape") for key in _cut(*keys))
    text = keys[0].decode()
    ends = pairwise(accumulate(keys[1].tolist(), initial=0))
    return (text[start:end] for start, end in ends)


def _encoded(keys: bytes, lengths: "Integers", counts: "Integers") -> bytes:
    if not len(lengths):
        return b""
    narrow = [_narrowed(lengths), _narrowed(counts)]
    widths = "".join(str(column.itemsize) for column in narrow).encode()
    head = len(lengths).to_bytes(8, "little")
    return b"".join((widths, head, *(column.tobytes() for column in narrow), keys))


def _decoded(payload: bytes) -> "tuple[bytes, Integers, Integers]":
    import numpy as np

    number = int.from_bytes(payload[2:10], "little")
    at = 10
    columns = []
    for width in payload[:2].decode():
        column = np.frombuffer(payload, f"<i{width}", number, at)
        columns.append(column.astype(np.int64))
        at += column.nbytes
    return payload[at:], columns[0], columns[1]


def _narrowed(column: "Integers") -> "np.ndarray[Any, np.dtype[np.signedinteger[Any]]]":
    least, most = int(column.min()), int(column.max())
    for width in (1, 2, 4):
        if -(1 << (8 * width - 1)) <= least and most < 1 << (8 * width - 1):
            return column.astype(f"<i{width}")
    return column.astype("<i8")
