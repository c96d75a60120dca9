"""Reading checkpoints back: what the previous agent of this work_dir left behind.

Nothing here decides; ``restore`` puts the values into a core, which then goes on from events.
"""

import json
import logging
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from pocket_mesos.agent import actions, delivery, events
from pocket_mesos.agent.core import Agent
from pocket_mesos.agent.errors import RecoveryError
from pocket_mesos.agent.paths import Paths, RunPaths
from pocket_mesos.agent.state import Executor, Framework, Phase, Task
from pocket_mesos.agent.updates import replayed
from pocket_mesos.containerizer.process import ProcessId
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.deactivation import Deactivation
from pocket_mesos.protocol.errors import ProtocolError
from pocket_mesos.protocol.mesos import (
    AgentInfo,
    ExecutorInfo,
    FrameworkInfo,
    TaskInfo,
    TaskStatus,
)
from pocket_mesos.resources import Resources

log = logging.getLogger(__name__)

T = TypeVar("T")

UpdateRecord = tuple[TaskStatus | None, bytes]
"""An update and its UUID, or None and the UUID that was acknowledged."""


@dataclass(slots=True, kw_only=True)
class RecoveredTask:
    """A task and all that happened to its updates."""

    info: TaskInfo
    records: list[UpdateRecord]


@dataclass(slots=True, kw_only=True)
class RecoveredRun:
    """The latest run of an executor that had not been filed away."""

    framework: FrameworkInfo
    executor: ExecutorInfo
    command: bool
    container_id: str
    process: ProcessId | None
    """None: it was never forked, or the machine was rebooted since."""
    tasks: list[RecoveredTask]


@dataclass(slots=True, kw_only=True)
class Recovered:
    """What was found."""

    info: AgentInfo | None = None
    runs: list[RecoveredRun] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    """Folders of what had ended, sandboxes and checkpoints."""
    deactivation: Deactivation | None = None
    errors: int = 0
    """Checkpoints that had to be left out (never in strict mode)."""


