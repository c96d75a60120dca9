"""What the agent's operator API shows: the v1 messages of GET_STATE and its parts."""

from collections.abc import Iterator
from typing import Any

from pocket_mesos.agent.core import Agent
from pocket_mesos.agent.state import Executor, Framework, Task
from pocket_mesos.protocol import codec

_SHARED = ("health_check", "check", "kill_policy", "max_completion_time", "labels", "discovery",
           "container", "limits")  # fmt: skip
"""Fields of TaskInfo that Task has as well."""


def state(agent: Agent) -> dict[str, Any]:
    """Answer GET_STATE."""
    return {
        "get_tasks": tasks(agent),
        "get_executors": executors(agent),
        "get_frameworks": frameworks(agent),
    }


def frameworks(agent: Agent) -> dict[str, Any]:
    """Answer GET_FRAMEWORKS."""
    return {
        "frameworks": [_framework(one) for one in agent.frameworks.values()],
        "completed_frameworks": [_framework(one) for one in agent.completed_frameworks],
    }


def executors(agent: Agent) -> dict[str, Any]:
    """Answer GET_EXECUTORS."""
    return {
        "executors": [_executor(one) for one in _live(agent)],
        "completed_executors": [_executor(one) for one in _completed(agent)],
    }


def tasks(agent: Agent) -> dict[str, Any]:
    """Answer GET_TASKS."""
    live, completed = list(_live(agent)), list(_completed(agent))
    return {
        "pending_tasks": [],
        "queued_tasks": [_task(agent, e, t) for e in live for t in e.queued.values()],
        "launched_tasks": [_task(agent, e, t) for e in live for t in e.launched.values()],
        "terminated_tasks": [_task(agent, e, t) for e in live for t in e.terminated.values()],
        "completed_tasks": [_task(agent, e, t) for e in (*live, *completed) for t in e.completed],
    }


def _all_frameworks(agent: Agent) -> Iterator[Framework]:
    yield from agent.frameworks.values()
    yield from agent.completed_frameworks


def _live(agent: Agent) -> Iterator[Executor]:
    for framework in _all_frameworks(agent):
        yield from framework.executors.values()


def _completed(agent: Agent) -> Iterator[Executor]:
    for framework in _all_frameworks(agent):
        yield from reversed(framework.completed)


def _framework(framework: Framework) -> dict[str, Any]:
    return {"framework_info": codec.to_builtins(framework.info)}


def _executor(executor: Executor) -> dict[str, Any]:
    return {"executor_info": codec.to_builtins(executor.info)}


def _task(agent: Agent, executor: Executor, task: Task) -> dict[str, Any]:
    info = codec.to_builtins(task.info)
    shown: dict[str, Any] = {
        "name": info["name"],
        "task_id": info["task_id"],
        "framework_id": {"value": executor.framework.id},
    }
    if not executor.command:
        shown["executor_id"] = {"value": executor.id}
    shown["agent_id"] = info["agent_id"]
    shown["state"] = task.state.value
    shown["resources"] = info.get("resources", [])
    shown["statuses"] = [codec.to_builtins(one) for one in task.statuses]
    latest = task.statuses[-1] if task.statuses else None
    stream = agent.streams.find(executor.framework.id, task.id)
    head = latest if stream is None or stream.head is None else stream.head
    if head is not None:
        status = codec.to_builtins(head)
        shown["status_update_state"] = status["state"]
        shown["status_update_uuid"] = status["uuid"]
    return shown | {name: info[name] for name in _SHARED if name in info}
