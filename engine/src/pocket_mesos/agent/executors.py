"""Executors: subscribing, what they say, their end, and the frameworks that end with them."""

import logging
from typing import TYPE_CHECKING

from pocket_mesos.agent import actions, delivery, environment, events
from pocket_mesos.agent.state import (
    Executor,
    ExecutorState,
    Framework,
    PendingTermination,
    Task,
)
from pocket_mesos.containerizer.config import Limitation
from pocket_mesos.flags.types import DURATION
from pocket_mesos.protocol import executor as executor_api
from pocket_mesos.protocol import link
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import (
    ContainerID,
    ExecutorInfo,
    FrameworkID,
    Resource,
    ResourceLimitation,
    Scalar,
    TaskState,
    ValueType,
)
from pocket_mesos.resources import Resources

if TYPE_CHECKING:
    from pocket_mesos.agent.core import Agent

log = logging.getLogger(__name__)

UNKNOWN_STATUS = -1
"""Stands for a wait status that nobody could collect."""


def _send(agent: "Agent", executor: Executor, event: executor_api.Event) -> None:
    agent.emit(actions.SendExecutor(container_id=executor.container_id, event=event))


# --- container and subscription --------------------------------------------------------------


def launched(agent: "Agent", event: events.ContainerLaunched) -> None:
    """Note the pid of an executor's container."""
    executor = agent.containers.get(event.container_id)
    if executor is not None:
        executor.pid = event.pid


def subscribed(agent: "Agent", event: events.ExecutorSubscribed, now: float) -> None:
    """Tell an executor who it is, take in what it has kept, give it what is queued."""
    executor = agent.executor(event.framework_id, event.executor_id)
    assert executor is not None, "refusal() lets only known executors through"
    if executor.state in (ExecutorState.TERMINATING, ExecutorState.TERMINATED):
        log.warning("Shutting down executor %s, which is %s", executor.id, executor.state.name)
        _send(agent, executor, executor_api.Event(type="SHUTDOWN"))
        return
    if executor.state is ExecutorState.REGISTERING:
        executor.become(ExecutorState.RUNNING)
    log.info("Executor '%s' of framework %s subscribed", executor.id, executor.framework.id)
    agent.emit(actions.StopTimer(key=("registration", executor.container_id)))
    if executor.run is not None:
        agent.emit(actions.WriteFile(path=executor.run.http_marker, data=b""))
    answer = executor_api.Subscribed(
        executor_info=executor.info,
        framework_info=executor.framework.info,
        agent_info=agent.info,
        container_id=ContainerID(value=executor.container_id),
    )
    _send(agent, executor, executor_api.Event(type="SUBSCRIBED", subscribed=answer))
    for update in event.subscribe.unacknowledged_updates:
        delivery.from_executor(agent, executor, update.status, now)
    _drop_undelivered(agent, executor, event.subscribe, now)
    deliver(agent, executor)


def _drop_undelivered(
    agent: "Agent", executor: Executor, subscribe: executor_api.Subscribe, now: float
) -> None:
    """Give up tasks that were sent to an executor and never reached it."""
    known = {task.task_id.value for task in subscribe.unacknowledged_tasks}
    for task in list(executor.launched.values()):
        if task.state is TaskState.TASK_STAGING and task.id not in known:
            status = delivery.make(
                agent,
                task.id,
                executor.framework.lost_state,
                now,
                reason="REASON_AGENT_RESTARTED",
                message="Task launched during agent restart",
                executor_id=executor.info.executor_id,
            )
            delivery.send(agent, executor.framework, executor, status)


def deliver(agent: "Agent", executor: Executor) -> None:
    """Hand all queued tasks to a running executor."""
    grouped = {task.task_id.value for group in executor.queued_groups for task in group.tasks}
    for task in list(executor.queued.values()):
        executor.launched[task.id] = executor.queued.pop(task.id)
        if task.id not in grouped:
            launch = executor_api.Launch(task=task.info)
            _send(agent, executor, executor_api.Event(type="LAUNCH", launch=launch))
    for group in executor.queued_groups:
        launch_group = executor_api.LaunchGroup(task_group=group)
        _send(agent, executor, executor_api.Event(type="LAUNCH_GROUP", launch_group=launch_group))
    executor.queued_groups.clear()


def updated(agent: "Agent", event: events.ExecutorUpdated, now: float) -> None:
    """Take in an executor's update."""
    executor = agent.executor(event.framework_id, event.executor_id)
    if executor is not None and executor.state is not ExecutorState.TERMINATED:
        delivery.from_executor(agent, executor, event.status, now)


def messaged(agent: "Agent", event: events.ExecutorMessaged) -> None:
    """Hand an executor's message on; without a master it is lost, as messages may be."""
    executor = agent.executor(event.framework_id, event.executor_id)
    if executor is not None and agent.connected:
        call = link.ExecutorToFramework(
            framework_id=FrameworkID(value=event.framework_id),
            executor_id=executor.info.executor_id,
            data=event.data,
        )
        agent.emit(actions.SendMaster(call=call))


