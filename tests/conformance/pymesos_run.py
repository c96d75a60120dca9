"""Runs the suite's PyMesos scheduler against a cluster, and judges what it was told."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .cluster import is_loopback
from .custom_executor import inline

if TYPE_CHECKING:
    from .cluster import Cluster

HERE = Path(__file__).parent
STATES = {
    "first": ["TASK_RUNNING", "TASK_FINISHED"],
    "second": ["TASK_RUNNING", "TASK_FINISHED"],
    "lasting": ["TASK_RUNNING", "TASK_KILLED"],
}


def python_of(cluster: Cluster) -> str:
    """Return a Python with PyMesos on the agent; skip when none is known."""
    named = os.environ.get("MESOS_PYMESOS_PYTHON")
    if named:
        return named
    if not is_loopback(cluster.agent.address.host):
        pytest.skip("name a Python with PyMesos on the agents in MESOS_PYMESOS_PYTHON")
    return sys.executable


def run(cluster: Cluster, master: str, *, role: str = "conformance-pymesos") -> dict[str, Any]:
    """Run scheduler and executor to their end; return what the scheduler was told."""
    if importlib.util.find_spec("pymesos") is None:
        pytest.skip(f"no PyMesos in {sys.executable}")
    given = {
        "master": master,
        "user": cluster.user,
        "role": role,
        "agent_id": cluster.agent.agent_id,
        "executor": inline(HERE / "pymesos_executor.py", python_of(cluster)),
    }
    if cluster.master.credential is not None:
        given["principal"], given["secret"] = cluster.master.credential
    program = [sys.executable, str(HERE / "pymesos_scheduler.py")]
    done = subprocess.run(
        program, input=json.dumps(given), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def problems(told: dict[str, Any]) -> list[str]:
    """Say what is wrong with what the scheduler was told."""
    found = [f"error: {error}" for error in told["errors"]]
    if not re.fullmatch(r"[0-9.]+", told.get("master_version") or ""):
        found.append(f"version: {told.get('master_version')}")
    if told["messages"] != ["echo:hello"]:
        found.append(f"messages: {told['messages']}")
    for task_id, states in STATES.items():
        updates = [item for item in told["updates"] if item["task_id"]["value"] == task_id]
        if [item["state"] for item in updates] != states:
            found.append(f"{task_id}: {[item['state'] for item in updates]}")
        elif states[-1] == "TASK_FINISHED" and base64.b64decode(updates[-1]["data"]) != b"result":
            found.append(f"{task_id}: {updates[-1].get('data')}")
    return found
