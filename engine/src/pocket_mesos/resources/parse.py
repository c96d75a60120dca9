"""What operators write: ``--resources`` in both of its forms, ``--attributes``."""

import json
import re

import msgspec

from pocket_mesos.protocol.errors import PocketError
from pocket_mesos.protocol.mesos import Attribute, Resource, Scalar, Text, ValueType
from pocket_mesos.resources import values

_NAME = re.compile(r"^(?P<name>[^()]+?)(\((?P<role>[^()]*)\))?$")


class ParseError(PocketError):
    """The operator's text is no list of resources or attributes."""


def parse_resources(text: str, default_role: str = "*") -> list[Resource]:
    """Read ``cpus:2;mem:1024;ports:[31000-32000]`` or a JSON array of Resource messages.

    Args:
        text: either form; ``name(role):value`` gives a role in the short one.
        default_role: role of resources that name none.

    Raises:
        ParseError: says which part is wrong.
    """
    stripped = text.strip()
    if stripped.startswith("["):
        resources = _from_json(stripped)
    else:
        parts = (part.strip() for part in stripped.replace("\n", ";").split(";"))
        resources = [_resource(part) for part in parts if part]
    return [
        one if one.role is not None else msgspec.structs.replace(one, role=default_role)
        for one in resources
    ]


def _from_json(text: str) -> list[Resource]:
    try:
        return msgspec.convert(json.loads(text), list[Resource])
    except (ValueError, msgspec.ValidationError) as error:
        raise ParseError(f"Failed to parse resources JSON: {error}") from None


def _resource(part: str) -> Resource:
    label, colon, value = part.partition(":")
    named = _NAME.match(label.strip())
    if not colon or named is None:
        raise ParseError(f"Bad value for resources, missing or extra ':' in {part}")
    name, role = named["name"].strip(), named["role"]
    if (scalar := values.scalar_from_text(value)) is not None:
        if scalar < 0:
            raise ParseError(f"Failed to parse resource {name}: '{value}' is negative")
        amount = Scalar(value=scalar / values.PRECISION)
        return Resource(name=name, type=ValueType.SCALAR, scalar=amount, role=role)
    if (spans := values.spans_from_text(value)) is not None:
        ranges = values.spans_to_message(spans)
        return Resource(name=name, type=ValueType.RANGES, ranges=ranges, role=role)
    if (items := values.set_from_text(value)) is not None:
        set_ = values.set_to_message(items)
        return Resource(name=name, type=ValueType.SET, set=set_, role=role)
    raise ParseError(
        f"Bad type for resource {name} value {value.strip()}: "
        "expecting a number, [ranges] or {set}"
    )


def parse_attributes(text: str) -> list[Attribute]:
    """Read ``rack:r1;cores:8;ports:[1-2]``.

    Raises:
        ParseError: a part has no name or no value.
    """
    parts = (part.strip() for part in text.replace("\n", ";").split(";"))
    return [_attribute(part) for part in parts if part]


def _attribute(part: str) -> Attribute:
    name, colon, value = (piece.strip() for piece in part.partition(":"))
    if not (name and colon and value):
        raise ParseError(f"Invalid attribute key:value pair '{part}'")
    if (scalar := values.scalar_from_text(value)) is not None:
        amount = Scalar(value=scalar / values.PRECISION)
        return Attribute(name=name, type=ValueType.SCALAR, scalar=amount)
    if (spans := values.spans_from_text(value)) is not None:
        return Attribute(name=name, type=ValueType.RANGES, ranges=values.spans_to_message(spans))
    if (items := values.set_from_text(value)) is not None:
        return Attribute(name=name, type=ValueType.SET, set=values.set_to_message(items))
    return Attribute(name=name, type=ValueType.TEXT, text=Text(value=value))
