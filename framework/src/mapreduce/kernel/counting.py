"""What the kernel does: words counted into its hash table, keys added and taken out again.

The words of 64 bytes are found at once: vector instructions give a mask of white space, and each of
its edges a word's beginning or end.
"""

import zlib
from typing import Any

import numpy as np

from mapreduce.kernel.layout import (
    ARENA,
    HELD,
    LONG,
    POSITION,
    PREVIOUS,
    SHORT,
    SPILL,
    START,
    TOP,
    USED,
    room,
)
from mapreduce.kernel.machine import (
    CHUNK,
    ONE,
    ZERO,
    Number,
    U,
    inner,
    load,
    load_byte,
    lowest,
    store,
    within,
)
from mapreduce.kernel.slots import (
    BYTES,
    SPREAD,
    count_held,
    count_long,
    found_at,
    hold,
    mix,
    packed,
    packed_near_end,
    shift_of,
)

LOOK = 66
"""Bytes that are read for a chunk: white space is up to three bytes long."""

SPACES = U(0x2020202020202020)

CRC = np.array([zlib.crc32(bytes([255 - n])) ^ 0xFF000000 for n in range(256)], U)
"""The table of zlib's crc32, by which keys are put into buckets; got from its checksums."""

room_of = inner(room)


@inner
def _wide_space(address: Number) -> Any:
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
def _white(address: Number, spill: Any) -> Any:
    """Return a mask of the white space in a chunk, and what of it is in the next one.

    White space beyond ASCII begins with a byte that never continues another character, so that
    its encoded form is white space wherever it stands, also amid invalid UTF-8.
    """
    white = within(address, 0x09, 0x0D) | within(address, 0x1C, 0x20) | spill
    spill = ZERO
    if within(address, 0xC2, 0xC2) | within(address, 0xE1, 0xE3):
        two, three = _wide_space(address)
        both = two | three
        white |= both | (both << ONE) | (three << U(2))
        spill = (both >> U(63)) | (three >> U(62))
    return white, spill


@inner
def _with_spaces(data: Number, size: Number, to: Number) -> None:
    """Copy the end of a text, with white space behind it."""
    for at in range(0, CHUNK + LOOK, 8):
        store(to + at, SPACES)
    for at in range(size):
        shift = U(8 * (at & 7))
        word = load(to + (at & ~7)) & ~(U(255) << shift)
        store(to + (at & ~7), word | (load_byte(data + at) << shift))


def count(
    data: Number,
    size: Number,
    slots: Number,
    capacity: Number,
    arena: Number,
    arena_size: Number,
    state: Number,
    scratch: Number,
) -> int:
    """Count words until the text ends or the table wants to grow; the state says how far.

    One function, as what is handed on between its parts has to stay in registers.
    """
    last = scratch + 32 * HELD
    filled = 0
    shift, most = shift_of(capacity), room_of(capacity)
    position = np.int64(load(state + 8 * POSITION))
    start = np.int64(load(state + 8 * START))
    previous, spill = load(state + 8 * PREVIOUS), load(state + 8 * SPILL)  # of the chunk before
    while position <= size:  # once more at the end, which ends the last word
        needed = np.int64(load(state + 8 * ARENA)) + ((position - start) >> 3) + CHUNK
        if np.int64(load(state + 8 * USED)) > most or needed > arena_size:
            break
        address = data + position
        if position + LOOK > size:
            _with_spaces(address, size - position, last)
            address = last
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
                    low, high = packed(data + start, length)
                else:
                    low, high = packed_near_end(data + start, length)
                hold(scratch + 32 * filled, slots, shift, low, high, ONE)
                filled += 1
            else:
                count_long(slots, capacity, arena, state, data + start, length, ONE)
            start = position + lowest(starts)
            starts &= starts - ONE
        position += CHUNK
        if filled > HELD - CHUNK // 2 - 1:
            count_held(scratch, filled, slots, capacity, state)
            filled = 0
    count_held(scratch, filled, slots, capacity, state)
    store(state + 8 * POSITION, U(position))
    store(state + 8 * START, U(start))
    store(state + 8 * PREVIOUS, previous)
    store(state + 8 * SPILL, spill)
    return 0


def add(
    data: Number,
    size: Number,
    lengths: Number,
    counts: Number,
    number: Number,
    slots: Number,
    capacity: Number,
    arena: Number,
    state: Number,
    scratch: Number,
) -> int:
    """Add keys, which lie one behind the other, with their counts; the table has room for all."""
    filled = 0
    start: Number = 0
    shift = shift_of(capacity)
    for at in range(0, 8 * number, 8):
        length, amount = np.int64(load(lengths + at)), load(counts + at)
        if length <= SHORT:
            if start + 16 <= size:
                low, high = packed(data + start, length)
            else:
                low, high = packed_near_end(data + start, length)
            hold(scratch + 32 * filled, slots, shift, low, high, amount)
            filled += 1
        else:
            count_long(slots, capacity, arena, state, data + start, length, amount)
        start += length
        if filled == HELD:
            count_held(scratch, filled, slots, capacity, state)
            filled = 0
    count_held(scratch, filled, slots, capacity, state)
    return 0


def rehash(slots: Number, capacity: Number, new: Number, new_capacity: Number) -> int:
    """Fill a larger table; in the order of memory, as slots follow hashes."""
    shift = shift_of(new_capacity)
    for here in range(slots, slots + BYTES * capacity, BYTES):
        low, high = load(here), load(here + 8)
        if high == ZERO:
            continue
        slot = np.int64((low if high >> TOP == LONG else mix(low, high)) >> shift)
        while load(new + BYTES * slot + 8) != ZERO:
            slot = (slot + 1) & (new_capacity - 1)
        there = new + BYTES * slot
        store(there, low)
        store(there + 8, high)
        store(there + 16, load(here + 16))
    return 0


def measure(slots: Number, arena: Number, places: Number, number: Number, to: Number) -> int:
    """Write the lengths of the keys at these places; return their sum."""
    total = np.int64(0)
    for at in range(0, 8 * number, 8):
        _, length = found_at(slots, arena, np.int64(load(places + at)))
        store(to + at, U(length))
        total += length
    return int(total)


def copy(slots: Number, arena: Number, places: Number, number: Number, to: Number) -> int:
    """Write the keys at these places one behind the other, and up to 15 bytes more."""
    for at in range(0, 8 * number, 8):
        here, length = found_at(slots, arena, np.int64(load(places + at)))
        for done in range(0, length, 8):
            store(to + done, load(here + done))
        to += length
    return 0


def buckets(slots: Number, arena: Number, places: Number, number: Number, to: Number) -> int:
    """Write the buckets of the keys at these places, as `tables.bucket` has them."""
    for at in range(0, 8 * number, 8):
        here, length = found_at(slots, arena, np.int64(load(places + at)))
        inverted = U(0xFFFFFFFF)
        for byte in range(length):
            low = np.int64((inverted ^ load_byte(here + byte)) & U(255))
            inverted = (inverted >> U(8)) ^ CRC[low]
        store(to + at, ((inverted ^ U(0xFFFFFFFF)) * SPREAD) >> U(54))
    return 0


FUNCTIONS = (count, add, rehash, measure, copy, buckets)
"""What `native` compiles: whole numbers of 64 bits in, one out."""
