"""The JSON of Mesos' v1 API: offers and updates in, framework, executors and tasks out.

Valid for any Mesos; nothing here knows who sends it.
"""

import getpass
import shlex
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mapreduce import events, payload

FAILOVER_TIMEOUT = 60.0
"""Seconds for which tasks run on while the scheduler is away: a change of leader takes about 15."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all executors of a run are told: the command that starts them, the job, the server."""

    command: str
    job: str
    job_url: str | None
    server: str


def framework_info(job: str, user: str) -> Json:
    """Describe the framework; an empty user means whoever runs this.

    Checkpointing, so that executors live on while their agent restarts.
    """
    return {
        "name": f"mapreduce {job}",
        "user": user or getpass.getuser(),
        "hostname": socket.gethostname(),
        "checkpoint": True,
        "failover_timeout": FAILOVER_TIMEOUT,
    }


def offer(message: Json) -> events.Offer:
    """Read an offer; revocable and reserved resources are none of ours."""
    address = message.get("url", {}).get("address", {})
    return events.Offer(
        id=message["id"]["value"],
        agent_id=message["agent_id"]["value"],
        hostname=message["hostname"],
        address=f"{address.get('ip') or address.get('hostname')}:{address.get('port')}",
        cpus=_scalar(message["resources"], "cpus"),
        mem=_scalar(message["resources"], "mem"),
    )


def _scalar(resources: Sequence[Json], name: str) -> float:
    return sum(
        float(resource["scalar"]["value"])
        for resource in resources
        if resource["name"] == name
        and "revocable" not in resource
        and not resource.get("reservations")
    )


def receipt(status: Json) -> list[str] | None:
    """Read the checksums that an executor reports with a finished task; None if it does not.

    The master's answers to a reconciliation lack them. An empty list is a receipt: of nothing.
    """
    try:
        return [str(part) for part in payload.decode(status.get("data", ""))["parts"]]
    except (ValueError, KeyError, TypeError):
        return None


def update(status: Json, *, intact: bool) -> events.Update:
    """Read a task's status."""
    return events.Update(
        task_id=status["task_id"]["value"],
        state=status["state"],
        from_executor=status.get("source") == "SOURCE_EXECUTOR",
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        intact=intact,
    )


def task_info(
    task: events.Task, executor: events.Executor, references: Sequence[Json], setup: Setup, fw: str
) -> Json:
    """Describe a task; `references` are those of all inputs, `fw` is the framework's id.

    The task carries where its bytes are, never the bytes.
    """
    used = sorted({part.source for part in task.block.ranges})
    data = {
        "sources": {str(number): references[number] for number in used},
        "ranges": [[part.source, part.start, part.end] for part in task.block.ranges],
    }
    return {
        "name": task.id,
        "task_id": {"value": task.id},
        "agent_id": {"value": executor.agent_id},
        "resources": _resources(task.cpus, task.mem),
        "executor": executor_info(executor, setup, fw),
        "data": payload.encode(data),
    }


def executor_info(executor: events.Executor, setup: Setup, fw: str) -> Json:
    """Describe an executor; Mesos wants it the same in all tasks of an executor's."""
    command: Json = {"value": f"exec {shlex.quote(setup.command)}", "shell": True}
    if setup.job_url is not None:
        command["uris"] = [{"value": setup.job_url, "output_file": "job.py", "extract": False}]
    data = {"job": setup.job, "server": setup.server, "workers": executor.workers}
    return {
        "type": "CUSTOM",
        "executor_id": {"value": executor.id},
        "framework_id": {"value": fw},
        "name": executor.id,
        "command": command,
        "resources": _resources(executor.cpus, executor.mem),
        "data": payload.encode(data),
    }


def _resources(cpus: float, mem: float) -> list[Json]:
    return [
        {"name": name, "type": "SCALAR", "scalar": {"value": value}}
        for name, value in (("cpus", cpus), ("mem", mem))
    ]
