"""The program ``mesos-default-executor``: runs the tasks of task groups.

A group runs together: when one of its tasks fails or is killed, the others are killed. Each task
has a folder of its own below the executor's sandbox and an environment without the executor's
variables. Its processes share the executor's container.
"""

from __future__ import annotations

import os
import pwd
import sys

from pocket_mesos.executors.bare import dumps
from pocket_mesos.executors.base import Executor, inherited_environment, log, new_container_id
from pocket_mesos.executors.task import Task, reap, role_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pocket_mesos.executors.transport import Message


class GroupTask(Task):
    """A task with a sandbox of its own."""

    def __init__(self, executor: DefaultExecutor, info: Message) -> None:
        """Prepare the task's sandbox and environment."""
        self.container_id = new_container_id()
        self.sandbox = f"{executor.sandbox}/containers/{self.container_id}"
        self.group: list[GroupTask] = []
        environment = {
            "PATH": executor.environment["PATH"],
            "MESOS_SANDBOX": self.sandbox,
            "MESOS_CONTAINER_IP": executor.ip,
        }
        role = role_of(info)
        if role is not None:
            environment["MESOS_ALLOCATION_ROLE"] = role
        super().__init__(executor, info, environment, executor.task_ended)
        self._parent = executor.container_id
        self._launcher_dir = executor.launcher_dir
        os.makedirs(self.sandbox, 0o750)  # noqa: PTH103 (no pathlib)
        os.makedirs(f"{executor.sandbox}/tasks", exist_ok=True)  # noqa: PTH103
        os.symlink(self.sandbox, f"{executor.sandbox}/tasks/{self.id}")  # noqa: PTH211
        self.refusal = self._prepare(executor.sandbox)
        """Why the task can't be had as it asks."""

    def _prepare(self, parent: str) -> str | None:
        if "container" not in self.info:
            return None
        from pocket_mesos.executors import container

        wanted = self.info["container"]
        refusal = container.refusal(wanted)
        if refusal is not None:
            return refusal
        try:
            container.link_volumes(wanted, self.sandbox, parent)
        except OSError as error:
            return f"Failed to make volume '{error.filename}': {error.strerror}"
        return None

    def status_fields(self, running: bool) -> Message:
        """Name the task's own container, below the executor's."""
        status: Message = {
            "container_id": {"value": self.container_id, "parent": {"value": self._parent}}
        }
        if running:
            status["executor_pid"] = self.pid
        return {"container_status": status}

    def in_child(self) -> None:
        """Change into the task's sandbox and, if it asks for that, to its user."""
        os.chdir(self.sandbox)
        if "container" in self.info:
            from pocket_mesos.executors import container

            container.set_limits(self.info["container"])
        user = self.info["command"].get("user")
        if user and os.geteuid() == 0:
            entry = pwd.getpwnam(user)
            os.chown(self.sandbox, entry.pw_uid, entry.pw_gid)
            os.initgroups(user, entry.pw_gid)
            os.setgid(entry.pw_gid)
            os.setuid(entry.pw_uid)
        for name, descriptor in (("stdout", 1), ("stderr", 2)):
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            os.dup2(os.open(f"{self.sandbox}/{name}", flags, 0o644), descriptor)
        if self.info["command"].get("uris"):
            self._fetch()

    def _fetch(self) -> None:
        items = [{"action": "BYPASS_CACHE", "uri": uri} for uri in self.info["command"]["uris"]]
        info = {
            "items": items,
            "sandbox_directory": self.sandbox,
            "stall_timeout": {"nanoseconds": 60_000_000_000},
        }
        environment = self._environment | {"MESOS_FETCHER_INFO": dumps(info)}
        program = f"{self._launcher_dir}/mesos-fetcher"
        if os.spawnve(os.P_WAIT, program, [program], environment) != 0:
            raise OSError(0, "Failed to fetch all URIs")


class DefaultExecutor(Executor):
    """Runs groups until the last task of the last one has ended."""

    def __init__(self, environment: dict[str, str], launcher_dir: str) -> None:
        """Prepare; groups come with LAUNCH_GROUP events."""
        super().__init__(environment)
        self.launcher_dir = launcher_dir
        self.ip = environment["MESOS_AGENT_ENDPOINT"].rpartition(":")[0]
        self._tasks: list[GroupTask] = []

    def on_event(self, event: Message) -> None:
        """Launch a group or kill a task."""
        kind = event.get("type")
        if kind == "LAUNCH_GROUP":
            self._launch(event["launch_group"]["task_group"]["tasks"])
        elif kind == "KILL":
            wanted = event["kill"]["task_id"]["value"]
            for task in self._tasks:
                if task.id == wanted:
                    task.kill(event["kill"].get("kill_policy"))
        elif kind != "MESSAGE":
            log(f"Unexpected {kind} event", "W")

    def _launch(self, infos: list[Message]) -> None:
        group = [GroupTask(self, info) for info in infos]
        for task in group:
            task.group = group
            self.unacknowledged_tasks[task.id] = task.info
        refusal = next((task.refusal for task in group if task.refusal is not None), None)
        if refusal is not None:
            self._refuse(group, refusal)
            return
        self._tasks += group
        for task in group:
            task.update("TASK_STARTING")
        for task in group:
            task.start()
        ids = ", ".join(task.id for task in group)
        containers = ", ".join(f"{self.container_id}.{task.container_id}" for task in group)
        log(f"Finished launching tasks [ {ids} ] in child containers [ {containers} ]")

    def _refuse(self, group: list[GroupTask], why: str) -> None:
        """Fail a group whole: what one of its tasks asks for can't be had."""
        for task in group:
            task.update("TASK_FAILED", message=why, reason="REASON_CONTAINER_LAUNCH_FAILED")
        if not self._tasks:
            self.finish()

    def task_ended(self, task: Task, state: str) -> None:
        """End the rest of the group with a task that did not finish well."""
        assert isinstance(task, GroupTask)
        self._tasks.remove(task)
        if state != "TASK_FINISHED":
            for other in task.group:
                if other is not task and not other.killing:
                    other.kill()
        if not self._tasks:
            self.finish()

    def on_child(self) -> None:
        """Report the ends of commands."""
        reap(list(self._tasks))

    def shutdown(self) -> None:
        """Kill what runs, and leave."""
        if not self._tasks:
            self.finish()
        for task in list(self._tasks):
            task.shutdown()


def main() -> int:
    """Run the program; its arguments name the folder of the helper programs."""
    given = [one for one in sys.argv[1:] if one.startswith("--launcher_dir=")]
    launcher_dir = given[0].partition("=")[2] if given else os.path.dirname(sys.argv[0])  # noqa: PTH120
    return DefaultExecutor(inherited_environment(), launcher_dir).run()
