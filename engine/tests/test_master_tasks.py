"""The master's core: launching, status updates, kills, executors, reconciliation."""

import pytest
from master_world import FakeAgent, FakeScheduler, World, small, task

from pocket_mesos.master import actions
from pocket_mesos.protocol import link
from pocket_mesos.protocol.mesos import ExecutorID, FrameworkID

MULTI = [{"type": "MULTI_ROLE"}]
AWARE = [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}]


def cluster(
    capabilities: list[dict[str, str]] = MULTI, **config: object
) -> tuple[World, FakeAgent, FakeScheduler]:
    world = World(**config)
    agent = FakeAgent(world, resources="cpus:4;mem:4096;disk:10000;ports:[31000-31099]").register()
    fw = FakeScheduler(world, roles=["r"], capabilities=capabilities, checkpoint=True).subscribe()
    return world, agent, fw


def executor(fw: FakeScheduler, name: str = "x", **fields: object) -> dict[str, object]:
    made = {
        "executor_id": {"value": name},
        "framework_id": {"value": fw.id},
        "type": "CUSTOM",
        "command": {"value": "run"},
        "resources": small(0.1, 32),
    } | fields
    return {key: value for key, value in made.items() if value is not None}


def test_command_task_reaches_the_agent_with_its_allocation() -> None:
    """The agent gets framework and task, resources marked with their role, and no executor."""
    world, agent, fw = cluster()
    (offer,) = fw.offers()
    world.take()
    fw.launch(offer, task("t", agent.id), refuse=100)
    (run,) = world.told(agent.stream)
    assert run["type"] == "RunTask"
    assert run["framework"]["id"] == {"value": fw.id}
    assert "executor" not in run
    assert run["task"]["resources"] == [
        one | {"allocation_info": {"role": "r"}}
        for one in (
            {"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
            {"name": "mem", "type": "SCALAR", "scalar": {"value": 32.0}},
        )
    ]


def test_what_an_accept_leaves_is_refused_for_its_time() -> None:
    """The rest of an accepted offer comes back when the filter ends or the task does."""
    world, agent, fw = cluster()
    fw.launch(fw.offers()[0], task("t", agent.id, resources=small(1, 1024)), refuse=3600)
    world.take()
    world.advance(2)
    assert fw.offers() == []
    agent.update(fw, "t", "TASK_FINISHED")
    (offer,) = fw.offers()
    assert {"cpus", "mem", "disk", "ports"} == {r["name"] for r in offer["resources"]}, (
        "all of the agent, since that is more than was refused"
    )


LEFT = (
    "ports(allocated: r):[31000-31099]; cpus(allocated: r):4; mem(allocated: r):4096; "
    "disk(allocated: r):10000"
)

INVALID = [
    (
        {"resources": small(100)},
        (
            "Total resources cpus(allocated: r):100; mem(allocated: r):32 required by task and its "
            f"executor is more than available {LEFT}"
        ),
    ),
    (
        {
            "resources": [
                *small(),
                {"name": "gpus", "type": "SCALAR", "scalar": {"value": 1}},
            ]
        },
        (
            "Total resources cpus(allocated: r):0.1; mem(allocated: r):32; gpus(allocated: r):1 "
            f"required by task and its executor is more than available {LEFT}"
        ),
    ),
    ({"resources": []}, "Task uses no resources"),
    (
        {"resources": small(-1)},
        "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0",
    ),
    ({"task_id": {"value": "a/b"}}, "'a/b' contains invalid characters"),
    ({"task_id": {"value": ""}}, "ID must not be empty"),
    ({"task_id": {"value": ".."}}, "'..' is disallowed"),
    (
        {"agent_id": {"value": "other"}},
        "Task uses invalid agent other while agent AGENT is expected",
    ),
    (
        {"command": None},
        "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present",
    ),
]


@pytest.mark.parametrize(("fields", "sentence"), INVALID)
def test_invalid_task_gets_task_error_from_the_master(
    fields: dict[str, object], sentence: str
) -> None:
    """The reason is in Mesos' words; nothing reaches the agent and nothing stays allocated."""
    world, agent, fw = cluster()
    (offer,) = fw.offers()
    world.take()
    fw.launch(offer, task("t", agent.id, **fields))
    (update,) = (event["update"]["status"] for event in world.told(fw.stream))
    assert update["state"] == "TASK_ERROR"
    assert update["source"] == "SOURCE_MASTER"
    assert update["reason"] == "REASON_TASK_INVALID"
    assert update["message"] == sentence.replace("AGENT", agent.id)
    assert "uuid" not in update
    assert world.told(agent.stream) == []
    world.advance(1)
    assert len(fw.offers()) == 1


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"command": None}, "'ExecutorInfo.command' must be set for 'CUSTOM' executor"),
        (
            {"framework_id": {"value": "bogus"}},
            "ExecutorInfo has an invalid FrameworkID (Actual: bogus vs Expected: FRAMEWORK)",
        ),
        ({"executor_id": {"value": ""}}, "ID must not be empty"),
    ],
)
def test_invalid_executor_gets_task_error(fields: dict[str, object], sentence: str) -> None:
    """An executor is judged along with the task that brings it."""
    world, agent, fw = cluster()
    (offer,) = fw.offers()
    world.take()
    fw.launch(offer, task("t", agent.id, command=None, executor=executor(fw, **fields)))
    (update,) = (event["update"]["status"] for event in world.told(fw.stream))
    assert update["message"] == sentence.replace("FRAMEWORK", fw.id)


