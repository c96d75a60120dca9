"""The allocator's benchmark runs, and tells what it measured."""

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_it_measures_and_reports(tmp_path):
    """Each kind of allocation as often as asked, at each size; table and picture are written."""
    command = [sys.executable, BENCHMARKS / "allocator.py", "--agents", "10", "20"]
    options = ["--frameworks", "3", "--rounds", "2", "--folder", tmp_path]
    subprocess.run([*command, *options], check=True, capture_output=True, timeout=300)
    results = json.loads((tmp_path / "allocator.json").read_text())
    assert [entry["agents"] for entry in results["sizes"]] == [10, 20]
    assert all(
        len(entry[name]) == 2
        for entry in results["sizes"]
        for name in ("free", "filtered", "grown")
    )
    assert "| 20 |" in (tmp_path / "allocator.md").read_text()
    assert (tmp_path / "allocator.png").read_bytes().startswith(b"\x89PNG")
