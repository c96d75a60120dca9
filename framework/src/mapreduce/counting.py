"""The counting kernel: bytes keys to counts in a compiled hash table, and words counted into it.

What costs time is waiting for memory, so that the kernel works in two steps. One finds the words
of 64 bytes at once (a mask of white space by vector instructions, then one word for each of its
edges) and only asks the processor to fetch their slots; the other, some hundred words later,
counts them. Keys of up to 15 bytes are held in the slots themselves.

Importing this module imports numba, which takes some tenths of a second; see `counts.py`.
"""

import zlib
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types as numba_types
from numpy.typing import NDArray

from mapreduce.compiling import compiled, inner, primitive

types: Any = numba_types
Address = Any  # a 64-bit number
Bytes = NDArray[np.uint8]
Words = NDArray[np.uint64]
Integers = NDArray[np.int64]

# numba works with whole numbers of one type only: without these, it would turn to floats.
U = np.uint64
ZERO, ONE, TWO, THREE, EIGHT = U(0), U(1), U(2), U(3), U(8)

CHUNK = 64
"""Bytes that are looked at at once: a bit each in 64-bit masks."""

LOOK = 66
"""Bytes that are read for a chunk: white space is up to three bytes long."""

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

_I1, _I8, _I32, _I64 = map(ir.IntType, (1, 8, 32, 64))
_CHUNK = ir.VectorType(_I8, CHUNK)


@primitive
def _within(typing: Any, address: Any, low: Any, high: Any) -> Any:
    """Return a mask of the 64 bytes at the address: a bit is set where low <= byte <= high."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        undefined = ir.Constant(_CHUNK, ir.Undefined)
        zeros = ir.Constant(ir.VectorType(_I32, CHUNK), None)

        def everywhere(byte: Any) -> Any:
            first = builder.insert_element(undefined, byte, ir.Constant(_I32, 0))
            return builder.shuffle_vector(first, undefined, zeros)

        place, least, most = arguments
        least, most = builder.trunc(least, _I8), builder.trunc(most, _I8)
        loaded = builder.load(builder.inttoptr(place, _CHUNK.as_pointer()), align=1)
        above = builder.sub(loaded, everywhere(least))
        width = everywhere(builder.sub(most, least))
        return builder.bitcast(builder.icmp_unsigned("<=", above, width), _I64)

    return types.uint64(types.int64, types.int64, types.int64), generate


@primitive
def _load(typing: Any, address: Any) -> Any:
    """Return the 64 bits at an address, however it is aligned; the first byte is the lowest."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], _I64.as_pointer()), align=1)

    return types.uint64(types.int64), generate


@primitive
def _store(typing: Any, address: Any, word: Any) -> Any:
    """Write 64 bits to an address, however it is aligned."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place, bits = arguments
        builder.store(bits, builder.inttoptr(place, _I64.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.uint64), generate


@primitive
def _lowest(typing: Any, bits: Any) -> Any:
    """Return the number of the lowest bit that is set; 64 where none is."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(_I1, 0))

    return types.int64(types.uint64), generate


