"""Processes on a node, as the node's kernel shows them."""

from dataclasses import dataclass

from support.inventory import Node
from support.tasks import Task
from support.waiting import wait_for


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a node; equal only to itself, even if its number is used again."""

    node: Node
    pid: int
    started: str
    """Ticks between the machine's start and the process's."""

    def is_alive(self) -> bool:
        """Tell whether exactly this process is still there."""
        return self.node.run(f"{_START_TIME.format(pid=self.pid)} || true") == self.started

    def cgroups(self) -> dict[str, str]:
        """Return the process's cgroup path by controller; the unified hierarchy's is ''."""
        lines = self.node.run(f"cat /proc/{self.pid}/cgroup").splitlines()
        paths: dict[str, str] = {}
        for line in lines:
            _, controllers, path = line.split(":", 2)
            paths |= dict.fromkeys(controllers.split(","), path)
        return paths


# The number of the command's closing bracket is not fixed: names may hold brackets and blanks.
_START_TIME = "sed 's/.*) //' /proc/{pid}/stat 2>/dev/null | cut -d ' ' -f 20"


def of_task(node: Node, task: Task) -> Process:
    """Return the process of a running task on the node of its agent."""
    # A task counts as running when its shell is there; what that does first comes a moment later.
    look = f"cat {task.pid_file} 2>/dev/null || true"
    pid = int(wait_for(f"the number of {task.id}'s process", lambda: node.run(look)))
    return Process(node, pid, node.run(_START_TIME.format(pid=pid)))


def main_process(node: Node, unit: str) -> Process:
    """Return the main process of a unit that runs."""
    pid = int(node.run(f"systemctl show --property=MainPID --value {unit}"))
    assert pid, f"{unit} on {node.name} has no process"
    return Process(node, pid, node.run(_START_TIME.format(pid=pid)))
