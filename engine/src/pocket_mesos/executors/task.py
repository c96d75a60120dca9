"""One running command: start it, check it, kill it when told to, report all that."""

from __future__ import annotations

import os
import sys

from pocket_mesos.containerizer.procfs import group_tree
from pocket_mesos.executors.bare import signal
from pocket_mesos.executors.base import Executor, Timer, argv, log
from pocket_mesos.executors.checks import Checker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pocket_mesos.executors.transport import Message

KILL_GRACE_SECONDS = 3.0
"""Between SIGTERM and SIGKILL, unless a kill policy says otherwise."""

_SHUTDOWN_SHARE = 0.8
"""Part of the agent's patience that a task gets at a shutdown; the rest is for the update."""


class Task:
    """A task of the executor's, from its launch to the report of its end."""

    def __init__(
        self,
        executor: Executor,
        info: Message,
        environment: dict[str, str],
        on_ended: Callable[[Task, str], None],
    ) -> None:
        """Prepare.

        Args:
            executor: whose loop and updates are used.
            info: TaskInfo with a command.
            environment: of the command; its own variables are added here.
            on_ended: told the task and its last state, after the update about that.
        """
        self.executor = executor
        self.info = info
        self.id: str = info["task_id"]["value"]
        self.pid: int | None = None
        self.killing = False
        self._on_ended = on_ended
        self._environment = dict(environment)
        for variable in info["command"].get("environment", {}).get("variables", []):
            self._environment[variable["name"]] = variable.get("value", "")
        self._checker = Checker(executor, info, self._environment, self._checked)
        self._healthy: bool | None = None
        self._failure_reason: str | None = None
        """Reason of a failure that the executor itself brings about."""
        self._escalation: Timer | None = None

    def status_fields(self, running: bool) -> Message:
        """Return what every update of the task carries besides; subclasses have more."""
        return {}

    def update(self, state: str, **fields: object) -> None:
        """Send an update."""
        running = state not in ("TASK_STARTING",) and self.pid is not None
        self.executor.update(self.id, state, **self.status_fields(running), **fields)

    # --- launch ------------------------------------------------------------------------------

    def start(self) -> None:
        """Fork the command and report that it runs."""
        self.pid = self._fork(self.info["command"])
        log(f"Forked command at {self.pid}")
        self.update("TASK_RUNNING", check_status=self._checker.initial_status())
        self._checker.start()
        limit = self.info.get("max_completion_time")
        if limit is not None:
            self.executor.after(int(limit["nanoseconds"]) / 1e9, self._too_long)

    def in_child(self) -> None:
        """Prepare the child that is about to become the command; subclasses do more."""

    def _fork(self, command: Message) -> int:
        """Start the command in a process group of its own and return its pid."""
        file, arguments = argv(command)
        pid = os.fork()
        if pid:
            return pid
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            self.in_child()
            os.execvpe(file, arguments, self._environment)
        except OSError as error:
            sys.stderr.write(f"Failed to execute command '{file}': {error.strerror}\n")
            sys.stderr.flush()
        finally:
            os._exit(1)

    def _too_long(self) -> None:
        if self.pid is not None and not self.killing:
            log(f"Killing task {self.id} which exceeded its maximum completion time")
            self._failure_reason = "REASON_MAX_COMPLETION_TIME_REACHED"
            self._terminate(self._policy_grace())

    # --- kill --------------------------------------------------------------------------------

    def kill(self, policy: Message | None = None) -> None:
        """Kill the task by ``policy``, else by its own."""
        if self.pid is None:
            return
        given = _grace(policy)
        grace = self._policy_grace() if given is None else given
        log(f"Received kill for task {self.id} with grace period of {grace:g}secs")
        if not self.killing and self.executor.has_capability("TASK_KILLING_STATE"):
            self.update("TASK_KILLING")
        self._terminate(grace)

    def shutdown(self) -> None:
        """Kill the task so that its end can still be told before the agent loses patience."""
        if self.pid is not None:
            grace = min(self._policy_grace(), self.executor.grace * _SHUTDOWN_SHARE)
            self._terminate(grace)

    def _policy_grace(self) -> float:
        grace = _grace(self.info.get("kill_policy"))
        return KILL_GRACE_SECONDS if grace is None else grace

    def _terminate(self, grace: float) -> None:
        """Ask the task to end, and make it end after ``grace``; a later call may change that."""
        if not self.killing:
            self.killing = True
            self._checker.stop()
            self._signal(signal.SIGTERM)
        self.executor.cancel(self._escalation)
        self._escalation = self.executor.after(grace, self._escalate)

    def _escalate(self) -> None:
        if self.pid is not None:
            log(f"Process {self.pid} did not terminate in time, sending SIGKILL")
            self._signal(signal.SIGKILL)
            self._escalation = self.executor.after(1.0, self._escalate)

    def _signal(self, number: int) -> None:
        assert self.pid is not None
        for pid in group_tree(self.pid):
            try:
                os.kill(pid, number)
            except OSError:
                continue

    # --- end ---------------------------------------------------------------------------------

    def child_ended(self, pid: int, status: int) -> None:
        """Take a child's end, be it the command's or a check's; others' are ignored."""
        if pid == self.pid:
            self._ended(status)
        else:
            self._checker.child_ended(pid, status)

    def _ended(self, status: int) -> None:
        log(f"Command {describe(status)} (pid: {self.pid})")
        self.pid = None
        self.executor.cancel(self._escalation)
        self._checker.stop()
        if self._failure_reason is not None:
            state = "TASK_FAILED"
        elif self.killing:
            state = "TASK_KILLED"
        else:
            state = "TASK_FINISHED" if status == 0 else "TASK_FAILED"
        self.update(
            state,
            message=f"Command {describe(status)}",
            reason=self._failure_reason,
            healthy=False if self._healthy is False else None,
            check_status=self._checker.initial_status(),
        )
        self._on_ended(self, state)

    def _checked(self, kill: bool, **fields: object) -> None:
        """Report the outcome of a check; kill the task when its health is lost."""
        if self.pid is None or self.killing:
            return
        if "healthy" in fields:
            self._healthy = bool(fields["healthy"])
        self.update("TASK_RUNNING", **fields)
        if kill:
            self.kill()


def reap(tasks: list[Task]) -> None:
    """Collect all children that have ended and tell the tasks."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        for task in tasks:
            task.child_ended(pid, status)


def role_of(info: Message) -> str | None:
    """Return the role that a task's resources are allocated to."""
    for resource in info.get("resources", []):
        role = resource.get("allocation_info", {}).get("role")
        if role is not None:
            return str(role)
    return None


def describe(status: int) -> str:
    """Put a wait status in Mesos' words."""
    if os.WIFEXITED(status):
        return f"exited with status {os.WEXITSTATUS(status)}"
    core = " (core dumped)" if os.WCOREDUMP(status) else ""
    return f"terminated with signal {signal.strsignal(os.WTERMSIG(status))}{core}"


def _grace(policy: Message | None) -> float | None:
    period = (policy or {}).get("grace_period")
    return None if period is None else int(period["nanoseconds"]) / 1e9
