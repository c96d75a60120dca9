"""Tasks on their way in: from the master to their executor, and killed before they got there."""

import logging
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from pocket_mesos.agent import actions, delivery, environment, executors
from pocket_mesos.agent.paths import RunPaths
from pocket_mesos.agent.state import Executor, ExecutorState, Framework, Phase, Task
from pocket_mesos.authorization import user_of_task
from pocket_mesos.containerizer.config import ContainerConfig
from pocket_mesos.protocol import codec, link
from pocket_mesos.protocol import executor as executor_api
from pocket_mesos.protocol.mesos import (
    ExecutorID,
    ExecutorInfo,
    FrameworkInfo,
    TaskInfo,
    TaskState,
)

if TYPE_CHECKING:
    from pocket_mesos.agent.core import Agent

log = logging.getLogger(__name__)


def run_task(agent: "Agent", event: link.RunTask, refusal: str | None, now: float) -> None:
    """Bring a task to its executor, which is launched if need be."""
    log.info(
        "Got assigned task '%s' for framework %s", event.task.task_id.value, _id(event.framework)
    )
    command = event.task.command is not None and event.task.executor is None
    if command:
        info = environment.command_executor(agent.settings, event.framework, event.task)
    else:
        given = event.executor or event.task.executor
        assert given is not None, "the master lets no task without command or executor pass"
        info = given
    _run(agent, event.framework, info, [event.task], None, command, refusal, now)


def run_task_group(
    agent: "Agent", event: link.RunTaskGroup, refusal: str | None, now: float
) -> None:
    """Bring a task group to its executor, all of it at once."""
    group = event.task_group
    ids = ", ".join(task.task_id.value for task in group.tasks)
    log.info("Got assigned task group [%s] for framework %s", ids, _id(event.framework))
    info = environment.default_executor(agent.settings, event.executor)
    _run(
        agent,
        event.framework,
        info,
        group.tasks,
        executor_api.LaunchGroup(task_group=group),
        False,
        refusal,
        now,
    )


def _id(framework: FrameworkInfo) -> str:
    assert framework.id is not None
    return framework.id.value


def _run(
    agent: "Agent",
    framework_info: FrameworkInfo,
    info: ExecutorInfo,
    tasks: list[TaskInfo],
    group: executor_api.LaunchGroup | None,
    command: bool,
    refusal: str | None,
    now: float,
) -> None:
    if agent.phase is Phase.TERMINATING:
        log.warning("Ignoring tasks: the agent is terminating")
        return
    framework = _framework(agent, framework_info)
    if framework.terminating:
        log.warning("Ignoring tasks of framework %s, which is terminating", framework.id)
        return
    executor = framework.executors.get(info.executor_id.value)
    unauthorized = _unauthorized(agent, framework, tasks, group is not None)
    if unauthorized is not None or refusal is not None:
        state = TaskState.TASK_ERROR if unauthorized else framework.lost_state
        reason = unauthorized or ("REASON_CONTAINER_LAUNCH_FAILED", str(refusal))
        _refuse(agent, framework, None, tasks, state, reason, now)
        if executor is None and not command:
            executors.tell_exited(agent, framework, info)
        return
    late = _late(executor, command)
    if late is not None:
        lost = framework.lost_state
        _refuse(agent, framework, info.executor_id, tasks, lost, late, now)
        return
    created = executor is None
    if executor is None:
        if not framework.executors:
            checkpoint(agent, framework)
        executor = _executor(agent, framework, info, command)
    for task in tasks:
        executor.take(Task(info=task))
        if executor.run is not None:
            path = executor.run.task_info(task.task_id.value)
            agent.emit(actions.WriteFile(path=path, data=codec.encode(task)))
    if group is not None:
        executor.queued_groups.append(group.task_group)
    if created:
        _launch(agent, executor)
    elif executor.state is ExecutorState.RUNNING:
        agent.emit(
            actions.UpdateContainer(container_id=executor.container_id, limits=executor.limits)
        )
        executors.deliver(agent, executor)


def _framework(agent: "Agent", info: FrameworkInfo) -> Framework:
    framework = agent.frameworks.get(_id(info))
    if framework is None:
        framework = Framework(
            info=info,
            completed=deque(maxlen=agent.settings.max_completed_executors_per_framework),
        )
        agent.frameworks[framework.id] = framework
        for old in [one for one in agent.completed_frameworks if one.id == framework.id]:
            # It had nothing left here and comes again: it is still the same framework.
            agent.completed_frameworks.remove(old)
            framework.completed.extend(old.completed)
    return framework


def checkpoint(agent: "Agent", framework: Framework) -> None:
    """Write a framework down, if it wants that."""
    if framework.info.checkpoint:
        path = agent.paths.framework_info(agent.id, framework.id)
        agent.emit(actions.WriteFile(path=path, data=codec.encode(framework.info)))


def update_framework(agent: "Agent", event: link.UpdateFramework) -> None:
    """Take over a framework's new description; it is connected, so pending updates go out now."""
    framework = agent.frameworks.get(_id(event.framework))
    if framework is not None and not framework.terminating:
        framework.info = event.framework
        checkpoint(agent, framework)
        delivery.resume(agent)


_Refusal = tuple[str, str]
"""Reason and message."""


def _unauthorized(
    agent: "Agent", framework: Framework, tasks: list[TaskInfo], grouped: bool
) -> _Refusal | None:
    """Return that a task may not run as its user here: hosts differ in whom they know."""
    runs = agent.settings.authorizer.approver("run_tasks", framework.info.principal)
    for task in tasks:
        if not runs.approves(user_of_task(framework.info, task)):
            what = f"Framework {framework.id} is not authorized to launch task "
            kind = "TASK_GROUP" if grouped else "TASK"
            return f"REASON_{kind}_UNAUTHORIZED", what + task.task_id.value
    return None


