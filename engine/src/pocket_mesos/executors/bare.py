"""What executors need of json, signal and socket, from the parts in C that these are made of.

The modules themselves import enum, re, selectors and more, which took most of an executor's start:
that counts where a thousand are started. Checkers are shown the modules.
"""

from __future__ import annotations

from _json import encode_basestring_ascii, make_encoder, make_scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import socket
    from typing import Any
else:
    import _signal as signal
    import _socket as socket

__all__ = ["connect", "dumps", "loads", "signal", "socket"]


def _refuse(value: object) -> Any:
    raise TypeError(f"{type(value).__name__} is nothing for JSON")


class _Plain:
    """How the scanner reads: as ``json.loads`` does."""

    strict = True
    # Python 3.15 asks for the last one as well.
    object_hook = object_pairs_hook = array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


_encode = make_encoder(
    None, _refuse, encode_basestring_ascii, None, ": ", ", ", False, False, False
)
_scan = make_scanner(_Plain)  # type: ignore[arg-type]  # any object with these attributes


def dumps(value: object) -> str:
    """Return a value as JSON."""
    return "".join(_encode(value, 0))


def loads(text: bytes) -> Any:
    """Read a value from JSON that begins with it.

    Raises:
        ValueError: it does not.
    """
    try:
        return _scan(text.decode(), 0)[0]
    except StopIteration:
        raise ValueError(f"no JSON: {text[:80]!r}") from None


def connect(host: str, port: int, seconds: float | None) -> socket.socket:
    """Return a connection; what takes longer than ``seconds`` on it fails."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect((host, port))
    except BaseException:
        connection.close()
        raise
    return connection
