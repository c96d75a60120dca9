"""The suite judged by itself: what each test says, and what it may not touch."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from . import situations, transcripts

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
        text
        for text in constants
        if text.endswith((".json", ".recordio", ".txt", ".bin")) and "/" in text
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


STREAMS = ("scheduler/", "executor/", "ha/", "master/")
"""Every byte-exact event stream of these is read by test_subscribe.py."""

WITHOUT_TEST = {
    "agent/nested_containers.json": "nested containers, which come later",
    "figures/throughput.json": "figures, for benchmarks",
    "ha/failover_timing.json": "figures, for benchmarks",
    "master/operator_api/REMOVE_QUOTA_crash.json": "an end of real Mesos that nobody asks for",
    "sandbox/command_task_stderr.txt": "lines of Mesos' own log",
    "sandbox/command_task_stdout.txt": "lines of Mesos' own log",
    "sandbox/meta_text_files.txt": "what is inside of checkpoints is the engine's own business",
    "sandbox/stdout_stderr.txt": "lines of Mesos' own log",
    "sandbox/tree_master_work_dir.txt": "a replicated log, which is one way to keep a registry",
    "scheduler/reserve_create_destroy_unreserve.json": "reservations and volumes, which come later",
}
"""Recordings that no test asks anything of, and why."""


def replayed() -> set[str]:
    """Recordings that test_situations.py takes by their folders."""
    folders = (*situations.IDLE_FOLDERS, *situations.RUNNING_FOLDERS, *situations.LATER_FOLDERS)
    return {name for folder in folders for name in situations.requests(folder)}


@transcripts.recorded
def test_every_recording_backs_a_test() -> None:
    """What real Mesos was seen to do is asked of every cluster, or it is said here why not."""
    every = {
        str(path.relative_to(transcripts.ROOT))
        for path in transcripts.ROOT.glob("*/**/*")
        if path.is_file()
    }
    assert len(every) > 1
    named = {name for path in MODULES if path.name != "test_suite.py" for name in recordings(path)}
    streams = {name for name in every if name.endswith(".recordio") and name.startswith(STREAMS)}
    tested = named | streams | replayed()
    assert sorted(every - tested - WITHOUT_TEST.keys()) == []
    assert sorted(WITHOUT_TEST.keys() - every) == []
