"""Deactivation as the agent knows it: it keeps what it was told, and while draining ends its tasks.

Each task is killed by its own kill policy, shortened to the draining's grace period. That the agent
is drained is the master's to say: it knows which ends of tasks are acknowledged.
"""

import logging
from typing import TYPE_CHECKING

from pocket_mesos.agent import actions, launching
from pocket_mesos.agent.state import Executor, Task
from pocket_mesos.protocol import codec, link
from pocket_mesos.protocol.deactivation import Deactivation, DrainConfig
from pocket_mesos.protocol.mesos import (
    DurationInfo,
    FrameworkID,
    KillPolicy,
    TaskState,
)

if TYPE_CHECKING:
    from pocket_mesos.agent.core import Agent

log = logging.getLogger(__name__)

DEFAULT_GRACE = 3_000_000_000
"""Nanoseconds that Mesos' executors give a task without a kill policy."""


def deactivated(agent: "Agent", deactivation: Deactivation, now: float) -> None:
    """Keep what operators decided, and begin to drain if that is it."""
    before, agent.deactivation = agent.deactivation, deactivation
    path = agent.paths.deactivation(agent.id)
    agent.emit(actions.WriteFile(path=path, data=codec.encode(deactivation)))
    if agent.draining is None or deactivation == before:
        return
    log.info("Draining: ending all tasks")
    for framework in list(agent.frameworks.values()):
        for executor in list(framework.executors.values()):
            _kill_tasks(agent, executor, now)


def subscribed(agent: "Agent", framework_id: str, executor_id: str, now: float) -> None:
    """Kill an executor's tasks: it may have missed that, or the agent was away meanwhile."""
    executor = agent.executor(framework_id, executor_id)
    if executor is not None:
        _kill_tasks(agent, executor, now)


def reactivated(agent: "Agent") -> None:
    """Forget the deactivation."""
    agent.deactivation = None
    agent.emit(actions.RemoveFile(path=agent.paths.deactivation(agent.id)))


def _kill_tasks(agent: "Agent", executor: Executor, now: float) -> None:
    """Kill an executor's tasks if the agent is draining."""
    config = agent.draining
    if config is None:
        return
    for task in executor.live_tasks:
        # Killing a queued task of a group has ended the others of it as well.
        if not task.terminal and task.state is not TaskState.TASK_KILLING:
            kill = link.KillTask(
                framework_id=FrameworkID(value=executor.framework.id),
                task_id=task.info.task_id,
                kill_policy=_policy(config, task),
            )
            launching.kill_task(agent, kill, now)


def _policy(config: DrainConfig, task: Task) -> KillPolicy | None:
    """Return the kill policy that shortens a task's own; None when there is nothing to shorten."""
    if config.max_grace_period is None:
        return None
    own = task.info.kill_policy
    grace = DEFAULT_GRACE
    if own is not None and own.grace_period is not None:
        grace = own.grace_period.nanoseconds
    shortened = min(grace, config.max_grace_period.nanoseconds)
    return KillPolicy(grace_period=DurationInfo(nanoseconds=shortened))
