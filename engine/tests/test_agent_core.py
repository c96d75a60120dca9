"""The agent's decisions: events in, actions out, with a clock that stands still."""

import json

import pytest
from agent_core import LEADER, NOW, Core, kinds, sent, statuses, told, update
from fake_master import AGENT_ID, framework, resources, task

from pocket_mesos.agent import actions, events
from pocket_mesos.agent.endpoints import Endpoints
from pocket_mesos.agent.errors import IllegalTransitionError
from pocket_mesos.agent.state import ExecutorState, Phase, allocated
from pocket_mesos.authorization import Authorizer, parse
from pocket_mesos.containerizer.config import Limitation, Limits
from pocket_mesos.protocol import executor as executor_api
from pocket_mesos.protocol import link
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import (
    CommandInfo,
    ExecutorID,
    ExecutorInfo,
    ExecutorType,
    FrameworkID,
    TaskGroupInfo,
    TaskID,
    TaskState,
)

FRAMEWORK_ID = FrameworkID(value="m-f")
UUID1 = (1).to_bytes(16, "big")
UUID2 = (2).to_bytes(16, "big")
AWARE = ("PARTITION_AWARE",)
CUSTOM = ExecutorInfo(
    type=ExecutorType.CUSTOM,
    executor_id=ExecutorID(value="x"),
    framework_id=FRAMEWORK_ID,
    command=CommandInfo(value="exec it"),
    resources=resources(),
)


# --- registration ----------------------------------------------------------------------------


def test_registration_waits_a_random_time_and_takes_the_id() -> None:
    """The agent's first words are Register; the id is checkpointed before anything else."""
    core = Core(registered=False)
    assert core.feed(events.MasterDetected(leader=LEADER)) == [
        actions.Disconnect(),
        actions.StopTimer(key=("ping",)),
        actions.StopTimer(key=("register",)),
        actions.StartTimer(key=("register",), seconds=1.0),
    ]
    (connect,) = core.fire("register")
    assert isinstance(connect, actions.Connect)
    assert isinstance(connect.call, link.Register)
    assert (connect.leader, connect.call.pid) == (LEADER, "slave(1)@127.0.0.1:5051")
    done = core.master(link.Registered(agent_id=AGENT_ID, total_ping_timeout_seconds=75.0))
    assert kinds(done) == ["WriteFile", "MakeLink", "StartTimer"]
    assert done[1] == actions.MakeLink(path="/w/meta/slaves/latest", target="/w/meta/slaves/m-S0")
    assert core.agent.phase is Phase.RUNNING


def test_registration_backs_off_to_a_minute() -> None:
    """Twice as long each time, at most a minute, and from the start after a success."""
    core = Core(registered=False)
    core.feed(events.MasterDetected(leader=LEADER))
    waits = []
    for _ in range(8):
        core.fire("register")
        (timer,) = (
            one
            for one in core.feed(events.LinkLost(reason="x"))
            if isinstance(one, actions.StartTimer)
        )
        waits.append(timer.seconds)
    assert waits == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    core.master(link.Registered(agent_id=AGENT_ID, total_ping_timeout_seconds=75.0))
    done = core.feed(events.LinkLost(reason="x"))
    assert done[-1] == actions.StartTimer(key=("register",), seconds=1.0)


def test_a_refused_credential_ends_the_agent_and_spares_its_executors() -> None:
    """Asking again would not help; an agent with a good credential can take them over."""
    core = Core()
    core.running(task("t", "sleep"))
    assert core.feed(events.AuthenticationRefused(master=LEADER)) == [
        actions.Exit(status=1, message="Master master@127.0.0.1:5050 refused authentication")
    ]


