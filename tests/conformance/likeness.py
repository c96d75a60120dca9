"""How alike two JSON answers are that come from the same situation on two clusters.

What no two runs share (times, random ids, ports, pids, amounts of memory in use) is held
to its type; everything else must be equal, every key present on both sides.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FREE = re.compile(
    r"timestamp|nanoseconds|uuid|status_update_uuid|executor_pid|port|pid|ip|directory|path"
    r"|(start|elected|registered|reregistered|unregistered|build)_(time|date|user)|git_\w+"
    r"|cpus_\w+_time_secs|mem_\w+|log_dir"
)
"""Names of fields whose values are of one run only."""


@dataclass(frozen=True)
class Likeness:
    """What may differ between two clusters beside what differs between any two runs.

    `free` matches paths (`$.slaves[0].port`) that are held to their type only; `optional`
    matches paths of fields that one side alone may have.
    """

    free: re.Pattern[str] | None = None
    optional: re.Pattern[str] | None = None

    def differences(self, recorded: Any, found: Any, path: str = "$") -> list[str]:
        """Say where an answer differs from the recorded one."""
        if kind(recorded) != kind(found):
            return [f"{path}: recorded {recorded!r:.200}, found {found!r:.200}"]
        if self._is_free(path):
            return []
        if isinstance(recorded, dict):
            return self._of_objects(recorded, found, path)
        if isinstance(recorded, list):
            return self._of_lists(recorded, found, path)
        alike = plain(recorded) == plain(found)
        return [] if alike else [f"{path}: recorded {recorded!r:.200}, found {found!r:.200}"]

    def _is_free(self, path: str) -> bool:
        name = re.sub(r"\[\d+\]$", "", path).rpartition(".")[2]
        if FREE.fullmatch(name):
            return True
        return self.free is not None and self.free.search(path) is not None

    def _of_objects(self, recorded: Any, found: Any, path: str) -> list[str]:
        recorded = {plain(key): value for key, value in recorded.items()}
        found = {plain(key): value for key, value in found.items()}
        problems = []
        for key in sorted({*recorded, *found}):
            here = f"{path}.{key}"
            if key in recorded and key in found:
                problems += self.differences(recorded[key], found[key], here)
            elif self.optional is None or not self.optional.search(here):
                where = "recorded alone" if key in recorded else "found alone"
                problems.append(f"{here}: {where}, {(recorded | found)[key]!r:.200}")
        return problems

    def _of_lists(self, recorded: Any, found: Any, path: str) -> list[str]:
        if is_mapping(recorded) and is_mapping(found):
            named = [{item["name"]: item["value"] for item in items} for items in (recorded, found)]
            return self._of_objects(*named, path)
        if len(recorded) != len(found):
            return [f"{path}: recorded {len(recorded)} items, found {len(found)}: {found!r:.300}"]
        pairs = zip(in_order(recorded), in_order(found), strict=True)
        return [
            problem
            for index, (one, other) in enumerate(pairs)
            for problem in self.differences(one, other, f"{path}[{index}]")
        ]


def is_mapping(items: list[Any]) -> bool:
    """Say whether a list is the v1 API's way to write an object down: pairs of name and value."""
    return bool(items) and all(
        isinstance(item, dict) and item.keys() == {"name", "value"} for item in items
    )


def kind(value: Any) -> str:
    """Name the kind of a JSON value; all numbers are of one."""
    return "number" if type(value) in (int, float) else type(value).__name__


def plain(value: Any) -> Any:
    """A value without the random part of it."""
    return UUID.sub("UUID", value) if isinstance(value, str) else value


def in_order(items: list[Any]) -> list[Any]:
    """Items in an order that does not hang on the run, but for statuses, whose order counts."""
    if any(isinstance(item, dict) and "timestamp" in item for item in items):
        return items
    return sorted(items, key=sorting_key)


def sorting_key(item: Any) -> str:
    """What an item is known by: its id or name, or all of it."""
    if isinstance(item, dict):
        for name in ("id", "task_id", "executor_id", "agent_info", "name", "key"):
            if name in item:
                return json.dumps(item[name], sort_keys=True)
    return json.dumps(item, sort_keys=True)
