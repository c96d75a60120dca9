"""Words counted into the kernel's hash table, and the table as Python sees it.

The words of 64 bytes are found at once: vector instructions give a mask of white space, and each of
its edges a word's beginning or end.
"""

from typing import Any

import numpy as np

from mapreduce.kernel.compiling import compiled, inner
from mapreduce.kernel.machine import CHUNK, Address, lowest, types, within
from mapreduce.kernel.slots import (
    ARENA,
    FIRST_ARENA,
    FIRST_SLOTS,
    HELD,
    LONG,
    ONE,
    PLACE,
    POSITION,
    PREVIOUS,
    SHORT,
    SLOT,
    SPILL,
    START,
    STATE,
    TOP,
    TWO,
    USED,
    ZERO,
    Bytes,
    Integers,
    U,
    Words,
    bucket_of,
    copy_key,
    count_held,
    count_long,
    found_at,
    grown,
    hold,
    larger,
    packed,
    packed_near_end,
    room_of,
    shift_of,
)

LOOK = 66
"""Bytes that are read for a chunk: white space is up to three bytes long."""


@inner
def _wide_space(address: Address) -> Any:
    """Return masks of where white space of two bytes and of three bytes begins."""
    next_is_80 = within(address + 1, 0x80, 0x80)
    two = within(address, 0xC2, 0xC2) & (  # U+0085, U+00A0
        within(address + 1, 0x85, 0x85) | within(address + 1, 0xA0, 0xA0)
    )
    three = within(address, 0xE2, 0xE2) & next_is_80  # U+2000-200A, U+2028, U+2029, U+202F
    three &= (
        within(address + 2, 0x80, 0x8A)
        | within(address + 2, 0xA8, 0xA9)
        | within(address + 2, 0xAF, 0xAF)
    )
    three |= (  # U+205F
        within(address, 0xE2, 0xE2)
        & within(address + 1, 0x81, 0x81)
        & within(address + 2, 0x9F, 0x9F)
    )
    three |= (  # U+1680
        within(address, 0xE1, 0xE1)
        & within(address + 1, 0x9A, 0x9A)
        & within(address + 2, 0x80, 0x80)
    )
    three |= within(address, 0xE3, 0xE3) & next_is_80 & within(address + 2, 0x80, 0x80)  # U+3000
    return two, three


@inner
def _white(address: Address, spill: Any) -> Any:
    """Return a mask of the white space in a chunk, and what of it is in the next one.

    White space beyond ASCII begins with a byte that never continues another character, so that
    its encoded form is white space wherever it stands, also amid invalid UTF-8.
    """
    white = within(address, 0x09, 0x0D) | within(address, 0x1C, 0x20) | spill
    spill = ZERO
    if within(address, 0xC2, 0xC2) | within(address, 0xE1, 0xE3):
        two, three = _wide_space(address)
        both = two | three
        white |= both | (both << ONE) | (three << TWO)
        spill = (both >> U(63)) | (three >> U(62))
    return white, spill


@inner
def _scan(data: Bytes, slots: Words, arena: Words, state: Integers) -> None:
    """Count words until the data ends or the table wants to grow; the state says how far.

    One function, as what is handed on between its parts has to stay in registers.
    """
    base = np.int64(data.ctypes.data)
    size = data.size
    last = np.empty(CHUNK + LOOK, np.uint8)
    held = np.empty((HELD, 4), np.uint64)
    held[:, 3] = ONE
    filled = 0
    shift, room = shift_of(slots), room_of(slots)
    position, start = state[POSITION], state[START]
    previous, spill = U(state[PREVIOUS]), U(state[SPILL])  # white space from the chunk before
    while position <= size:  # once more at the end, which ends the last word
        if state[USED] > room or state[ARENA] + (position - start) // 8 + CHUNK > arena.size:
            break
        address = base + position
        if position + LOOK > size:  # white space behind the end
            last[:] = 32
            for at in range(size - position):
                last[at] = data[position + at]
            address = np.int64(last.ctypes.data)
        white, spill = _white(address, spill)
        shifted = (white << ONE) | previous
        starts, ends = shifted & ~white, white & ~shifted
        if previous:  # otherwise a word goes on
            start = position + lowest(starts)
            starts &= starts - ONE
        previous = white >> U(63)
        while ends:
            length = position + lowest(ends) - start
            ends &= ends - ONE
            if length <= SHORT:
                if start + 16 <= size:
                    low, high = packed(base + start, length)
                else:
                    low, high = packed_near_end(data, start, length)
                hold(held, filled, slots, shift, low, high)
                filled += 1
            else:
                count_long(slots, arena, state, base + start, length, ONE)
            start = position + lowest(starts)
            starts &= starts - ONE
        position += CHUNK
        if filled > HELD - CHUNK // 2 - 1:
            count_held(held, filled, slots, state)
            filled = 0
    count_held(held, filled, slots, state)
    state[POSITION], state[START] = position, start
    state[PREVIOUS], state[SPILL] = np.int64(previous), np.int64(spill)