def test_a_silent_master_is_given_up() -> None:
    """Every ping puts the end off; without one the agent registers again."""
    core = Core()
    assert core.master(link.Ping(connected=True)) == [
        actions.SendMaster(call=link.Pong()),
        actions.StartTimer(key=("ping",), seconds=75.0),
    ]
    assert kinds(core.fire("ping")) == ["Disconnect", "StopTimer", "StartTimer"]
    assert core.agent.phase is Phase.DISCONNECTED
    (connect,) = core.fire("register")
    assert isinstance(connect, actions.Connect)
    assert isinstance(connect.call, link.Reregister)


def test_a_master_that_forgot_the_agent_makes_it_register_again() -> None:
    """A ping may say that the master takes the agent for disconnected."""
    done = Core().master(link.Ping(connected=False))
    assert "Disconnect" in kinds(done)


def test_reregistration_tells_all_that_is_here() -> None:
    """Live and unacknowledged tasks; command executors are the agent's own business."""
    core = Core()
    core.running(task("c", "sleep 1"))
    core.run(task("t", executor=CUSTOM))
    core.feed(events.MasterDetected(leader=LEADER))
    (connect,) = core.fire("register")
    assert isinstance(connect, actions.Connect)
    assert isinstance(connect.call, link.Reregister)
    told_tasks = {one.info.task_id.value: one for one in connect.call.tasks}
    assert told_tasks["c"].state is TaskState.TASK_RUNNING
    assert told_tasks["c"].executor_id is None
    assert told_tasks["t"].state is TaskState.TASK_STAGING
    assert told_tasks["t"].executor_id == CUSTOM.executor_id
    assert [one.info for one in connect.call.executors] == [CUSTOM]
    assert [one.id for one in connect.call.frameworks] == [FRAMEWORK_ID]


def test_another_id_than_before_ends_the_agent() -> None:
    """The master took it for somebody else."""
    core = Core()
    core.feed(events.LinkLost(reason="x"))
    core.fire("register")
    other = link.AgentID(value="m-S9")
    done = core.master(link.Registered(agent_id=other, total_ping_timeout_seconds=75.0))
    assert kinds(done) == ["Exit"]


# --- launch ----------------------------------------------------------------------------------


def test_a_command_task_gets_an_executor_of_its_own() -> None:
    """Its container may use what the task asks for and 0.1 CPU and 32 MB more."""
    core = Core(libprocess_ip="127.0.0.1")
    launch, timer = core.run(task("t", "sleep 1"))
    assert isinstance(launch, actions.LaunchContainer)
    config = launch.config
    assert (config.executable, config.argv[0]) == ("/l/mesos-executor", "mesos-executor")
    assert config.limits == Limits(cpus=0.2, mem=64 * 2**20)
    assert config.user == "root"
    assert config.environment["MESOS_EXECUTOR_ID"] == "t"
    assert config.environment["MESOS_CHECKPOINT"] == "0"
    assert "MESOS_RECOVERY_TIMEOUT" not in config.environment
    assert str(config.directory).startswith("/w/slaves/m-S0/frameworks/m-f/executors/t/runs/")
    assert timer == actions.StartTimer(key=("registration", config.container_id), seconds=60.0)
    assert allocated(core.agent.frameworks).scalar("mem") == 64.0


def test_checkpoints_come_before_the_launch() -> None:
    """A crash in between leaves no process that nobody knows."""
    core = Core()
    done = core.run(task("t", "sleep 1"), checkpoint=True)
    assert kinds(done) == [
        "WriteFile",  # framework.info
        "WriteFile",  # executor.info
        "WriteFile",  # executor_generated_for_command_task
        "MakeLink",
        "WriteFile",  # task.info
        "LaunchContainer",
        "StartTimer",
    ]
    launch = done[5]
    assert isinstance(launch, actions.LaunchContainer)
    assert launch.pid_path is not None
    assert launch.pid_path.endswith("/pids/forked.pid")
    assert launch.config.environment["MESOS_RECOVERY_TIMEOUT"] == "15mins"


