"""The suite judged by itself: what each test says, and what it may not touch."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from . import transcripts

MODULES = sorted(Path(__file__).parent.glob("*.py"))
TESTS = [path for path in MODULES if path.name.startswith("test_") and path.name != "test_suite.py"]


def functions(path: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(path.read_text())
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [node for node in found if node.name.startswith("test_")]


def recordings(path: Path) -> set[str]:
    """Every recording that a module names: string constants that look like one."""
    constants = texts(ast.parse(path.read_text()))
    return {
        text for text in constants if text.endswith((".json", ".recordio", ".txt")) and "/" in text
    }


def texts(tree: ast.AST) -> set[str]:
    found = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {value for value in found if isinstance(value, str)}


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_each_test_names_guarantee_and_recording(path: Path) -> None:
    """Every test has a docstring and the marker that names what backs it: a recording, or a
    page of Mesos' documents for what was never recorded.
    """
    assert functions(path)
    for function in functions(path):
        marks = [ast.unparse(item) for item in function.decorator_list]
        assert ast.get_docstring(function), function.name
        backed = ("mark.transcript(", "mark.documented(")
        assert any(backing in mark for mark in marks for backing in backed), function.name


@transcripts.recorded
@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_recordings_exist(path: Path) -> None:
    """What backs a test is there to be looked at."""
    named = {name for name in recordings(path) if not name.startswith("/")}
    assert [name for name in named if not (transcripts.ROOT / name).is_file()] == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_engine_is_met_on_the_wire_only(path: Path) -> None:
    """Nothing here imports the engine: the suite must hold for any Mesos."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        assert not [name for name in names if name.startswith("pocket_mesos")]