@inner
def _add_some(
    data: Bytes,
    start: int,
    lengths: Integers,
    counts: Integers,
    slots: Words,
    arena: Words,
    state: Integers,
) -> int:
    """Add a batch of keys; return where in the data the next one begins."""
    base = np.int64(data.ctypes.data)
    held = np.empty((HELD, 4), np.uint64)
    filled = 0
    shift = shift_of(slots)
    for number in range(lengths.size):
        length, amount = lengths[number], U(counts[number])
        if length <= SHORT:
            if start + 16 <= data.size:
                low, high = packed(base + start, length)
            else:
                low, high = packed_near_end(data, start, length)
            hold(held, filled, slots, shift, low, high)
            held[filled, 3] = amount
            filled += 1
        else:
            count_long(slots, arena, state, base + start, length, amount)
        start += length
    count_held(held, filled, slots, state)
    return start


# What the class below calls. Signatures: numba compiles, or loads, when this module is imported.

_WORDS = types.uint64[::1]
_STATE = types.int64[::1]
_READ_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_READ_INTEGERS = types.Array(types.int64, 1, "C", readonly=True)
_TABLE = types.UniTuple(_WORDS, 2)


@compiled(_TABLE(_READ_BYTES, _WORDS, _WORDS, _STATE))
def _count(data: Bytes, slots: Words, arena: Words, state: Integers) -> tuple[Words, Words]:
    """Count the words of a text; return the slots and the arena, which may be new ones."""
    state[POSITION], state[START], state[PREVIOUS], state[SPILL] = 0, 0, 1, 0
    while True:
        _scan(data, slots, arena, state)
        if state[POSITION] > data.size:
            return slots, arena
        if state[USED] > room_of(slots):
            slots = grown(slots)
        else:
            more = (state[POSITION] - state[START]) // 8 + CHUNK
            arena = larger(arena, state[ARENA], more)