def message(agent: "Agent", event: link.FrameworkToExecutor) -> None:
    """Hand a framework's message to an executor that listens."""
    executor = agent.executor(event.framework_id.value, event.executor_id.value)
    if executor is None or executor.state is not ExecutorState.RUNNING:
        agent.counters["invalid_framework_messages"] += 1
        log.warning("Dropping message for executor '%s'", event.executor_id.value)
        return
    agent.counters["valid_framework_messages"] += 1
    data = executor_api.Data(data=event.data)
    _send(agent, executor, executor_api.Event(type="MESSAGE", message=data))


# --- timeouts --------------------------------------------------------------------------------


def registration_timeout(agent: "Agent", container_id: str) -> None:
    """Give up an executor that never subscribed."""
    executor = agent.containers.get(container_id)
    if executor is not None and executor.state is ExecutorState.REGISTERING:
        within = DURATION.show(agent.settings.executor_registration_timeout)
        pending = PendingTermination(
            reason="REASON_EXECUTOR_REGISTRATION_TIMEOUT",
            message=f"Executor did not register within {within}",
        )
        _give_up(agent, executor, pending)


def reregistration_timeout(agent: "Agent") -> None:
    """Give up recovered executors that have not come back."""
    within = DURATION.show(agent.settings.executor_reregistration_timeout)
    for executor in list(agent.containers.values()):
        if executor.recovered and executor.state is ExecutorState.REGISTERING:
            pending = PendingTermination(
                reason="REASON_EXECUTOR_REREGISTRATION_TIMEOUT",
                message=f"Executor did not reregister within {within}",
            )
            _give_up(agent, executor, pending)


def _give_up(agent: "Agent", executor: Executor, pending: PendingTermination) -> None:
    log.info("Terminating executor '%s': %s", executor.id, pending.message)
    executor.become(ExecutorState.TERMINATING)
    executor.pending = pending
    agent.emit(actions.DestroyContainer(container_id=executor.container_id))


def shutdown_timeout(agent: "Agent", container_id: str) -> None:
    """End an executor that has not shut down in time."""
    executor = agent.containers.get(container_id)
    if executor is not None:
        log.info("Killing executor '%s', which did not shut down in time", executor.id)
        agent.emit(actions.DestroyContainer(container_id=container_id))


# --- shutdown --------------------------------------------------------------------------------


def shut_down(agent: "Agent", executor: Executor) -> None:
    """Ask an executor to end; one that has not subscribed is not asked."""
    if executor.state is ExecutorState.RUNNING:
        _send(agent, executor, executor_api.Event(type="SHUTDOWN"))
        grace = environment.grace_period(agent.settings, executor.info)
        key = ("shutdown", executor.container_id)
        agent.emit(actions.StartTimer(key=key, seconds=grace))
    elif executor.state is ExecutorState.REGISTERING:
        agent.emit(actions.DestroyContainer(container_id=executor.container_id))
    else:
        return
    executor.become(ExecutorState.TERMINATING)


def shutdown_requested(agent: "Agent", event: link.ShutdownExecutor) -> None:
    """Shut an executor down at its framework's wish."""
    executor = agent.executor(event.framework_id.value, event.executor_id.value)
    if executor is None:
        log.warning("Ignoring shutdown of unknown executor '%s'", event.executor_id.value)
    else:
        shut_down(agent, executor)


def shutdown_framework(agent: "Agent", framework_id: str) -> None:
    """End all that a framework has here; its updates interest nobody any more."""
    framework = agent.framework(framework_id)
    if framework is None or framework.terminating:
        return
    log.info("Shutting down framework %s", framework_id)
    framework.terminating = True
    delivery.drop(agent, framework_id)
    for executor in list(framework.executors.values()):
        if executor.state is ExecutorState.TERMINATED:
            _remove(agent, executor)
        else:
            shut_down(agent, executor)
    remove_framework_if_done(agent, framework)


def stop(agent: "Agent") -> None:
    """Tell executors that nobody will take over to leave; this agent is about to end."""
    for executor in agent.containers.values():
        if executor.run is None and executor.state is ExecutorState.RUNNING:
            _send(agent, executor, executor_api.Event(type="SHUTDOWN"))


# --- end -------------------------------------------------------------------------------------


def launch_failed(agent: "Agent", event: events.ContainerLaunchFailed, now: float) -> None:
    """Fail the tasks of an executor that could not be launched."""
    executor = agent.containers.get(event.container_id)
    if executor is None:
        return
    agent.counters["container_launch_errors"] += 1
    log.error("Failed to launch executor '%s': %s", executor.id, event.message)
    if executor.pending is None:
        if event.dropped:
            state, reason = executor.framework.lost_state, "REASON_EXECUTOR_TERMINATED"
        else:
            state, reason = TaskState.TASK_FAILED, "REASON_CONTAINER_LAUNCH_FAILED"
        executor.pending = PendingTermination(reason=reason, message=event.message, state=state)
    _ended(agent, executor, UNKNOWN_STATUS, None, now)


