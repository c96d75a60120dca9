"""The program ``mesos-executor``: runs the command of one task."""

from __future__ import annotations

from pocket_mesos.executors.base import Executor, inherited_environment, log
from pocket_mesos.executors.task import Task, reap, role_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pocket_mesos.executors.transport import Message


class CommandExecutor(Executor):
    """Starts the command, reports its end, kills it when told to."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Prepare; the task comes with the LAUNCH event."""
        super().__init__(environment)
        self._task: Task | None = None

    def on_event(self, event: Message) -> None:
        """Launch or kill."""
        kind = event.get("type")
        if kind == "LAUNCH":
            self._launch(event["launch"]["task"])
        elif kind == "KILL" and self._task is not None:
            self._task.kill(event["kill"].get("kill_policy"))
        elif kind != "MESSAGE":
            log(f"Unexpected {kind} event", "W")

    def _launch(self, info: Message) -> None:
        if self._task is not None:
            log(f"Refused to launch {info['task_id']['value']}: one task only", "E")
            return
        # The task sees what the executor was told, unlike those of a group.
        environment = dict(self.environment)
        role = role_of(info)
        if role is not None:
            environment["MESOS_ALLOCATION_ROLE"] = role
        self._task = Task(self, info, environment, lambda *_: self.finish())
        self.unacknowledged_tasks[self._task.id] = info
        log(f"Starting task {self._task.id}")
        self._task.update("TASK_STARTING")
        self._task.start()

    def on_child(self) -> None:
        """Report the command's end."""
        reap([] if self._task is None else [self._task])

    def shutdown(self) -> None:
        """Kill the task, if it runs, and leave."""
        if self._task is None or self._task.pid is None:
            self.finish()
        else:
            self._task.shutdown()


def main() -> int:
    """Run the program; its arguments tell it nothing that the environment doesn't."""
    return CommandExecutor(inherited_environment()).run()
