"""How messages are declared.

Each class states ``frozen=True, kw_only=True`` anew: msgspec applies the latter to the class's own
fields only, and type checkers do not inherit the former.
A field without default is *required*, ``X | None = None`` is *optional*, ``repeated()`` is a list
that is left out of the encoding when empty. ``printed(value)`` is an optional field whose
protobuf default Mesos' JSON shows even when nobody set it.
"""

from typing import Annotated, Any

import msgspec

Integer = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What 64 bits hold, as protobuf's widest: JSON itself knows no bounds, its writers do."""

_LARGEST = float.fromhex("0x1.fffffffffffffp+1023")

Real = Annotated[float, msgspec.Meta(ge=-_LARGEST, le=_LARGEST)]
"""A number that JSON can say, so neither infinite nor undefined."""


class Message(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A Mesos v1 message: immutable; a changed copy comes from :func:`replace`."""


def repeated() -> Any:
    """Declare a repeated field."""
    return msgspec.field(default_factory=list)


def printed(default: Any) -> Any:
    """Declare an optional field that is encoded even when it has its default.

    msgspec leaves out a field that *is* its declared default, but never one from a factory.
    """
    return msgspec.field(default_factory=lambda: default)


replace = msgspec.structs.replace
