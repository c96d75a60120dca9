"""Executors that lie, or tell more than anybody takes: the agent's core and its link."""

import asyncio

import pytest
from agent_core import Core, statuses, update
from fake_master import PATIENCE, FakeMaster, framework, resources, task

from pocket_mesos.agent import events, executor_calls
from pocket_mesos.agent.master_link import MasterLink
from pocket_mesos.election import master_info
from pocket_mesos.http.client import Client
from pocket_mesos.protocol import executor as executor_api
from pocket_mesos.protocol import link
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import (
    AgentInfo,
    ExecutorID,
    ExecutorInfo,
    FrameworkID,
    TaskInfo,
    TaskState,
    TaskStatus,
)

MEGABYTE = 2**20


def custom(name: str) -> TaskInfo:
    """A task of a custom executor of the same name."""
    executor = ExecutorInfo(
        executor_id=ExecutorID(value=name), framework_id=framework().id, resources=resources()
    )
    return task(name, executor=executor)


def running(core: Core, name: str) -> None:
    core.run(custom(name))
    core.forked(name)
    core.subscribe(name)


def call(kind: str, executor_id: str, *told: TaskStatus) -> executor_api.Call:
    updates = [executor_api.UpdateStatus(status=status) for status in told]
    subscribe = executor_api.Subscribe(unacknowledged_updates=updates)
    return executor_api.Call(
        type=kind,
        executor_id=ExecutorID(value=executor_id),
        framework_id=FrameworkID(value="m-f"),
        update=updates[0] if kind == "UPDATE" else None,
        subscribe=subscribe if kind == "SUBSCRIBE" else None,
    )


@pytest.mark.parametrize("kind", ["UPDATE", "SUBSCRIBE"])
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"uuid": None}, "Expecting 'uuid' to be present"),
        ({"uuid": b"abc"}, "Not a valid UUID"),
        ({"state": TaskState.TASK_STAGING}, "Received TASK_STAGING from executor"),
        ({"executor_id": ExecutorID(value="b")}, "does not match ExecutorID in TaskStatus: b"),
    ],
)
def test_what_is_told_again_is_checked_like_what_is_told(
    kind: str, changed: dict[str, object], sentence: str
) -> None:
    """An update that came with SUBSCRIBE and had no UUID stopped the agent's core for good."""
    status = replace(update("a", TaskState.TASK_RUNNING, 7), **changed)
    assert sentence in str(executor_calls.validate(call(kind, "a", status)))
    good = update("a", TaskState.TASK_RUNNING, 7)
    assert executor_calls.validate(call(kind, "a", good)) is None


def test_an_error_inside_leaves_nothing_of_its_event() -> None:
    """The next event is decided as if that one had not been."""
    core = Core()
    running(core, "a")
    wrong = call("SUBSCRIBE", "a", replace(update("a", TaskState.TASK_RUNNING, 7), uuid=None))
    assert wrong.subscribe is not None
    with pytest.raises(AssertionError, match="without UUID"):
        core.subscribe("a", wrong.subscribe)
    done = core.update("a", "a", TaskState.TASK_RUNNING, 8)
    assert [one.uuid for one in statuses(done)] == [(8).to_bytes(16, "big")]


def test_who_ends_a_siblings_task_ends_it_everywhere() -> None:
    """Within a framework that is its own affair; agent and framework must not see it otherwise."""
    core = Core()
    running(core, "a")
    running(core, "b")
    done = core.update("a", "b", TaskState.TASK_FINISHED, 9)
    assert [one.task_id.value for one in statuses(done)] == ["b"]
    executor = core.agent.executor("m-f", "b")
    assert executor is not None
    assert list(executor.terminated) == ["b"]
    core.acknowledge("b", (9).to_bytes(16, "big"))
    assert [one.id for one in executor.completed] == ["b"]


