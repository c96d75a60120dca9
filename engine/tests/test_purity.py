"""The engine's cores decide on values alone: what they import is checked, not hoped for."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pocket_mesos

SOURCE = Path(pocket_mesos.__file__).parent

IMPURE = frozenset(
    {
        "aiohttp",
        "asyncio",
        "kazoo",
        "os",
        "random",
        "secrets",
        "shutil",
        "signal",
        "socket",
        "subprocess",
        "sys",
        "threading",
        "time",
        "uuid",
        "uvloop",
    }
)
"""I/O, the clock, chance: what a core is told, and never asks for."""

PURE = [
    "allocator",
    "authorization",
    "protocol",
    "registry/errors.py",
    "registry/records.py",
    "resources",
    "http/messages.py",
    *(
        f"agent/{name}"
        for name in (
            "actions.py",
            "core.py",
            "delivery.py",
            "draining.py",
            "environment.py",
            "events.py",
            "executors.py",
            "launching.py",
            "registration.py",
            "settings.py",
            "state.py",
            "updates.py",
        )
    ),
    *(
        f"master/{name}"
        for name in (
            "actions.py",
            "agents.py",
            "changes.py",
            "context.py",
            "core.py",
            "deactivation.py",
            "events.py",
            "frameworks.py",
            "launching.py",
            "losses.py",
            "offers.py",
            "operator_views.py",
            "reconciliation.py",
            "recovery.py",
            "registration.py",
            "role_views.py",
            "sharing.py",
            "state.py",
            "subscribers.py",
            "summary.py",
            "tasks.py",
            "transitions.py",
            "validation",
            "views.py",
        )
    ),
]


def modules(part: str) -> list[Path]:
    path = SOURCE / part
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "uuid" and [alias.name for alias in node.names] == ["UUID"]:
                continue  # the type alone: it prints ids that came in as values
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("part", PURE)
def test_core_imports_neither_io_nor_clock_nor_chance(part: str) -> None:
    """Time, ids and randomness enter as values, so that every decision can be replayed."""
    assert modules(part), part
    found = {str(path): sorted(set(imported(path)) & IMPURE) for path in modules(part)}
    assert {path: names for path, names in found.items() if names} == {}
