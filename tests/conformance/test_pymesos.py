"""Unmodified PyMesos, as scheduler and as executor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import pymesos_run
from .cluster import eventually

if TYPE_CHECKING:
    from .cluster import Cluster


@pytest.mark.transcript("figures/throughput.json")
def test_pymesos(cluster: Cluster) -> None:
    """A PyMesos scheduler runs tasks on a PyMesos executor: statuses, data, messages, kill."""
    told = pymesos_run.run(cluster, str(cluster.master))
    assert pymesos_run.problems(told) == []
    framework_id = told["framework_id"]
    over = eventually(lambda: cluster.completed(framework_id), "its framework torn down")
    assert {task["state"] for task in over["completed_tasks"]} == {"TASK_FINISHED", "TASK_KILLED"}
