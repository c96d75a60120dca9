"""The kernel's hash table: open addressing, with linear probing and short keys in the slots.

What costs time is waiting for memory. So a key is first held: its slot is computed, and the
processor asked to fetch it; some hundred keys later it is counted.
"""

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mapreduce.kernel.compiling import inner
from mapreduce.kernel.machine import Address, load, lowest, prefetch, store

Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Integers = NDArray[np.int64]

# numba works with whole numbers of one type only: without these, it would turn to floats.
U = np.uint64
ZERO, ONE, TWO, THREE, EIGHT = U(0), U(1), U(2), U(3), U(8)

HELD = 128
"""Words between asking for a slot and using it."""

SHORT = 15
"""Keys of up to so many bytes lie in the slot; 15, as the sixteenth byte tells the length."""

# A slot is three 64-bit words. Short keys: bytes 0-7, bytes 8-14 and the length on top, count.
# Long ones: hash, place in the arena with LONG on top, count. The second word of a free slot is 0.
SLOT = 3
LONG = U(255)
TOP = U(56)
PLACE = U((1 << 56) - 1)

FIRST_SLOTS = 4096
FIRST_ARENA = 1024
"""64-bit words for long keys: the length, then the bytes in full words."""

USED, ARENA, POSITION, START, PREVIOUS, SPILL, STATE = range(7)
"""What a table's state holds: slots and arena in use, and where counting a text stands."""

SPREAD, MIX = U(0x9E3779B97F4A7C15), U(0xC2B2AE3D27D4EB4F)

CRC = np.array([zlib.crc32(bytes([255 - n])) ^ 0xFF000000 for n in range(256)], np.uint64)
"""The table of zlib's crc32, by which keys are put into buckets; got from its checksums."""


@inner
def _mix(low: Any, high: Any) -> Any:
    """Return the hash of a short key; its upper bits are the slot."""
    mixed = (low ^ (high * SPREAD)) * MIX
    return (mixed ^ (mixed >> U(32))) * SPREAD


