"""Checkpoints that a crash, a full disk or a hand has spoiled; and what the collector removes."""

import os
from pathlib import Path

import pytest
from agent_core import NOW, Core
from fake_master import task

from pocket_mesos.agent import actions, checkpoints, disk, events, recovery
from pocket_mesos.agent.checkpoints import Reader, Recovered
from pocket_mesos.agent.disk import GarbageCollector
from pocket_mesos.agent.errors import RecoveryError
from pocket_mesos.agent.paths import Paths
from pocket_mesos.containerizer.process import ProcessId
from pocket_mesos.protocol import link
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.deactivation import Deactivation
from pocket_mesos.protocol.mesos import TaskState

PROCESS = ProcessId(4321, 99)
FILES = (
    actions.WriteFile,
    actions.AppendLine,
    actions.MakeLink,
    actions.RemoveFile,
)


class Written(Core):
    """A core whose checkpoints are written."""

    def feed(self, event: events.Event) -> list[actions.Action]:
        done = super().feed(event)
        for one in done:
            if isinstance(one, FILES):
                disk.carry_out(one)
        return done


@pytest.fixture
def work_dir(tmp_path: Path) -> Path:
    """What an agent leaves behind that ran the command tasks a, which has finished, and b."""
    core = Written(work_dir=str(tmp_path))
    for name in ("a", "b"):
        core.running(task(name, "true"), checkpoint=True)
        executor = core.agent.executor("m-f", name)
        assert executor is not None
        assert executor.run is not None
        data = f"{PROCESS.pid} {PROCESS.start_time}".encode()
        disk.write(Path(executor.run.forked_pid), data)
    core.update("a", "a", TaskState.TASK_FINISHED, 2000)
    core.master(link.Deactivate(deactivation=Deactivation()))
    return tmp_path


def read(work_dir: Path, *, strict: bool = False) -> Recovered:
    return Reader(Paths(str(work_dir)), strict, rebooted=False).read()


def tasks(found: Recovered) -> list[str]:
    return [one.info.task_id.value for run in found.runs for one in run.tasks]


def restored(work_dir: Path, found: Recovered) -> Core:
    core = Core(registered=False, work_dir=str(work_dir))
    assert found.info is not None
    core.agent.info = found.info
    recovery.restore(core.agent, found, NOW)
    core.check()
    return core


CHECKPOINTS = {
    # pattern below meta/slaves/m-S0: tasks that are recovered without the file
    "slave.info": [],
    "deactivation": ["a", "b"],
    "frameworks/m-f/framework.info": [],
    "frameworks/m-f/executors/a/executor.info": ["b"],
    "frameworks/m-f/executors/a/executor_generated_for_command_task": ["a", "b"],
    "frameworks/m-f/executors/a/runs/*-*/pids/forked.pid": ["a", "b"],
    "frameworks/m-f/executors/a/runs/*-*/tasks/a/task.info": ["b"],
    "frameworks/m-f/executors/a/runs/*-*/tasks/a/task.updates": ["a", "b"],
}
DAMAGES = {
    "garbage": b"\x00\xff\xfenonsense\n",
    "other JSON": b"[1, 2, 3]\n",
    "other object": b'{"type": "UPDATE", "status": {"state": 7}, "drain_info": 7}\n',
    "deep": b"[" * 200_000 + b"\n",
    "out of range": b'{"resources": [{"name": "cpus", "type": "SCALAR"}], "drain_start": []}\n',
}


def checkpoint(work_dir: Path, pattern: str) -> Path:
    (path,) = (work_dir / "meta/slaves/m-S0").glob(pattern)
    return path


def test_undamaged_checkpoints_are_read_whole(work_dir: Path) -> None:
    """The others of these tests start from here."""
    found = read(work_dir, strict=True)
    assert tasks(found) == ["a", "b"]
    assert found.errors == 0
    assert found.deactivation == Deactivation()
    assert [(run.command, run.process) for run in found.runs] == [(True, PROCESS)] * 2
    core = restored(work_dir, found)
    executor = core.agent.executor("m-f", "a")
    assert executor is not None
    assert [one.state for one in executor.terminated.values()] == [TaskState.TASK_FINISHED]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("pattern", CHECKPOINTS)