def test_only_the_bad_tasks_of_a_launch_are_refused() -> None:
    """A duplicate id in one LAUNCH hits the second task alone."""
    world, agent, fw = cluster()
    (offer,) = fw.offers()
    world.take()
    fw.launch(offer, task("dup", agent.id), task("dup", agent.id), task("ok", agent.id))
    assert world.statuses(fw.stream) == [("dup", "TASK_ERROR", "REASON_TASK_INVALID")]
    assert [run["task"]["name"] for run in world.told(agent.stream)] == ["dup", "ok"]


def test_executor_is_charged_once_and_until_it_exits() -> None:
    """Two tasks on one executor pay for it once; it is paid for while no task runs."""
    world, agent, fw = cluster()
    (offer,) = fw.offers()
    world.take()
    own = executor(fw)
    tasks = [task(name, agent.id, command=None, executor=own) for name in ("t1", "t2")]
    fw.launch(offer, *tasks)
    runs = world.told(agent.stream)
    assert [run["executor"]["executor_id"] for run in runs] == [{"value": "x"}] * 2
    world.take()
    world.advance(1)
    (offer,) = fw.offers()
    assert offer["executor_ids"] == [{"value": "x"}]
    assert offer["resources"][1]["scalar"]["value"] == 3.7
    for name in ("t1", "t2"):
        fw.acknowledge(agent, name, agent.update(fw, name, "TASK_FINISHED"))
    world.take()
    agent.call(
        link.ExitedExecutor(
            framework_id=FrameworkID(value=fw.id), executor_id=ExecutorID(value="x"), status=256
        )
    )
    failure, offers = world.told(fw.stream)
    assert failure["failure"] == {
        "agent_id": {"value": agent.id},
        "executor_id": {"value": "x"},
        "status": 256,
    }
    assert offers["type"] == "OFFERS"


def test_executor_of_the_same_id_must_be_the_same() -> None:
    """What runs already is not replaced by something else under its name."""
    world, agent, fw = cluster()
    (offer,) = fw.offers()
    world.take()
    fw.launch(
        offer,
        task("t1", agent.id, command=None, executor=executor(fw)),
        task("t2", agent.id, command=None, executor=executor(fw, command={"value": "other"})),
    )
    (update,) = (event["update"]["status"] for event in world.told(fw.stream))
    assert update["task_id"] == {"value": "t2"}
    assert update["message"].startswith("ExecutorInfo is not compatible with existing")


