"""Version 2's way to refuse devices: a program that the kernel asks when one is opened or made.

There is no control for devices in that hierarchy. The program is a comparison an entry, attached to
a container's cgroup and gone with it; the system call bpf(2) takes it, which has no function in
Python or the C library.
"""

import contextlib
import ctypes
import os
import platform
import struct
from pathlib import Path

from pocket_mesos.containerizer.errors import IsolationError

DEVICES = "devices"
"""What a controller would be called."""

_SYSTEM_CALLS = {"x86_64": 321, "aarch64": 280}
_LOAD, _ATTACH = 5, 8
_PROGRAM_OF_DEVICES, _TO_DEVICES = 15, 6
_BESIDE_OTHERS = 2
_LICENSE = b"Apache-2.0"

_KINDS = {"b": 1, "c": 2}
_ACCESS = {"m": 1, "r": 2, "w": 4}

_RESULT, _CONTEXT, _KIND, _WANTED, _MAJOR, _MINOR = range(6)
"""Registers. The context is gone when the program has read it; its register serves for sums."""

_READ, _AND, _SHIFT, _COPY, _SET, _END = 0x61, 0x54, 0x74, 0xBC, 0xB7, 0x95
_UNLESS, _UNLESS_SAME = 0x55, 0x5D
"""Jumps: taken unless a register holds a value, or what another one holds."""

Instruction = tuple[int, int, int, int]
"""Operation, register it changes or compares, register it reads, number in it."""


def offered() -> set[str]:
    """Return what the kernel offers by way of such programs, as a set of controllers."""
    try:
        os.close(_loaded(()))
    except (IsolationError, OSError):
        return set()
    return {DEVICES}


def attach(cgroup: Path, entries: tuple[str, ...]) -> None:
    """Refuse all devices to the processes of a cgroup and below it, except for the entries.

    Args:
        cgroup: as long as it is there, the program is.
        entries: as version 1's ``devices.allow`` takes them, such as ``c 136:* rwm``.

    Raises:
        IsolationError: the kernel refuses.
    """
    with contextlib.ExitStack() as stack:
        try:
            program = _loaded(entries)
            stack.callback(os.close, program)
            target = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, target)
            how = (target, program, _TO_DEVICES, _BESIDE_OTHERS)
            _call(_ATTACH, struct.pack("=4I", *how))
        except OSError as error:
            raise IsolationError(
                f"Failed to limit the devices of cgroup '{cgroup}': {error.strerror}"
            ) from error


def _loaded(entries: tuple[str, ...]) -> int:
    """Hand the program to the kernel, return its descriptor."""
    program = _program(entries)
    text = ctypes.create_string_buffer(program, len(program))
    license_ = ctypes.create_string_buffer(_LICENSE)
    where = (ctypes.addressof(text), ctypes.addressof(license_))
    return _call(_LOAD, struct.pack("=2I2Q", _PROGRAM_OF_DEVICES, len(program) // 8, *where))


def _call(command: int, attributes: bytes) -> int:
    number = _SYSTEM_CALLS.get(platform.machine())
    if number is None:
        raise IsolationError(f"Devices can't be limited on the processor '{platform.machine()}'")
    library = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result: int = library.syscall(number, command, buffer, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def _program(entries: tuple[str, ...]) -> bytes:
    """Return the program: kind and access share a word, then major and minor number."""
    start: list[Instruction] = [
        (_READ, _KIND, _CONTEXT, 0),
        (_AND, _KIND, 0, 0xFFFF),
        (_READ, _WANTED, _CONTEXT, 0),
        (_SHIFT, _WANTED, 0, 16),
        (_READ, _MAJOR, _CONTEXT, 4),
        (_READ, _MINOR, _CONTEXT, 8),
    ]
    end: list[Instruction] = [(_SET, _RESULT, 0, 0), (_END, 0, 0, 0)]
    return b"".join([_packed(part) for part in (start, *map(_allowing, entries), end)])


def _allowing(entry: str) -> list[Instruction]:
    """Return what ends the program with consent when an entry fits, and jumps over the rest."""
    kind, numbers, *letters = entry.split()
    allowed = sum(_ACCESS[letter] for letter in "".join(letters))
    compared = [
        (_UNLESS, register, 0, int(number))
        for register, number in zip((_MAJOR, _MINOR), numbers.split(":"), strict=True)
        if number != "*"
    ]
    return [
        (_UNLESS, _KIND, 0, _KINDS[kind]),
        (_COPY, _CONTEXT, _WANTED, 0),
        (_AND, _CONTEXT, 0, allowed),
        (_UNLESS_SAME, _CONTEXT, _WANTED, 0),
        *compared,
        (_SET, _RESULT, 0, 1),
        (_END, 0, 0, 0),
    ]


def _packed(part: list[Instruction]) -> bytes:
    """Encode instructions; every jump leads behind the part's end. Reads take an offset."""
    found = []
    for rest, (operation, to, of, number) in zip(range(len(part))[::-1], part, strict=True):
        offset = rest if operation in (_UNLESS, _UNLESS_SAME) else 0
        if operation == _READ:
            offset, number = number, 0
        found.append(struct.pack("<BBhi", operation, to | of << 4, offset, number))
    return b"".join(found)
