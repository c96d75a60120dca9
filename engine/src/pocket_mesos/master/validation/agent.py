"""Agents that return: whether their tale can be true."""

from pocket_mesos.master.state import Agent
from pocket_mesos.protocol import link
from pocket_mesos.protocol.mesos import TERMINAL_STATES
from pocket_mesos.resources import EMPTY, Resources, validate


def validate_use(call: link.Reregister, known: Agent | None) -> str | None:
    """Return why an agent's tale of its resources and tasks can't be true."""
    lists = [one.info.resources for one in call.executors]
    lists += [one.info.resources for one in call.tasks]
    for resources in lists:
        error = validate(resources)
        if error is not None:
            return f"Agent's tasks are invalid: {error}"
    used = EMPTY
    for executor in call.executors:
        used = used + Resources.of(executor.info.resources)
    for task in call.tasks:
        if task.state not in TERMINAL_STATES:
            used = used + Resources.of(task.info.resources)
    total = Resources.of(call.agent_info.resources)
    if known is not None and not total.contains(known.total):
        # Nothing that is offered or used may vanish; an agent that is honest knows that, too.
        return f"Agent's resources {total} are less than it had: {known.total}"
    if not total.contains(used):
        return f"Agent's tasks use {used}, which is more than its resources {total}"
    return None