def test_task_group_is_launched_whole_or_not_at_all() -> None:
    """One bad task spoils the group; each of its tasks learns so."""
    world, agent, fw = cluster()
    (offer,) = fw.offers()
    world.take()
    group = executor(fw, "de", type="DEFAULT", command=None)
    fw.launch(offer, task("g1", agent.id), task("g2", agent.id, resources=[]), group=group)
    expected = ("TASK_ERROR", "REASON_TASK_GROUP_INVALID")
    assert world.statuses(fw.stream) == [("g1", *expected), ("g2", *expected)]
    assert world.told(agent.stream) == []
    world.take()
    world.advance(1)
    fw.launch(fw.offers()[0], task("g1", agent.id), task("g2", agent.id), group=group)
    (run,) = world.told(agent.stream)
    assert run["type"] == "RunTaskGroup"
    assert [one["name"] for one in run["task_group"]["tasks"]] == ["g1", "g2"]


def test_group_executor_needs_its_minimum() -> None:
    """A default executor with too little memory could not even start."""
    world, agent, fw = cluster()
    group = executor(fw, "de", type="DEFAULT", command=None, resources=small(0.1, 1))
    (offer,) = fw.offers()
    world.take()
    fw.launch(offer, task("g", agent.id), group=group)
    (update,) = (event["update"]["status"] for event in world.told(fw.stream))
    assert update["message"] == (
        "Executor 'de' uses less memory (1MB) than the minimum required (32MB)"
    )


@pytest.mark.parametrize(("capabilities", "state"), [(MULTI, "TASK_LOST"), (AWARE, "TASK_DROPPED")])
def test_tasks_of_stale_offers_are_dropped(capabilities: list[dict[str, str]], state: str) -> None:
    """A used, declined or unknown offer launches nothing; a valid one among them is given back."""
    world, agent, fw = cluster(capabilities)
    (offer,) = fw.offers()
    world.take()
    accept = {
        "offer_ids": [offer["id"], {"value": "nope"}],
        "operations": [{"type": "LAUNCH", "launch": {"task_infos": [task("t", agent.id)]}}],
    }
    fw.call("ACCEPT", accept=accept)
    (update,) = (event["update"]["status"] for event in world.told(fw.stream))
    assert (update["state"], update["reason"]) == (state, "REASON_INVALID_OFFERS")
    assert update["message"] == "Task launched with invalid offers: Offer nope is no longer valid"
    fw.call("ACCEPT", accept=accept | {"offer_ids": []})
    assert world.told(fw.stream)[-1]["update"]["status"]["message"] == (
        "Task launched with invalid offers: No offers specified"
    )
    world.advance(1)
    assert len(fw.offers()) == 1


def test_offers_of_different_agents_can_not_be_joined() -> None:
    """A task runs on one agent."""
    world, agent, fw = cluster()
    FakeAgent(world, "b").register()
    first, second = fw.offers()
    world.take()
    accept = {
        "offer_ids": [first["id"], second["id"]],
        "operations": [{"type": "LAUNCH", "launch": {"task_infos": [task("t", agent.id)]}}],
    }
    fw.call("ACCEPT", accept=accept)
    (update,) = (e["update"]["status"] for e in world.told(fw.stream) if e["type"] == "UPDATE")
    assert "must belong to one single agent" in update["message"]


def test_offer_of_another_framework_is_not_ones_own() -> None:
    """Nobody can launch on, or give back, what another was offered."""
    world, agent, fw = cluster()
    (offer,) = fw.offers()
    thief = FakeScheduler(world, "thief").subscribe()
    world.take()
    thief.call("DECLINE", decline={"offer_ids": [offer["id"]]})
    thief.launch(offer, task("t", agent.id))
    assert world.statuses(thief.stream) == [("t", "TASK_LOST", "REASON_INVALID_OFFERS")]
    assert offer["id"]["value"] in world.core.state.offers