def test_tasks_wait_for_their_executor_and_follow_in_order() -> None:
    """SUBSCRIBED first, then LAUNCH for each."""
    core = Core()
    assert "LaunchContainer" in kinds(core.run(task("a", executor=CUSTOM)))
    assert kinds(core.run(task("b", executor=CUSTOM))) == []
    core.forked("x")
    done = core.subscribe("x")
    assert told(done) == ["SUBSCRIBED", "LAUNCH", "LAUNCH"]
    done = core.run(task("c", executor=CUSTOM))
    assert done[0] == actions.UpdateContainer(
        container_id=core.container("x"), limits=Limits(cpus=0.4, mem=128 * 2**20)
    )
    assert told(done) == ["LAUNCH"]


def test_a_task_group_is_delivered_whole() -> None:
    """One LAUNCH_GROUP, no LAUNCH."""
    core = Core()
    default = ExecutorInfo(
        type=ExecutorType.DEFAULT, executor_id=ExecutorID(value="d"), resources=resources()
    )
    group = TaskGroupInfo(tasks=[task("a", "true"), task("b", "true")])
    done = core.master(link.RunTaskGroup(framework=framework(), executor=default, task_group=group))
    (launch,) = (one for one in done if isinstance(one, actions.LaunchContainer))
    assert launch.config.executable == "/l/mesos-default-executor"
    assert told(core.subscribe("d")) == ["SUBSCRIBED", "LAUNCH_GROUP"]


def test_a_command_task_cannot_reuse_an_executor() -> None:
    """The recorded refusal, in the state that the framework understands."""
    core = Core()
    core.running(task("t", "sleep 1"))
    (status,) = statuses(core.run(task("t", "true")))
    assert status.state is TaskState.TASK_LOST
    assert status.reason == "REASON_TASK_INVALID"
    assert status.message == "Cannot reuse an already existing executor for a command task"
    core = Core()
    core.running(task("t", "sleep 1"), capabilities=AWARE)
    (status,) = statuses(core.run(task("t", "true"), capabilities=AWARE))
    assert status.state is TaskState.TASK_DROPPED


# --- updates ---------------------------------------------------------------------------------


def test_an_update_is_the_agents_once_it_is_checkpointed() -> None:
    """Written down, sent on, then acknowledged to the executor: in that order."""
    core = Core()
    core.run(task("t", "sleep 1"), checkpoint=True)
    core.forked("t", 77)
    core.subscribe("t")
    done = core.update("t", "t", TaskState.TASK_RUNNING)
    assert kinds(done) == ["AppendLine", "SendMaster", "StartTimer", "SendExecutor"]
    (status,) = statuses(done)
    assert status.agent_id == AGENT_ID
    assert status.container_status is not None
    assert status.container_status.executor_pid == 77
    assert done[2] == actions.StartTimer(key=("update", "m-f", "t"), seconds=10.0)


def test_updates_of_a_task_wait_for_each_other() -> None:
    """One at a time, in order; other tasks are not held up."""
    core = Core()
    core.run(task("t", "sleep 1"))
    core.subscribe("t")
    assert len(statuses(core.update("t", "t", TaskState.TASK_STARTING, 1))) == 1
    assert statuses(core.update("t", "t", TaskState.TASK_RUNNING, 2)) == []
    (status,) = statuses(core.acknowledge("t", UUID1))
    assert status.state is TaskState.TASK_RUNNING


def test_unacknowledged_updates_are_sent_again() -> None:
    """After 10 s, doubling to 10 minutes."""
    core = Core()
    core.run(task("t", "sleep 1"))
    core.subscribe("t")
    core.update("t", "t", TaskState.TASK_RUNNING)
    waits = []
    for _ in range(8):
        send, timer = core.fire("update", "m-f", "t")
        assert statuses([send])[0].uuid == UUID1
        assert isinstance(timer, actions.StartTimer)
        waits.append(timer.seconds)
    assert waits == [20.0, 40.0, 80.0, 160.0, 320.0, 600.0, 600.0, 600.0]


