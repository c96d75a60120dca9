"""Flags, each declared once: ``base`` is the machinery, ``types`` the kinds of value."""

from pocket_mesos.flags.base import Flag, Flags, FlagsError, flag, optional, required, unsupported
from pocket_mesos.flags.common import CommonFlags, one_of, port_number, positive
from pocket_mesos.flags.types import (
    ACLS,
    ADDRESS,
    BOOLEAN,
    BYTES,
    DURATION,
    INTEGER,
    NUMBER,
    PATH,
    SECRET_PATH,
    STRING,
    FlagType,
    parse_duration,
)

__all__ = [
    "ACLS",
    "ADDRESS",
    "BOOLEAN",
    "BYTES",
    "DURATION",
    "INTEGER",
    "NUMBER",
    "PATH",
    "SECRET_PATH",
    "STRING",
    "CommonFlags",
    "Flag",
    "FlagType",
    "Flags",
    "FlagsError",
    "flag",
    "one_of",
    "optional",
    "parse_duration",
    "port_number",
    "positive",
    "required",
    "unsupported",
]
