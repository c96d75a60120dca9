"""What the agent's operator API shows: the v1 messages of GET_STATE and its parts."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pocket_mesos.agent.core import Agent
from pocket_mesos.agent.state import Executor, Framework, Task
from pocket_mesos.authorization import Viewer
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.mesos import ExecutorType

_SHARED = ("health_check", "check", "kill_policy", "max_completion_time", "labels", "discovery",
           "container", "limits")  # fmt: skip
"""Fields of TaskInfo that Task has as well."""


def state(agent: Agent, viewer: Viewer) -> dict[str, Any]:
    """Answer GET_STATE."""
    return {
        "get_tasks": tasks(agent, viewer),
        "get_executors": executors(agent, viewer),
        "get_frameworks": frameworks(agent, viewer),
    }


def agent(agent: Agent) -> dict[str, Any]:
    """Answer GET_AGENT."""
    shown: dict[str, Any] = {"agent_info": codec.to_builtins(agent.info)}
    if agent.deactivation is not None and agent.draining is not None:
        shown["drain_config"] = agent.draining
        # Whole seconds, as in Mesos.
        seconds = int(agent.deactivation.drain_start or 0)
        shown["estimated_drain_start_time"] = {"nanoseconds": seconds * 10**9}
    return shown


def frameworks(agent: Agent, viewer: Viewer) -> dict[str, Any]:
    """Answer GET_FRAMEWORKS."""
    live, completed = agent.frameworks.values(), agent.completed_frameworks
    return {
        "frameworks": [_framework(one) for one in live if viewer.framework(one.info)],
        "completed_frameworks": [
            _framework(one) for one in completed if viewer.framework(one.info)
        ],
    }


def executors(agent: Agent, viewer: Viewer) -> dict[str, Any]:
    """Answer GET_EXECUTORS."""
    return {
        "executors": [_executor(one) for one in _live(agent, viewer)],
        "completed_executors": [_executor(one) for one in _completed(agent, viewer)],
    }


def tasks(agent: Agent, viewer: Viewer) -> dict[str, Any]:
    """Answer GET_TASKS."""
    live, completed = list(_live(agent, viewer)), list(_completed(agent, viewer))

    def shown(of: Iterable[Executor], some: Callable[[Executor], Iterable[Task]]) -> list[Any]:
        return [
            _task(agent, executor, one)
            for executor in of
            for one in viewer.tasks(executor.framework.info, some(executor), lambda t: t.info)
        ]

    return {
        "pending_tasks": [],
        "queued_tasks": shown(live, lambda e: e.queued.values()),
        "launched_tasks": shown(live, lambda e: e.launched.values()),
        "terminated_tasks": shown(live, lambda e: e.terminated.values()),
        "completed_tasks": shown([*live, *completed], lambda e: e.completed),
    }


def _frameworks(agent: Agent, viewer: Viewer) -> Iterator[Framework]:
    for framework in (*agent.frameworks.values(), *agent.completed_frameworks):
        if viewer.framework(framework.info):
            yield framework


def _live(agent: Agent, viewer: Viewer) -> Iterator[Executor]:
    for framework in _frameworks(agent, viewer):
        for executor in framework.executors.values():
            if viewer.executor(framework.info, executor.info):
                yield executor


def _completed(agent: Agent, viewer: Viewer) -> Iterator[Executor]:
    for framework in _frameworks(agent, viewer):
        for executor in reversed(framework.completed):
            if viewer.executor(framework.info, executor.info):
                yield executor


def _framework(framework: Framework) -> dict[str, Any]:
    return {"framework_info": codec.to_builtins(framework.info)}


def _executor(executor: Executor) -> dict[str, Any]:
    info = codec.to_builtins(executor.info)
    if executor.info.type is ExecutorType.DEFAULT:
        info.pop("command", None)  # the agent's own, which nobody has asked for
    return {"executor_info": info}


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
