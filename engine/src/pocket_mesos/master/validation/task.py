"""Tasks and executors that a framework wants to launch."""

from collections.abc import Container
from dataclasses import dataclass

from pocket_mesos.protocol import codec
from pocket_mesos.protocol.mesos import (
    CommandInfo,
    ExecutorInfo,
    ExecutorType,
    HealthCheck,
    Resource,
    TaskInfo,
)
from pocket_mesos.resources import Resources, describe_all, validate

_MIN_EXECUTOR_CPUS = 0.01
_MIN_EXECUTOR_MEM_MB = 32
_MAX_ID_BYTES = 255
"""Ids name folders, and file systems allow no longer names."""

_RULE = "-" * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a task is to run."""

    framework_id: str
    agent_id: str
    role: str
    available: Resources
    """What is left of the offers."""
    task_ids: Container[str]
    """Tasks that the framework has already."""
    executor: ExecutorInfo | None
    """Executor of the same id that the agent has already."""


def validate_task(task: TaskInfo, place: Place) -> str | None:
    """Return what is wrong with a task of a LAUNCH."""
    return (
        _validate_basics(task, place)
        or _validate_command_or_executor(task)
        or (None if task.executor is None else _validate_executor(task.executor, place))
        or _validate_amount([task], task.executor, place)
    )


def validate_group(tasks: list[TaskInfo], executor: ExecutorInfo, place: Place) -> str | None:
    """Return what is wrong with a LAUNCH_GROUP; one bad task spoils the whole."""
    if not tasks:
        return "Task group cannot be empty"
    error = _validate_group_executor(executor, place)
    if error is not None:
        return error
    seen: set[str] = set()
    for task in tasks:
        error = _validate_basics(task, place) or _validate_member(task, seen)
        if error is not None:
            return f"Task '{task.task_id.value}' is invalid: {error}"
        seen.add(task.task_id.value)
    return _validate_amount(tasks, executor, place)


def validate_id(value: str) -> str | None:
    """Return what is wrong with an id that becomes a folder's name."""
    if not value:
        return "ID must not be empty"
    if len(value.encode()) > _MAX_ID_BYTES:
        return f"ID must not be greater than {_MAX_ID_BYTES} characters"
    if value in (".", ".."):
        return f"'{value}' is disallowed"
    if "/" in value or "\\" in value or any(ord(c) < 32 or ord(c) == 127 for c in value):
        return f"'{value}' contains invalid characters"
    return None


def allocated(resources: list[Resource], role: str) -> list[Resource]:
    """Return resource messages with the role that they are allocated to written in."""
    totals = Resources.of(resources)
    order = [one.name for one in resources]
    made = totals.to_messages(allocated=role)
    return sorted(made, key=lambda one: order.index(one.name))


def describe(resources: Resources, role: str) -> str:
    """Print a bundle as Mesos' messages do: ``cpus(allocated: r):0.1``."""
    return describe_all(resources.to_messages(), role)


def _validate_basics(task: TaskInfo, place: Place) -> str | None:
    identity = task.task_id.value
    error = validate_id(identity)
    if error is not None:
        return error
    if identity in place.task_ids:
        return f"Task has duplicate ID: {identity}"
    if task.agent_id.value != place.agent_id:
        return (
            f"Task uses invalid agent {task.agent_id.value} while agent {place.agent_id} "
            "is expected"
        )
    return (
        _validate_times(task)
        or _validate_checks(task)
        or validate(task.resources)
        or (None if task.resources else "Task uses no resources")
        or _validate_allocation(task.resources, place.role)
        or (None if task.command is None else _validate_command(task.command))
    )


def _validate_times(task: TaskInfo) -> str | None:
    policy = task.kill_policy
    grace = policy.grace_period if policy is not None else None
    if grace is not None and grace.nanoseconds < 0:
        return "Task's 'kill_policy.grace_period' must be non-negative"
    limit = task.max_completion_time
    if limit is not None and limit.nanoseconds < 0:
        return "Task's `max_completion_time` must be non-negative"
    return None


def _validate_checks(task: TaskInfo) -> str | None:
    if task.check is not None and task.check.type is None:
        return "Task uses invalid check: CheckInfo must specify 'type'"
    if task.health_check is not None:
        error = _validate_health_check(task.health_check)
        if error is not None:
            return f"Task uses invalid health check: {error}"
    return None


def _validate_health_check(check: HealthCheck) -> str | None:
    if check.type is None:
        return "HealthCheck must specify 'type'"
    field = {"COMMAND": check.command, "HTTP": check.http, "TCP": check.tcp}.get(check.type)
    if field is None:
        return f"Expecting '{check.type.lower()}' to be set for {check.type} health check"
    times = (check.delay_seconds, check.grace_period_seconds, check.interval_seconds)
    if min(*times, check.timeout_seconds) < 0:
        return "Expecting times of a health check to be non-negative"
    return None


