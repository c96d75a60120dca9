"""Sums of floating-point numbers without any rounding, so that their order does not matter."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

LIMB = 18
"""Bits: a float's 53 are three limbs, whose products can be summed a hundred million times."""

Sum = tuple[int, int]
"""A number as (n, e): n times 2 to the power of e."""

ZERO: Sum = (0, 0)


def add(left: Sum, right: Sum) -> Sum:
    """Return the sum of two numbers."""
    least = min(left[1], right[1])
    return (left[0] << (left[1] - least)) + (right[0] << (right[1] - least)), least


def fraction(number: Sum) -> Fraction:
    """Return the number as a fraction."""
    n, e = number
    return Fraction(n << e) if e >= 0 else Fraction(n, 1 << -e)


def sums(numbers: Sequence[float]) -> tuple[Sum, Sum]:
    """Return the sum of finite numbers, and that of their squares."""
    mantissas, exponents = np.frexp(np.asarray(numbers, np.float64))
    whole = np.ldexp(mantissas, 53).astype(np.int64)
    exponents -= 53
    total, squares = ZERO, ZERO
    for exponent in np.unique(exponents).tolist():
        plain, squared = _sums(whole[exponents == exponent])
        total = add(total, (plain, exponent))
        squares = add(squares, (squared, 2 * exponent))
    return total, squares


def _sums(whole: NDArray[np.int64]) -> tuple[int, int]:
    """Return the sums of integers of 53 bits and of their squares, which 64 bits do not hold."""
    low = whole & ((1 << LIMB) - 1)
    middle = (whole >> LIMB) & ((1 << LIMB) - 1)
    high = whole >> (2 * LIMB)
    limbs = (low, middle, high)
    plain = sum(int(limb.sum()) << (LIMB * place) for place, limb in enumerate(limbs))
    squared = sum(
        int(np.dot(one, other)) << (LIMB * (place + beside))
        for place, one in enumerate(limbs)
        for beside, other in enumerate(limbs)
    )
    return plain, squared
