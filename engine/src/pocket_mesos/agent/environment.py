"""What the agent derives for executors: environment, user, and the executor of a command task."""

from pocket_mesos.agent.settings import (
    COMMAND_EXECUTOR_CPUS,
    COMMAND_EXECUTOR_MEM,
    Settings,
)
from pocket_mesos.agent.state import role_of
from pocket_mesos.containerizer.config import URI
from pocket_mesos.flags.types import DURATION
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import (
    AllocationInfo,
    CommandInfo,
    ExecutorID,
    ExecutorInfo,
    ExecutorType,
    FrameworkInfo,
    Resource,
    Scalar,
    TaskInfo,
    ValueType,
)

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_NAME_LENGTH = 15
"""Longer commands are cut in a command executor's name."""


def executor_environment(
    settings: Settings, agent_id: str, framework: FrameworkInfo, info: ExecutorInfo, sandbox: str
) -> dict[str, str]:
    """Return an executor's whole environment; nothing of the agent's own goes in."""
    assert framework.id is not None
    environment = {
        "PATH": DEFAULT_PATH,
        **dict(settings.executor_environment),
        "LIBPROCESS_PORT": "0",
        "MESOS_FRAMEWORK_ID": framework.id.value,
        "MESOS_EXECUTOR_ID": info.executor_id.value,
        "MESOS_DIRECTORY": sandbox,
        "MESOS_SANDBOX": sandbox,
        "MESOS_SLAVE_ID": agent_id,
        "MESOS_SLAVE_PID": settings.pid,
        "MESOS_AGENT_ENDPOINT": settings.endpoint,
        "MESOS_CHECKPOINT": "1" if framework.checkpoint else "0",
        "MESOS_HTTP_COMMAND_EXECUTOR": "0",
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": DURATION.show(grace_period(settings, info)),
    }
    if settings.libprocess_ip is not None:
        environment["LIBPROCESS_IP"] = settings.libprocess_ip
    if framework.checkpoint:
        environment["MESOS_RECOVERY_TIMEOUT"] = DURATION.show(settings.recovery_timeout)
        environment["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = DURATION.show(
            settings.executor_reregistration_timeout
        )
    if info.command is not None and info.command.environment is not None:
        for variable in info.command.environment.variables:
            environment[variable.name] = variable.value or ""
    return environment


def grace_period(settings: Settings, info: ExecutorInfo) -> float:
    """Return the seconds that an executor has to shut down."""
    if info.shutdown_grace_period is not None:
        return info.shutdown_grace_period.nanoseconds / 1e9
    return settings.executor_shutdown_grace_period


def user_of(settings: Settings, framework: FrameworkInfo, info: ExecutorInfo) -> str | None:
    """Return the user that a container runs as; None: the agent's own."""
    if not settings.switch_user:
        return None
    if info.command is not None and info.command.user:
        return info.command.user
    return framework.user


def argv(info: ExecutorInfo) -> tuple[str | None, tuple[str, ...]]:
    """Return the file to execute, None when it is the first argument, and the arguments."""
    command = info.command or CommandInfo()
    if command.shell:
        return None, ("/bin/sh", "-c", command.value or "")
    return command.value, tuple(command.arguments) or (command.value or "",)


def uris(info: ExecutorInfo) -> tuple[URI, ...]:
    """Return what has to be fetched before the executor starts."""
    if info.command is None:
        return ()
    return tuple(
        URI(
            value=one.value,
            executable=bool(one.executable),
            extract=one.extract,
            cache=bool(one.cache),
            output_file=one.output_file,
        )
        for one in info.command.uris
    )


def command_executor(settings: Settings, framework: FrameworkInfo, task: TaskInfo) -> ExecutorInfo:
    """Make the executor of a command task; it has the task's id."""
    command = task.command or CommandInfo()
    return ExecutorInfo(
        executor_id=ExecutorID(value=task.task_id.value),
        framework_id=framework.id,
        command=CommandInfo(
            uris=command.uris,
            environment=command.environment,
            shell=False,
            value=f"{settings.launcher_dir}/mesos-executor",
            arguments=["mesos-executor", f"--launcher_dir={settings.launcher_dir}"],
            user=command.user,
        ),
        container=task.container,
        resources=_overhead(role_of(task.resources)),
        name=_name(task, command),
        source=task.task_id.value,
        discovery=task.discovery,
        labels=task.labels,
    )


def default_executor(settings: Settings, info: ExecutorInfo) -> ExecutorInfo:
    """Give the executor of a task group the command that the agent has for it."""
    if info.type is not ExecutorType.DEFAULT:
        return info
    command = CommandInfo(
        shell=False,
        value=f"{settings.launcher_dir}/mesos-default-executor",
        arguments=["mesos-default-executor", f"--launcher_dir={settings.launcher_dir}"],
    )
    return replace(info, command=command)


def _overhead(role: str | None) -> list[Resource]:
    allocation = None if role is None else AllocationInfo(role=role)
    amounts = (("cpus", COMMAND_EXECUTOR_CPUS), ("mem", COMMAND_EXECUTOR_MEM))
    return [
        Resource(
            name=name,
            type=ValueType.SCALAR,
            scalar=Scalar(value=amount),
            allocation_info=allocation,
        )
        for name, amount in amounts
    ]


def _name(task: TaskInfo, command: CommandInfo) -> str:
    if command.shell:
        what = "NO COMMAND" if command.value is None else f"sh -c '{_cut(command.value)}'"
    elif command.value is None:
        what = "NO EXECUTABLE"
    else:
        what = f"[{command.value}, {_cut(', '.join(command.arguments))}]"
    return f"Command Executor (Task: {task.task_id.value}) (Command: {what})"


def _cut(text: str) -> str:
    return text if len(text) <= _NAME_LENGTH else text[: _NAME_LENGTH - 3] + "..."
