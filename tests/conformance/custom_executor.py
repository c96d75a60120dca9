"""Custom executors as tasks name them: commands that carry their own program.

The agent needs nothing but `python3` on its PATH, wherever it runs.
"""

from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

from .cluster import eventually
from .scheduler import Json, Scheduler, bare_task, small

PROGRAM = Path(__file__).with_name("raw_executor.py")


def inline(program: Path, python: str = "python3") -> str:
    """Return a shell command that runs a Python program it carries itself."""
    packed = base64.b64encode(zlib.compress(program.read_bytes(), 9)).decode()
    unpack = f"import base64,zlib;exec(zlib.decompress(base64.b64decode('{packed}')))"
    return f'exec {python} -c "{unpack}"'


def executor_info(
    executor_id: str,
    framework_id: str,
    *,
    command: str | None = None,
    before: list[Json] | None = None,
    environment: dict[str, str] | None = None,
    **fields: Any,
) -> Json:
    """Describe the suite's own executor, or one of another command.

    `before` are actions that it takes before it subscribes.
    """
    variables = dict(environment or {})
    if before:
        variables["CONFORMANCE_ACTIONS"] = json.dumps(before)
    info: Json = {"value": command or inline(PROGRAM)}
    if variables:
        pairs = [{"name": name, "value": value} for name, value in variables.items()]
        info["environment"] = {"variables": pairs}
    return {
        "executor_id": {"value": executor_id},
        "framework_id": {"value": framework_id},
        "type": "CUSTOM",
        "command": info,
        "resources": small(),
        **fields,
    }


def actions(*items: Json) -> str:
    """Encode actions as a task's `data`."""
    return base64.b64encode(json.dumps(items).encode()).decode()


def update(state: str, message: str | None = None, data: str | None = None) -> Json:
    """Return the action that sends a status of the current task."""
    return {"do": "update", "state": state, "message": message, "data": data}


REPORT: Json = {"do": "report"}
RUNNING = update("TASK_RUNNING")


def executor_task(task_id: str, agent_id: str, executor: Json, *items: Json, **fields: Any) -> Json:
    """Describe a task of a custom executor, which obeys these actions when it comes."""
    return bare_task(task_id, agent_id, executor=executor, data=actions(*items), **fields)


def report_of(scheduler: Scheduler, agent_id: str, executor_id: str) -> Json:
    """Ask the suite's executor what it has seen."""
    known = len(scheduler.messages())
    scheduler.send(agent_id, executor_id, json.dumps([REPORT]).encode())
    eventually(lambda: len(scheduler.messages()) > known, f"report of {executor_id}")
    return dict(json.loads(scheduler.messages()[known]))