@primitive
def _prefetch(typing: Any, address: Any) -> Any:
    """Ask the processor to fetch what lies at an address, and do not wait."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _I8.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, _I32, _I32, _I32])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        place = builder.inttoptr(arguments[0], pointer)
        builder.call(function, [place, _I32(1), _I32(3), _I32(1)])  # to write, often, data
        return context.get_dummy_value()

    return types.void(types.int64), generate


# The hash table


@inner
def _mix(low: Any, high: Any) -> Any:
    """Return the hash of a short key; its upper bits are the slot."""
    mixed = (low ^ (high * SPREAD)) * MIX
    return (mixed ^ (mixed >> U(32))) * SPREAD


@inner
def _shift(slots: Words) -> Any:
    """Return by how much a hash is shifted right to get the slot."""
    return U(64 - _lowest(U(slots.size // SLOT)))


@inner
def _room(slots: Words) -> Any:
    """Return how many slots may be in use before a next batch of words."""
    return slots.size // SLOT * 7 // 10 - 2 * HELD


@inner
def _packed(address: Address, length: int) -> Any:
    """Return a short key as the two words of its slot; reads 16 bytes."""
    low, high = _load(address), ZERO
    if length > 8:
        unwanted = U(8 * (16 - length))
        high = (_load(address + 8) << unwanted) >> unwanted
    else:
        unwanted = U(8 * (8 - length))
        low = (low << unwanted) >> unwanted
    return low, high | (U(length) << TOP)


@inner
def _packed_near_end(data: Bytes, start: int, length: int) -> Any:
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
def _hold(held: Words, filled: int, slots: Words, shift: Any, low: Any, high: Any) -> None:
    """Take note of a short key; its count follows."""
    slot = _mix(low, high) >> shift
    _prefetch(np.int64(slots.ctypes.data) + 8 * SLOT * np.int64(slot))
    held[filled, 0] = low
    held[filled, 1] = high
    held[filled, 2] = slot


@inner
def _count_held(held: Words, filled: int, slots: Words, state: Integers) -> None:
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
    return _load(address + length - 8) >> U(64 - 8 * (length & 7))


@inner
def _hash_long(address: Address, length: int) -> Any:
    mixed = U(length)
    for at in range(0, length - 7, 8):
        mixed = (mixed ^ _load(address + at)) * SPREAD
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
        if arena[place + 1 + at] != _load(address + 8 * at):
            return False
    return length & 7 == 0 or arena[place + 1 + full] == _tail(address, length)


@inner
def _keep_long(arena: Words, place: int, address: Address, length: int) -> int:
    """Write a long key into the arena; return where the next one goes."""
    arena[place] = U(length)
    full = length >> 3
    for at in range(full):
        arena[place + 1 + at] = _load(address + 8 * at)
    if length & 7:
        arena[place + 1 + full] = _tail(address, length)
    return place + 1 + ((length + 7) >> 3)


@inner
def _count_long(
    slots: Words, arena: Words, state: Integers, address: Address, length: int, amount: Any
) -> None:
    """Add a long key to the table."""
    hashed = _hash_long(address, length)
    mask = U(slots.size // SLOT - 1)
    slot = hashed >> _shift(slots)
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
def _grown(slots: Words) -> Words:
    """Return a table twice as large; filled in the order of memory, as slots follow hashes."""
    new = np.zeros(2 * slots.size, np.uint64)
    shift, mask = _shift(new), U(new.size // SLOT - 1)
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
def _larger(arena: Words, used: int, more: int) -> Words:
    """Return an arena with room for `more` words."""
    new = np.empty(2 * arena.size + more, np.uint64)
    new[:used] = arena[:used]
    return new


# Counting words


@inner
def _wide_space(address: Address) -> Any:
    """Return masks of where white space of two bytes and of three bytes begins."""
    next_is_80 = _within(address + 1, 0x80, 0x80)
    two = _within(address, 0xC2, 0xC2) & (  # U+0085, U+00A0
        _within(address + 1, 0x85, 0x85) | _within(address + 1, 0xA0, 0xA0)
    )
    three = _within(address, 0xE2, 0xE2) & next_is_80  # U+2000-200A, U+2028, U+2029, U+202F
    three &= (
        _within(address + 2, 0x80, 0x8A)
        | _within(address + 2, 0xA8, 0xA9)
        | _within(address + 2, 0xAF, 0xAF)
    )
    three |= (  # U+205F
        _within(address, 0xE2, 0xE2)
        & _within(address + 1, 0x81, 0x81)
        & _within(address + 2, 0x9F, 0x9F)
    )
    three |= (  # U+1680
        _within(address, 0xE1, 0xE1)
        & _within(address + 1, 0x9A, 0x9A)
        & _within(address + 2, 0x80, 0x80)
    )
    three |= _within(address, 0xE3, 0xE3) & next_is_80 & _within(address + 2, 0x80, 0x80)  # U+3000
    return two, three


@inner
def _scan(data: Bytes, slots: Words, arena: Words, state: Integers) -> None:
    """Count words until the data ends or the table wants to grow; the state says how far.

    White space beyond ASCII begins with a byte that never continues another character, so that
    its encoded form is white space wherever it stands, also amid invalid UTF-8.
    """
    base = np.int64(data.ctypes.data)
    size = data.size
    last = np.empty(CHUNK + LOOK, np.uint8)
    held = np.empty((HELD, 4), np.uint64)
    held[:, 3] = ONE
    filled = 0
    shift, room = _shift(slots), _room(slots)
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
        white = _within(address, 0x09, 0x0D) | _within(address, 0x1C, 0x20) | spill
        spill = ZERO
        if _within(address, 0xC2, 0xC2) | _within(address, 0xE1, 0xE3):
            two, three = _wide_space(address)
            both = two | three
            white |= both | (both << ONE) | (three << TWO)
            spill = (both >> U(63)) | (three >> U(62))
        shifted = (white << ONE) | previous
        starts, ends = shifted & ~white, white & ~shifted
        if previous:  # otherwise a word goes on
            start = position + _lowest(starts)
            starts &= starts - ONE
        previous = white >> U(63)
        while ends:
            length = position + _lowest(ends) - start
            ends &= ends - ONE
            if length <= SHORT:
                if start + 16 <= size:
                    low, high = _packed(base + start, length)
                else:
                    low, high = _packed_near_end(data, start, length)
                _hold(held, filled, slots, shift, low, high)
                filled += 1
            else:
                _count_long(slots, arena, state, base + start, length, ONE)
            start = position + _lowest(starts)
            starts &= starts - ONE
        position += CHUNK
        if filled > HELD - CHUNK // 2 - 1:
            _count_held(held, filled, slots, state)
            filled = 0
    _count_held(held, filled, slots, state)
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
    shift = _shift(slots)
    for number in range(lengths.size):
        length, amount = lengths[number], U(counts[number])
        if length <= SHORT:
            if start + 16 <= data.size:
                low, high = _packed(base + start, length)
            else:
                low, high = _packed_near_end(data, start, length)
            _hold(held, filled, slots, shift, low, high)
            held[filled, 3] = amount
            filled += 1
        else:
            _count_long(slots, arena, state, base + start, length, amount)
        start += length
    _count_held(held, filled, slots, state)
    return start


# Getting keys out again


@inner
def _found(slots: Words, arena: Words, place: int) -> Any:
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
def _bucket(slots: Words, arena: Words, place: int) -> Any:
    """Return the bucket of the key in a slot, as `tables.bucket` has it."""
    length, at = _found(slots, arena, place)
    inverted = U(0xFFFFFFFF)
    if at < 0:
        inverted = _checksum(inverted, slots[place], length)
        inverted = _checksum(inverted, slots[place + 1], length - 8)
    else:
        for done in range(0, length, 8):
            inverted = _checksum(inverted, arena[at + (done >> 3)], length - done)
    return np.int64(((inverted ^ U(0xFFFFFFFF)) * SPREAD) >> U(54))


@inner
def _copy(slots: Words, arena: Words, place: int, address: Address) -> None:
    """Write the key in a slot to an address, and up to 15 bytes more."""
    length, at = _found(slots, arena, place)
    if at < 0:
        _store(address, slots[place])
        _store(address + 8, slots[place + 1])
    else:
        for done in range(0, length, 8):
            _store(address + done, arena[at + (done >> 3)])


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
        if state[USED] > _room(slots):
            slots = _grown(slots)
        else:
            more = (state[POSITION] - state[START]) // 8 + CHUNK
            arena = _larger(arena, state[ARENA], more)


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
        arena = _larger(arena, state[ARENA], longest // 8)
    # All at once and ahead: keys that come from another table come in the order of their hashes, so
    # that they would pile up in one part of a table that grows while they come.
    while state[USED] + lengths.size > _room(slots):
        slots = _grown(slots)
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
    bucket_of = np.zeros(slots.size // SLOT, np.uint16)
    for number in range(bucket_of.size):
        if slots[SLOT * number + 1] != ZERO:
            bucket = _bucket(slots, arena, SLOT * number) if buckets > 1 else 0
            bucket_of[number] = bucket
            starts[bucket + 1] += 1
    for bucket in range(buckets):
        starts[bucket + 1] += starts[bucket]
    places = np.empty(starts[buckets], np.int64)
    filled = starts[:buckets].copy()
    for number in range(bucket_of.size):
        if slots[SLOT * number + 1] != ZERO:
            bucket = bucket_of[number]
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
        lengths[number], _ = _found(slots, arena, place)
        counts[number] = np.int64(slots[place + 2])
        total += lengths[number]
    data = np.empty(total + 16, np.uint8)
    address = np.int64(data.ctypes.data)
    for number in range(places.size):
        _copy(slots, arena, places[number], address)
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

    def export(self, places: Integers) -> tuple[bytes, Integers, Integers]:
        """Return the keys at these places as `add` takes them."""
        data, lengths, counts = _export(self._slots, self._arena, places)
        return data.tobytes(), lengths, counts