def _validate_allocation(resources: list[Resource], role: str) -> str | None:
    for one in resources:
        if one.allocation_info is not None and one.allocation_info.role not in (None, role):
            return f"Task's resource '{one.name}' is allocated to another role than the offer's"
    return None


def _validate_command(command: CommandInfo) -> str | None:
    for variable in command.environment.variables if command.environment is not None else []:
        if variable.type == "VALUE" and variable.value is None:
            return f"Environment variable '{variable.name}' of type 'VALUE' must have a value set"
        if variable.type == "SECRET":
            return f"Environment variable '{variable.name}' of type 'SECRET' is not supported"
    return None


def _validate_command_or_executor(task: TaskInfo) -> str | None:
    if (task.command is None) == (task.executor is None):
        return "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"
    return None


def _validate_executor(executor: ExecutorInfo, place: Place) -> str | None:
    if executor.type in (None, ExecutorType.CUSTOM) and executor.command is None:
        return "'ExecutorInfo.command' must be set for 'CUSTOM' executor"
    if executor.type is ExecutorType.DEFAULT and executor.command is not None:
        return "'ExecutorInfo.command' must not be set for 'DEFAULT' executor"
    if executor.type is ExecutorType.UNKNOWN:
        return "Unknown executor type"
    return _validate_any_executor(executor, place)


def _validate_any_executor(executor: ExecutorInfo, place: Place) -> str | None:
    named = executor.framework_id
    if named is not None and named.value != place.framework_id:
        return (
            f"ExecutorInfo has an invalid FrameworkID (Actual: {named.value} vs "
            f"Expected: {place.framework_id})"
        )
    error = validate_id(executor.executor_id.value) or validate(executor.resources)
    if error is not None:
        return error
    if executor.command is not None:
        error = _validate_command(executor.command)
        if error is not None:
            return error
    if place.executor is not None and place.executor != executor:
        return _incompatible(place.executor, executor)
    return None


def _incompatible(existing: ExecutorInfo, executor: ExecutorInfo) -> str:
    lines = [
        "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.",
        _RULE,
        "Existing ExecutorInfo:",
        codec.encode(existing).decode(),
        _RULE,
        "ExecutorInfo:",
        codec.encode(executor).decode(),
        _RULE,
        "",
    ]
    return "\n".join(lines)


def _validate_group_executor(executor: ExecutorInfo, place: Place) -> str | None:
    if executor.type is not ExecutorType.DEFAULT:
        return "'ExecutorInfo.type' must be 'DEFAULT'"
    if executor.framework_id is None:
        return "'ExecutorInfo.framework_id' must be set"
    error = _validate_executor(executor, place)
    if error is not None:
        return error
    identity = executor.executor_id.value
    resources = Resources.of(executor.resources)
    if resources.scalar("cpus") < _MIN_EXECUTOR_CPUS:
        return (
            f"Executor '{identity}' uses less CPUs ({resources.scalar('cpus'):g}) than the "
            f"minimum required ({_MIN_EXECUTOR_CPUS})"
        )
    if resources.scalar("mem") < _MIN_EXECUTOR_MEM_MB:
        return (
            f"Executor '{identity}' uses less memory ({resources.scalar('mem'):g}MB) than the "
            f"minimum required ({_MIN_EXECUTOR_MEM_MB}MB)"
        )
    return None


def _validate_member(task: TaskInfo, seen: set[str]) -> str | None:
    if task.task_id.value in seen:
        return f"Task has duplicate ID: {task.task_id.value}"
    if task.executor is not None:
        return "'TaskInfo.executor' must not be set"
    if task.command is None:
        return "'TaskInfo.command' must be set"
    if task.container is not None and task.container.docker is not None:
        return "Docker ContainerInfo is not supported on the task"
    return None


def _validate_amount(
    tasks: list[TaskInfo], executor: ExecutorInfo | None, place: Place
) -> str | None:
    messages = [one for task in tasks for one in task.resources]
    reserved = _reserved(messages)
    total = Resources.of(messages)
    if executor is not None and place.executor is None:
        total = total + Resources.of(executor.resources)
    if place.available.contains(total) and not reserved:
        return None
    wanted = describe_all(messages, place.role) if reserved else describe(total, place.role)
    what = "task and its executor" if len(tasks) == 1 else "task group and its executor"
    return (
        f"Total resources {wanted} required by {what} "
        f"is more than available {describe(place.available, place.role)}"
    )


def _reserved(resources: list[Resource]) -> bool:
    """Whether something is asked for that no offer of this engine holds."""
    return any(
        one.reservations
        or one.reservation is not None
        or one.role not in (None, "*")
        or one.disk is not None
        or one.revocable is not None
        or one.shared is not None
        for one in resources
    )