def test_update_goes_on_as_it_came_and_its_acknowledgement_back() -> None:
    """Neither is changed on the way; the end, acknowledged, completes the task."""
    world, agent, fw = cluster()
    fw.launch(fw.offers()[0], task("t", agent.id))
    world.take()
    running = agent.update(fw, "t", "TASK_RUNNING", data=b"payload")
    (event,) = world.told(fw.stream)
    assert event["update"]["status"]["state"] == "TASK_RUNNING"
    assert event["update"]["status"]["data"] == "cGF5bG9hZA=="
    fw.acknowledge(agent, "t", running)
    (back,) = world.told(agent.stream)
    assert (back["type"], back["task_id"]) == ("StatusUpdateAcknowledgement", {"value": "t"})
    finished = agent.update(fw, "t", "TASK_FINISHED")
    state = world.core.state.frameworks[fw.id]
    assert "t" in state.tasks, "until acknowledged"
    fw.acknowledge(agent, "t", finished)
    assert state.tasks == {}
    (done,) = state.completed_tasks
    assert [status.state.value for status in done.statuses] == ["TASK_RUNNING", "TASK_FINISHED"]


def test_wrong_acknowledgement_completes_nothing() -> None:
    """Only the UUID of the last update of an ended task takes it off the books."""
    world, agent, fw = cluster()
    fw.launch(fw.offers()[0], task("t", agent.id))
    agent.update(fw, "t", "TASK_FINISHED")
    fw.acknowledge(agent, "t", b"0" * 16)
    assert "t" in world.core.state.frameworks[fw.id].tasks


def test_an_ended_task_does_not_come_back_to_life() -> None:
    """A late or lying update frees nothing twice and takes nothing again."""
    world, agent, fw = cluster()
    fw.launch(fw.offers()[0], task("t", agent.id))
    agent.update(fw, "t", "TASK_FAILED")
    agent.update(fw, "t", "TASK_RUNNING")
    agent.update(fw, "t", "TASK_KILLED")
    assert world.core.state.frameworks[fw.id].tasks["t"].state.value == "TASK_FAILED"


def test_update_for_a_task_that_nobody_launched_is_handed_on() -> None:
    """Executors may report what they like; the books don't change."""
    world, agent, fw = cluster()
    world.take()
    agent.update(fw, "ghost", "TASK_RUNNING")
    assert world.statuses(fw.stream) == [("ghost", "TASK_RUNNING", None)]
    assert world.core.state.frameworks[fw.id].tasks == {}


def test_update_for_an_unknown_framework_ends_it_on_the_agent() -> None:
    """What runs for a removed framework is shut down as soon as it shows."""
    world, agent, fw = cluster()
    fw.call("TEARDOWN")
    world.take()
    agent.update(fw, "t", "TASK_RUNNING")
    assert [event["type"] for event in world.told(agent.stream)] == ["ShutdownFramework"]


def test_only_so_many_completed_tasks_are_remembered() -> None:
    """Memory is bounded over any number of tasks."""
    world, agent, fw = cluster(max_completed_tasks=3)
    for number in range(5):
        fw.launch(fw.offers()[-1], task(f"t{number}", agent.id))
        fw.acknowledge(agent, f"t{number}", agent.update(fw, f"t{number}", "TASK_FINISHED"))
        world.advance(1)
    done = world.core.state.frameworks[fw.id].completed_tasks
    assert [one.id for one in done] == ["t2", "t3", "t4"]


def test_kill_reaches_the_agent_with_its_policy() -> None:
    """A known task is killed where it runs."""
    world, agent, fw = cluster()
    fw.launch(fw.offers()[0], task("t", agent.id))
    world.take()
    policy = {"grace_period": {"nanoseconds": 5}}
    fw.call("KILL", kill={"task_id": {"value": "t"}, "kill_policy": policy})
    assert world.told(agent.stream) == [
        {
            "type": "KillTask",
            "framework_id": {"value": fw.id},
            "task_id": {"value": "t"},
            "kill_policy": policy,
        }
    ]


def test_kill_of_an_unknown_task_tells_what_is_known() -> None:
    """The framework learns that there is nothing to kill."""
    world, agent, fw = cluster(AWARE)
    world.take()
    fw.call("KILL", kill={"task_id": {"value": "n1"}})
    fw.call("KILL", kill={"task_id": {"value": "n2"}, "agent_id": {"value": agent.id}})
    assert world.statuses(fw.stream) == [
        ("n1", "TASK_UNKNOWN", "REASON_RECONCILIATION"),
        ("n2", "TASK_GONE", "REASON_RECONCILIATION"),
    ]


