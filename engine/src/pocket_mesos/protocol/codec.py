"""JSON bodies into messages and back, with the sentences that real Mesos answers to bad ones.

A well-formed body takes the fast path, msgspec's typed decoder. Whatever that refuses is walked
field by field by the rules of Mesos' own JSON reader, which either finds it acceptable (unknown
enum values count as absent, integers may come as strings, null counts as absent) or says what is
wrong. The protobuf encoding would be a second codec beside this one, over the same types.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from enum import Enum
from functools import cache
from math import isfinite
from typing import Any, TypeVar

import msgspec

from pocket_mesos.protocol.errors import ProtocolError

T = TypeVar("T", bound=msgspec.Struct)

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_TOO_LARGE = 2**63

encode = msgspec.json.encode
"""Any message to JSON bytes without line feeds; bytes fields in base64."""

to_builtins = msgspec.to_builtins


def decode(body: bytes, type_: type[T], name: str = "Call") -> T:
    """Read a JSON body as a message.

    Args:
        body: UTF-8 JSON.
        type_: class of the message.
        name: what Mesos calls the message in its answers.

    Raises:
        ProtocolError: with the sentence that Mesos answers to such a body with status 400.
    """
    try:
        message: T = _decoder(type_).decode(body)
        return message
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return convert(parse(body), type_, name)


@cache
def _decoder(type_: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(type_)


def parse(body: bytes) -> Any:
    """Read JSON without expectations.

    Raises:
        ProtocolError: the body is no JSON; names the line and what stands there.
    """
    text = body.decode("utf-8", "replace")
    try:
        value = json.loads(text, parse_constant=_no_constant)
        if "\\u" in text:  # half a surrogate pair could never be written out again
            json.dumps(value, ensure_ascii=False).encode()
        return value
    except UnicodeEncodeError:
        raise ProtocolError("Failed to parse body into JSON: invalid \\u escape") from None
    except json.JSONDecodeError as error:
        rest = text[error.pos :].split("\n", 1)[0]
        raise ProtocolError(
            f"Failed to parse body into JSON: syntax error at line {error.lineno} near: {rest}"
        ) from None
    except RecursionError:
        raise ProtocolError("Failed to parse body into JSON: nested too deeply") from None
    except ValueError as error:  # thousands of digits, or what _no_constant says
        raise ProtocolError(f"Failed to parse body into JSON: {error}") from None


def _no_constant(name: str) -> Any:
    """Refuse what Python's reader takes for a number and JSON does not know."""
    raise ValueError(f"'{name}' is no JSON value")


def convert(value: Any, type_: type[T], name: str = "Call") -> T:
    """Turn parsed JSON into a message by Mesos' rules.

    Raises:
        ProtocolError: a field of the wrong kind, or required fields that are missing.
    """
    prefix = f"Failed to convert JSON into {name} protobuf: "
    if not isinstance(value, dict):
        raise ProtocolError(prefix + "Expecting a JSON object")
    try:
        fields = _message(value, type_)
    except _MismatchError as mismatch:
        raise ProtocolError(prefix + str(mismatch)) from None
    missing = ", ".join(_missing(fields, type_))
    if missing:
        raise ProtocolError(f"{prefix}Missing required fields: {missing}")
    try:
        return msgspec.convert(fields, type_)
    except msgspec.ValidationError as error:
        raise ProtocolError(f"{prefix}{error}") from None


class _MismatchError(Exception):
    """A JSON value of a kind that its field can't take."""

    def __init__(self, value: Any, field: str) -> None:
        super().__init__(f"Not expecting a JSON {_kind(value)} for field '{field}'")


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
        case _:
            return "object"


@cache
def _fields(type_: type[msgspec.Struct]) -> dict[str, msgspec.inspect.Field]:
    info = msgspec.inspect.type_info(type_)
    assert isinstance(info, msgspec.inspect.StructType)
    return {field.encode_name: field for field in info.fields}


def _plain(type_: msgspec.inspect.Type) -> msgspec.inspect.Type:
    """Take the ``| None`` off an optional field's type."""
    if not isinstance(type_, msgspec.inspect.UnionType):
        return type_
    return next(t for t in type_.types if not isinstance(t, msgspec.inspect.NoneType))


def _message(value: dict[str, Any], type_: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the known fields of ``value``, each as msgspec's converter takes it."""
    known = _fields(type_)
    fields = {}
    for name, item in value.items():
        if name not in known or item is None:
            continue
        converted = _value(item, _plain(known[name].type), name)
        if converted is not None:
            fields[name] = converted
    return fields


def _value(value: Any, type_: msgspec.inspect.Type, field: str) -> Any:
    """Return ``value`` for a field of ``type_``; None when Mesos would take it for absent."""
    match type_:
        case msgspec.inspect.StructType(cls=cls) if isinstance(value, dict):
            return _message(value, cls)
        case msgspec.inspect.ListType(item_type=item) if isinstance(value, list):
            items = [_value(one, item, field) for one in value]
            return [one for one in items if one is not None]
        case msgspec.inspect.DictType(value_type=item) if isinstance(value, dict):
            return {key: _value(one, item, field) for key, one in value.items()}
        case msgspec.inspect.EnumType(cls=cls) if isinstance(value, str):
            return value if value in _names(cls) else None
        case msgspec.inspect.StrType() if isinstance(value, str):
            return value
        case msgspec.inspect.BytesType() if isinstance(value, str):
            return _base64(value, field)
        case msgspec.inspect.BoolType() if isinstance(value, bool):
            return value
        case msgspec.inspect.IntType() | msgspec.inspect.FloatType():
            return _number(value, isinstance(type_, msgspec.inspect.IntType), field)
        case msgspec.inspect.AnyType():
            return value
    raise _MismatchError(value, field)


@cache
def _names(cls: type[Enum]) -> frozenset[str]:
    return frozenset(member.value for member in cls)


def _number(value: Any, integer: bool, field: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _MismatchError(value, field)
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise _MismatchError(value, field)
    try:
        number = int(value) if integer else float(value)
    except (ValueError, OverflowError):
        raise _MismatchError(value, field) from None
    if not (-_TOO_LARGE <= number < _TOO_LARGE if integer else isfinite(number)):
        raise _MismatchError(value, field)
    return number


def _base64(value: str, field: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise _MismatchError(value, field) from None


def _missing(fields: dict[str, Any], type_: type[msgspec.Struct], path: str = "") -> Iterator[str]:
    """Yield the paths of required fields that ``fields`` lacks, in order of declaration."""
    for name, field in _fields(type_).items():
        if name not in fields:
            if field.required:
                yield path + name
            continue
        match _plain(field.type), fields[name]:
            case msgspec.inspect.StructType(cls=cls), dict(inner):
                yield from _missing(inner, cls, f"{path}{name}.")
            case msgspec.inspect.ListType(item_type=msgspec.inspect.StructType(cls=cls)), list(
                all_
            ):
                for index, inner in enumerate(all_):
                    yield from _missing(inner, cls, f"{path}{name}[{index}].")
