"""How what an agent is to offer differs from what it offers: resources and attributes.

Texts are as Mesos takes them, "cpus:2;mem(ads):512;ports:[31000-32000]" or JSON, "rack:a;zone:b".
"""

from __future__ import annotations

import json
import re

NONE, ADDITIVE, INCOMPATIBLE = "none", "additive", "incompatible"
"""Nothing differs; the new holds all of the old; something is less, gone or another."""


class Difference:
    """Something that differs, and whether the new holds the old."""

    def __init__(self, text: str, additive: bool) -> None:
        self.text = text
        self.additive = additive


def change(differences: list[Difference]) -> str:
    """Return what the differences amount to."""
    if not differences:
        return NONE
    return ADDITIVE if all(one.additive for one in differences) else INCOMPATIBLE


def resources(text: str) -> dict[str, object]:
    """Return the resources of a text by name: a number, ranges or a set of words."""
    if text.lstrip().startswith("["):
        return dict(_from_json(one) for one in json.loads(text))
    pairs = (part.rpartition(":") for part in text.split(";") if part.strip())
    return {name.strip(): value(text) for name, _, text in pairs}


def value(text: object) -> object:
    """Return a resource's value: a number, a list of ranges or a set of words."""
    stripped = str(text).strip()
    if stripped.startswith("["):
        found = re.findall(r"(\d+)\s*-\s*(\d+)", stripped)
        return sorted((int(begin), int(end)) for begin, end in found)
    if stripped.startswith("{"):
        return {word.strip() for word in stripped.strip("{}").split(",")}
    return round(float(stripped), 3)


def _from_json(resource: dict) -> tuple[str, object]:
    roles = [resource.get("role", "*"), *(one["role"] for one in resource.get("reservations", []))]
    role = "" if roles[-1] == "*" else f"({roles[-1]})"
    kind = resource["type"].lower()
    content = resource[kind]
    if kind == "ranges":
        ranges = sorted((one["begin"], one["end"]) for one in content["range"])
        return resource["name"] + role, ranges
    if kind == "set":
        return resource["name"] + role, set(content["item"])
    return resource["name"] + role, round(float(content["value"]), 3)


def holds(new: object, old: object) -> bool:
    """Tell whether a value has all that another one of its kind has."""
    if type(new) is not type(old):
        return False
    if isinstance(old, list):
        return all(any(b <= begin and end <= e for b, e in new) for begin, end in old)
    return new >= old


def compare_resources(old: str, new: str, offered: dict) -> list[Difference]:
    """Return how declared resources differ from what the agent was started with.

    offered are the agent's, by name: they tell what it detected of what nobody declared.
    """
    was, is_now = resources(old), resources(new)
    found = []
    for name in sorted({*was, *is_now}):
        before = was.get(name, value(offered[name]) if name in offered else None)
        if name not in is_now:
            # What will be detected shows only when the agent starts.
            found.append(Difference(f"{name} {shown(before)} -> what the machine has", False))
        elif before is None:
            found.append(Difference(f"{name} {shown(is_now[name])} is new", True))
        elif before != is_now[name]:
            text = f"{name} {shown(before)} -> {shown(is_now[name])}"
            found.append(Difference(text, holds(is_now[name], before)))
    return found


def compare_attributes(old: str, new: str) -> list[Difference]:
    """Return how declared attributes differ from those that the agent was started with."""
    was, is_now = (
        {part.strip() for part in text.split(";") if part.strip()} for text in (old, new)
    )
    gone = [Difference(f"attribute {one} is gone", False) for one in sorted(was - is_now)]
    return gone + [Difference(f"attribute {one} is new", True) for one in sorted(is_now - was)]


def shown(value: object) -> str:
    """Return a value as Mesos takes it."""
    if isinstance(value, list):
        return "[" + ",".join(f"{begin}-{end}" for begin, end in value) + "]"
    if isinstance(value, set):
        return "{" + ",".join(sorted(value)) + "}"
    return f"{value:g}"