def test_a_damaged_checkpoint_is_named_or_left_out_and_counted(
    work_dir: Path, pattern: str, damage: str
) -> None:
    """Strict refuses and changes nothing; non-strict recovers the rest."""
    path = checkpoint(work_dir, pattern)
    path.write_bytes(DAMAGES[damage])
    with pytest.raises(RecoveryError) as caught:
        read(work_dir, strict=True)
    assert f"'{path}'" in str(caught.value)
    assert path.read_bytes() == DAMAGES[damage]
    found = read(work_dir)
    assert found.errors == 1
    assert tasks(found) == CHECKPOINTS[pattern]
    if found.info is not None:
        assert restored(work_dir, found).agent.counters["recovery_errors"] == 1


@pytest.mark.parametrize("pattern", CHECKPOINTS)
def test_a_truncated_checkpoint_is_damaged(work_dir: Path, pattern: str) -> None:
    """But for the last line of updates, which a crash may cut, and single characters."""
    path = checkpoint(work_dir, pattern)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    if path.name in ("task.updates", "executor_generated_for_command_task"):
        assert tasks(read(work_dir, strict=True)) == ["a", "b"]
        return
    if path.name == "forked.pid":
        path.write_bytes(data.split()[0])
    with pytest.raises(RecoveryError, match=path.name):
        read(work_dir, strict=True)
    assert read(work_dir).errors == 1


@pytest.mark.parametrize("how", ["missing", "empty"])
@pytest.mark.parametrize("pattern", CHECKPOINTS)
def test_what_was_never_written_is_no_damage(work_dir: Path, pattern: str, how: str) -> None:
    """The writer stopped before; strict or not, the rest is recovered."""
    path = checkpoint(work_dir, pattern)
    if how == "missing":
        path.unlink()
    else:
        path.write_bytes(b"")
    for strict in (True, False):
        found = read(work_dir, strict=strict)
        assert (found.errors, tasks(found)) == (0, CHECKPOINTS[pattern])


@pytest.mark.parametrize("pattern", CHECKPOINTS)
def test_a_folder_in_the_place_of_a_checkpoint_is_damage(work_dir: Path, pattern: str) -> None:
    """So is whatever else can't be read."""
    path = checkpoint(work_dir, pattern)
    path.unlink()
    path.mkdir()
    with pytest.raises(RecoveryError, match=path.name):
        read(work_dir, strict=True)
    assert read(work_dir).errors == 1


def test_updates_are_kept_up_to_the_damage(work_dir: Path) -> None:
    """What follows would have no place in the order; the file goes on from there."""
    path = checkpoint(work_dir, "frameworks/m-f/executors/a/runs/*-*/tasks/a/task.updates")
    lines = path.read_bytes().splitlines(keepends=True)
    assert len(lines) == 3  # running, its acknowledgement, finished
    path.write_bytes(lines[0] + lines[1] + b'{"type": "UPDATE"}\n' + lines[2])
    found = read(work_dir)
    assert found.errors == 1
    assert path.read_bytes() == lines[0] + lines[1]
    (first,) = (one for run in found.runs for one in run.tasks if one.info.name == "a")
    assert [status and status.state for status, _ in first.records] == [
        TaskState.TASK_RUNNING,
        None,
    ]
    core = restored(work_dir, found)
    executor = core.agent.executor("m-f", "a")
    assert executor is not None
    assert executor.launched["a"].state is TaskState.TASK_RUNNING


def test_a_cut_last_line_of_updates_is_taken_away(work_dir: Path) -> None:
    """So that the next one begins on a line of its own."""
    path = checkpoint(work_dir, "frameworks/m-f/executors/b/runs/*-*/tasks/b/task.updates")
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"type": "UPD')
    assert read(work_dir, strict=True).errors == 0
    assert path.read_bytes() == whole