def test_an_update_that_comes_twice_is_delivered_once() -> None:
    """The executor is acknowledged each time, or it would never stop."""
    core = Core()
    core.run(task("t", "sleep 1"))
    core.subscribe("t")
    core.update("t", "t", TaskState.TASK_RUNNING)
    done = core.update("t", "t", TaskState.TASK_RUNNING)
    assert (statuses(done), told(done)) == ([], ["ACKNOWLEDGED"])
    core.acknowledge("t", UUID1)
    assert statuses(core.update("t", "t", TaskState.TASK_RUNNING)) == []


def test_stale_acknowledgements_change_nothing() -> None:
    """Only the head of the stream can be acknowledged."""
    core = Core()
    core.run(task("t", "sleep 1"))
    core.subscribe("t")
    core.update("t", "t", TaskState.TASK_RUNNING, 1)
    assert core.acknowledge("t", UUID2) == []
    assert core.acknowledge("nobody", UUID1) == []


def test_without_a_master_updates_wait() -> None:
    """They are sent when it is back, oldest first."""
    core = Core()
    core.run(task("t", "sleep 1"))
    core.subscribe("t")
    core.feed(events.LinkLost(reason="x"))
    assert statuses(core.update("t", "t", TaskState.TASK_STARTING, 1)) == []
    assert statuses(core.update("t", "t", TaskState.TASK_RUNNING, 2)) == []
    core.fire("register")
    done = core.master(link.Registered(agent_id=AGENT_ID, total_ping_timeout_seconds=75.0))
    assert [status.uuid for status in statuses(done)] == [UUID1]


def test_an_update_for_an_unknown_task_is_passed_on_as_it_is() -> None:
    """As recorded: without container_status; the framework may know better."""
    core = Core()
    core.running(task("t", "sleep 1"))
    (status,) = statuses(core.update("t", "no-such-task", TaskState.TASK_RUNNING, 5))
    assert status.container_status is None
    assert status.agent_id == AGENT_ID


def test_a_task_that_has_ended_stays_so() -> None:
    """Later updates are acknowledged to the executor and go no further."""
    core = Core()
    core.run(task("a", executor=CUSTOM))
    core.run(task("b", executor=CUSTOM))
    core.subscribe("x")
    core.update("x", "a", TaskState.TASK_FINISHED, 1)
    done = core.update("x", "a", TaskState.TASK_RUNNING, 2)
    assert (statuses(done), told(done)) == ([], ["ACKNOWLEDGED"])


def test_an_ended_task_gives_its_resources_back_at_once() -> None:
    """The container shrinks before the framework has acknowledged."""
    core = Core()
    core.run(task("a", executor=CUSTOM))
    core.run(task("b", executor=CUSTOM))
    core.subscribe("x")
    done = core.update("x", "a", TaskState.TASK_FINISHED, 1)
    assert done[0] == actions.UpdateContainer(
        container_id=core.container("x"), limits=Limits(cpus=0.2, mem=64 * 2**20)
    )


# --- kill ------------------------------------------------------------------------------------


def kill(core: Core, task_id: str) -> list[actions.Action]:
    return core.master(link.KillTask(framework_id=FRAMEWORK_ID, task_id=TaskID(value=task_id)))


def test_a_task_killed_before_its_executor_came_never_starts() -> None:
    """The recorded words; an executor with nothing to do is ended."""
    core = Core()
    core.run(task("t", "sleep 1"))
    done = kill(core, "t")
    (status,) = statuses(done)
    assert status.state is TaskState.TASK_KILLED
    assert status.reason == "REASON_TASK_KILLED_DURING_LAUNCH"
    assert status.message == "Killed before delivery to the executor"
    assert status.executor_id == ExecutorID(value="t")
    assert kinds(done)[-1] == "DestroyContainer"


def test_a_running_task_is_killed_by_its_executor() -> None:
    """The agent passes the wish on."""
    core = Core()
    core.running(task("t", "sleep 1"))
    assert told(kill(core, "t")) == ["KILL"]


