"""The JSON that the agent's endpoints show: /state and what it is made of."""

from collections.abc import Iterable
from typing import Any

from pocket_mesos.agent.core import Agent
from pocket_mesos.agent.settings import CAPABILITIES
from pocket_mesos.agent.state import Executor, Framework, Task, allocated, role_of
from pocket_mesos.authorization import Viewer
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.mesos import DiscoveryInfo, Labels, TaskInfo, TaskStatus
from pocket_mesos.resources import EMPTY, Resources, attributes_model, model
from pocket_mesos.version import build_info


def state(
    agent: Agent, viewer: Viewer, start_time: float, flags: dict[str, str], log_dir: str | None
) -> Any:
    """Return the body of /state, as far as somebody may see it."""
    total = Resources.of(agent.info.resources)
    held = model(allocated(agent.frameworks))
    body: dict[str, Any] = {
        **build_info(),
        "start_time": start_time,
        "id": "" if agent.info.id is None else agent.id,
        "pid": agent.settings.pid,
        "hostname": agent.info.hostname,
        "capabilities": list(CAPABILITIES),
        "resources": model(total),
        "reserved_resources": {},
        "unreserved_resources": model(total),
        "reserved_resources_full": {},
        "unreserved_resources_full": [
            codec.to_builtins(one) | {"role": one.role or "*"} for one in agent.info.resources
        ],
        "reserved_resources_allocated": {},
        "unreserved_resources_allocated": held,
        "resource_providers": [],
        "attributes": attributes_model(agent.info.attributes),
    }
    if agent.leader is not None:
        body["master_hostname"] = agent.leader.hostname
    if log_dir is not None and viewer.flags:
        body["log_dir"] = log_dir
    if viewer.flags:
        body["flags"] = flags
    if agent.deactivation is not None and agent.draining is not None:
        body["drain_config"] = agent.draining
        body["estimated_drain_start_time_seconds"] = agent.deactivation.drain_start
    for name, some in (
        ("frameworks", agent.frameworks.values()),
        ("completed_frameworks", agent.completed_frameworks),
    ):
        body[name] = [_framework(one, viewer) for one in some if viewer.framework(one.info)]
    return body


def _framework(framework: Framework, viewer: Viewer) -> dict[str, Any]:
    info = framework.info
    shown: dict[str, Any] = {
        "id": framework.id,
        "name": info.name,
        "user": info.user,
        "failover_timeout": info.failover_timeout,
        "checkpoint": info.checkpoint,
        "hostname": info.hostname or "",
    }
    if info.principal is not None:
        shown["principal"] = info.principal
    if framework.has_capability("MULTI_ROLE"):
        shown["roles"] = list(info.roles)
    else:
        shown["role"] = info.role or "*"
    for name, some in (
        ("executors", framework.executors.values()),
        ("completed_executors", reversed(framework.completed)),
    ):
        shown[name] = [_executor(one, viewer) for one in some if viewer.executor(info, one.info)]
    return shown


def _executor(executor: Executor, viewer: Viewer) -> dict[str, Any]:
    info = executor.info
    shown: dict[str, Any] = {
        "id": executor.id,
        "name": info.name or "",
        "source": info.source or "",
        "container": executor.container_id,
        "directory": executor.directory,
        "resources": model(executor.resources),
    }
    role = role_of(info.resources) or next(
        (found for task in executor.live_tasks if (found := role_of(task.info.resources))), None
    )
    if role is not None:
        shown["role"] = role
    if info.labels is not None:
        shown["labels"] = _labels(info.labels)
    if info.type is not None:
        shown["type"] = info.type.value

    def visible(tasks: Iterable[Task]) -> Iterable[Task]:
        return viewer.tasks(executor.framework.info, tasks, lambda one: one.info)

    ended = (*executor.terminated.values(), *executor.completed)
    shown["tasks"] = [_task(executor, one) for one in visible(executor.launched.values())]
    shown["queued_tasks"] = [
        _queued(executor, one.info) for one in visible(executor.queued.values())
    ]
    shown["completed_tasks"] = [_task(executor, one) for one in visible(ended)]
    return shown


