"""Shapes: what kind of JSON value stands where, and what is wrong when it does not.

A shape is checked against a value and answers a list of problems, each with the
path of the value. The same shapes judge a live cluster and recorded transcripts.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Any, Protocol


class Shape(Protocol):
    """Something that a JSON value can be held against."""

    def problems(self, value: Any, path: str = "$") -> list[str]:
        """Say what is wrong with the value; nothing when it fits."""
        ...


@dataclass(frozen=True)
class Kind:
    """A value of one of some Python types (bool is no number)."""

    types: tuple[type, ...]
    name: str

    def problems(self, value: Any, path: str = "$") -> list[str]:
        fits = isinstance(value, self.types)
        if isinstance(value, bool) and bool not in self.types:
            fits = False
        return [] if fits else [f"{path}: expected {self.name}, found {value!r:.80}"]


TEXT = Kind((str,), "text")
NUMBER = Kind((int, float), "a number")
FLAG = Kind((bool,), "true or false")
ANY = Kind((object,), "anything")


@dataclass(frozen=True)
class Matching:
    """Text that matches a regular expression from end to end."""

    pattern: str

    def problems(self, value: Any, path: str = "$") -> list[str]:
        if isinstance(value, str) and re.fullmatch(self.pattern, value):
            return []
        return [f"{path}: expected text like {self.pattern}, found {value!r:.200}"]


@dataclass(frozen=True)
class Base64:
    """A protobuf `bytes` field in JSON; `length` in bytes when it is fixed."""

    length: int | None = None

    def problems(self, value: Any, path: str = "$") -> list[str]:
        try:
            data = base64.b64decode(value, validate=True)
        except (TypeError, ValueError, binascii.Error):
            return [f"{path}: expected base64, found {value!r:.80}"]
        if self.length is not None and len(data) != self.length:
            return [f"{path}: expected {self.length} bytes, found {len(data)}"]
        return []


@dataclass(frozen=True)
class Several:
    """A list whose items all have one shape."""

    item: Shape

    def problems(self, value: Any, path: str = "$") -> list[str]:
        if not isinstance(value, list):
            return [f"{path}: expected a list, found {value!r:.80}"]
        return [
            problem
            for index, item in enumerate(value)
            for problem in self.item.problems(item, f"{path}[{index}]")
        ]


@dataclass(frozen=True)
class Mapping:
    """An object with any keys whose values all have one shape; `keys` must be among them."""

    value: Shape
    keys: frozenset[str] = frozenset()

    def problems(self, value: Any, path: str = "$") -> list[str]:
        if not isinstance(value, dict):
            return [f"{path}: expected an object, found {value!r:.80}"]
        missing = [f"{path}: lacks '{key}'" for key in sorted(self.keys - value.keys())]
        return missing + [
            problem
            for key, item in value.items()
            for problem in self.value.problems(item, f"{path}.{key}")
        ]


@dataclass(frozen=True)
class Record:
    """An object with named fields.

    `closed` records stand for protobuf messages: a field that the message lacks is
    a problem, since strict clients reject it.
    """

    required: dict[str, Shape] = field(default_factory=dict)
    optional: dict[str, Shape] = field(default_factory=dict)
    closed: bool = False

    def problems(self, value: Any, path: str = "$") -> list[str]:
        if not isinstance(value, dict):
            return [f"{path}: expected an object, found {value!r:.80}"]
        found = [f"{path}: lacks '{key}'" for key in self.required if key not in value]
        fields = {**self.required, **self.optional}
        for key, item in value.items():
            if key in fields:
                found += fields[key].problems(item, f"{path}.{key}")
            elif self.closed:
                found.append(f"{path}: '{key}' is not a field of this message")
        return found


def message(required: dict[str, Shape], optional: dict[str, Shape] | None = None) -> Record:
    """Describe a protobuf message in JSON."""
    return Record(required, optional or {}, closed=True)