def test_messages_pass_both_ways_and_to_nobody_without_harm() -> None:
    """MESSAGE is handed on; one for an unknown agent is accepted and dropped."""
    world, agent, fw = cluster()
    world.take()
    message = {"agent_id": {"value": agent.id}, "executor_id": {"value": "x"}, "data": "aGk="}
    assert fw.call("MESSAGE", message=message) is None
    assert world.told(agent.stream)[0]["data"] == "aGk="
    assert fw.call("MESSAGE", message=message | {"agent_id": {"value": "gone"}}) is None
    agent.call(
        link.ExecutorToFramework(
            framework_id=FrameworkID(value=fw.id), executor_id=ExecutorID(value="x"), data=b"yo"
        )
    )
    assert world.told(fw.stream)[-1]["message"] == message | {"data": "eW8="}


def test_explicit_reconciliation_answers_for_every_task() -> None:
    """Known tasks get their latest state, others what became of them, by capability."""
    for capabilities, gone, unknown in (
        (AWARE, "TASK_GONE", "TASK_UNKNOWN"),
        (MULTI, "TASK_LOST", "TASK_LOST"),
    ):
        world, agent, fw = cluster(capabilities)
        fw.launch(fw.offers()[0], task("t", agent.id))
        agent.update(fw, "t", "TASK_RUNNING")
        world.take()
        asked = [("t", agent.id), ("g1", agent.id), ("g2", None), ("g3", "ghost-agent")]
        fw.call(
            "RECONCILE",
            reconcile={
                "tasks": [
                    {"task_id": {"value": t}} | ({"agent_id": {"value": a}} if a else {})
                    for t, a in asked
                ]
            },
        )
        states = [(name, state) for name, state, _ in world.statuses(fw.stream)]
        assert states == [("t", "TASK_RUNNING"), ("g1", gone), ("g2", unknown), ("g3", unknown)]
        assert [e["update"]["status"]["message"] for e in world.told(fw.stream)] == [
            "Reconciliation: Latest task state",
            "Reconciliation: Task is unknown to the agent",
            "Reconciliation: Task is unknown",
            "Reconciliation: Task is unknown",
        ]


def test_implicit_reconciliation_tells_of_all_tasks() -> None:
    """An empty list asks for everything; with no tasks there is no answer."""
    world, agent, fw = cluster()
    world.take()
    fw.call("RECONCILE", reconcile={"tasks": []})
    assert world.told(fw.stream) == []
    world.advance(1)
    (offer,) = world.core.state.offers
    fw.launch({"id": {"value": offer}}, task("t1", agent.id), task("t2", agent.id))
    world.take()
    fw.call("RECONCILE", reconcile={"tasks": []})
    assert world.statuses(fw.stream) == [
        ("t1", "TASK_STAGING", "REASON_RECONCILIATION"),
        ("t2", "TASK_STAGING", "REASON_RECONCILIATION"),
    ]


def test_tasks_of_a_former_leaders_time_may_yet_turn_up() -> None:
    """Until agents had their time to come back, an unknown agent's task is not called lost."""
    world = World(agent_reregister_timeout=600.0)
    old = "22222222-2222-2222-2222-222222222222"
    fw = FakeScheduler(world, id={"value": f"{old}-0000"}).subscribe()
    world.take()
    asked = {"tasks": [{"task_id": {"value": "t"}, "agent_id": {"value": f"{old}-S0"}}]}
    fw.call("RECONCILE", reconcile=asked)
    assert world.told(fw.stream) == []
    world.leap(601)
    fw.call("RECONCILE", reconcile=asked)
    assert world.statuses(fw.stream) == [("t", "TASK_LOST", "REASON_RECONCILIATION")]


def test_calls_without_their_stream_are_refused() -> None:
    """A call counts only on the stream that the framework has now."""
    _world, _, fw = cluster()
    fw.stream = ""
    answer = fw.call("REVIVE", stream="")
    assert isinstance(answer, actions.Respond)
    assert answer.status == 400
