"""Sums over the master's records that several views and metrics show."""

from collections import Counter
from collections.abc import Iterable

from pocket_mesos.authorization import Viewer
from pocket_mesos.master.state import Agent, Executor, Framework, Offer, State, Task
from pocket_mesos.protocol.mesos import Resource
from pocket_mesos.resources import EMPTY, Resources

SHOWN_STATES = (
    "TASK_STAGING",
    "TASK_STARTING",
    "TASK_RUNNING",
    "TASK_KILLING",
    "TASK_FINISHED",
    "TASK_KILLED",
    "TASK_FAILED",
    "TASK_LOST",
    "TASK_ERROR",
    "TASK_UNREACHABLE",
)
"""States that summaries count, in Mesos' order."""


def used_by_role(tasks: Iterable[Task], executors: Iterable[Executor]) -> dict[str, Resources]:
    """Add up what tasks and executors use, by the role that it is allocated to."""
    used: dict[str, Resources] = {}
    for task in tasks:
        if not task.terminal:
            used[task.role] = used.get(task.role, EMPTY) + task.resources
    for executor in executors:
        used[executor.role] = used.get(executor.role, EMPTY) + executor.resources
    return used


def offered_by_role(state: State, offer_ids: Iterable[str]) -> dict[str, Resources]:
    """Add up what is offered, by role."""
    offered: dict[str, Resources] = {}
    for offer_id in offer_ids:
        offer: Offer = state.offers[offer_id]
        offered[offer.role] = offered.get(offer.role, EMPTY) + offer.resources
    return offered


def used_below(by_role: dict[str, Resources], role: str) -> Resources:
    """Add up a role and the roles below it."""
    made = EMPTY
    for name, resources in by_role.items():
        if name == role or name.startswith(f"{role}/"):
            made = made + resources
    return made


def total(by_role: dict[str, Resources]) -> Resources:
    """Add up all roles; equal ports of several agents show once, as in Mesos."""
    made = EMPTY
    for resources in by_role.values():
        made = made + resources
    return made


def used_of_agent(agent: Agent) -> dict[str, Resources]:
    """Return what is used of an agent, by role."""
    return used_by_role(agent.tasks.values(), agent.executors.values())


def used_of_framework(framework: Framework) -> dict[str, Resources]:
    """Return what a framework uses, by role."""
    return used_by_role(framework.tasks.values(), framework.executors.values())


def used_of_all(state: State) -> dict[str, Resources]:
    """Return what all frameworks use, by role."""
    used: dict[str, Resources] = {}
    for framework in state.frameworks.values():
        for role, resources in used_of_framework(framework).items():
            used[role] = used.get(role, EMPTY) + resources
    return used


def visible(by_role: dict[str, Resources], viewer: Viewer) -> dict[str, Resources]:
    """Pick what is allocated to roles that somebody may see."""
    return {role: resources for role, resources in by_role.items() if viewer.role(role)}


def messages(by_role: dict[str, Resources]) -> list[Resource]:
    """Write bundles by role as messages that show their role."""
    return [
        message
        for role, resources in by_role.items()
        for message in resources.to_messages(role="*", allocated=role)
    ]


def all_tasks(framework: Framework) -> list[Task]:
    """Return a framework's tasks, finished ones included."""
    return [
        *framework.tasks.values(),
        *framework.unreachable_tasks.values(),
        *framework.completed_tasks,
    ]


def count_states(tasks: Iterable[Task]) -> dict[str, int]:
    """Count tasks by the states that summaries show."""
    counts = Counter(task.state.value for task in tasks)
    return {state: counts[state] for state in SHOWN_STATES}
