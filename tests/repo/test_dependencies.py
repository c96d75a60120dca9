"""Who may know whom: the core no world, the framework no engine, the roles no sources."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "engine" / "src"
FRAMEWORK = ROOT / "framework" / "src"

CORES = (
    (ENGINE, "pocket_mesos.resources"),
    (ENGINE, "pocket_mesos.protocol"),
    (ENGINE, "pocket_mesos.allocator"),
    (ENGINE, "pocket_mesos.master.core"),
    (ENGINE, "pocket_mesos.agent.core"),
    (FRAMEWORK, "mapreduce.core"),
)
"""Where engine and framework decide: time, ids and randomness enter as values, actions leave."""

WORLD = {
    *("asyncio", "aiohttp", "uvloop", "kazoo", "socket", "selectors", "ssl", "http", "urllib"),
    *("os", "shutil", "tempfile", "subprocess", "multiprocessing", "signal", "threading"),
    *("time", "random", "secrets", "uuid.uuid1", "uuid.uuid4"),
}
"""What waits, opens, reads a clock or rolls dice. Paths and UUIDs are mere values."""


def module_file(source: Path, name: str) -> Path | None:
    """Return the file of a module of that source tree, None if there is no such module."""
    path = source.joinpath(*name.split("."))
    candidates = (path.with_suffix(".py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def modules(source: Path, package: str) -> list[str]:
    """Return the names of a package and all modules below it, or of the one module."""
    folder = source.joinpath(*package.split("."))
    if not folder.is_dir():
        return [package]
    names = (file.relative_to(source).with_suffix("").parts for file in folder.rglob("*.py"))
    return [".".join(parts[:-1] if parts[-1] == "__init__" else parts) for parts in names]


def imports(source: Path, name: str) -> Iterator[str]:
    """Yield what a module imports when it is loaded, by full name."""
    file = module_file(source, name)
    assert file is not None, f"there is no module {name}"
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -node.level + 1 or None] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def closure(source: Path, roots: list[str]) -> dict[str, set[str]]:
    """Return every module of the tree that the roots load, and all that each imports."""
    found: dict[str, set[str]] = {}
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = set(imports(source, name))
            waiting.extend(one for one in found[name] if module_file(source, one))
    return found


def users(loaded: dict[str, set[str]], forbidden: set[str]) -> dict[str, set[str]]:
    """Return the modules that import something forbidden or part of it, and what they import."""
    guilty = {
        name: {one for one in used if any(f"{one}.".startswith(f"{bad}.") for bad in forbidden)}
        for name, used in loaded.items()
    }
    return {name: used for name, used in guilty.items() if used}


@pytest.mark.parametrize(("source", "core"), CORES)
def test_the_core_touches_no_world(source, core):
    """Nothing that a core module loads can wait, read a clock, roll dice or open anything."""
    loaded = closure(source, modules(source, core))
    assert len(loaded) > 1
    assert users(loaded, WORLD) == {}


def test_the_framework_meets_the_engine_only_on_the_wire():
    """The framework runs on any Mesos, so it knows nothing of the bundled one; nor the reverse."""
    for source, package, foreign in (
        (FRAMEWORK, "mapreduce", "pocket_mesos"),
        (ENGINE, "pocket_mesos", "mapreduce"),
    ):
        loaded = closure(source, modules(source, package))
        assert users(loaded, {foreign}) == {}


def test_roles_and_playbooks_know_wheels_and_not_sources():
    """What is installed on a node is a built distribution."""
    files = [*ROOT.glob("roles/**/*"), *ROOT.glob("playbooks/**/*.yml"), ROOT / "site.yml"]
    sources = re.compile(r"\b(engine|framework|compat)/(src|http-parser|pyproject)")
    guilty = [
        str(file.relative_to(ROOT))
        for file in files
        if file.is_file() and file.suffix != ".pyc" and sources.search(file.read_text())
    ]
    assert guilty == []
