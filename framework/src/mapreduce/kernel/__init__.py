"""Compiled code: a hash table from bytes keys to counts, and words counted into it.

`table` is what the rest uses, and `native` finds or makes the machine code. Its sources are
`counting`, `slots` and `machine`; only compiling them imports numba, which takes much time and
memory.
"""
