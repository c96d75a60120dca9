"""How the kernel's hash table lies in memory; for compiled code and for Python.

A slot is three 64-bit words. Short keys: bytes 0-7; bytes 8-14 and on top the length; the count.
Long keys: the hash; the place in the arena and on top LONG; the count. A free slot's second word is
0. The arena holds, for each long key, a word with its length, and its bytes in full words.
"""

import numpy as np

SLOT = 3
SHORT = 15
"""Keys of up to so many bytes lie in the slot; 15, as the sixteenth byte tells the length."""

LONG = np.uint64(255)
TOP = np.uint64(56)
PLACE = np.uint64((1 << 56) - 1)

HELD = 128
"""Keys between asking for a slot and using it; so many are room at least in a table."""

USED, ARENA, POSITION, START, PREVIOUS, SPILL, STATE = range(7)
"""What a table's state holds: slots and arena in use, and where counting a text stands."""

SCRATCH = 4 * HELD + 32
"""Words that compiled code needs for itself: the keys that are held, then the end of a text."""


def room(capacity: int) -> int:
    """Return how many slots of a table may be in use before a next batch of keys."""
    return capacity * 7 // 10 - 2 * HELD
