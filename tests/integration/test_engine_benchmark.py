"""The benchmark of Pocket's daemons runs, and tells what it measured."""

import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def test_it_measures_and_reports(tmp_path):
    """Each load as often as asked, every task accounted for; table and picture are written."""
    command = [sys.executable, BENCHMARKS / "engine.py", "--quick", "--rounds", "1"]
    subprocess.run([*command, "--folder", tmp_path], check=True, capture_output=True, timeout=600)
    results = json.loads((tmp_path / "engine.json").read_text())
    for runs in results["throughput"].values():
        assert [len(run["to running"]) for run in runs] == [run["tasks"] for run in runs]
    (thousand,) = results["thousand"]
    assert len(thousand["running"]) == len(thousand["gone"]) == thousand["tasks"]
    assert thousand["cpu"]["executors and their tasks"] > thousand["cpu"]["master"] >= 0
    assert results["memory"][-1]["tasks"] == 500
    assert "idle: median" in (tmp_path / "engine.md").read_text()
    assert (tmp_path / "engine.png").read_bytes().startswith(b"\x89PNG")