class Reader:
    """Reads one work_dir."""

    def __init__(self, paths: Paths, strict: bool, rebooted: bool) -> None:
        """Prepare.

        Args:
            paths: of the work_dir.
            strict: raise at the first damaged checkpoint instead of leaving it out.
            rebooted: no process of before can be alive.
        """
        self._paths = paths
        self._strict = strict
        self._rebooted = rebooted
        self._result = Recovered()

    def read(self) -> Recovered:
        """Read everything.

        Raises:
            RecoveryError: in strict mode, names the damaged file.
        """
        latest = Path(self._paths.latest)
        if not latest.is_symlink():
            return self._result
        info_path = latest.resolve() / "slave.info"
        if not info_path.exists():
            # The agent stopped between learning its id and writing it down: it had no tasks.
            return self._result
        self._result.info = self._typed(info_path, AgentInfo)
        if self._result.info is None or self._result.info.id is None:
            return self._result
        deactivation = latest.resolve() / "deactivation"
        if deactivation.exists():
            self._result.deactivation = self._typed(deactivation, Deactivation)
        for framework in _folders(latest.resolve() / "frameworks"):
            self._read_framework(self._result.info.id.value, framework)
        return self._result

    def _read_framework(self, agent_id: str, folder: Path) -> None:
        path = folder / "framework.info"
        if not path.exists():
            return
        framework = self._typed(path, FrameworkInfo)
        if framework is None:
            return
        for executor in _folders(folder / "executors"):
            self._read_executor(agent_id, framework, executor)

    def _read_executor(self, agent_id: str, framework: FrameworkInfo, folder: Path) -> None:
        latest = folder / "runs" / "latest"
        info_path = folder / "executor.info"
        current = latest.resolve() if latest.is_symlink() else None
        assert framework.id is not None
        for run in _folders(folder / "runs"):
            if run != current or (run / "executor.sentinel").exists():
                sandbox = self._paths.sandbox(agent_id, framework.id.value, folder.name, run.name)
                self._result.finished += [sandbox, str(run)]
        if current is None or (current / "executor.sentinel").exists() or not info_path.exists():
            return
        info = self._typed(info_path, ExecutorInfo)
        if info is None:
            return
        generated = folder / "executor_generated_for_command_task"
        self._result.runs.append(
            RecoveredRun(
                framework=framework,
                executor=info,
                command=generated.exists() and generated.read_text().strip() == "1",
                container_id=current.name,
                process=self._process(current / "pids" / "forked.pid"),
                tasks=list(self._tasks(current / "tasks")),
            )
        )

    def _process(self, path: Path) -> ProcessId | None:
        if self._rebooted or not path.exists():
            return None
        return self._guarded(path, lambda: _parse_process(path.read_text()))

    def _tasks(self, folder: Path) -> Iterator[RecoveredTask]:
        for task in _folders(folder):
            path = task / "task.info"
            info = self._typed(path, TaskInfo) if path.exists() else None
            if info is not None:
                updates = task / "task.updates"
                records = self._guarded(updates, lambda path=updates: _parse_updates(path))  # type: ignore[misc]
                yield RecoveredTask(info=info, records=records or [])

    def _typed(self, path: Path, type_: type[T]) -> T | None:
        return self._guarded(path, lambda: codec.decode(path.read_bytes(), type_, type_.__name__))  # type: ignore[type-var]

    def _guarded(self, path: Path, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except (OSError, ProtocolError, msgspec.MsgspecError, ValueError, KeyError) as error:
            if self._strict:
                raise RecoveryError(
                    f"Failed to recover checkpoint '{path}': {error}; start with --no-strict to "
                    "recover the rest without it"
                ) from error
            log.warning("Leaving out damaged checkpoint '%s': %s", path, error)
            self._result.errors += 1
            return None


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(one for one in folder.iterdir() if one.is_dir() and not one.is_symlink())


def _parse_process(text: str) -> ProcessId:
    pid, start = text.split()
    return ProcessId(int(pid), int(start))


def _parse_updates(path: Path) -> list[UpdateRecord]:
    """Read a task's updates; a last line that was cut by a crash does not count."""
    if not path.exists():
        return []
    records: list[UpdateRecord] = []
    lines = path.read_bytes().split(b"\n")
    for line in lines[:-1]:
        record = json.loads(line)
        if record["type"] == "ACK":
            records.append((None, msgspec.convert(record["uuid"], bytes)))
        else:
            status = msgspec.convert(record["status"], TaskStatus)
            assert status.uuid is not None
            records.append((status, status.uuid))
    if lines[-1]:
        # What follows must begin on a line of its own.
        with path.open("r+b") as file:
            file.truncate(sum(len(line) + 1 for line in lines[:-1]))
    return records


# --- into the core ---------------------------------------------------------------------------


def restore(agent: Agent, found: Recovered, now: float) -> list[actions.Action]:
    """Put what was found into a new core.

    Executors whose process may live wait for ``reregistration_timeout``; the others end at once.

    Returns:
        What has to be done, in order.
    """
    agent.counters["recovery_errors"] += found.errors
    agent.deactivation = found.deactivation
    done: list[actions.Action] = [actions.CollectGarbage(path=path) for path in found.finished]
    for run in found.runs:
        _restore_run(agent, run)
    for run in found.runs:
        if run.process is None:
            ended = events.ContainerTerminated(container_id=run.container_id, status=None)
            done += agent.handle(ended, now)
    agent.phase = Phase.RECOVERING
    waiting = agent.settings.executor_reregistration_timeout if agent.containers else 0.0
    done.append(actions.StartTimer(key=("reregistration",), seconds=waiting))
    return done


def _restore_run(agent: Agent, run: RecoveredRun) -> None:
    assert run.framework.id is not None
    framework = agent.frameworks.get(run.framework.id.value)
    if framework is None:
        kept = agent.settings.max_completed_executors_per_framework
        framework = Framework(info=run.framework, completed=deque(maxlen=kept))
        agent.frameworks[framework.id] = framework
    executor_id = run.executor.executor_id.value
    names = (agent.id, framework.id, executor_id, run.container_id)
    executor = Executor(
        info=run.executor,
        framework=framework,
        container_id=run.container_id,
        directory=agent.paths.sandbox(*names),
        command=run.command,
        run=RunPaths(agent.paths.run_meta(*names)),
        pid=run.process.pid if run.process else None,
        recovered=True,
    )
    framework.executors[executor_id] = executor
    agent.containers[run.container_id] = executor
    for task in run.tasks:
        _restore_task(agent, executor, task)


def _restore_task(agent: Agent, executor: Executor, found: RecoveredTask) -> None:
    """File a task where it belongs, with the updates that are still to be delivered."""
    task = Task(info=found.info)
    executor.take(task)
    executor.launched[task.id] = executor.queued.pop(task.id)
    assert executor.run is not None
    stream = agent.streams.open(
        executor.framework.id,
        task.id,
        None if executor.command else executor.info.executor_id,
        executor.run.task_updates(task.id),
    )
    for status in replayed(stream, found.records):
        delivery.record(task, status)
    if task.terminal:
        executor.give_back(task)
        if stream.head is None:
            agent.streams.close(stream)
            executor.completed.append(executor.terminated.pop(task.id))
    elif stream.head is None and not stream.received:
        agent.streams.close(stream)


# --- may the state be used? --------------------------------------------------------------------


def incompatibility(old: AgentInfo, new: AgentInfo, policy: str) -> str | None:
    """Return how the configuration changed in a way that ``policy`` does not accept."""
    same_place = (old.hostname, old.port, old.domain) == (new.hostname, new.port, new.domain)
    had, has = Resources.of(old.resources), Resources.of(new.resources)
    old_attributes = {codec.encode(one) for one in old.attributes}
    new_attributes = {codec.encode(one) for one in new.attributes}
    if policy == "additive":
        fine = same_place and has.contains(had) and old_attributes <= new_attributes
    else:
        fine = same_place and has == had and old_attributes == new_attributes
    if fine:
        return None
    line = "-" * 60
    return "\n".join(
        (
            "Incompatible agent info detected.",
            line,
            "Old agent info:",
            json.dumps(codec.to_builtins(old), indent=2),
            "",
            line,
            "New agent info:",
            json.dumps(codec.to_builtins(new), indent=2),
            "",
            line,
        )
    )


def advice(message: str, latest: str) -> str:
    """Add what the operator can do about a failed recovery."""
    return (
        f"Failed to perform recovery: {message}\n"
        "If the configuration was changed on purpose and the agent should keep its id, try a more "
        "permissive --reconfiguration_policy.\n"
        "To start with a new agent id instead:\n"
        f"rm -f {latest}\n"
        "The agent then does not recover its old executors."
    )