def test_killing_one_of_a_waiting_group_kills_all_of_it() -> None:
    """A group runs whole or not at all."""
    core = Core()
    default = ExecutorInfo(
        type=ExecutorType.DEFAULT, executor_id=ExecutorID(value="d"), resources=resources()
    )
    group = TaskGroupInfo(tasks=[task("a", "true"), task("b", "true")])
    core.master(link.RunTaskGroup(framework=framework(), executor=default, task_group=group))
    assert {status.task_id.value for status in statuses(kill(core, "b"))} == {"a", "b"}


def test_killing_an_unknown_task_is_answered_once() -> None:
    """In the state that the framework understands."""
    core = Core()
    core.running(task("t", "sleep 1"))
    (status,) = statuses(kill(core, "nobody"))
    assert status.state is TaskState.TASK_LOST
    assert kill(core, "nobody") == []


# --- end of executors ------------------------------------------------------------------------


def ended(
    core: Core, executor_id: str, status: int = 0, limitation: Limitation | None = None
) -> list[actions.Action]:
    container_id = core.container(executor_id)
    return core.feed(
        events.ContainerTerminated(container_id=container_id, status=status, limitation=limitation)
    )


def test_an_executor_that_ends_fails_its_tasks() -> None:
    """The master hears of the executor first, as recorded."""
    core = Core()
    core.run(task("t", executor=CUSTOM))
    core.subscribe("x")
    calls = sent(ended(core, "x", 1792))
    assert isinstance(calls[0], link.ExitedExecutor)
    assert calls[0].status == 1792
    assert isinstance(calls[1], link.StatusUpdate)
    status = calls[1].status
    assert (status.state, status.reason) == (TaskState.TASK_FAILED, "REASON_EXECUTOR_TERMINATED")
    assert (status.message, status.container_status) == ("Executor terminated", None)


def test_the_master_knows_nothing_of_command_executors() -> None:
    """No ExitedExecutor for them."""
    core = Core()
    core.running(task("t", "sleep 1"))
    assert [type(call) for call in sent(ended(core, "t", 9))] == [link.StatusUpdate]


def test_a_limit_is_the_reason_of_the_end() -> None:
    """Reason, message and the limit itself are told."""
    core = Core()
    core.running(task("t", "sleep 1"))
    reason = "REASON_CONTAINER_LIMITATION_MEMORY"
    limitation = Limitation(reason=reason, message="too much", resource="mem", limit=64.0)
    (status,) = statuses(ended(core, "t", 9, limitation))
    assert (status.reason, status.message) == (reason, "too much")
    assert status.limitation is not None
    assert status.limitation.resources[0].scalar is not None
    assert status.limitation.resources[0].scalar.value == 64.0


@pytest.mark.parametrize(
    ("dropped", "state", "reason"),
    [
        (True, TaskState.TASK_DROPPED, "REASON_EXECUTOR_TERMINATED"),
        (False, TaskState.TASK_FAILED, "REASON_CONTAINER_LAUNCH_FAILED"),
    ],
)
def test_a_launch_that_fails(dropped: bool, state: TaskState, reason: str) -> None:
    """Without a sandbox the task was never tried; otherwise it failed."""
    core = Core()
    core.run(task("t", "sleep 1"), capabilities=AWARE)
    done = core.feed(
        events.ContainerLaunchFailed(
            container_id=core.container("t"), message="why", dropped=dropped
        )
    )
    (status,) = statuses(done)
    assert (status.state, status.reason, status.message) == (state, reason, "why")


def test_an_executor_that_does_not_subscribe_is_destroyed() -> None:
    """Its tasks are told why when it is gone."""
    core = Core(executor_registration_timeout=5.0)
    core.run(task("t", executor=CUSTOM))
    container = core.container("x")
    assert core.fire("registration", container) == [
        actions.DestroyContainer(container_id=container)
    ]
    (status,) = statuses(ended(core, "x", 9))
    assert status.reason == "REASON_EXECUTOR_REGISTRATION_TIMEOUT"
    assert status.message == "Executor did not register within 5secs"


