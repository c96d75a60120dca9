"""The agent's decisions about its own draining."""

import pytest
from agent_core import LEADER, NOW, Core, statuses, told
from fake_master import framework, resources, task
from test_agent_core import CUSTOM

from pocket_mesos.agent import actions, events, model, operator_views
from pocket_mesos.agent.recovery import Recovered, restore
from pocket_mesos.agent.updates import Streams
from pocket_mesos.authorization import OPEN, Viewer
from pocket_mesos.protocol import executor as executor_api
from pocket_mesos.protocol import link
from pocket_mesos.protocol.deactivation import Deactivation, DrainConfig, DrainInfo, DrainState
from pocket_mesos.protocol.mesos import (
    DurationInfo,
    ExecutorID,
    ExecutorInfo,
    ExecutorType,
    KillPolicy,
    TaskGroupInfo,
    TaskState,
)

SECOND = 1_000_000_000
AWARE = ("PARTITION_AWARE",)
DRAINED = Deactivation(
    drain_info=DrainInfo(state=DrainState.DRAINED, config=DrainConfig()), drain_start=NOW
)


def draining(seconds: float | None = None, *, mark_gone: bool = False) -> Deactivation:
    grace = None if seconds is None else DurationInfo(nanoseconds=int(seconds * SECOND))
    config = DrainConfig(max_grace_period=grace, mark_gone=mark_gone)
    info = DrainInfo(state=DrainState.DRAINING, config=config)
    return Deactivation(drain_info=info, drain_start=NOW)


def tell(core: Core, deactivation: Deactivation) -> list[actions.Action]:
    return core.master(link.Deactivate(deactivation=deactivation))


def graces(done: list[actions.Action]) -> list[float | None]:
    """Seconds that the killed tasks are given by the agent; None: what they have anyway."""
    kills = [one.event.kill for one in done if isinstance(one, actions.SendExecutor)]
    policies = [one.kill_policy for one in kills if one is not None]
    return [
        None if one is None or one.grace_period is None else one.grace_period.nanoseconds / SECOND
        for one in policies
    ]


def policy(seconds: float) -> KillPolicy:
    return KillPolicy(grace_period=DurationInfo(nanoseconds=int(seconds * SECOND)))


def test_what_the_master_decided_is_checkpointed_first_and_told_again() -> None:
    """The next leader learns of it when the agent registers; taken back, it is forgotten."""
    core = Core()
    done = tell(core, Deactivation())
    path = "/w/meta/slaves/m-S0/deactivation"
    assert done == [actions.WriteFile(path=path, data=b"{}")]
    core.feed(events.MasterDetected(leader=LEADER))
    (connect,) = core.fire("register")
    assert isinstance(connect, actions.Connect)
    assert isinstance(connect.call, link.Reregister)
    assert connect.call.deactivation == Deactivation()
    assert core.master(link.Reactivate()) == [actions.RemoveFile(path=path)]
    assert core.agent.deactivation is None


def test_a_deactivated_agent_lets_its_tasks_run() -> None:
    """Only draining ends them."""
    core = Core()
    core.running(task("t", "sleep 1"))
    assert told(tell(core, Deactivation())) == []
    assert told(tell(core, DRAINED)) == []


@pytest.mark.parametrize(
    ("own", "limit", "given"),
    [
        (None, None, None),
        (policy(9), None, None),
        (None, 10, 3),
        (None, 1, 1),
        (policy(9), 20, 9),
        (policy(9), 5, 5),
        (policy(9), 0, 0),
    ],
)
def test_the_grace_period_of_a_draining_shortens_and_never_lengthens(
    own: KillPolicy | None, limit: float | None, given: float | None
) -> None:
    """A task's own kill policy holds up to the operator's limit."""
    core = Core()
    core.running(task("t", "sleep 1", kill_policy=own))
    assert graces(tell(core, draining(limit))) == [given]


