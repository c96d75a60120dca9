"""A real ZooKeeper server, the conformance suite's own, for the tests of elections."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the conformance suite's harness
from conformance.zookeeper import ZooKeeper, missing


@pytest.fixture
def zookeeper(tmp_path: Path) -> Iterator[ZooKeeper]:
    """A running server."""
    lacking = missing()
    if lacking is not None:
        if os.environ.get("MESOS_LAB_REQUIRE_ZK"):
            pytest.fail(f"{lacking}, and MESOS_LAB_REQUIRE_ZK is set")
        pytest.skip(lacking)
    folder = tmp_path / "zookeeper"
    folder.mkdir()
    server = ZooKeeper(folder)
    yield server
    server.close()