def _late(executor: Executor | None, command: bool) -> _Refusal | None:
    if executor is None:
        return None
    if executor.state is ExecutorState.TERMINATING:
        return "REASON_EXECUTOR_TERMINATED", "Executor terminating"
    if executor.state is ExecutorState.TERMINATED:
        return "REASON_EXECUTOR_TERMINATED", "Executor terminated"
    if command:
        message = "Cannot reuse an already existing executor for a command task"
        return "REASON_TASK_INVALID", message
    return None


def _refuse(
    agent: "Agent",
    framework: Framework,
    executor_id: ExecutorID | None,
    tasks: list[TaskInfo],
    state: TaskState,
    refusal: _Refusal,
    now: float,
) -> None:
    reason, message = refusal
    for task in tasks:
        status = delivery.make(
            agent,
            task.task_id.value,
            state,
            now,
            reason=reason,
            message=message,
            executor_id=executor_id,
        )
        delivery.send(agent, framework, None, status)


def _executor(agent: "Agent", framework: Framework, info: ExecutorInfo, command: bool) -> Executor:
    """Make an executor and write it down; its container follows."""
    container_id = str(UUID(bytes=agent.new_uuid(), version=4))
    executor_id = info.executor_id.value
    run = None
    if framework.info.checkpoint:
        meta = agent.paths.run_meta(agent.id, framework.id, executor_id, container_id)
        run = RunPaths(meta)
        agent.emit(actions.WriteFile(path=run.executor_info, data=codec.encode(info)))
        agent.emit(actions.WriteFile(path=run.generated, data=b"1" if command else b"0"))
        agent.emit(actions.MakeLink(path=run.latest, target=meta))
    executor = Executor(
        info=info,
        framework=framework,
        container_id=container_id,
        directory=agent.paths.sandbox(agent.id, framework.id, executor_id, container_id),
        command=command,
        run=run,
    )
    framework.executors[executor_id] = executor
    agent.containers[container_id] = executor
    return executor


def _launch(agent: "Agent", executor: Executor) -> None:
    settings = agent.settings
    framework = executor.framework
    log.info(
        "Launching executor '%s' of framework %s in container %s",
        executor.id,
        framework.id,
        executor.container_id,
    )
    executable, argv = environment.argv(executor.info)
    config = ContainerConfig(
        container_id=executor.container_id,
        agent_id=agent.id,
        executable=executable,
        argv=argv,
        environment=environment.executor_environment(
            settings, agent.id, framework.info, executor.info, executor.directory
        ),
        directory=Path(executor.directory),
        user=environment.user_of(settings, framework.info, executor.info),
        limits=executor.limits,
        uris=environment.uris(executor.info),
        container=executor.info.container or settings.default_container,
    )
    pid_path = None if executor.run is None else executor.run.forked_pid
    agent.emit(actions.LaunchContainer(config=config, pid_path=pid_path))
    timeout = settings.executor_registration_timeout
    key = ("registration", executor.container_id)
    agent.emit(actions.StartTimer(key=key, seconds=timeout))


# --- kill ------------------------------------------------------------------------------------


def kill_task(agent: "Agent", event: link.KillTask, now: float) -> None:
    """Kill a task where it is: still here, with its executor, or nowhere."""
    framework = agent.framework(event.framework_id.value)
    task_id = event.task_id.value
    if framework is None or framework.terminating:
        log.warning("Ignoring kill of task %s: no such framework", task_id)
        return
    executor = framework.executor_of(task_id)
    if executor is None:
        _kill_unknown(agent, framework, task_id, now)
    elif task_id in executor.queued:
        _kill_queued(agent, executor, task_id, now)
    elif executor.state is ExecutorState.RUNNING:
        kill = executor_api.Kill(task_id=event.task_id, kill_policy=event.kill_policy)
        agent.emit(
            actions.SendExecutor(
                container_id=executor.container_id,
                event=executor_api.Event(type="KILL", kill=kill),
            )
        )
    else:
        # A recovered executor that has not come back yet: the framework will ask again.
        log.warning("Ignoring kill of task %s: its executor is %s", task_id, executor.state.name)


def _kill_unknown(agent: "Agent", framework: Framework, task_id: str, now: float) -> None:
    if agent.streams.find(framework.id, task_id) is not None:
        return
    status = delivery.make(
        agent,
        task_id,
        framework.lost_state,
        now,
        reason="REASON_EXECUTOR_TERMINATED",
        message="Cannot find executor",
    )
    delivery.send(agent, framework, None, status)


def _kill_queued(agent: "Agent", executor: Executor, task_id: str, now: float) -> None:
    """Kill a task that its executor never saw, with it the group it belongs to."""
    group = next(
        (
            one
            for one in executor.queued_groups
            if any(task.task_id.value == task_id for task in one.tasks)
        ),
        None,
    )
    message = "Killed before delivery to the executor"
    ids = [task_id]
    if group is not None:
        executor.queued_groups.remove(group)
        message = "A task within the task group was killed before delivery to the executor"
        ids = [task.task_id.value for task in group.tasks]
    for one in ids:
        status = delivery.make(
            agent,
            one,
            TaskState.TASK_KILLED,
            now,
            reason="REASON_TASK_KILLED_DURING_LAUNCH",
            message=message,
            executor_id=ExecutorID(value=executor.id),
        )
        delivery.send(agent, executor.framework, executor, status)
    if not (executor.live_tasks or executor.completed):
        log.info("Shutting down executor %s: all its tasks were killed", executor.id)
        executors.shut_down(agent, executor)