def test_a_task_killed_by_draining_says_so() -> None:
    """Whatever reason the executor gave; how else a task ends is its own affair."""
    core = Core()
    for name in ("k", "f"):
        core.running(task(name, "sleep 1"), capabilities=AWARE)
    tell(core, draining())
    (killing,) = statuses(core.update("k", "k", TaskState.TASK_KILLING, 1))
    assert killing.reason == "REASON_AGENT_DRAINING"
    core.acknowledge("k", killing.uuid or b"")
    (killed,) = statuses(core.update("k", "k", TaskState.TASK_KILLED, 2, reason="REASON_X"))
    assert (killed.state, killed.reason) == (TaskState.TASK_KILLED, "REASON_AGENT_DRAINING")
    (failed,) = statuses(core.update("f", "f", TaskState.TASK_FAILED, 3))
    assert (failed.state, failed.reason) == (TaskState.TASK_FAILED, None)


@pytest.mark.parametrize(
    ("capabilities", "state"),
    [((), TaskState.TASK_KILLED), (AWARE, TaskState.TASK_GONE_BY_OPERATOR)],
)
def test_tasks_of_an_agent_that_will_be_gone_are_gone(
    capabilities: tuple[str, ...], state: TaskState
) -> None:
    """For a framework that knows the word."""
    core = Core()
    core.running(task("t", "sleep 1"), capabilities=capabilities)
    tell(core, draining(mark_gone=True))
    (status,) = statuses(core.update("t", "t", TaskState.TASK_KILLED, 1))
    assert (status.state, status.reason) == (state, "REASON_AGENT_DRAINING")


def test_tasks_that_never_started_are_killed_on_the_spot() -> None:
    """A waiting task and a waiting group, each told once."""
    core = Core()
    core.run(task("t", "sleep 1"), capabilities=AWARE)
    default = ExecutorInfo(
        type=ExecutorType.DEFAULT, executor_id=ExecutorID(value="d"), resources=resources()
    )
    group = TaskGroupInfo(tasks=[task("a", "true"), task("b", "true")])
    info = framework(capabilities=AWARE)
    core.master(link.RunTaskGroup(framework=info, executor=default, task_group=group))
    done = statuses(tell(core, draining()))
    assert sorted(status.task_id.value for status in done) == ["a", "b", "t"]
    assert {(status.state, status.reason) for status in done} == {
        (TaskState.TASK_KILLED, "REASON_AGENT_DRAINING")
    }


def test_being_told_again_kills_nobody_twice_but_a_new_limit_counts() -> None:
    """The master reminds an agent that comes back; an operator may lose patience."""
    core = Core()
    core.running(task("t", "sleep 1"))
    assert told(tell(core, draining(9))) == ["KILL"]
    assert told(tell(core, draining(9))) == []
    assert graces(tell(core, draining(1))) == [1]


def test_an_executor_that_comes_back_is_told_to_kill() -> None:
    """The kill may have been lost with its stream; a task that is being killed is left alone."""
    core = Core()
    core.run(task("t", executor=CUSTOM))
    core.subscribe("x")
    core.update("x", "t", TaskState.TASK_RUNNING)
    core.agent.streams = Streams()
    core.agent.deactivation = draining()
    kept = executor_api.Subscribe(unacknowledged_tasks=[task("t", executor=CUSTOM)])
    assert told(core.subscribe("x", kept)) == ["SUBSCRIBED", "KILL"]
    core.update("x", "t", TaskState.TASK_KILLING, 2)
    assert told(core.subscribe("x", kept)) == ["SUBSCRIBED"]


def test_endpoints_show_the_draining_while_it_goes_on() -> None:
    """As Mesos' agent does: when it is drained, it shows nothing any more."""
    core = Core()
    tell(core, draining(3))
    shown = model.state(core.agent, Viewer(OPEN, None), 0.0, {}, None)
    assert shown["drain_config"] == draining(3).draining
    assert shown["estimated_drain_start_time_seconds"] == NOW
    answer = operator_views.agent(core.agent)
    assert answer["drain_config"] == draining(3).draining
    assert answer["estimated_drain_start_time"] == {"nanoseconds": NOW * SECOND}
    tell(core, DRAINED)
    assert "drain_config" not in model.state(core.agent, Viewer(OPEN, None), 0.0, {}, None)
    assert list(operator_views.agent(core.agent)) == ["agent_info"]


def test_restore_takes_the_deactivation_over() -> None:
    """What was read from the checkpoint is what the agent goes by."""
    core = Core(registered=False)
    restore(core.agent, Recovered(deactivation=draining(1)), NOW)
    assert core.agent.draining == draining(1).draining
