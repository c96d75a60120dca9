"""A small PyMesos framework that launches command tasks where a test wants them."""

import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

# PyMesos takes SIGINT over when it is imported; here it belongs to pytest.
_sigint = signal.getsignal(signal.SIGINT)
from pymesos import MesosSchedulerDriver, Scheduler  # noqa: E402

signal.signal(signal.SIGINT, _sigint)

TERMINAL = {
    "TASK_FINISHED",
    "TASK_FAILED",
    "TASK_KILLED",
    "TASK_LOST",
    "TASK_ERROR",
    "TASK_DROPPED",
    "TASK_GONE",
}
EXECUTOR_CPUS = 0.1
EXECUTOR_MEM = 32
"""What Mesos adds to a command task for the executor that it runs under."""


@dataclass(slots=True, kw_only=True, eq=False)
class Task:
    """A task as its scheduler sees it: what it asks for, where, and every status it had."""

    command: str
    cpus: float
    mem: int
    hostname: str
    id: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:8]}")
    statuses: list[dict[str, Any]] = field(default_factory=list)

    @property
    def states(self) -> list[str]:
        """The states it went through, in order."""
        return [status["state"] for status in self.statuses]

    @property
    def pid_file(self) -> str:
        """Where, on its agent, the task's process leaves its number."""
        return f"/tmp/{self.id}.pid"

    def info(self, agent_id: dict[str, str]) -> dict[str, Any]:
        """Return the task as a launch names it."""
        return {
            "name": self.id,
            "task_id": {"value": self.id},
            "agent_id": agent_id,
            "command": {"shell": True, "value": f"echo $$ >{self.pid_file}; exec {self.command}"},
            "resources": [
                {"name": "cpus", "type": "SCALAR", "scalar": {"value": self.cpus}},
                {"name": "mem", "type": "SCALAR", "scalar": {"value": self.mem}},
            ],
        }


class Launcher(Scheduler):
    """Launches wished-for tasks from the offers that fit and keeps their statuses."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._wishes: list[Task] = []
        self._tasks: dict[str, Task] = {}
        self._driver: Any = None

    def launch(self, command: str, *, cpus: float, mem: int, hostname: str) -> Task:
        """Launch a command on an agent and return once it runs or has ended."""
        task = Task(command=command, cpus=cpus, mem=mem, hostname=hostname)
        with self._changed:
            self._wishes.append(task)
            self._tasks[task.id] = task
        self._driver.reviveOffers()
        self.wait(task, {"TASK_RUNNING"} | TERMINAL)
        return task

    def wait(self, task: Task, states: set[str], seconds: float = 120) -> dict[str, Any]:
        """Return the task's first status in one of the states; fail after so many seconds."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for status in task.statuses:
                    if status["state"] in states:
                        return status
                left = deadline - time.monotonic()
                assert left > 0, (
                    f"{task.id} not in {sorted(states)} within {seconds} s: {task.statuses}"
                )
                self._changed.wait(left)

    def kill(self, task: Task) -> dict[str, Any]:
        """Kill a task and return its terminal status."""
        self._driver.killTask({"value": task.id})
        return self.wait(task, TERMINAL)

    def registered(self, driver: Any, framework_id: Any, master_info: Any) -> None:
        """Note the connection that calls can go out on."""
        with self._changed:
            self._driver = driver
            self._changed.notify_all()

    def wait_registered(self, seconds: float = 120) -> None:
        """Return once a master knows this framework."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._driver, seconds), (
                f"not registered within {seconds} s"
            )

    def resourceOffers(self, driver: Any, offers: list[dict[str, Any]]) -> None:  # noqa: N802
        """Launch what fits, decline the rest for as short a time as Mesos knows."""
        for offer in offers:
            with self._changed:
                task = next((wish for wish in self._wishes if _fits(wish, offer)), None)
                if task:
                    self._wishes.remove(task)
            if task:
                driver.launchTasks(
                    offer["id"], [task.info(offer["agent_id"])], {"refuse_seconds": 0.5}
                )
            else:
                driver.declineOffer(offer["id"], {"refuse_seconds": 0.5})

    def statusUpdate(self, driver: Any, update: dict[str, Any]) -> None:  # noqa: N802
        """Keep the status; PyMesos acknowledges it."""
        with self._changed:
            self._tasks[update["task_id"]["value"]].statuses.append(update)
            self._changed.notify_all()


def _fits(task: Task, offer: dict[str, Any]) -> bool:
    free = {
        each["name"]: each["scalar"]["value"]
        for each in offer["resources"]
        if each["type"] == "SCALAR"
    }
    return bool(
        offer["hostname"] == task.hostname
        and free.get("cpus", 0) >= task.cpus + EXECUTOR_CPUS
        and free.get("mem", 0) >= task.mem + EXECUTOR_MEM
    )


@contextmanager
def launcher(master: str, account: tuple[str, str] | None) -> Iterator[Launcher]:
    """Register a checkpointing framework; tear it down, and its tasks with it, at the end."""
    principal, secret = account or (None, None)
    framework: dict[str, object] = {
        "user": "root",
        "name": f"tests-{uuid.uuid4().hex[:8]}",
        "checkpoint": True,
        "failover_timeout": 60.0,
    }
    scheduler = Launcher()
    if principal:
        framework["principal"] = principal
    driver = MesosSchedulerDriver(scheduler, framework, master, principal=principal, secret=secret)
    driver.start()
    try:
        scheduler.wait_registered()
        yield scheduler
    finally:
        driver.stop()
        driver.join()
