"""Reading checkpoints back: what the previous agent of this work_dir left behind.

A file that is missing or empty was never written: its writer stopped before. What it is about is
left out, and what ran of it is an orphan. A file that holds something else than it should is
damaged: in strict mode recovery stops and names it, otherwise it is left out and counted.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from pocket_mesos.agent.errors import RecoveryError
from pocket_mesos.agent.paths import Paths
from pocket_mesos.containerizer.process import ProcessId
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.deactivation import Deactivation
from pocket_mesos.protocol.errors import PocketError
from pocket_mesos.protocol.mesos import (
    AgentInfo,
    ExecutorInfo,
    FrameworkInfo,
    TaskInfo,
    TaskStatus,
)
from pocket_mesos.resources import Resources

log = logging.getLogger(__name__)

T = TypeVar("T", bound=msgspec.Struct)
V = TypeVar("V")

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
        # Without its id the agent stopped before it had tasks.
        self._result.info = self._typed(latest.resolve() / "slave.info", AgentInfo)
        if self._result.info is None or self._result.info.id is None:
            return self._result
        self._result.deactivation = self._typed(latest.resolve() / "deactivation", Deactivation)
        for framework in _folders(latest.resolve() / "frameworks"):
            self._read_framework(self._result.info.id.value, framework)
        return self._result

    def _read_framework(self, agent_id: str, folder: Path) -> None:
        framework = self._typed(folder / "framework.info", FrameworkInfo)
        if framework is None or framework.id is None:
            return
        for executor in _folders(folder / "executors"):
            self._read_executor(agent_id, framework, executor)

    def _read_executor(self, agent_id: str, framework: FrameworkInfo, folder: Path) -> None:
        latest = folder / "runs" / "latest"
        current = latest.resolve() if latest.is_symlink() else None
        assert framework.id is not None
        for run in _folders(folder / "runs"):
            if run != current or (run / "executor.sentinel").exists():
                sandbox = self._paths.sandbox(agent_id, framework.id.value, folder.name, run.name)
                self._result.finished += [sandbox, str(run)]
        if current is None or (current / "executor.sentinel").exists():
            return
        info = self._typed(folder / "executor.info", ExecutorInfo)
        if info is None:
            return
        generated = folder / "executor_generated_for_command_task"
        self._result.runs.append(
            RecoveredRun(
                framework=framework,
                executor=info,
                command=self._guarded(generated, _parse_marker) or False,
                container_id=current.name,
                process=self._process(current / "pids" / "forked.pid"),
                tasks=list(self._tasks(current / "tasks")),
            )
        )

    def _process(self, path: Path) -> ProcessId | None:
        return None if self._rebooted else self._guarded(path, _parse_process)

    def _tasks(self, folder: Path) -> Iterator[RecoveredTask]:
        for task in _folders(folder):
            info = self._typed(task / "task.info", TaskInfo)
            if info is not None:
                yield RecoveredTask(info=info, records=self._updates(task / "task.updates"))

    def _updates(self, path: Path) -> list[UpdateRecord]:
        """Read a task's updates up to the first that is damaged, and cut the file there.

        What follows must begin on a line of its own, after what can be understood.
        """
        records: list[UpdateRecord] = []
        good = 0

        def read(data: bytes) -> None:
            nonlocal good
            for line in data.split(b"\n")[:-1]:
                records.append(_parse_update(line))
                good += len(line) + 1

        self._guarded(path, read)
        if path.is_file() and path.stat().st_size > good:
            with path.open("r+b") as file:
                file.truncate(good)
        return records

    def _typed(self, path: Path, type_: type[T]) -> T | None:
        def parse(data: bytes) -> T:
            found = codec.decode(data, type_, type_.__name__)
            # What can't be added up would only show later.
            Resources.of(getattr(found, "resources", ()))
            return found

        return self._guarded(path, parse)

    def _guarded(self, path: Path, parse: Callable[[bytes], V]) -> V | None:
        try:
            data = path.read_bytes()
            if not data:
                log.warning("Found empty checkpoint '%s'", path)
                return None
            return parse(data)
        except FileNotFoundError:
            return None
        except (OSError, PocketError, msgspec.MsgspecError, *_WRONG) as error:
            if self._strict:
                raise RecoveryError(
                    f"Failed to recover checkpoint '{path}': {error}; start with --no-strict to "
                    "recover the rest without it"
                ) from error
            log.warning("Leaving out damaged checkpoint '%s': %s", path, error)
            self._result.errors += 1
            return None


_WRONG = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What parsing raises on data that is not of the expected shape."""


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(one for one in folder.iterdir() if one.is_dir() and not one.is_symlink())


def _parse_process(data: bytes) -> ProcessId:
    pid, start = data.split()
    return ProcessId(int(pid), int(start))


def _parse_marker(data: bytes) -> bool:
    return {b"1": True, b"0": False}[data.strip()]


def _parse_update(line: bytes) -> UpdateRecord:
    record = json.loads(line)
    if record["type"] == "ACK":
        return None, msgspec.convert(record["uuid"], bytes)
    status = msgspec.convert(record["status"], TaskStatus)
    if status.uuid is None:
        raise ValueError("an update without UUID")
    return status, status.uuid


def former_agents(paths: Paths, agent_id: str | None) -> list[str]:
    """Return the folders of agents that used this work_dir before the one of this id."""
    every = (Path(paths.work_dir) / "slaves", Path(paths.meta) / "slaves")
    return [str(one) for parent in every for one in _folders(parent) if one.name != agent_id]
