"""The kernel's hash table: open addressing, with linear probing and short keys in the slots.

What costs time is waiting for memory. So a key is first held: its slot is computed, and the
processor asked to fetch it; some hundred keys later it is counted. `layout` says what lies where.
"""

from typing import Any

import numpy as np

from mapreduce.kernel.layout import ARENA, LONG, PLACE, SLOT, TOP, USED
from mapreduce.kernel.machine import (
    ONE,
    ZERO,
    Number,
    U,
    inner,
    load,
    load_byte,
    lowest,
    prefetch,
    store,
)

BYTES = 8 * SLOT
"""Bytes of a slot."""

SPREAD, MIX = U(0x9E3779B97F4A7C15), U(0xC2B2AE3D27D4EB4F)


@inner
def mix(low: Any, high: Any) -> Any:
    """Return the hash of a short key; its upper bits are the slot."""
    mixed = (low ^ (high * SPREAD)) * MIX
    return (mixed ^ (mixed >> U(32))) * SPREAD


@inner
def shift_of(capacity: Number) -> Any:
    """Return by how much a hash is shifted right to get the slot, of a power of two of them."""
    return U(64 - lowest(U(capacity)))


@inner
def packed(address: Number, length: Number) -> Any:
    """Return a short key as the two words of its slot; reads 16 bytes."""
    low, high = load(address), ZERO
    if length > 8:
        unwanted = U(8 * (16 - length))
        high = (load(address + 8) << unwanted) >> unwanted
    else:
        unwanted = U(8 * (8 - length))
        low = (low << unwanted) >> unwanted
    return low, high | (U(length) << TOP)


@inner
def packed_near_end(address: Number, length: Number) -> Any:
    """Return the same, and read the key's own bytes only."""
    low, high = ZERO, U(length) << TOP
    for at in range(length):
        byte = load_byte(address + at) << U(8 * (at & 7))
        if at < 8:
            low |= byte
        else:
            high |= byte
    return low, high


@inner
def hold(held: Number, slots: Number, shift: Any, low: Any, high: Any, amount: Any) -> None:
    """Take note of a short key."""
    place = slots + BYTES * np.int64(mix(low, high) >> shift)
    prefetch(place)
    store(held, low)
    store(held + 8, high)
    store(held + 16, U(place))
    store(held + 24, amount)


@inner
def count_held(
    held: Number, filled: Number, slots: Number, capacity: Number, state: Number
) -> None:
    """Add the short keys that were held to the table."""
    end = slots + BYTES * capacity
    used = 0
    for at in range(held, held + 32 * filled, 32):
        low, high, place = load(at), load(at + 8), np.int64(load(at + 16))
        while True:
            there = load(place + 8)
            if there == high and load(place) == low:
                store(place + 16, load(place + 16) + load(at + 24))
                break
            if there == ZERO:
                store(place, low)
                store(place + 8, high)
                store(place + 16, load(at + 24))
                used += 1
                break
            place += BYTES
            if place == end:
                place = slots
    store(state + 8 * USED, load(state + 8 * USED) + U(used))


@inner
def _tail(address: Number, length: Number) -> Any:
    """Return the bytes of a long key behind its last full eight, as a word."""
    return load(address + length - 8) >> U(64 - 8 * (length & 7))


@inner
def _hash_long(address: Number, length: Number) -> Any:
    mixed = U(length)
    for at in range(0, length - 7, 8):
        mixed = (mixed ^ load(address + at)) * SPREAD
        mixed ^= mixed >> U(29)
    if length & 7:
        mixed = (mixed ^ _tail(address, length)) * SPREAD
        mixed ^= mixed >> U(29)
    return mixed * MIX


@inner
def _same_long(there: Number, address: Number, length: Number) -> Any:
    if load(there) != U(length):
        return False
    full = length & ~7
    for at in range(0, full, 8):
        if load(there + 8 + at) != load(address + at):
            return False
    return full == length or load(there + 8 + full) == _tail(address, length)


@inner
def _keep_long(there: Number, address: Number, length: Number) -> Number:
    """Write a long key into the arena; return where the next one goes."""
    store(there, U(length))
    there += 8
    for at in range(0, length - 7, 8):
        store(there, load(address + at))
        there += 8
    if length & 7:
        store(there, _tail(address, length))
        there += 8
    return there


@inner
def count_long(
    slots: Number,
    capacity: Number,
    arena: Number,
    state: Number,
    address: Number,
    length: Number,
    amount: Any,
) -> None:
    """Add a long key to the table."""
    hashed = _hash_long(address, length)
    slot = np.int64(hashed >> shift_of(capacity))
    while True:
        place = slots + BYTES * slot
        there = load(place + 8)
        if there == ZERO:
            free = np.int64(load(state + 8 * ARENA))
            end = _keep_long(arena + 8 * free, address, length)
            store(state + 8 * ARENA, U((end - arena) >> 3))
            store(state + 8 * USED, load(state + 8 * USED) + ONE)
            store(place, hashed)
            store(place + 8, U(free) | (LONG << TOP))
            store(place + 16, amount)
            return
        same = there >> TOP == LONG and load(place) == hashed
        if same and _same_long(arena + 8 * np.int64(there & PLACE), address, length):
            store(place + 16, load(place + 16) + amount)
            return
        slot = (slot + 1) & (capacity - 1)


@inner
def found_at(slots: Number, arena: Number, place: Number) -> Any:
    """Return where the bytes of a key are, and how many; `place` counts words."""
    here = slots + 8 * place
    high = load(here + 8)
    if high >> TOP == LONG:
        there = arena + 8 * np.int64(high & PLACE)
        return there + 8, np.int64(load(there))
    return here, np.int64(high >> TOP)
