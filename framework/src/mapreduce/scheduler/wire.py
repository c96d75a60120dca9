"""The JSON of Mesos' v1 API: offers and updates in, framework, executors and tasks out.

Valid for any Mesos; nothing here knows who sends it.
"""

import getpass
import shlex
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mapreduce.core import events
from mapreduce.core.cutter import Block
from mapreduce.exchange import payload
from mapreduce.scheduler import timeline

FAILOVER_TIMEOUT = 120.0
"""Seconds for which tasks run on while the scheduler is away: a change of leader takes about 15,
and a scheduler that was killed is resumed by hand."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What all executors of a run are told; the same for as long as the run lasts.

    `command` starts them; `job` and `arguments` are what they load; `shipped` are the files that
    are fetched into their sandboxes, by name with their URLs, `packages` those among them that go
    into the module path; `server` is the scheduler's, `token` that of their own servers; `bytes`
    is what the inputs hold, None where they do not tell.
    """

    command: str
    job: str
    arguments: Mapping[str, str]
    shipped: Mapping[str, str]
    packages: Sequence[str]
    server: str
    token: str
    bytes: int | None


def framework_info(
    job: str, user: str, framework_id: str | None = None, principal: str | None = None
) -> Json:
    """Describe the framework; an empty user means whoever runs this.

    Checkpointing, so that executors live on while their agent restarts.
    """
    info: Json = {
        "name": f"mapreduce {job}",
        "user": user or getpass.getuser(),
        "hostname": socket.gethostname(),
        "checkpoint": True,
        "failover_timeout": FAILOVER_TIMEOUT,
    }
    if framework_id is not None:
        info["id"] = {"value": framework_id}
    if principal is not None:
        info["principal"] = principal
    return info


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


def told(status: Json) -> Json:
    """Read what an executor says with a status of its own; {} where it says nothing.

    The master's answers to a reconciliation lack it.
    """
    try:
        return payload.decode(status.get("data", ""))
    except (ValueError, TypeError):
        return {}


def receipt(status: Json) -> Json | None:
    """Read the receipt of a finished task, None where there is none that is complete.

    Its `parts` are digests of what was sent, its `runs` describe what was kept.
    """
    found = told(status)
    try:
        parts = [str(part) for part in found["parts"]]
        runs = [
            {name: str(run[name]) for name in ("name", "path", "url", "sizes")}
            for run in found.get("runs", ())
        ]
        timing = {str(name): float(value) for name, value in found.get("timing", {}).items()}
        counts: Json = {name: int(found[name]) for name in ("pairs", "keys") if name in found}
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return {"parts": parts, "runs": runs, "timing": timing, **counts}


def update(status: Json, found: Json | None, *, intact: bool) -> events.Update:
    """Read a task's status; `found` is its receipt, `intact` whether all its parts are here."""
    said = told(status) if status["state"] == "TASK_FAILED" else {}
    timing = found["timing"] if found is not None else {}
    kept = bool(found and found["runs"])
    return events.Update(
        task_id=status["task_id"]["value"],
        state=status["state"],
        from_executor=status.get("source") == "SOURCE_EXECUTOR",
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        intact=intact,
        kept=intact and kept,
        seconds=timeline.seconds(timing),
        bytes=int(timing.get("bytes", 0)),
        block_fault=said.get("block_fault") is True,
        unreachable=str(said.get("unreachable") or ""),
    )


def task_info(
    task: events.Task,
    executor: events.Executor,
    references: Sequence[Json],
    setup: Setup,
    framework_id: str,
    *,
    runs: str,
    top: int | None,
) -> Json:
    """Describe a task; `references` are those of all inputs, `runs` is where the run list is.

    The task carries where its bytes are, never the bytes.
    """
    if isinstance(task.content, Block):
        data = _map_data(task.content, references, keep=task.keep)
    else:
        buckets = [task.content.start, task.content.stop]
        data = {"reduce": {"buckets": buckets, "runs": runs}, "top": top}
    return {
        "name": task.id,
        "task_id": {"value": task.id},
        "agent_id": {"value": executor.agent_id},
        "resources": _resources(task.cpus, task.mem),
        "executor": executor_info(executor, setup, framework_id),
        "data": payload.encode(data),
    }


def _map_data(block: Block, references: Sequence[Json], *, keep: bool) -> Json:
    used = sorted({part.source for part in block.ranges})
    return {
        "map": {
            "sources": {str(number): references[number] for number in used},
            "ranges": [[part.source, part.start, part.end] for part in block.ranges],
        },
        "keep": keep,
    }


def executor_info(executor: events.Executor, setup: Setup, framework_id: str) -> Json:
    """Describe an executor; Mesos wants it the same in all tasks of an executor's."""
    command: Json = {"value": f"exec {shlex.quote(setup.command)}", "shell": True}
    if setup.shipped:
        command["uris"] = [
            {"value": url, "output_file": name, "extract": False}
            for name, url in setup.shipped.items()
        ]
    data = {
        "job": setup.job,
        "arguments": dict(setup.arguments),
        "packages": list(setup.packages),
        "server": setup.server,
        "token": setup.token,
        "workers": executor.workers,
        "worker_mem": executor.worker_mem,
        "patience": FAILOVER_TIMEOUT,
    }
    if setup.bytes is not None:
        data["bytes"] = setup.bytes
    return {
        "type": "CUSTOM",
        "executor_id": {"value": executor.id},
        "framework_id": {"value": framework_id},
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
