"""Compiled code: a hash table from bytes keys to counts, and words counted into it.

Importing `counting` imports numba, which takes some tenths of a second; see `mapreduce.counts`.
"""