def _task(executor: Executor, task: Task) -> dict[str, Any]:
    info = task.info
    shown: dict[str, Any] = {
        "id": task.id,
        "name": info.name,
        "framework_id": executor.framework.id,
        "executor_id": "" if executor.command else executor.id,
        "slave_id": info.agent_id.value,
        "state": task.state.value,
        "resources": model(Resources.of(info.resources)),
    }
    if (role := role_of(info.resources)) is not None:
        shown["role"] = role
    shown["statuses"] = [_status(one) for one in task.statuses]
    if info.labels is not None:
        shown["labels"] = _labels(info.labels)
    if info.discovery is not None:
        shown["discovery"] = _discovery(info.discovery)
    if info.container is not None:
        shown["container"] = codec.to_builtins(info.container)
    return shown


def _queued(executor: Executor, info: TaskInfo) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": info.task_id.value,
        "name": info.name,
        "framework_id": executor.framework.id,
        "executor_id": "" if executor.command else executor.id,
        "slave_id": info.agent_id.value,
        "resources": model(Resources.of(info.resources)),
        "data": "",
    }
    if (role := role_of(info.resources)) is not None:
        shown["role"] = role
    if info.labels is not None:
        shown["labels"] = _labels(info.labels)
    return shown


def _status(status: TaskStatus) -> dict[str, Any]:
    shown: dict[str, Any] = {"state": status.state.value, "timestamp": status.timestamp}
    if status.labels is not None:
        shown["labels"] = _labels(status.labels)
    if status.container_status is not None:
        container = codec.to_builtins(status.container_status)
        container.pop("executor_pid", None)
        shown["container_status"] = container
    if status.healthy is not None:
        shown["healthy"] = status.healthy
    if status.check_status is not None:
        shown["check_status"] = status.check_status
    return shown


def _labels(labels: Labels) -> list[Any]:
    return [codec.to_builtins(one) for one in labels.labels]


def _discovery(discovery: DiscoveryInfo) -> Any:
    return codec.to_builtins(discovery)


def sandboxes(agent: Agent) -> dict[str, Executor]:
    """Return whose sandboxes /files shows: executors by the names that lead to their folders."""
    shown: dict[str, Executor] = {}
    frameworks = (*agent.completed_frameworks, *agent.frameworks.values())
    for framework in frameworks:
        for executor in (*framework.completed, *framework.executors.values()):
            runs = executor.directory.rsplit("/", 1)[0]
            virtual = f"/frameworks/{framework.id}/executors/{executor.id}/runs/latest"
            shown[executor.directory] = executor
            shown[f"{runs}/latest"] = executor
            shown[virtual] = executor
    return shown


def metrics(agent: Agent) -> dict[str, float]:
    """Return the metrics that follow from the agent's state."""
    total = Resources.of(agent.info.resources)
    held = allocated(agent.frameworks) if agent.frameworks else EMPTY
    values: dict[str, float] = {}
    for name in ("cpus", "disk", "gpus", "mem"):
        amount, used = total.scalar(name), held.scalar(name)
        values[f"slave/{name}_total"] = amount
        values[f"slave/{name}_used"] = used
        values[f"slave/{name}_percent"] = used / amount if amount else 0.0
        for suffix in ("total", "used", "percent"):
            values[f"slave/{name}_revocable_{suffix}"] = 0.0
    executors = [
        one for framework in agent.frameworks.values() for one in framework.executors.values()
    ]
    for one in ("REGISTERING", "RUNNING", "TERMINATING"):
        values[f"slave/executors_{one.lower()}"] = float(
            sum(executor.state.name == one for executor in executors)
        )
    tasks = [task for executor in executors for task in executor.live_tasks]
    for state_name in ("STAGING", "STARTING", "RUNNING", "KILLING"):
        values[f"slave/tasks_{state_name.lower()}"] = float(
            sum(task.state.value == f"TASK_{state_name}" for task in tasks)
        )
    values["slave/frameworks_active"] = float(len(agent.frameworks))
    values["slave/registered"] = float(agent.connected)
    for name in COUNTERS:
        values[f"slave/{name}"] = float(agent.counters[name])
    return values


COUNTERS = (
    "container_launch_errors",
    "executors_preempted",
    "executors_terminated",
    "invalid_framework_messages",
    "invalid_status_updates",
    "recovery_errors",
    "tasks_failed",
    "tasks_finished",
    "tasks_gone",
    "tasks_killed",
    "tasks_lost",
    "valid_framework_messages",
    "valid_status_updates",
)
