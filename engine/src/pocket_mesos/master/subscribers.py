"""Operators' event streams: what happens to agents, frameworks and tasks, told as it happens.

Each subscriber is told what it may see. As in Mesos, nothing is told of agents that are
disconnected, unreachable, drained or gone; those that return are added again.
"""

from collections.abc import Callable
from typing import Any

from pocket_mesos.authorization import Viewer
from pocket_mesos.master import actions, events, operator_views
from pocket_mesos.master.context import Master
from pocket_mesos.master.state import Agent, Framework, Task
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import TaskStatus

HEARTBEAT_SECONDS = 15.0

Json = dict[str, Any]


def subscribe(m: Master, event: events.OperatorSubscribed) -> None:
    """Tell a new subscriber everything first; the oldest makes room for it if need be."""
    while len(m.state.subscribers) >= m.config.max_subscribers:
        oldest = next(iter(m.state.subscribers))
        del m.state.subscribers[oldest]
        m.actions.append(actions.CloseOperator(stream_id=oldest))
    viewer = Viewer(m.config.authorizer, event.principal)
    m.state.subscribers[event.stream_id] = viewer
    subscribed = {
        "get_state": operator_views.state(m.state, viewer),
        "heartbeat_interval_seconds": HEARTBEAT_SECONDS,
    }
    for told in ({"type": "SUBSCRIBED", "subscribed": subscribed}, {"type": "HEARTBEAT"}):
        m.actions.append(actions.SendToOperator(stream_id=event.stream_id, event=told))


def unsubscribe(m: Master, event: events.OperatorUnsubscribed) -> None:
    """Forget a subscriber that is gone."""
    m.state.subscribers.pop(event.stream_id, None)


def agent_added(m: Master, agent: Agent) -> None:
    """Tell of an agent that has been admitted, for the first time or again, and of its tasks."""
    _tell(m, "AGENT_ADDED", lambda viewer: _agent(m, viewer, agent))
    for task in agent.tasks.values():
        task_added(m, task)


def agent_removed(m: Master, agent: Agent) -> None:
    """Tell of an agent that will not come back."""
    _tell(m, "AGENT_REMOVED", lambda _: {"agent_id": {"value": agent.id}})


def framework_added(m: Master, framework: Framework) -> None:
    """Tell of a framework that has subscribed, or that an agent has told of."""
    _tell_framework(m, "FRAMEWORK_ADDED", framework, lambda: _framework(framework))


def framework_updated(m: Master, framework: Framework) -> None:
    """Tell of a framework that has subscribed again or changed itself."""
    _tell_framework(m, "FRAMEWORK_UPDATED", framework, lambda: _framework(framework))


def framework_removed(m: Master, framework: Framework) -> None:
    """Tell of a framework that is over."""
    _tell_framework(m, "FRAMEWORK_REMOVED", framework, lambda: {"framework_info": framework.info})


def task_added(m: Master, task: Task) -> None:
    """Tell of a task that has been launched, or that an agent has brought along."""
    _tell_task(m, "TASK_ADDED", task, lambda: {"task": operator_views.task_alone(task)})


def task_updated(m: Master, task: Task, status: TaskStatus) -> None:
    """Tell of a status of a task, and of the latest state that is known."""
    _tell_task(
        m,
        "TASK_UPDATED",
        task,
        lambda: {
            "framework_id": {"value": task.framework_id},
            "status": replace(status, data=None),
            "state": task.state,
        },
    )


def _agent(m: Master, viewer: Viewer, agent: Agent) -> Json:
    # Unlike what GET_AGENTS shows, the info is what the agent gave.
    return {"agent": operator_views.agent(m.state, viewer, agent) | {"agent_info": agent.info}}


def _framework(framework: Framework) -> Json:
    return {"framework": operator_views.framework_alone(framework)}


def _tell_framework(
    m: Master, type_: str, framework: Framework, content: Callable[[], Json]
) -> None:
    _tell(m, type_, lambda viewer: content() if viewer.framework(framework.info) else None)


def _tell_task(m: Master, type_: str, task: Task, content: Callable[[], Json]) -> None:
    def shown(viewer: Viewer) -> Json | None:
        owner = m.state.frameworks[task.framework_id].info
        if not viewer.framework(owner):
            return None
        return content() if list(viewer.tasks(owner, [task], lambda one: one.info)) else None

    _tell(m, type_, shown)


def _tell(m: Master, type_: str, content: Callable[[Viewer], Json | None]) -> None:
    """Tell each subscriber; ``content`` makes what one may see, None where that is nothing."""
    for stream_id, viewer in m.state.subscribers.items():
        shown = content(viewer)
        if shown is not None:
            event = {"type": type_, type_.lower(): shown}
            m.actions.append(actions.SendToOperator(stream_id=stream_id, event=event))
