"""ACCEPT and DECLINE: what a framework does with its offers."""

from pocket_mesos.authorization import user_of_task
from pocket_mesos.master import framework_metrics, offers, subscribers, tasks
from pocket_mesos.master.context import Master
from pocket_mesos.master.state import Agent, Executor, Framework, Offer, Task
from pocket_mesos.master.validation import task as validation
from pocket_mesos.protocol import link, mesos, scheduler
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import ExecutorInfo, ExecutorType, TaskInfo, TaskState
from pocket_mesos.resources import EMPTY, Resources


def decline(m: Master, framework: Framework, call: scheduler.Decline) -> None:
    """Give offers back."""
    m.count("messages_decline_offers")
    seconds = offers.refuse_seconds(call.filters)
    for offer_id in call.offer_ids:
        offer = m.state.offers.get(offer_id.value)
        if offer is not None and offer.framework_id == framework.id:
            offers.end(m, offer, refuse_seconds=seconds)


def accept(m: Master, framework: Framework, call: scheduler.Accept) -> None:
    """Launch what is valid on what was offered, give the rest back."""
    m.count("messages_launch_tasks")
    offer_ids = [one.value for one in call.offer_ids]
    error = offers.validate(m, framework, offer_ids)
    if error is not None:
        _refuse_offers(m, framework, offer_ids, call.operations, error)
        return
    accepted = [m.state.offers[offer_id] for offer_id in offer_ids]
    launch = _Launch(m, framework, accepted)
    for operation in call.operations:
        if operation.launch is not None:
            launch.launch(operation.launch.task_infos)
        elif operation.launch_group is not None:
            launch.launch_group(operation.launch_group)
    launch.give_back_rest(offers.refuse_seconds(call.filters))


def _refuse_offers(
    m: Master,
    framework: Framework,
    offer_ids: list[str],
    operations: list[scheduler.Operation],
    error: str,
) -> None:
    """Drop the tasks of an ACCEPT whose offers can't be used; the valid ones are given back."""
    for offer_id in offer_ids:
        offer = m.state.offers.get(offer_id)
        if offer is not None and offer.framework_id == framework.id:
            offers.end(m, offer)
    state = TaskState.TASK_DROPPED if framework.partition_aware else TaskState.TASK_LOST
    for info in _tasks_of(operations):
        status = tasks.master_status(
            m,
            info.task_id.value,
            state,
            f"Task launched with invalid offers: {error}",
            "REASON_INVALID_OFFERS",
            agent_id=info.agent_id.value,
        )
        m.send_update(framework, status)


def _tasks_of(operations: list[scheduler.Operation]) -> list[TaskInfo]:
    infos: list[TaskInfo] = []
    for operation in operations:
        if operation.launch is not None:
            infos += operation.launch.task_infos
        if operation.launch_group is not None:
            infos += operation.launch_group.task_group.tasks
    return infos