@compiled(_TABLE(_READ_BYTES, _READ_INTEGERS, _READ_INTEGERS, _WORDS, _WORDS, _STATE))
def _add(
    data: Bytes,
    lengths: Integers,
    counts: Integers,
    slots: Words,
    arena: Words,
    state: Integers,
) -> tuple[Words, Words]:
    """Add keys, which lie one behind the other in `data`, with their counts; return as _count."""
    longest = 0
    for length in lengths:
        longest += length + 16 if length > SHORT else 0
    if state[ARENA] + longest // 8 > arena.size:
        arena = larger(arena, state[ARENA], longest // 8)
    # All at once and ahead: keys that come from another table come in the order of their hashes, so
    # that they would pile up in one part of a table that grows while they come.
    while state[USED] + lengths.size > room_of(slots):
        slots = grown(slots)
    start, number = 0, 0
    while number < lengths.size:
        batch = min(number + HELD, lengths.size)
        start = _add_some(
            data, start, lengths[number:batch], counts[number:batch], slots, arena, state
        )
        number = batch
    return slots, arena


@compiled(types.UniTuple(_STATE, 2)(_WORDS, _WORDS, types.int64))
def _spread(slots: Words, arena: Words, buckets: int) -> tuple[Integers, Integers]:
    """Return the places of the slots in use, by bucket, and where each bucket begins and ends."""
    starts = np.zeros(buckets + 1, np.int64)
    buckets_of = np.zeros(slots.size // SLOT, np.uint16)
    for number in range(buckets_of.size):
        if slots[SLOT * number + 1] != ZERO:
            bucket = bucket_of(slots, arena, SLOT * number) if buckets > 1 else 0
            buckets_of[number] = bucket
            starts[bucket + 1] += 1
    for bucket in range(buckets):
        starts[bucket + 1] += starts[bucket]
    places = np.empty(starts[buckets], np.int64)
    filled = starts[:buckets].copy()
    for number in range(buckets_of.size):
        if slots[SLOT * number + 1] != ZERO:
            bucket = buckets_of[number]
            places[filled[bucket]] = SLOT * number
            filled[bucket] += 1
    return places, starts


@compiled(types.Tuple((types.uint8[::1], _STATE, _STATE))(_WORDS, _WORDS, _STATE))
def _export(slots: Words, arena: Words, places: Integers) -> tuple[Bytes, Integers, Integers]:
    """Return the keys of these slots, one behind the other, their lengths and their counts."""
    lengths = np.empty(places.size, np.int64)
    counts = np.empty(places.size, np.int64)
    total = 0
    for number in range(places.size):
        place = places[number]
        lengths[number], _ = found_at(slots, arena, place)
        counts[number] = np.int64(slots[place + 2])
        total += lengths[number]
    data = np.empty(total + 16, np.uint8)
    address = np.int64(data.ctypes.data)
    for number in range(places.size):
        copy_key(slots, arena, places[number], address)
        address += lengths[number]
    return data[:total], lengths, counts


class Kernel:
    """Counts of bytes keys. Releases the interpreter's lock at work; one thread at a time."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Forget all, and give back the memory."""
        self._slots: Words = np.zeros(SLOT * FIRST_SLOTS, np.uint64)
        self._arena: Words = np.zeros(FIRST_ARENA, np.uint64)
        self._state: Integers = np.zeros(STATE, np.int64)

    def __len__(self) -> int:
        return int(self._state[USED])

    @property
    def nbytes(self) -> int:
        """The memory in use."""
        return self._slots.nbytes + self._arena.nbytes

    def count(self, text: bytes) -> None:
        """Count the words of a text as `str.split` finds them, decoded with surrogateescape."""
        data = np.frombuffer(text, np.uint8)
        self._slots, self._arena = _count(data, self._slots, self._arena, self._state)

    def add(self, keys: bytes, lengths: Integers, counts: Integers) -> None:
        """Add keys, which lie one behind the other and are not empty, with their counts."""
        data = np.frombuffer(keys, np.uint8)
        self._slots, self._arena = _add(
            data, lengths, counts, self._slots, self._arena, self._state
        )

    def places(self, buckets: int = 1) -> tuple[Integers, Integers]:
        """Return where keys are, by bucket: those of b are `places[starts[b]:starts[b + 1]]`."""
        return _spread(self._slots, self._arena, buckets)

    def in_order(self, *, by_count: bool) -> Integers:
        """Return all places in the order of their keys, the highest counts first if asked for.

        Keys of more than 15 bytes are in order by their first 16 only.
        """
        places, _ = self.places()
        low, high = self._slots[places], self._slots[places + 1]
        long = high >> TOP == LONG
        at = (high[long] & PLACE).astype(np.int64)
        low[long], high[long] = self._arena[at + 1], self._arena[at + 2]
        ranks: list[Any] = [
            high.byteswap(),
            low.byteswap(),
        ]  # as numbers, these compare as the bytes do
        if by_count:
            ranks.append(-self._slots[places + 2].view(np.int64))
        ordered: Integers = places[np.lexsort(ranks)]
        return ordered

    def export(self, places: Integers) -> tuple[bytes, Integers, Integers]:
        """Return the keys at these places as `add` takes them."""
        data, lengths, counts = _export(self._slots, self._arena, places)
        return data.tobytes(), lengths, counts