def test_shutdown_gives_an_executor_its_grace_period() -> None:
    """Then it is destroyed."""
    core = Core()
    core.run(task("t", executor=CUSTOM))
    core.subscribe("x")
    done = core.master(
        link.ShutdownExecutor(framework_id=FRAMEWORK_ID, executor_id=CUSTOM.executor_id)
    )
    container = core.container("x")
    assert told(done) == ["SHUTDOWN"]
    assert actions.StartTimer(key=("shutdown", container), seconds=5.0) in done
    assert core.fire("shutdown", container) == [actions.DestroyContainer(container_id=container)]
    refused = statuses(core.run(task("late", executor=CUSTOM)))
    assert [status.message for status in refused] == ["Executor terminating"]


def test_all_of_an_executor_is_known_before_it_is_forgotten() -> None:
    """It stays until the last update is acknowledged; then folders may go."""
    core = Core()
    core.run(task("t", "sleep 1"), checkpoint=True)
    core.subscribe("t")
    core.update("t", "t", TaskState.TASK_FINISHED)
    assert core.agent.executor("m-f", "t") is not None
    ended(core, "t")
    assert core.agent.frameworks
    done = core.acknowledge("t", UUID1)
    assert "CollectGarbage" in kinds(done)
    assert any(
        isinstance(one, actions.WriteFile) and one.path.endswith("executor.sentinel")
        for one in done
    )
    assert not core.agent.frameworks
    assert [one.id for one in core.agent.completed_frameworks] == ["m-f"]
    assert len(core.agent.streams) == 0


def test_a_framework_that_comes_again_is_the_same() -> None:
    """What it completed here before stays with it, and it is listed once."""
    core = Core()
    core.run(task("a", "true"))
    core.subscribe("a")
    core.update("a", "a", TaskState.TASK_FINISHED)
    core.acknowledge("a", UUID1)
    ended(core, "a")
    assert not core.agent.frameworks
    core.run(task("b", "true"))
    assert not core.agent.completed_frameworks
    assert [one.id for one in core.agent.frameworks["m-f"].completed] == ["a"]


def test_a_framework_that_is_shut_down_leaves_nothing() -> None:
    """Its updates interest nobody; its executors end, then it is gone."""
    core = Core()
    core.running(task("a", "sleep 1"))
    core.update("a", "a", TaskState.TASK_FAILED, 7)
    core.running(task("b", "sleep 1"))
    done = core.master(link.ShutdownFramework(framework_id=FRAMEWORK_ID))
    assert told(done) == ["SHUTDOWN", "SHUTDOWN"]
    assert len(core.agent.streams) == 0
    assert sent(core.update("b", "b", TaskState.TASK_KILLED, 8)) == []
    assert sent(ended(core, "a")) == []
    assert sent(ended(core, "b")) == []
    assert not core.agent.frameworks


def test_executors_go_forward_only() -> None:
    """The table of states is enforced, with the history in the message."""
    core = Core()
    core.run(task("t", "sleep 1"))
    executor = core.agent.executor("m-f", "t")
    assert executor is not None
    executor.become(ExecutorState.TERMINATING)
    with pytest.raises(IllegalTransitionError, match="REGISTERING"):
        executor.become(ExecutorState.RUNNING)
    core.agent.containers.clear()


# --- executors that come back ------------------------------------------------------------------


