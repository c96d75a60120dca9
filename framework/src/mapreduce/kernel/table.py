"""The kernel's hash table, as Python sees it: memory by numpy, work by machine code."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapreduce.kernel import native
from mapreduce.kernel.layout import (
    ARENA,
    LONG,
    PLACE,
    POSITION,
    PREVIOUS,
    SCRATCH,
    SHORT,
    SLOT,
    SPILL,
    START,
    STATE,
    TOP,
    USED,
    room,
)

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]

FIRST_SLOTS = 4096
FIRST_ARENA = 1024
MARGIN = 64
"""Words of the arena that compiled code wants to be free besides what the next word takes."""

FUNCTIONS = native.load()


class Kernel:
    """Counts of bytes keys. Releases the interpreter's lock at work; one thread at a time."""

    def __init__(self) -> None:
        self._scratch: Words = np.empty(SCRATCH, np.uint64)
        self.clear()

    def clear(self) -> None:
        """Forget all, and give back the memory."""
        self._slots: Words = np.zeros(SLOT * FIRST_SLOTS, np.uint64)
        self._arena: Words = np.empty(FIRST_ARENA, np.uint64)
        self._state: Integers = np.zeros(STATE, np.int64)

    def __len__(self) -> int:
        return int(self._state[USED])

    @property
    def nbytes(self) -> int:
        """The memory in use."""
        return self._slots.nbytes + self._arena.nbytes

    @property
    def _capacity(self) -> int:
        return self._slots.size // SLOT

    def count(self, text: bytes) -> None:
        """Count the words of a text as `str.split` finds them, decoded with surrogateescape."""
        data = np.frombuffer(text, np.uint8)
        state = self._state
        state[[POSITION, START, PREVIOUS, SPILL]] = 0, 0, 1, 0
        while state[POSITION] <= data.size:
            word = int(state[POSITION] - state[START]) // 8
            self._make_room(keys=0, words=word + MARGIN)
            slots, arena = _at(self._slots), _at(self._arena)
            FUNCTIONS["count"](
                *(_at(data), data.size, slots, self._capacity, arena, self._arena.size),
                *(_at(state), _at(self._scratch)),
            )

    def add(self, keys: bytes, lengths: Integers, counts: Integers) -> None:
        """Add keys, which lie one behind the other and are not empty, with their counts."""
        data = np.frombuffer(keys, np.uint8)
        long = lengths[lengths > SHORT]
        # Keys that come from another table come in the order of their hashes: they would pile up
        # in one part of a table that grows while they come.
        self._make_room(keys=len(lengths), words=int((long + 15).sum()) // 8)
        slots, arena = _at(self._slots), _at(self._arena)
        FUNCTIONS["add"](
            *(_at(data), data.size, _at(lengths), _at(counts), len(lengths)),
            *(slots, self._capacity, arena, _at(self._state), _at(self._scratch)),
        )

    def _make_room(self, keys: int, words: int) -> None:
        while self._state[USED] + keys > room(self._capacity):
            new = np.zeros(2 * self._slots.size, np.uint64)
            slots = _at(self._slots)
            FUNCTIONS["rehash"](slots, self._capacity, _at(new), 2 * self._capacity)
            self._slots = new
        used = int(self._state[ARENA])
        if used + words > self._arena.size:
            larger = np.empty(2 * self._arena.size + words, np.uint64)
            larger[:used] = self._arena[:used]
            self._arena = larger

    def places(self) -> Integers:
        """Return where keys are, in the order of memory."""
        return np.flatnonzero(self._slots[1::SLOT]) * SLOT

    def by_bucket(self, buckets: int) -> list[Integers]:
        """Return where the keys of each of 1024 buckets are."""
        places = self.places()
        bucket_of = self._buckets(places)
        ends = np.bincount(bucket_of, minlength=buckets).cumsum()
        return np.split(places[np.argsort(bucket_of, kind="stable")], ends[:-1])

    def _buckets(self, places: Integers) -> NDArray[np.uint16]:
        found = np.empty_like(places)
        slots, arena = _at(self._slots), _at(self._arena)
        FUNCTIONS["buckets"](slots, arena, _at(places), len(places), _at(found))
        return found.astype(np.uint16)

    def in_order(self, *, by_count: bool) -> Integers:
        """Return all places in the order of their keys, the highest counts first if asked for.

        Keys of more than 15 bytes are in order by their first 16 only.
        """
        places = self.places()
        low, high = self._slots[places], self._slots[places + 1]
        long = high >> TOP == LONG
        at = (high[long] & PLACE).astype(np.int64)
        low[long], high[long] = self._arena[at + 1], self._arena[at + 2]
        ranks: list[Any] = [high.byteswap(), low.byteswap()]  # numbers that compare as bytes do
        if by_count:
            ranks.append(-self._counts(places))
        ordered: Integers = places[np.lexsort(ranks)]
        return ordered

    def export(self, places: Integers) -> tuple[bytes, Integers, Integers]:
        """Return the keys at these places as `add` takes them."""
        lengths = np.empty_like(places)
        slots, arena, given = _at(self._slots), _at(self._arena), _at(places)
        total = FUNCTIONS["measure"](slots, arena, given, len(places), _at(lengths))
        keys = np.empty(total + 16, np.uint8)
        FUNCTIONS["copy"](slots, arena, given, len(places), _at(keys))
        return keys[:total].tobytes(), lengths, self._counts(places)

    def _counts(self, places: Integers) -> Integers:
        return self._slots[places + 2].view(np.int64)


def _at(array: NDArray[Any]) -> int:
    """Return the address of an array's first byte; its bytes lie one behind the other."""
    return int(array.__array_interface__["data"][0])
