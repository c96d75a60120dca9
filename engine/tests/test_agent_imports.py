"""The agent's modules know each other in one direction."""

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pocket_mesos

AGENT = Path(pocket_mesos.__file__).parent / "agent"


def imports(node: ast.AST) -> Iterator[str]:
    """Modules of the agent that are imported for more than types, within functions too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.ImportFrom) and child.module == "pocket_mesos.agent":
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            _, found, module = child.module.partition("pocket_mesos.agent.")
            if found:
                yield module
        yield from imports(child)


def test_no_module_of_the_agent_imports_itself_by_way_of_others() -> None:
    """The sorter raises an error that names the circle."""
    graph = {path.stem: set(imports(ast.parse(path.read_text()))) for path in AGENT.glob("*.py")}
    order = list(TopologicalSorter(graph).static_order())
    assert order.index("delivery") < order.index("executors") < order.index("core")