def test_a_resubscribed_executor_brings_what_it_has_kept() -> None:
    """New updates are taken over, and tasks that never reached it are dropped."""
    core = Core()
    core.run(task("a", executor=CUSTOM), capabilities=AWARE)
    core.run(task("b", executor=CUSTOM), capabilities=AWARE)
    core.subscribe("x")
    kept = executor_api.UpdateStatus(status=update("a", TaskState.TASK_RUNNING, 1))
    done = core.subscribe("x", executor_api.Subscribe(unacknowledged_updates=[kept]))
    found = {status.task_id.value: status for status in statuses(done)}
    assert found["a"].state is TaskState.TASK_RUNNING
    assert found["b"].state is TaskState.TASK_DROPPED
    assert found["b"].reason == "REASON_AGENT_RESTARTED"
    assert told(done) == ["SUBSCRIBED", "ACKNOWLEDGED"]


def test_a_task_that_reached_its_executor_is_not_dropped() -> None:
    """The executor names it among the unacknowledged ones."""
    core = Core()
    info = task("a", executor=CUSTOM)
    core.run(info)
    core.subscribe("x")
    done = core.subscribe("x", executor_api.Subscribe(unacknowledged_tasks=[info]))
    assert statuses(done) == []


# --- the rest ----------------------------------------------------------------------------------


def test_messages_reach_executors_that_listen() -> None:
    """Others are counted and lost, as messages may be."""
    core = Core()
    core.run(task("t", executor=CUSTOM))
    message = link.FrameworkToExecutor(
        framework_id=FRAMEWORK_ID, executor_id=CUSTOM.executor_id, data=b"hi"
    )
    assert core.master(message) == []
    core.subscribe("x")
    assert told(core.master(message)) == ["MESSAGE"]
    assert core.agent.counters["invalid_framework_messages"] == 1
    done = core.feed(events.ExecutorMessaged(framework_id="m-f", executor_id="x", data=b"ho"))
    (call,) = sent(done)
    assert isinstance(call, link.ExecutorToFramework)
    assert call.data == b"ho"


def test_reconciliation_answers_for_unknown_tasks_only() -> None:
    """Known ones speak for themselves."""
    core = Core()
    core.running(task("t", "sleep 1"), capabilities=AWARE)
    ids = [TaskID(value="t"), TaskID(value="ghost")]
    done = core.master(link.ReconcileTasks(framework_id=FRAMEWORK_ID, tasks=ids))
    (status,) = statuses(done)
    assert (status.task_id.value, status.state) == ("ghost", TaskState.TASK_DROPPED)
    assert status.reason == "REASON_RECONCILIATION"


def test_a_restart_tells_only_executors_that_nobody_takes_over() -> None:
    """Checkpointing ones wait for the next agent."""
    core = Core()
    core.running(task("t", "sleep 1"))
    assert told(core.feed(events.StopRequested())) == ["SHUTDOWN"]
    core = Core()
    core.running(task("t", "sleep 1"), checkpoint=True)
    assert core.feed(events.StopRequested()) == []


def test_shutting_down_waits_for_the_last_executor() -> None:
    """The id is forgotten first, so that the next agent registers as a new one."""
    core = Core()
    core.running(task("t", "sleep 1"))
    done = core.feed(events.ShutdownRequested())
    assert sent(done) == [link.Unregister()]
    assert actions.RemoveFile(path="/w/meta/slaves/latest") in done
    assert "Exit" not in kinds(done)
    assert kinds(ended(core, "t"))[-1] == "Exit"


def test_shutting_down_during_a_registration_still_ends() -> None:
    """The master's late answer must not bring an agent back to life that is leaving."""
    core = Core()
    core.running(task("t", "sleep 1"))
    core.feed(events.LinkLost(reason="cut"))
    core.fire("register")
    assert sent(core.feed(events.ShutdownRequested())) == []
    registered = link.Registered(agent_id=AGENT_ID, total_ping_timeout_seconds=75.0)
    assert sent(core.master(registered)) == [link.Unregister()]
    assert kinds(ended(core, "t"))[-1] == "Exit"


def test_an_idle_agent_shuts_down_at_once() -> None:
    """Told so by the master, for one that was removed."""
    done = Core().master(link.Shutdown(message="removed"))
    assert done[-1] == actions.Exit(status=0)


