"""What tasks of a group ask of their containers: volumes, limits, and what can't be had."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from agent_process import AgentProcess
from fake_master import FakeMaster, framework, resources, task

from pocket_mesos.executors import container
from pocket_mesos.protocol import link
from pocket_mesos.protocol.mesos import (
    ContainerInfo,
    ExecutorID,
    ExecutorInfo,
    ExecutorType,
    FrameworkID,
    TaskGroupInfo,
    TaskInfo,
    Volume,
)

FILES = {"rlimits": [{"type": "RLMT_NOFILE", "soft": 50, "hard": "60"}]}


def shared(container_path: str = "common", path: str = "pool", kind: str = "PARENT") -> Volume:
    place = {"type": "SANDBOX_PATH", "sandbox_path": {"type": kind, "path": path}}
    return Volume(container_path=container_path, mode="RW", source=place)


def asking(*volumes: Volume, **fields: Any) -> ContainerInfo:
    return ContainerInfo(type="MESOS", volumes=list(volumes), **fields)


@pytest.fixture
async def agent(tmp_path: Path, master: FakeMaster) -> AsyncIterator[AgentProcess]:
    agent = AgentProcess(tmp_path, master)
    agent.start()
    await master.until(lambda: master.registrations)
    yield agent
    text = agent.log.read_text()
    print(text)  # shown with a failure
    agent.clean()
    assert "Traceback" not in text


def run(master: FakeMaster, *tasks: TaskInfo) -> None:
    executor = ExecutorInfo(
        type=ExecutorType.DEFAULT,
        executor_id=ExecutorID(value="de"),
        framework_id=FrameworkID(value="m-f"),
        resources=resources(),
    )
    group = TaskGroupInfo(tasks=list(tasks))
    master.send(link.RunTaskGroup(framework=framework(), executor=executor, task_group=group))


@pytest.mark.integration
async def test_tasks_share_a_volume_of_their_executor(
    master: FakeMaster, agent: AgentProcess
) -> None:
    """What one writes the other reads; a volume of its own sandbox is nobody else's."""
    write = "echo told >common/new && mv common/new common/it"
    read = "while ! test -e common/it; do sleep 0.1; done; cat common/it; ls deep/own"
    own = shared("deep/own", "mine", "SELF")
    run(
        master,
        task("writer", write, container=asking(shared())),
        task("reader", read, container=asking(shared(), own)),
    )
    for name in ("writer", "reader"):
        await master.update(name, "TASK_FINISHED")
    parent = agent.sandbox("m-f", "de")
    assert (parent / "pool" / "it").read_text() == "told\n"
    assert (parent / "tasks" / "reader" / "stdout").read_text() == "told\n"
    assert (parent / "tasks" / "reader" / "mine").is_dir()


@pytest.mark.integration
async def test_limits_are_the_tasks_own(master: FakeMaster, agent: AgentProcess) -> None:
    """Its neighbour has those of the executor."""
    ask = "ulimit -Sn; ulimit -Hn"
    run(master, task("bound", ask, container=asking(rlimit_info=FILES)), task("free", ask))
    for name in ("bound", "free"):
        await master.update(name, "TASK_FINISHED")
    tasks = agent.sandbox("m-f", "de") / "tasks"
    assert (tasks / "bound" / "stdout").read_text() == "50\n60\n"
    assert (tasks / "free" / "stdout").read_text() != "50\n60\n"


@pytest.mark.integration
async def test_a_group_that_asks_for_too_much_fails_whole(
    master: FakeMaster, agent: AgentProcess
) -> None:
    """Nothing of it runs, and the executor goes as after any other group."""
    absolute = asking(shared("/etc"))
    run(master, task("a", "touch ran"), task("b", "true", container=absolute))
    for name in ("a", "b"):
        status = await master.update(name, "TASK_FAILED")
        assert status.reason == "REASON_CONTAINER_LAUNCH_FAILED"
        assert "Volume '/etc' is not supported in a task of a group" in str(status.message)
        assert master.states(name) == ["TASK_FAILED"]
    await master.until(lambda: [c for c in master.calls if isinstance(c, link.ExitedExecutor)])
    assert not list(agent.work_dir.rglob("ran"))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"mesos": {"image": {"type": "DOCKER"}}}, "Images are not supported"),
        ({"volumes": [{"container_path": "a", "host_path": "/etc"}]}, "Volume 'a'"),
        ({"volumes": [{"container_path": "a"}]}, "Volume 'a'"),
        ({"volumes": [{"container_path": "a/../../b", "host_path": "c"}]}, "Volume 'a/../../b'"),
        ({"volumes": [{"container_path": "a", "source": {"type": "SECRET"}}]}, "Volume 'a'"),
        ({"rlimit_info": {"rlimits": [{"type": "RLMT_NOPE"}]}}, "Unknown resource limit type"),
        ({"rlimit_info": {"rlimits": [{"type": "RLMT_CPU", "soft": 1}]}}, "Either both"),
        ({"volumes": [{"container_path": "a", "host_path": "b"}]}, None),
        ({"rlimit_info": {"rlimits": [{"type": "RLMT_LOCKS"}, {"type": "RLMT_CPU"}]}}, None),
    ],
)
def test_what_cannot_be_had_is_named(asked: dict[str, Any], sentence: str | None) -> None:
    """Mounts, images, and limits that Linux does not know."""
    found = container.refusal(asked)
    assert found is None if sentence is None else sentence in str(found)
