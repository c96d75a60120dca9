"""What make drf shows without a lab: the paper's example on a real master, agent and PyMesos."""

import itertools
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
ROW = re.compile(
    r" *\d+\.\d  ([AB]) +\| +([\d.]+) +(\d+) +([\d.]+) \| +([\d.]+) +(\d+) +([\d.]+) \|"
)


def test_the_papers_example_on_processes(tmp_path: Path) -> None:
    """A ends with three tasks, B with two, each with two thirds of what it needs most."""
    picture = tmp_path / "drf.png"
    command = [sys.executable, ROOT / "benchmarks" / "drf.py", "--lab", "there-is-none"]
    done = subprocess.run(
        [*command, "--picture", picture], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    rows = ROW.findall(done.stdout)
    assert sorted(row[0] for row in rows) == ["A", "A", "A", "B", "B"], done.stdout
    assert rows[-1][1:] == ("3.00", "12288", "0.667", "6.00", "2048", "0.667")
    # Whoever has less comes next; while both have nothing, either may.
    for before, row in itertools.pairwise(rows):
        first, second = float(before[3]), float(before[6])
        assert row[0] == ("A" if first < second else "B")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_without_a_master_it_says_so() -> None:
    """An address where nobody leads ends it with a sentence."""
    command = [sys.executable, ROOT / "benchmarks" / "drf.py", "--master", "127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == "drf: no master leads at 127.0.0.1:1\n"
