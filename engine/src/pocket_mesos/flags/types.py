"""How a flag's text becomes a value and how the value is printed back.

A type's ``parse`` raises ValueError with the reason in Mesos' words; ``show`` gives what /flags
prints.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Generic, TypeVar

from pocket_mesos import authorization

T = TypeVar("T")

_DURATIONS = {
    "weeks": 604_800_000_000_000,
    "days": 86_400_000_000_000,
    "hrs": 3_600_000_000_000,
    "mins": 60_000_000_000,
    "secs": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
"""Nanoseconds per unit, largest first."""

_BYTES = {"TB": 2**40, "GB": 2**30, "MB": 2**20, "KB": 2**10, "B": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagType(Generic[T]):
    """A kind of value."""

    parse: Callable[[str], T]
    name: str
    """What the reference calls it."""
    show: Callable[[T], str] = str
    boolean: bool = False
    """Whether ``--name`` and ``--no-name`` set it."""
    read_files: bool = True
    """Whether ``file:///path`` stands for the file's contents."""
    secret: bool = False
    """Whether messages about a value must not repeat it."""


def parse_duration(text: str) -> float:
    """Read ``15secs``, ``1.5mins``, ``500ms`` as seconds.

    Raises:
        ValueError: no number or no known unit.
    """
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = text[len(number) :]
    if unit not in _DURATIONS:
        raise ValueError(
            f"Unknown duration unit '{unit}'; supported units are: 'ns', 'us', 'ms', "
            "'secs', 'mins', 'hrs', 'days', and 'weeks'"
        )
    try:
        value = Decimal(number.strip()) * _DURATIONS[unit]
    except InvalidOperation:
        raise ValueError(f"Invalid duration '{text}'") from None
    if not value.is_finite() or abs(value) >= 2**63:
        raise ValueError(f"Argument out of the range that a Duration can represent: '{text}'")
    return float(value / _DURATIONS["secs"])


def parse_rate(text: str) -> float:
    """Read ``2/10mins`` as the seconds between two of them.

    Raises:
        ValueError: no such pair, or nothing in it.
    """
    number, slash, duration = text.partition("/")
    if not slash or not number.strip().isdecimal() or int(number) == 0:
        raise ValueError("expected a number and a duration, such as 2/10mins")
    seconds = parse_duration(duration.strip())
    if seconds <= 0:
        raise ValueError("expected a duration of more than zero")
    return seconds / int(number)


def show_duration(seconds: float) -> str:
    """Print seconds in the largest unit of which there is at least one."""
    nanoseconds = round(seconds * _DURATIONS["secs"])
    if nanoseconds == 0:
        return "0ns"
    unit = next(name for name, size in _DURATIONS.items() if abs(nanoseconds) >= size)
    return f"{nanoseconds / _DURATIONS[unit]:.15g}{unit}"


def parse_bytes(text: str) -> int:
    """Read ``2GB`` as bytes.

    Raises:
        ValueError: no whole number or no known unit.
    """
    number = text.rstrip("BKMGT")
    unit = text[len(number) :]
    if unit not in _BYTES:
        raise ValueError(f"Invalid bytes '{text}': Unknown bytes unit '{unit}'")
    if not number.isdecimal():
        raise ValueError(f"Invalid bytes '{text}'")
    return int(number) * _BYTES[unit]


def show_bytes(value: int) -> str:
    """Print bytes in the largest unit that leaves a whole number."""
    return next(f"{value // size}{unit}" for unit, size in _BYTES.items() if value % size == 0)


def parse_boolean(text: str) -> bool:
    """Read ``true``, ``1``, ``false`` or ``0``.

    Raises:
        ValueError: anything else.
    """
    if text in ("true", "1"):
        return True
    if text in ("false", "0"):
        return False
    raise ValueError("Expecting a boolean (e.g., true or false)")


def _parse_integer(text: str) -> int:
    try:
        return int(text.strip())
    except ValueError:
        raise ValueError(f"Failed to convert '{text}' to number") from None


def _parse_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"Failed to convert '{text}' to number") from None


def _parse_path(text: str) -> Path:
    return Path(text.removeprefix("file://"))


def _parse_secret_path(text: str) -> Path:
    if not text or text.lstrip().startswith(("{", "[")) or "\n" in text:
        raise ValueError("expecting the path of a file: others can read what a command line holds")
    return _parse_path(text)


def _parse_acls(text: str) -> authorization.ACLs:
    # Mesos' old way to name a file, without file://.
    if text.startswith("/"):
        text = Path(text).read_text(encoding="utf-8")
    return authorization.parse(text)


class _Address(str):
    """An address, and the file that it was read from."""

    file: Path | None = None


def _parse_address(text: str) -> str:
    if not text.startswith("file://"):
        return text
    path = _parse_path(text)
    address = _Address(path.read_text(encoding="utf-8").strip())
    address.file = path
    return address


_ZOOKEEPER_SECRET = re.compile(r"^(zk://[^:/@]*:)[^/]*(?=@)")


def _show_address(text: str) -> str:
    if isinstance(text, _Address):
        return str(text.file)
    return _ZOOKEEPER_SECRET.sub(r"\1***", text)


STRING: FlagType[str] = FlagType(parse=str, name="text")
PATH: FlagType[Path] = FlagType(parse=_parse_path, name="path", read_files=False)
SECRET_PATH: FlagType[Path] = FlagType(
    parse=_parse_secret_path, name="path of a file with secrets", read_files=False, secret=True
)
ADDRESS: FlagType[str] = FlagType(
    parse=_parse_address, name="address", show=_show_address, read_files=False, secret=True
)
"""Where a master or ZooKeeper is; one from a file is printed as the file's path, as in Mesos, and a
password in any other as stars."""
ACLS: FlagType[authorization.ACLs] = FlagType(
    parse=_parse_acls, name="lists as JSON", show=authorization.show
)
BOOLEAN: FlagType[bool] = FlagType(
    parse=parse_boolean, name="true or false", show=lambda v: str(v).lower(), boolean=True
)
INTEGER: FlagType[int] = FlagType(parse=_parse_integer, name="whole number")
NUMBER: FlagType[float] = FlagType(
    parse=_parse_number, name="number", show=lambda value: f"{value:g}"
)
DURATION: FlagType[float] = FlagType(parse=parse_duration, name="duration", show=show_duration)
"""Held in seconds."""
BYTES: FlagType[int] = FlagType(parse=parse_bytes, name="size", show=show_bytes)