@inner
def shift_of(slots: Words) -> Any:
    """Return by how much a hash is shifted right to get the slot."""
    return U(64 - lowest(U(slots.size // SLOT)))


@inner
def room_of(slots: Words) -> Any:
    """Return how many slots may be in use before a next batch of words."""
    return slots.size // SLOT * 7 // 10 - 2 * HELD


@inner
def packed(address: Address, length: int) -> Any:
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
def packed_near_end(data: Bytes, start: int, length: int) -> Any:
    """Return the same, and read the key's own bytes only."""
    low, high = ZERO, U(length) << TOP
    for at in range(length):
        byte = U(data[start + at]) << U(8 * (at & 7))
        if at < 8:
            low |= byte
        else:
            high |= byte
    return low, high


@inner
def hold(held: Words, filled: int, slots: Words, shift: Any, low: Any, high: Any) -> None:
    """Take note of a short key; its count follows."""
    slot = _mix(low, high) >> shift
    prefetch(np.int64(slots.ctypes.data) + 8 * SLOT * np.int64(slot))
    held[filled, 0] = low
    held[filled, 1] = high
    held[filled, 2] = slot


@inner
def count_held(held: Words, filled: int, slots: Words, state: Integers) -> None:
    """Add the short keys that were held to the table."""
    mask = U(slots.size // SLOT - 1)
    used = 0
    for number in range(filled):
        low, high, slot = held[number, 0], held[number, 1], held[number, 2]
        while True:
            at = THREE * slot
            there = slots[at + ONE]
            if there == high and slots[at] == low:
                slots[at + TWO] += held[number, 3]
                break
            if there == ZERO:
                slots[at] = low
                slots[at + ONE] = high
                slots[at + TWO] = held[number, 3]
                used += 1
                break
            slot = (slot + ONE) & mask
    state[USED] += used


@inner
def _tail(address: Address, length: int) -> Any:
    """Return the bytes of a long key behind its last full eight, as a word."""
    return load(address + length - 8) >> U(64 - 8 * (length & 7))


@inner
def _hash_long(address: Address, length: int) -> Any:
    mixed = U(length)
    for at in range(0, length - 7, 8):
        mixed = (mixed ^ load(address + at)) * SPREAD
        mixed ^= mixed >> U(29)
    if length & 7:
        mixed = (mixed ^ _tail(address, length)) * SPREAD
        mixed ^= mixed >> U(29)
    return mixed * MIX


@inner
def _same_long(arena: Words, place: Address, address: Address, length: int) -> bool:
    if arena[place] != U(length):
        return False
    full = length >> 3
    for at in range(full):
        if arena[place + 1 + at] != load(address + 8 * at):
            return False
    return length & 7 == 0 or arena[place + 1 + full] == _tail(address, length)


@inner
def _keep_long(arena: Words, place: int, address: Address, length: int) -> int:
    """Write a long key into the arena; return where the next one goes."""
    arena[place] = U(length)
    full = length >> 3
    for at in range(full):
        arena[place + 1 + at] = load(address + 8 * at)
    if length & 7:
        arena[place + 1 + full] = _tail(address, length)
    return place + 1 + ((length + 7) >> 3)


@inner
def count_long(
    slots: Words, arena: Words, state: Integers, address: Address, length: int, amount: Any
) -> None:
    """Add a long key to the table."""
    hashed = _hash_long(address, length)
    mask = U(slots.size // SLOT - 1)
    slot = hashed >> shift_of(slots)
    while True:
        at = THREE * slot
        there = slots[at + ONE]
        if there == ZERO:
            place = state[ARENA]
            state[ARENA] = _keep_long(arena, place, address, length)
            state[USED] += 1
            slots[at] = hashed
            slots[at + ONE] = U(place) | (LONG << TOP)
            slots[at + TWO] = amount
            return
        same = there >> TOP == LONG and slots[at] == hashed
        if same and _same_long(arena, np.int64(there & PLACE), address, length):
            slots[at + TWO] += amount
            return
        slot = (slot + ONE) & mask


@inner
def grown(slots: Words) -> Words:
    """Return a table twice as large; filled in the order of memory, as slots follow hashes."""
    new = np.zeros(2 * slots.size, np.uint64)
    shift, mask = shift_of(new), U(new.size // SLOT - 1)
    for at in range(0, slots.size, SLOT):
        low, high = slots[at], slots[at + 1]
        if high == ZERO:
            continue
        slot = (low if high >> TOP == LONG else _mix(low, high)) >> shift
        while new[THREE * slot + ONE] != ZERO:
            slot = (slot + ONE) & mask
        new[THREE * slot] = low
        new[THREE * slot + ONE] = high
        new[THREE * slot + TWO] = slots[at + 2]
    return new


@inner
def larger(arena: Words, used: int, more: int) -> Words:
    """Return an arena with room for `more` words."""
    new = np.empty(2 * arena.size + more, np.uint64)
    new[:used] = arena[:used]
    return new


# Getting keys out again


@inner
def found_at(slots: Words, arena: Words, place: int) -> Any:
    """Return a key's length, and where its words are in the arena; -1 where in the slot."""
    high = slots[place + 1]
    if high >> TOP == LONG:
        at = np.int64(high & PLACE)
        return np.int64(arena[at]), at + 1
    return np.int64(high >> TOP), -1


@inner
def _checksum(so_far: Any, word: Any, length: int) -> Any:
    """Return the crc32 (inverted) of bytes and these, up to eight, behind them."""
    for _ in range(min(length, 8)):
        so_far = (so_far >> EIGHT) ^ CRC[(so_far ^ word) & U(255)]
        word >>= EIGHT
    return so_far


@inner
def bucket_of(slots: Words, arena: Words, place: int) -> Any:
    """Return the bucket of the key in a slot, as `tables.bucket` has it."""
    length, at = found_at(slots, arena, place)
    inverted = U(0xFFFFFFFF)
    if at < 0:
        inverted = _checksum(inverted, slots[place], length)
        inverted = _checksum(inverted, slots[place + 1], length - 8)
    else:
        for done in range(0, length, 8):
            inverted = _checksum(inverted, arena[at + (done >> 3)], length - done)
    return np.int64(((inverted ^ U(0xFFFFFFFF)) * SPREAD) >> U(54))


@inner
def copy_key(slots: Words, arena: Words, place: int, address: Address) -> None:
    """Write the key in a slot to an address, and up to 15 bytes more."""
    length, at = found_at(slots, arena, place)
    if at < 0:
        store(address, slots[place])
        store(address + 8, slots[place + 1])
    else:
        for done in range(0, length, 8):
            store(address + done, arena[at + (done >> 3)])