class _Launch:
    """One ACCEPT in progress: what is left of its offers."""

    def __init__(self, m: Master, framework: Framework, accepted: list[Offer]) -> None:
        self._m = m
        self._framework = framework
        self._role = accepted[0].role
        self._agent: Agent = m.state.agents[accepted[0].agent_id]
        self._runs = m.config.authorizer.approver("run_tasks", framework.info.principal)
        self._left = EMPTY
        for offer in accepted:
            offers.take_off(m, offer)
            self._left = self._left + offer.resources

    def give_back_rest(self, refuse_seconds: float) -> None:
        """Return to the allocator what no task uses."""
        self._m.allocator.recover(
            self._framework.id,
            self._role,
            self._agent.id,
            self._left,
            refuse_seconds=refuse_seconds,
            now=self._m.now,
        )

    def launch(self, infos: list[TaskInfo]) -> None:
        """Launch the valid ones of some tasks."""
        for given in infos:
            if not self._runs.approves(user_of_task(self._framework.info, given)):
                self._refuse(
                    given,
                    f"Principal '{self._framework.info.principal or ''}' no authorized to "
                    + self._described(given),
                    "REASON_TASK_UNAUTHORIZED",
                )
                continue
            executor = self._complete_executor(given.executor)
            info = given if executor is None else replace(given, executor=executor)
            error = validation.validate_task(info, self._place(executor))
            if error is not None:
                self._refuse(info, error, "REASON_TASK_INVALID")
                continue
            if executor is not None:
                executor = self._add_executor(executor)
            task = self._add_task(info, executor)
            run = link.RunTask(framework=self._framework.info, executor=executor, task=task.info)
            self._m.tell(self._agent, run)

    def launch_group(self, group: scheduler.LaunchGroup) -> None:
        """Launch a group of tasks, all or none."""
        infos = group.task_group.tasks
        executor = _allocated_executor(group.executor, self._role)
        reason = "REASON_TASK_GROUP_UNAUTHORIZED"
        error = self._unauthorized_group(infos)
        if error is None:
            reason = "REASON_TASK_GROUP_INVALID"
            error = validation.validate_group(infos, executor, self._place(executor))
        if error is not None:
            for info in infos:
                self._refuse(info, error, reason)
            return
        executor = self._add_executor(executor)
        added = [self._add_task(info, executor).info for info in infos]
        run = link.RunTaskGroup(
            framework=self._framework.info,
            executor=executor,
            task_group=mesos.TaskGroupInfo(tasks=added),
        )
        self._m.tell(self._agent, run)

    def _unauthorized_group(self, infos: list[TaskInfo]) -> str | None:
        """Return which task of a group may not run as its user; the last one counts in Mesos."""
        error = None
        for info in infos:
            if not self._runs.approves(user_of_task(self._framework.info, info)):
                # The missing space is Mesos' own.
                error = f"Task '{info.task_id.value}' is not authorized to" + self._described(info)
        return error

    def _described(self, info: TaskInfo) -> str:
        """Say what a framework wants to do with a task, as Mesos' authorization does."""
        user = user_of_task(self._framework.info, info)
        return (
            f"launch task {info.task_id.value} of framework {self._framework.id} "
            f"under user '{user}'"
        )

    def _complete_executor(self, executor: ExecutorInfo | None) -> ExecutorInfo | None:
        """Fill in what Mesos fills in: the framework's id and the type."""
        if executor is None:
            return None
        return replace(
            _allocated_executor(executor, self._role),
            framework_id=executor.framework_id or mesos.FrameworkID(value=self._framework.id),
            type=executor.type or ExecutorType.CUSTOM,
        )

    def _place(self, executor: ExecutorInfo | None) -> validation.Place:
        known = None
        if executor is not None:
            known = self._agent.executors.get((self._framework.id, executor.executor_id.value))
        return validation.Place(
            framework_id=self._framework.id,
            agent_id=self._agent.id,
            role=self._role,
            available=self._left,
            task_ids=self._framework.tasks,
            executor=None if known is None else known.info,
        )

    def _add_executor(self, info: ExecutorInfo) -> ExecutorInfo:
        key = (self._framework.id, info.executor_id.value)
        if key not in self._agent.executors:
            executor = Executor(
                info=info,
                framework_id=self._framework.id,
                agent_id=self._agent.id,
                role=self._role,
                resources=Resources.of(info.resources),
            )
            self._left = self._left - executor.resources
            tasks.add_executor(self._agent, self._framework, executor)
        return info

    def _add_task(self, info: TaskInfo, executor: ExecutorInfo | None) -> Task:
        task = Task(
            info=replace(info, resources=validation.allocated(info.resources, self._role)),
            framework_id=self._framework.id,
            agent_id=self._agent.id,
            role=self._role,
            executor_id=None if executor is None else executor.executor_id.value,
            resources=Resources.of(info.resources),
        )
        self._left = self._left - task.resources
        tasks.add(self._m, self._agent, self._framework, task)
        subscribers.task_added(self._m, task)
        return task

    def _refuse(self, info: TaskInfo, error: str, reason: str) -> None:
        status = tasks.master_status(
            self._m,
            info.task_id.value,
            TaskState.TASK_ERROR,
            error,
            reason,
            agent_id=info.agent_id.value,
        )
        self._m.count("tasks_error")
        framework_metrics.ended(self._framework, TaskState.TASK_ERROR)
        self._m.send_update(self._framework, status)


def _allocated_executor(executor: ExecutorInfo, role: str) -> ExecutorInfo:
    """Write the allocation's role into resources that can be read; validation sees the rest."""
    try:
        resources = validation.allocated(executor.resources, role)
    except (ValueError, OverflowError):
        return executor
    return replace(executor, resources=resources)