def test_tasks_that_never_were_leave_nothing_behind() -> None:
    """Passed on as in Mesos; once acknowledged they hold neither memory nor the framework."""
    core = Core()
    running(core, "a")
    for number in range(20):
        core.update("a", f"ghost{number}", TaskState.TASK_RUNNING, 100 + number)
    assert len(core.agent.streams) == 20
    for number in range(20):
        core.acknowledge(f"ghost{number}", (100 + number).to_bytes(16, "big"))
    assert len(core.agent.streams) == 0
    core.update("a", "a", TaskState.TASK_FINISHED, 1)
    core.acknowledge("a", (1).to_bytes(16, "big"))
    core.feed(events.ContainerTerminated(container_id=core.container("a"), status=0))
    assert core.agent.framework("m-f") is None


@pytest.mark.parametrize("kind", ["UPDATE", "SUBSCRIBE"])
def test_updates_that_nobody_acknowledges_are_taken_up_to_a_bound(kind: str) -> None:
    """Then the executor has to wait; whatever it calls its tasks, and until some are through."""
    core = Core()
    running(core, "a")
    data = b"x" * (10 * MEGABYTE)
    more = call(kind, "a", update("a", TaskState.TASK_RUNNING, 99))
    taken = 0
    while executor_calls.refusal(core.agent, more) is None and taken < 20:
        core.update("a", f"t{taken}", TaskState.TASK_RUNNING, 1 + taken, data=data)
        taken += 1
    assert taken == 5  # of 13.3 MB each in base64
    refused = executor_calls.refusal(core.agent, more)
    assert refused is not None
    assert refused[0] == 503
    assert executor_calls.refusal(core.agent, call("SUBSCRIBE", "a")) is None
    core.acknowledge("t0", (1).to_bytes(16, "big"))
    assert executor_calls.refusal(core.agent, more) is None
    for number in range(1, taken):
        core.acknowledge(f"t{number}", (1 + number).to_bytes(16, "big"))
    assert core.agent.streams.waiting("m-f") == 0


def test_what_agent_and_master_keep_of_an_update_is_small() -> None:
    """Its data may be large, the rest is shown, and told again with every registration."""
    large = replace(update("a", TaskState.TASK_RUNNING, 7), data=b"x" * 2 * MEGABYTE)
    assert executor_calls.oversized(call("UPDATE", "a", large), 3 * MEGABYTE) is None
    wordy = replace(large, message="x" * 2 * MEGABYTE)
    for kind in ("UPDATE", "SUBSCRIBE"):
        said = executor_calls.oversized(call(kind, "a", wordy), 5 * MEGABYTE)
        assert "'data' aside" in str(said)
    assert "at most" in str(executor_calls.oversized(call("UPDATE", "a", large), 33 * MEGABYTE))


@pytest.mark.component
async def test_much_to_tell_goes_to_the_master_in_parts() -> None:
    """In one piece the master would refuse it, and the agent would lose its link."""
    master = FakeMaster()
    await master.start()
    lost: list[object] = []
    async with Client() as client:
        tied = MasterLink(client, lost.append)
        leader = master_info(id_="m", ip="127.0.0.1", port=master.port, hostname="localhost")
        register = link.Register(agent_info=AgentInfo(hostname="h", port=1), version="0", pid="p")
        tied.connect(leader, register)
        said = link.ExecutorToFramework(
            framework_id=FrameworkID(value="m-f"),
            executor_id=ExecutorID(value="a"),
            data=b"x" * (5 * MEGABYTE),
        )
        for _ in range(12):
            tied.send(said)
        assert tied.congested
        await master.until(lambda: len(master.calls) == 12 or any(map(_is_loss, lost)))
        assert not any(map(_is_loss, lost))
        await asyncio.wait_for(tied.flush(PATIENCE), PATIENCE)
        assert not tied.congested
        tied.disconnect()
    await master.stop()


def _is_loss(event: object) -> bool:
    return isinstance(event, events.LinkLost)