def test_links_that_lead_nowhere_are_no_state(work_dir: Path) -> None:
    """Of the agent: it is a new one. Of an executor's runs: that has none to recover."""
    runs = work_dir / "meta/slaves/m-S0/frameworks/m-f/executors/a/runs/latest"
    runs.unlink()
    assert tasks(read(work_dir, strict=True)) == ["b"]
    runs.symlink_to(work_dir / "nowhere")
    assert tasks(read(work_dir, strict=True)) == ["b"]
    latest = work_dir / "meta/slaves/latest"
    latest.unlink()
    latest.symlink_to(work_dir / "nowhere")
    assert read(work_dir, strict=True).info is None


def test_after_a_reboot_no_process_is_taken_for_an_executors(work_dir: Path) -> None:
    """The numbers mean nothing any more."""
    found = Reader(Paths(str(work_dir)), True, rebooted=True).read()
    assert [run.process for run in found.runs] == [None, None]


def test_an_incompatible_difference_names_both(work_dir: Path) -> None:
    """Additive accepts more, equal accepts the same alone."""
    found = read(work_dir)
    assert found.info is not None
    old = replace(found.info, id=None)
    other = replace(old, hostname="other")
    assert recovery.incompatibility(old, old, "equal") is None
    message = recovery.incompatibility(old, other, "additive")
    assert message is not None
    assert message.startswith("Incompatible agent info detected.")
    assert '"hostname": "other"' in message


# --- garbage -----------------------------------------------------------------------------------


def test_folders_of_former_agents_are_left_to_the_collector(work_dir: Path) -> None:
    """Sandboxes and checkpoints; those of the present one are not."""
    for parent in ("slaves", "meta/slaves"):
        (work_dir / parent / "old-S7").mkdir(parents=True)
    (work_dir / "slaves/m-S0").mkdir(exist_ok=True)
    paths = Paths(str(work_dir))
    olds = [f"{work_dir}/slaves/old-S7", f"{work_dir}/meta/slaves/old-S7"]
    assert checkpoints.former_agents(paths, "m-S0") == olds
    assert set(checkpoints.former_agents(paths, None)) == {
        *olds,
        f"{work_dir}/slaves/m-S0",
        f"{work_dir}/meta/slaves/m-S0",
    }


class Clock:
    """Time that passes when told to."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def collector(folder: Path, clock: Clock, headroom: float = 0.0) -> GarbageCollector:
    made = GarbageCollector(folder, 100.0, headroom, clock)
    made.max_allowed_age = lambda: 100.0  # type: ignore[method-assign]
    return made


def test_what_ended_is_kept_for_the_delay(tmp_path: Path) -> None:
    """However old its files are; a folder that is in use again is kept, with those above it."""
    clock = Clock()
    made = collector(tmp_path, clock)
    for name in ("one", "two/below"):
        (tmp_path / name).mkdir(parents=True)
        os.utime(tmp_path / name, (0, 0))
        made.schedule(str(tmp_path / name))
    made.schedule(str(tmp_path / "two"))
    made.schedule(str(tmp_path / "never"))
    assert made.pending == 3
    clock.now += 99
    made.collect()
    assert (tmp_path / "one").exists()
    made.keep(str(tmp_path / "two/below"))
    clock.now += 2
    made.collect()
    assert not (tmp_path / "one").exists()
    assert (tmp_path / "two/below").exists()
    assert (made.removed, made.failed, made.pending) == (1, 0, 0)


def test_a_restart_does_not_begin_the_delay_anew(tmp_path: Path) -> None:
    """The folder itself tells since when nothing has changed."""
    clock = Clock()
    folder = tmp_path / "one"
    folder.mkdir()
    collector(tmp_path, clock).schedule(str(folder))
    clock.now += 60
    successor = collector(tmp_path, clock)
    successor.schedule(str(folder), ended=False)
    clock.now += 39
    successor.collect()
    assert folder.exists()
    clock.now += 2
    successor.collect()
    assert not folder.exists()


def test_a_full_disk_shortens_the_delay(tmp_path: Path) -> None:
    """To nothing when less than the headroom is free."""
    assert GarbageCollector(tmp_path, 100.0, 1.0).max_allowed_age() == 0.0
    assert 0.0 < GarbageCollector(tmp_path, 100.0, 0.0).max_allowed_age() < 100.0
