"""What of a cluster somebody may see: rights to view by the user that something runs as."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from pocket_mesos.authorization.authorizer import Authorizer
from pocket_mesos.protocol.mesos import CommandInfo, ExecutorInfo, FrameworkInfo, TaskInfo

T = TypeVar("T")


class Viewer:
    """The eyes of one principal, for one request."""

    def __init__(self, authorizer: Authorizer, principal: str | None) -> None:
        """Look as ``principal``; None for somebody unknown."""
        self._frameworks = authorizer.approver("view_frameworks", principal)
        self._executors = authorizer.approver("view_executors", principal)
        self._tasks = authorizer.approver("view_tasks", principal)
        self._containers = authorizer.approver("view_containers", principal)
        self._roles = authorizer.approver("view_roles", principal)
        self._quotas = authorizer.approver("get_quotas", principal)
        self.flags = authorizer.approver("view_flags", principal).approves()
        """Whether the daemon's flags are shown."""

    def framework(self, info: FrameworkInfo) -> bool:
        """Whether a framework is shown."""
        return self._frameworks.unlimited or self._frameworks.approves(info.user)

    def tasks(
        self, framework: FrameworkInfo, tasks: Iterable[T], info: Callable[[T], TaskInfo]
    ) -> Iterable[T]:
        """Pick the tasks that are shown; ``info`` tells what each of them is."""
        if self._tasks.unlimited:
            return tasks
        return [one for one in tasks if self._tasks.approves(user_of_task(framework, info(one)))]

    def executor(self, framework: FrameworkInfo, info: ExecutorInfo) -> bool:
        """Whether an executor is shown."""
        return self._executors.unlimited or self._executors.approves(
            user_of_executor(framework, info)
        )

    def container(self, framework: FrameworkInfo, info: ExecutorInfo) -> bool:
        """Whether an executor's container is shown."""
        return self._containers.unlimited or self._containers.approves(
            user_of_executor(framework, info)
        )

    def role(self, name: str) -> bool:
        """Whether a role, and what is allocated to it, is shown."""
        return self._roles.unlimited or self._roles.approves(name)

    def quota(self, role: str) -> bool:
        """Whether a role's quota is shown."""
        return self._quotas.unlimited or self._quotas.approves(role)


def user_of_task(framework: FrameworkInfo, task: TaskInfo) -> str:
    """Return the user that a task runs as."""
    executor = None if task.executor is None else task.executor.command
    return _user(task.command) or _user(executor) or framework.user


def user_of_executor(framework: FrameworkInfo, executor: ExecutorInfo) -> str:
    """Return the user that an executor runs as."""
    return _user(executor.command) or framework.user


def _user(command: CommandInfo | None) -> str | None:
    return None if command is None else command.user
