"""The program ``mesos-executor``: runs the command of one task."""

from __future__ import annotations

import os
import signal
import sys

from pocket_mesos.containerizer.procfs import group_tree
from pocket_mesos.executors.base import Executor, Timer, argv, inherited_environment, log
from pocket_mesos.executors.checks import Checker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pocket_mesos.executors.transport import Message


KILL_GRACE_SECONDS = 3.0
"""Between SIGTERM and SIGKILL, unless a kill policy says otherwise."""

_SHUTDOWN_SHARE = 0.8
"""Part of the agent's patience that a task gets at a shutdown; the rest is for the update."""


class CommandExecutor(Executor):
    """Starts the command, reports its end, kills it when told to."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Prepare; the task comes with the LAUNCH event."""
        super().__init__(environment)
        self.task: Message | None = None
        self.task_id = ""
        self.pid: int | None = None
        self.checker: Checker | None = None
        self.killing = False
        self.healthy: bool | None = None
        self.failure_reason: str | None = None
        """Reason of a failure that the executor itself brings about."""
        self._escalation: Timer | None = None

    def on_event(self, event: Message) -> None:
        """Launch or kill."""
        kind = event.get("type")
        if kind == "LAUNCH":
            self._launch(event["launch"]["task"])
        elif kind == "KILL":
            policy = event["kill"].get("kill_policy")
            grace = _grace(policy)
            self._kill_task(self._policy_grace() if grace is None else grace)
        elif kind != "MESSAGE":
            log(f"Unexpected {kind} event", "W")

    def _policy_grace(self) -> float:
        policy = None if self.task is None else self.task.get("kill_policy")
        grace = _grace(policy)
        return KILL_GRACE_SECONDS if grace is None else grace

    # --- launch ------------------------------------------------------------------------------

    def _launch(self, task: Message) -> None:
        if self.task is not None:
            log(f"Refused to launch {task['task_id']['value']}: one task only", "E")
            return
        self.task = task
        self.task_id = task["task_id"]["value"]
        self.unacknowledged_tasks[self.task_id] = task
        log(f"Starting task {self.task_id}")
        self.update(self.task_id, "TASK_STARTING")
        self.pid = self._fork(task["command"])
        log(f"Forked command at {self.pid}")
        environment = self.task_environment(task["command"])
        self.checker = Checker(self, task, environment, self._checked)
        self.update(self.task_id, "TASK_RUNNING", check_status=self.checker.initial_status())
        self.checker.start()
        limit = task.get("max_completion_time")
        if limit is not None:
            self.after(int(limit["nanoseconds"]) / 1e9, self._too_long)

    def task_environment(self, command: Message) -> dict[str, str]:
        """Return the environment of the task's processes."""
        environment = dict(self.environment)
        assert self.task is not None
        for resource in self.task.get("resources", []):
            role = resource.get("allocation_info", {}).get("role")
            if role is not None:
                environment["MESOS_ALLOCATION_ROLE"] = role
        for variable in command.get("environment", {}).get("variables", []):
            environment[variable["name"]] = variable.get("value", "")
        return environment

    def _fork(self, command: Message) -> int:
        """Start the command in a process group of its own and return its pid."""
        file, arguments = argv(command)
        environment = self.task_environment(command)
        pid = os.fork()
        if pid:
            return pid
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            os.execvpe(file, arguments, environment)
        except OSError as error:
            sys.stderr.write(f"Failed to execute command '{file}': {error.strerror}\n")
            sys.stderr.flush()
        finally:
            os._exit(1)

    def _too_long(self) -> None:
        if self.pid is not None and not self.killing:
            log(f"Killing task {self.task_id} which exceeded its maximum completion time")
            self.failure_reason = "REASON_MAX_COMPLETION_TIME_REACHED"
            self._terminate(self._policy_grace())

    # --- kill --------------------------------------------------------------------------------

    def _kill_task(self, grace: float) -> None:
        if self.task is None:
            log("Received a KILL before the task; nothing to do", "W")
        elif self.pid is not None:
            log(f"Received kill for task {self.task_id} with grace period of {grace:g}secs")
            if not self.killing and self.has_capability("TASK_KILLING_STATE"):
                self.update(self.task_id, "TASK_KILLING")
            self._terminate(grace)

    def _terminate(self, grace: float) -> None:
        """Ask the task to end, and make it end after ``grace``; a later call may shorten that."""
        if not self.killing:
            self.killing = True
            if self.checker is not None:
                self.checker.stop()
            self._signal(signal.SIGTERM)
        self.cancel(self._escalation)
        self._escalation = self.after(grace, self._escalate)

    def _escalate(self) -> None:
        if self.pid is not None:
            log(f"Process {self.pid} did not terminate in time, sending SIGKILL")
            self._signal(signal.SIGKILL)
            self._escalation = self.after(1.0, self._escalate)

    def _signal(self, number: int) -> None:
        assert self.pid is not None
        for pid in group_tree(self.pid):
            try:
                os.kill(pid, number)
            except OSError:
                continue

    def shutdown(self) -> None:
        """Kill the task, if it runs, and leave."""
        if self.pid is None:
            self.finish()
        else:
            self._terminate(min(self._policy_grace(), self.grace * _SHUTDOWN_SHARE))

    # --- end ---------------------------------------------------------------------------------

    def on_child(self) -> None:
        """Report the command's end."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                self._ended(status)
            elif self.checker is not None:
                self.checker.child_ended(pid, status)

    def _ended(self, status: int) -> None:
        log(f"Command {describe(status)} (pid: {self.pid})")
        self.pid = None
        self.cancel(self._escalation)
        assert self.checker is not None
        self.checker.stop()
        if self.failure_reason is not None:
            state = "TASK_FAILED"
        elif self.killing:
            state = "TASK_KILLED"
        else:
            state = "TASK_FINISHED" if status == 0 else "TASK_FAILED"
        self.update(
            self.task_id,
            state,
            message=f"Command {describe(status)}",
            reason=self.failure_reason,
            healthy=False if self.healthy is False else None,
            check_status=self.checker.initial_status(),
        )
        self.finish()

    # --- checks ------------------------------------------------------------------------------

    def _checked(self, kill: bool, **fields: object) -> None:
        """Report the outcome of a check; kill the task when its health is lost."""
        if self.pid is None or self.killing:
            return
        if "healthy" in fields:
            self.healthy = bool(fields["healthy"])
        self.update(self.task_id, "TASK_RUNNING", **fields)
        if kill:
            self._kill_task(self._policy_grace())


def describe(status: int) -> str:
    """Put a wait status in Mesos' words."""
    if os.WIFEXITED(status):
        return f"exited with status {os.WEXITSTATUS(status)}"
    core = " (core dumped)" if os.WCOREDUMP(status) else ""
    return f"terminated with signal {signal.strsignal(os.WTERMSIG(status))}{core}"


def _grace(policy: Message | None) -> float | None:
    period = (policy or {}).get("grace_period")
    return None if period is None else int(period["nanoseconds"]) / 1e9


def main() -> int:
    """Run the program; its arguments tell it nothing that the environment doesn't."""
    return CommandExecutor(inherited_environment()).run()
