"""What the kernel does with the processor that Python has no words for.

Here and in `slots` and `counting`, functions are compiled by numba, and work on addresses rather
than on arrays: the machine code then needs nothing of numba's. Numbers are of 64 bits, signed for
lengths and addresses, unsigned (`U`) for contents; numba would turn a mixture of both to floats.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])

Number = Any
"""A 64-bit number."""

U = np.uint64
ZERO, ONE = U(0), U(1)

CHUNK = 64
"""Bytes that are looked at at once: a bit each in 64-bit masks."""

_I1, _I8, _I32, _I64 = map(ir.IntType, (1, 8, 32, 64))
_CHUNK = ir.VectorType(_I8, CHUNK)


def inner(function: F) -> F:
    """Decorate a function that compiled functions call."""
    return njit(function)  # type: ignore[no-any-return]


def primitive(function: F) -> Callable[..., Any]:
    """Decorate a function that describes machine code; it is called without its first argument."""
    return intrinsic(function)


@primitive
def within(typing: Any, address: Any, low: Any, high: Any) -> Any:
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
def load(typing: Any, address: Any) -> Any:
    """Return the 64 bits at an address, however it is aligned; the first byte is the lowest."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], _I64.as_pointer()), align=1)

    return types.uint64(types.int64), generate


@primitive
def load_byte(typing: Any, address: Any) -> Any:
    """Return the byte at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = builder.load(builder.inttoptr(arguments[0], _I8.as_pointer()), align=1)
        return builder.zext(byte, _I64)

    return types.uint64(types.int64), generate


@primitive
def store(typing: Any, address: Any, word: Any) -> Any:
    """Write 64 bits to an address, however it is aligned."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place, bits = arguments
        builder.store(bits, builder.inttoptr(place, _I64.as_pointer()), align=1)
        return context.get_dummy_value()

    return types.void(types.int64, types.uint64), generate


@primitive
def lowest(typing: Any, bits: Any) -> Any:
    """Return the number of the lowest bit that is set; 64 where none is."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(_I1, 0))

    return types.int64(types.uint64), generate


@primitive
def prefetch(typing: Any, address: Any) -> Any:
    """Ask the processor to fetch what lies at an address, and do not wait."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pointer = _I8.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, _I32, _I32, _I32])
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        place = builder.inttoptr(arguments[0], pointer)
        builder.call(function, [place, _I32(1), _I32(3), _I32(1)])  # to write, often, data
        return context.get_dummy_value()

    return types.void(types.int64), generate
