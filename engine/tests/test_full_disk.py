"""A disk that is full: a task fails with a clear reason, agent and executors live on."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_core import Core, kinds, sent, statuses
from agent_process import AgentProcess
from container_lab import namespaces
from fake_master import FakeMaster, framework, resources, task

from pocket_mesos.agent import disk, events
from pocket_mesos.protocol import link
from pocket_mesos.protocol.mesos import (
    CommandInfo,
    ExecutorID,
    ExecutorInfo,
    ExecutorType,
    TaskState,
)

pytestmark = [pytest.mark.integration, pytest.mark.root]

FILL = "cat /dev/zero >fill; cat /dev/zero >&2; touch {full}"
"""Every page of the disk, those of the executor's own output included."""


EXECUTOR = """
import base64, os, sys
from pocket_mesos.executors.base import Executor, inherited_environment

class Wordy(Executor):
    def on_event(self, event):
        self.task = event["launch"]["task"]["task_id"]["value"]
        self.unacknowledged_tasks[self.task] = event["launch"]["task"]
        self.update(self.task, "TASK_RUNNING")
        self.look()

    def look(self):
        if not os.path.exists(sys.argv[1]):
            self.after(0.05, self.look)
            return
        self.update(self.task, "TASK_FINISHED", data=base64.b64encode(bytes(9000)).decode())
        self.finish()

    def on_child(self):
        pass

    def shutdown(self):
        self.finish()

sys.exit(Wordy(inherited_environment()).run())
"""
"""Its last update takes more than the rest of a page."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder whose work_dir is a disk of 8 MB."""
    work = tmp_path / "work"
    work.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", work], check=True)
    yield tmp_path
    subprocess.run(["umount", "--lazy", work], check=True)


def use_up(path: Path) -> None:
    """Write a file until there is no space."""
    with contextlib.suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(65536))


@namespaces
async def test_tasks_are_refused_while_the_disk_is_full(small_disk: Path) -> None:
    """Nothing of them is made; what runs ends well; with space again, tasks run again."""
    master = FakeMaster()
    await master.start()
    agent = AgentProcess(small_disk, master)
    full, go = small_disk / "full", small_disk / "go"
    lasting = framework("lasting", checkpoint=True, capabilities=("PARTITION_AWARE",))
    executor = ExecutorInfo(
        type=ExecutorType.CUSTOM,
        executor_id=ExecutorID(value="x"),
        framework_id=lasting.id,
        command=CommandInfo(value="sleep 1000"),
        resources=resources(),
    )
    try:
        agent.start()
        await master.until(lambda: master.registrations)
        wait = f"while ! test -e {go}; do sleep 0.1; done"
        master.run(framework(), task("runs", f"{FILL.format(full=full)}; {wait}"))
        await master.until(full.exists)
        master.run(lasting, task("command", "true"), task("custom", executor=executor))
        for name in ("command", "custom"):
            status = await master.update(name, "TASK_DROPPED")
            assert status.reason == "REASON_CONTAINER_LAUNCH_FAILED"
            assert f"No space left in work_dir '{agent.work_dir}': 0 bytes" in str(status.message)
        await master.until(lambda: [c for c in master.calls if isinstance(c, link.ExitedExecutor)])
        go.touch()
        await master.update("runs", "TASK_FINISHED")
        assert [path for path in agent.work_dir.rglob("*") if "m-lasting" in str(path)] == []
        sandbox = agent.sandbox("m-f", "runs")
        (sandbox / "fill").unlink()
        os.truncate(sandbox / "stderr", 0)
        master.run(lasting, task("again", "true"))
        await master.update("again", "TASK_FINISHED")
        assert (await agent.get("/metrics/snapshot"))["slave/container_launch_errors"] == 0
    finally:
        text = agent.log.read_text() if agent.log.exists() else ""
        print(text)  # shown with a failure
        agent.clean()
        await master.stop()
    assert "Traceback" not in text


@namespaces
async def test_what_cannot_be_written_down_is_told_by_the_next_agent(small_disk: Path) -> None:
    """As in Mesos the agent ends, and can't start, until there is space; then nothing is lost."""
    master = FakeMaster()
    await master.start()
    agent = AgentProcess(small_disk, master)
    go, fill = small_disk / "go", agent.work_dir / "fill"
    program = small_disk / "wordy.py"
    program.write_text(EXECUTOR)
    lasting = framework("lasting", checkpoint=True)
    executor = ExecutorInfo(
        type=ExecutorType.CUSTOM,
        executor_id=ExecutorID(value="x"),
        framework_id=lasting.id,
        command=CommandInfo(value=f"exec {sys.executable} {program} {go}"),
        resources=resources(),
    )
    try:
        agent.start()
        await master.until(lambda: master.registrations)
        master.run(lasting, task("t", executor=executor))
        await master.update("t", "TASK_RUNNING")
        await master.until(agent.acknowledged)
        use_up(fill)
        go.touch()
        assert await agent.wait() == 1
        agent.start()
        assert await agent.wait() == 1
        fill.unlink()
        agent.start()
        last = await master.update("t", "TASK_FINISHED")
        assert last.data == bytes(9000)
        assert master.states("t") == ["TASK_RUNNING", "TASK_FINISHED"]
        await master.until(lambda: not agent.processes())
    finally:
        text = agent.log.read_text() if agent.log.exists() else ""
        print(text)  # shown with a failure
        agent.clean()
        await master.stop()
    assert "task.updates': No space left on device" in text
    assert f"Failed to write to work_dir '{agent.work_dir}'" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_task_that_is_refused_has_left_nothing(checkpoint: bool) -> None:
    """No file, no container; the master knows that there is no executor."""
    core = Core()
    info = framework(checkpoint=checkpoint)
    executor = ExecutorInfo(
        executor_id=ExecutorID(value="x"), framework_id=info.id, resources=resources()
    )
    event = link.RunTask(framework=info, executor=executor, task=task("t", executor=executor))
    done = core.feed(events.FromMaster(event=event, refusal="full"))
    assert kinds(done) == ["SendMaster", "StartTimer", "SendMaster"]
    (status,) = statuses(done)
    assert (status.state, status.message) == (TaskState.TASK_LOST, "full")
    assert isinstance(sent(done)[-1], link.ExitedExecutor)
    assert status.uuid is not None
    core.acknowledge("t", status.uuid)
    assert core.agent.frameworks == {}


@namespaces
def test_why_a_disk_takes_no_tasks(small_disk: Path) -> None:
    """Bytes, files and leave to write: each lack is named."""
    work = small_disk / "work"
    assert disk.refusal(str(work)) is None
    (work / "fill").write_bytes(bytes(7 * 2**20 + 2**19))
    assert "524288 bytes are free, 1048576 are needed" in str(disk.refusal(str(work)))
    (work / "fill").unlink()
    subprocess.run(["mount", "-o", "remount,nr_inodes=3", work], check=True)
    for name in ("a", "b"):
        (work / name).touch()
    assert "all its files are in use" in str(disk.refusal(str(work)))
    subprocess.run(["mount", "-o", "remount,ro", work], check=True)
    assert "is read-only" in str(disk.refusal(str(work)))
    assert "No such file" in str(disk.refusal(str(work / "nope")))
