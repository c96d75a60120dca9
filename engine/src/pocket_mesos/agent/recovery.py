"""From checkpoints into a new core, and whether they may be used at all.

Nothing here decides; ``restore`` puts the values into a core, which then goes on from events.
"""

import json
from collections import deque

from pocket_mesos.agent import actions, delivery, events
from pocket_mesos.agent.checkpoints import Recovered, RecoveredRun, RecoveredTask
from pocket_mesos.agent.core import Agent
from pocket_mesos.agent.paths import RunPaths
from pocket_mesos.agent.state import Executor, Framework, Phase, Task
from pocket_mesos.agent.updates import replayed
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.mesos import AgentInfo
from pocket_mesos.resources import Resources


def restore(agent: Agent, found: Recovered, now: float) -> list[actions.Action]:
    """Put what was found into a new core.

    Executors whose process may live wait for ``reregistration_timeout``; the others end at once.

    Returns:
        What has to be done, in order.
    """
    agent.counters["recovery_errors"] += found.errors
    agent.deactivation = found.deactivation
    done: list[actions.Action] = [
        actions.CollectGarbage(path=path, ended=False) for path in found.finished
    ]
    for run in found.runs:
        _restore_run(agent, run)
    for run in found.runs:
        if run.process is None:
            ended = events.ContainerTerminated(container_id=run.container_id, status=None)
            done += agent.handle(ended, now)
    agent.phase = Phase.RECOVERING
    waiting = agent.settings.executor_reregistration_timeout if agent.containers else 0.0
    done.append(actions.StartTimer(key=("reregistration",), seconds=waiting))
    return done


def _restore_run(agent: Agent, run: RecoveredRun) -> None:
    assert run.framework.id is not None
    framework = agent.frameworks.get(run.framework.id.value)
    if framework is None:
        kept = agent.settings.max_completed_executors_per_framework
        framework = Framework(info=run.framework, completed=deque(maxlen=kept))
        agent.frameworks[framework.id] = framework
    executor_id = run.executor.executor_id.value
    names = (agent.id, framework.id, executor_id, run.container_id)
    executor = Executor(
        info=run.executor,
        framework=framework,
        container_id=run.container_id,
        directory=agent.paths.sandbox(*names),
        command=run.command,
        run=RunPaths(agent.paths.run_meta(*names)),
        pid=run.process.pid if run.process else None,
        recovered=True,
    )
    framework.executors[executor_id] = executor
    agent.containers[run.container_id] = executor
    for task in run.tasks:
        _restore_task(agent, executor, task)


def _restore_task(agent: Agent, executor: Executor, found: RecoveredTask) -> None:
    """File a task where it belongs, with the updates that are still to be delivered."""
    task = Task(info=found.info)
    executor.take(task)
    executor.launched[task.id] = executor.queued.pop(task.id)
    assert executor.run is not None
    stream = agent.streams.open(
        executor.framework.id,
        task.id,
        None if executor.command else executor.info.executor_id,
        executor.run.task_updates(task.id),
    )
    for status in replayed(stream, found.records):
        delivery.record(task, status)
    if task.terminal:
        executor.give_back(task)
        if stream.head is None:
            agent.streams.close(stream)
            executor.completed.append(executor.terminated.pop(task.id))
    elif stream.head is None and not stream.received:
        agent.streams.close(stream)


# --- may the state be used? --------------------------------------------------------------------


def incompatibility(old: AgentInfo, new: AgentInfo, policy: str) -> str | None:
    """Return how the configuration changed in a way that ``policy`` does not accept."""
    same_place = (old.hostname, old.port, old.domain) == (new.hostname, new.port, new.domain)
    had, has = Resources.of(old.resources), Resources.of(new.resources)
    old_attributes = {codec.encode(one) for one in old.attributes}
    new_attributes = {codec.encode(one) for one in new.attributes}
    if policy == "additive":
        fine = same_place and has.contains(had) and old_attributes <= new_attributes
    else:
        fine = same_place and has == had and old_attributes == new_attributes
    if fine:
        return None
    line = "-" * 60
    return "\n".join(
        (
            "Incompatible agent info detected.",
            line,
            "Old agent info:",
            json.dumps(codec.to_builtins(old), indent=2),
            "",
            line,
            "New agent info:",
            json.dumps(codec.to_builtins(new), indent=2),
            "",
            line,
        )
    )


def advice(message: str, latest: str) -> str:
    """Add what the operator can do about a failed recovery."""
    return (
        f"Failed to perform recovery: {message}\n"
        "If the configuration was changed on purpose and the agent should keep its id, try a more "
        "permissive --reconfiguration_policy.\n"
        "To start with a new agent id instead:\n"
        f"rm -f {latest}\n"
        "The agent then does not recover its old executors."
    )