def test_time_is_the_callers() -> None:
    """What the agent makes itself carries the time it was given."""
    core = Core()
    core.run(task("t", "sleep 1"))
    core.now = NOW + 5
    (status,) = statuses(kill(core, "t"))
    assert status.timestamp == NOW + 5


# --- authorization ---------------------------------------------------------------------------


def www_only() -> Authorizer:
    rule = {"principals": {"type": "ANY"}, "users": {"values": ["www"]}}
    return Authorizer(parse(json.dumps({"permissive": False, "run_tasks": [rule]})))


def test_an_agent_has_its_own_say_about_users() -> None:
    """Nothing is launched, and nothing stays behind once the framework knows."""
    core = Core(authorizer=www_only())
    done = core.run(task("t", CommandInfo(value="true", user="root")))
    (status,) = statuses(done)
    assert (status.state, status.reason) == (TaskState.TASK_ERROR, "REASON_TASK_UNAUTHORIZED")
    assert status.message == "Framework m-f is not authorized to launch task t"
    assert "LaunchContainer" not in kinds(done)
    assert status.uuid is not None
    core.acknowledge("t", status.uuid)
    assert not core.agent.frameworks
    assert "LaunchContainer" in kinds(core.run(task("u", CommandInfo(value="true", user="www"))))


def test_an_executor_that_was_never_allowed_is_reported_gone() -> None:
    """The master has put its resources aside; it needs to know that they are free."""
    core = Core(authorizer=www_only())
    done = core.run(task("t", executor=CUSTOM))
    (gone,) = (one for one in sent(done) if isinstance(one, link.ExitedExecutor))
    assert gone.executor_id == CUSTOM.executor_id


def test_a_group_is_refused_as_a_whole() -> None:
    """One task under a wrong user spoils all."""
    core = Core(authorizer=www_only())
    group = TaskGroupInfo(
        tasks=[task(name, CommandInfo(value="x", user=name)) for name in ("www", "root")]
    )
    executor = replace(CUSTOM, type=ExecutorType.DEFAULT, command=None)
    info = framework()
    done = core.master(link.RunTaskGroup(framework=info, executor=executor, task_group=group))
    assert {(one.task_id.value, one.reason) for one in statuses(done)} == {
        ("www", "REASON_TASK_GROUP_UNAUTHORIZED"),
        ("root", "REASON_TASK_GROUP_UNAUTHORIZED"),
    }


def test_a_sandbox_is_shown_by_the_user_that_its_executor_runs_as() -> None:
    """Of a framework that is over Mesos knows no user: the right to any is needed."""
    rules = [
        {"principals": {"values": ["owner"]}, "users": {"values": ["root"]}},
        {"principals": {"values": ["www"]}, "users": {"values": ["www"]}},
        {"principals": {"values": ["all"]}, "users": {"type": "ANY"}},
    ]
    anybody = [{"principals": {"type": "ANY"}, "users": {"type": "ANY"}}]
    lists = {"permissive": False, "access_sandboxes": rules, "run_tasks": anybody}
    core = Core(authorizer=Authorizer(parse(json.dumps(lists))))
    core.running(task("t", CommandInfo(value="sleep", user="www")))
    shown = Endpoints(core.agent, None, None, {}, lambda: "/log", 0.0)  # type: ignore[arg-type]
    sandbox = "/frameworks/m-f/executors/t/runs/latest"

    def readers() -> list[str]:
        return [p for p in ("owner", "www", "all", "") if shown._may_read(sandbox, p or None)]

    assert readers() == ["www", "all"]
    core.update("t", "t", TaskState.TASK_FINISHED, 2)
    core.acknowledge("t", UUID2)
    core.feed(events.ContainerTerminated(container_id=core.container("t"), status=0))
    assert not core.agent.frameworks
    assert readers() == ["all"]
    assert not shown._may_read("/slave/log", "all")