def terminated(agent: "Agent", event: events.ContainerTerminated, now: float) -> None:
    """Fail the tasks that an executor left behind, and file it away."""
    executor = agent.containers.get(event.container_id)
    if executor is None:
        return
    status = UNKNOWN_STATUS if event.status is None else event.status
    log.info(
        "Executor '%s' of framework %s ended with wait status %d",
        executor.id,
        executor.framework.id,
        status,
    )
    _ended(agent, executor, status, event.limitation, now)


def _ended(
    agent: "Agent", executor: Executor, status: int, limitation: Limitation | None, now: float
) -> None:
    executor.become(ExecutorState.TERMINATED)
    del agent.containers[executor.container_id]
    agent.counters["executors_terminated"] += 1
    agent.emit(actions.StopTimer(key=("registration", executor.container_id)))
    agent.emit(actions.StopTimer(key=("shutdown", executor.container_id)))
    agent.emit(actions.CloseExecutor(container_id=executor.container_id))
    if not executor.command:
        tell_exited(agent, executor.framework, executor.info, status)
    if not executor.framework.terminating:
        for task in executor.live_tasks:
            _fail(agent, executor, task, limitation, now)
    remove_if_done(agent, executor)


def tell_exited(
    agent: "Agent", framework: Framework, info: ExecutorInfo, status: int = UNKNOWN_STATUS
) -> None:
    """Tell the master that an executor is gone, or never was, so that its resources are free."""
    if agent.connected:
        call = link.ExitedExecutor(
            framework_id=FrameworkID(value=framework.id),
            executor_id=info.executor_id,
            status=status,
        )
        agent.emit(actions.SendMaster(call=call))


def _fail(
    agent: "Agent", executor: Executor, task: Task, limitation: Limitation | None, now: float
) -> None:
    state, reason, text = TaskState.TASK_FAILED, "REASON_EXECUTOR_TERMINATED", "Executor terminated"
    if executor.pending is not None:
        state = executor.pending.state
        reason, text = executor.pending.reason, executor.pending.message
    elif limitation is not None:
        reason, text = limitation.reason, limitation.message
    status = delivery.make(
        agent,
        task.id,
        state,
        now,
        reason=reason,
        message=text,
        executor_id=executor.info.executor_id,
    )
    if limitation is not None and executor.pending is None:
        amount = Scalar(value=limitation.limit)
        limited = Resource(name=limitation.resource, type=ValueType.SCALAR, scalar=amount)
        status = replace(status, limitation=ResourceLimitation(resources=[limited]))
    delivery.send(agent, executor.framework, executor, status)


def complete(agent: "Agent", framework_id: str, task_id: str) -> None:
    """File a task away whose end the framework knows."""
    framework = agent.framework(framework_id)
    executor = None if framework is None else framework.executor_of(task_id)
    if executor is not None and task_id in executor.terminated:
        executor.completed.append(executor.terminated.pop(task_id))
        remove_if_done(agent, executor)
    elif framework is not None:
        remove_framework_if_done(agent, framework)


def remove_if_done(agent: "Agent", executor: Executor) -> None:
    """File an executor away that has ended and of which the framework knows all."""
    if executor.state is not ExecutorState.TERMINATED:
        return
    if executor.framework.terminating or not (executor.live_tasks or executor.terminated):
        _remove(agent, executor)
        remove_framework_if_done(agent, executor.framework)


def _remove(agent: "Agent", executor: Executor) -> None:
    framework = executor.framework
    del framework.executors[executor.id]
    for tasks in (executor.terminated, executor.launched, executor.queued):
        executor.completed.extend(tasks.values())
        tasks.clear()
    executor.resources = Resources.of(executor.info.resources)
    if executor.run is not None:
        agent.emit(actions.WriteFile(path=executor.run.sentinel, data=b""))
        agent.emit(actions.CollectGarbage(path=executor.run.meta))
        agent.emit(actions.CollectGarbage(path=executor.run.executor))
    agent.emit(actions.CollectGarbage(path=executor.directory))
    agent.emit(actions.CollectGarbage(path=executor.directory.rsplit("/runs/", 1)[0]))
    framework.completed.append(executor)


def remove_framework_if_done(agent: "Agent", framework: Framework) -> None:
    """File a framework away that has nothing left here."""
    if framework.executors or agent.streams.of_framework(framework.id):
        return
    if agent.frameworks.pop(framework.id, None) is None:
        return
    log.info("Cleaning up framework %s", framework.id)
    agent.emit(actions.CollectGarbage(path=agent.paths.framework_work(agent.id, framework.id)))
    if framework.info.checkpoint:
        meta = agent.paths.framework_meta(agent.id, framework.id)
        agent.emit(actions.CollectGarbage(path=meta))
    agent.completed_frameworks.append(framework)
