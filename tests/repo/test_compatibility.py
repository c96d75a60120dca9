"""docs/compatibility.md says of each feature what it is, and names the tests that back it."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
CONFORMANCE = ROOT / "tests" / "conformance"
TEST = re.compile(r"`((?:[\w./-]+/)?test_\w+\.py)(?:::(\w+))?`")


class Row(NamedTuple):
    """A line of one of the tables."""

    feature: str
    verdict: str
    tests: str


def rows() -> list[Row]:
    """Read the tables."""
    lines = (ROOT / "docs" / "compatibility.md").read_text().splitlines()
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("| ")]
    assert {len(one) for one in cells} == {3}, [one for one in cells if len(one) != 3]
    found = [Row(*(cell.strip() for cell in one)) for one in cells]
    return [row for row in found if row.feature != "Feature"]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.feature[:60])
def test_each_row_says_what_holds_and_names_tests_that_exist(row):
    """A verdict without a test is a promise; one with a test that is gone is worse."""
    assert re.match(r"(same|differs|absent)\b", row.verdict), row.verdict
    named = TEST.findall(row.tests)
    assert named, "names no test"
    assert TEST.sub("", row.tests).strip(" ,") == "", "holds more than tests"
    for path, function in named:
        file = ROOT / path if "/" in path else CONFORMANCE / path
        assert file.is_file(), path
        assert functions(file), path
        assert not function or function in functions(file), f"{path}::{function}"


@cache
def functions(file: Path) -> frozenset[str]:
    """List the tests of a file."""
    tree = ast.parse(file.read_text())
    defined = (
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
    return frozenset(name for name in defined if name.startswith("test_"))


LATER = (
    "Reservations and volumes",
    "Shared resources",
    "Maintenance",
    "Inverse offers",
    "Oversubscription",
    "Rate limits",
    "Interactive sessions",
    "protobuf",
)


@pytest.mark.parametrize("feature", LATER)
def test_what_comes_later_has_its_row(feature):
    """Who looks for one of the larger parts of Mesos finds that it is absent."""
    (row,) = [row for row in rows() if row.feature.startswith(feature)]
    assert row.verdict.startswith("absent")
