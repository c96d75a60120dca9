"""Tasks get what they ask for and no more, and a greedy one hurts only itself."""

from pathlib import PurePosixPath

import pytest
from support import inventory, processes
from support.inventory import Node
from support.tasks import EXECUTOR_CPUS, EXECUTOR_MEM, Task

MEGABYTE = 1024 * 1024
HOG = """python3 -c 'text = "x" * (512 << 20); import time; time.sleep(600)'"""
"""Touches half a gigabyte."""


@pytest.fixture
def agent() -> Node:
    """Return the agent that these tests use."""
    return inventory.group("mesos_agents")[0]


def limit(node: Node, task: Task, controller: str, v1_file: str, v2_file: str) -> int | None:
    """Return the limit of the task's cgroup, or of the one above it; None without one."""
    cgroups = processes.of_task(node, task).cgroups()
    if controller in cgroups:
        return read(node, f"/sys/fs/cgroup/{controller}{cgroups[controller]}/{v1_file}")
    path = PurePosixPath(f"/sys/fs/cgroup{cgroups['']}")
    # The process sits in a leaf; the limits are its container's, above it.
    found = (read(node, f"{folder}/{v2_file}") for folder in (path, path.parent))
    return next((value for value in found if value is not None), None)


def read(node: Node, file: str) -> int | None:
    """Return the first number in a cgroup's file; None for "max" and "no limit" (-1)."""
    word = node.run(f"cat {file}").split()[0]
    return int(word) if word.isdigit() else None


def test_memory_limit_is_what_the_task_asks_for(tasks, agent):
    """The cgroup of a task that runs is limited to the memory of the task and of its executor."""
    task = tasks.launch("sleep 600", cpus=0.1, mem=64, hostname=agent.address)
    found = limit(agent, task, "memory", "memory.limit_in_bytes", "memory.max")
    assert found == (64 + EXECUTOR_MEM) * MEGABYTE


def test_cpu_weight_is_in_proportion_to_what_tasks_ask_for(tasks, agent):
    """A task that asks for three times the CPU (executor included) gets three times the weight."""
    one = tasks.launch("sleep 600", cpus=0.1, mem=32, hostname=agent.address)
    three = tasks.launch("sleep 600", cpus=0.5, mem=32, hostname=agent.address)
    weights = [limit(agent, task, "cpu", "cpu.shares", "cpu.weight") for task in (one, three)]
    expected = (0.5 + EXECUTOR_CPUS) / (0.1 + EXECUTOR_CPUS)
    assert weights[1] / weights[0] == pytest.approx(expected, rel=0.05), weights


def test_task_that_exceeds_its_memory_is_killed_and_its_neighbour_lives(tasks, agent):
    """A task over its memory ends with Mesos' reason; another on the same agent runs on."""
    neighbour = tasks.launch("sleep 600", cpus=0.1, mem=32, hostname=agent.address)
    process = processes.of_task(agent, neighbour)

    hog = tasks.launch(HOG, cpus=0.1, mem=64, hostname=agent.address)

    status = tasks.wait(hog, {"TASK_FAILED"})
    assert status["reason"] == "REASON_CONTAINER_LIMITATION_MEMORY", status
    assert "Memory limit exceeded" in status["message"]
    assert process.is_alive()
    assert neighbour.states[-1] == "TASK_RUNNING"
