"""The benchmark of a change of leader runs, and tells what it measured."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conformance.zookeeper import missing

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
def test_it_measures_and_reports(tmp_path):
    """Each step once a round, in order; table and picture are written."""
    command = [sys.executable, BENCHMARKS / "failover.py", "--rounds", "1"]
    subprocess.run([*command, "--folder", tmp_path], check=True, capture_output=True, timeout=900)
    (run,) = json.loads((tmp_path / "failover.json").read_text())["runs"]
    assert list(run) == ["detected", "serving", "agents", "framework", "offer"]
    assert 0 < run["detected"] < run["serving"] <= run["agents"]
    assert run["serving"] < run["framework"] < run["offer"]
    assert "it has an offer" in (tmp_path / "failover.md").read_text()
    assert (tmp_path / "failover.png").read_bytes().startswith(b"\x89PNG")
