"""kill -9 of agent, executor and task at every step of a task's life, held against the document.

Each step is reached by what a framework, a server of files or an executor may do: nothing in the
engine knows of these tests. All steps of a victim share one agent, which dies at once for all.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from agent_process import AgentProcess
from container_lab import REFUSED
from fake_master import FakeMaster, framework, resources, task

from pocket_mesos.containerizer.procfs import stat
from pocket_mesos.protocol import link
from pocket_mesos.protocol.mesos import (
    CommandInfo,
    CommandURI,
    DurationInfo,
    ExecutorID,
    ExecutorInfo,
    ExecutorType,
    FrameworkID,
    KillPolicy,
    TaskID,
    TaskInfo,
)

pytestmark = [pytest.mark.integration, pytest.mark.root]

DOCUMENT = Path(__file__).parents[2] / "docs" / "recovery.md"
FRAMEWORK = framework(checkpoint=True, capabilities=("PARTITION_AWARE", "TASK_KILLING_STATE"))
FRAMEWORK_ID = FrameworkID(value="m-f")
MOUNTED = {"launcher": "linux", "isolation": "cgroups/cpu,cgroups/mem,filesystem/linux"}
PATIENT = {"executor_shutdown_grace_period": "600secs", "fetcher_stall_timeout": "600secs"}
HASTY = {
    "executor_shutdown_grace_period": "100ms",
    "gc_delay": "100ms",
    "disk_watch_interval": "200ms",
    # Mesos' 2 s are few for executors that come back to a busy machine.
    "executor_reregistration_timeout": "8secs",
}

COMMANDS = {
    "fetching": "true",
    "starting": "while ! test -e {go}; do sleep 0.1; done #starting",
    "told": "while ! test -e {go}; do sleep 0.1; done #told",
    "running": "while ! test -e {go}; do sleep 0.1; done #running",
    "killing": "trap '' TERM; touch {here}; while true; do sleep 0.1; done #killing",
    "left": "true",
    "gone": "true",
}
"""Of command tasks, by step."""

EXECUTORS = {
    "forked": "touch {here}; exec sleep 1000",
    "launched": "exec {python} {program} {go}",
    "ended": "exec {python} {program} /",
    "shutdown": "exec {python} {program} /",
}
"""Of custom executors, by step."""

PROGRAM = """
import os, sys
from pocket_mesos.executors.base import Executor, inherited_environment

class Deaf(Executor):
    \"\"\"Finishes its task when there is a certain file, and stays when told to leave.\"\"\"

    def on_event(self, event):
        self.task = event["launch"]["task"]
        self.unacknowledged_tasks[self.task["task_id"]["value"]] = self.task
        self.look()

    def look(self):
        if not os.path.exists(sys.argv[1]):
            self.after(0.05, self.look)
            return
        for state in ("TASK_RUNNING", "TASK_FINISHED"):
            self.update(self.task["task_id"]["value"], state)

    def on_child(self):
        pass

    def shutdown(self):
        pass

Deaf(inherited_environment()).run()
"""

BEFORE = {
    "fetching": [],
    "forked": [],
    "launched": [],
    "ended": ["TASK_RUNNING"],
    "shutdown": ["TASK_RUNNING"],
    "killing": ["TASK_STARTING", "TASK_RUNNING", "TASK_KILLING"],
}
"""What a task tells before its last update; a command task of another step: starting, running."""


@dataclass(frozen=True)
class End:
    """A cell of the table."""

    state: str
    reason: str | None


def documented() -> dict[str, dict[str, End]]:
    """Read the table: the end for each victim, by step."""
    found: dict[str, dict[str, End]] = {}
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("| `"):
            name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
            ends = zip(("agent", "executor", "task"), cells, strict=True)
            found[name.split("`")[1]] = {who: _end(cell) for who, cell in ends if cell != "-"}
    return found


def _end(cell: str) -> End:
    reason = re.search(r"`(REASON_\w+)`", cell)
    return End(re.findall(r"`(TASK_\w+)`", cell)[0], reason and reason[1])


class Master(FakeMaster):
    """Acknowledges what is not held back."""

    def __init__(self) -> None:
        super().__init__(acknowledge=False)
        self.held = {"starting TASK_STARTING", "told TASK_RUNNING"}
        self.held |= {"ended TASK_FINISHED", "left TASK_FINISHED"}
        self.settled: set[bytes | None] = set()
        """Updates that must not come again: their acknowledgements are on disk."""
        self.repeated: list[str] = []

    def _call(self, call: Any) -> None:
        super()._call(call)
        if isinstance(call, link.StatusUpdate):
            if call.status.uuid in self.settled:
                self.repeated.append(_name(call))
            if _name(call) not in self.held:
                self._acknowledge(call)

    def settle(self) -> None:
        """Note what was acknowledged so far."""
        some = (one for one in self.calls if isinstance(one, link.StatusUpdate))
        self.settled = {one.status.uuid for one in some if _name(one) not in self.held}

    def _acknowledge(self, call: link.StatusUpdate) -> None:
        uuid, task_id = call.status.uuid or b"", call.status.task_id
        self.send(
            link.StatusUpdateAcknowledgement(
                framework_id=call.framework_id, task_id=task_id, uuid=uuid
            )
        )

    def release(self) -> None:
        """Acknowledge what was held back."""
        held, self.held = self.held, set()
        waiting = {}
        for call in self.calls:
            if isinstance(call, link.StatusUpdate) and _name(call) in held:
                waiting[_name(call)] = call
        for call in waiting.values():
            self._acknowledge(call)

    def told(self, name: str) -> list[str]:
        """The states that a task went through: an update that comes again at once counts once."""
        uuids = [one.uuid for one in self.statuses(name)]
        again = [uuid == before for uuid, before in zip(uuids, [None, *uuids], strict=False)]
        return [s for s, once in zip(self.states(name), again, strict=True) if not once]


def _name(call: link.StatusUpdate) -> str:
    return f"{call.status.task_id.value} {call.status.state.value}"


class Life:
    """An agent with a task at each of some steps."""

    def __init__(self, folder: Path, master: Master, url: str, steps: set[str]) -> None:
        self.folder = folder
        self.master = master
        self.url = url
        self.steps = steps
        flags = MOUNTED if REFUSED is None else {}
        self.agent = AgentProcess(folder, master, **flags)
        self.program = folder / "deaf.py"
        self.program.write_text(PROGRAM)

    def path(self, kind: str, step: str) -> Path:
        return self.folder / f"{kind}-{step}"

    # --- to the steps ------------------------------------------------------------------------

    def launch(self) -> None:
        for step in sorted(self.steps):
            self.master.run(FRAMEWORK, self._task(step))

    def _task(self, step: str) -> TaskInfo:
        text = (COMMANDS | EXECUTORS)[step].format(
            go=self.path("go", step),
            here=self.path("here", step),
            python=sys.executable,
            program=self.program,
        )
        uris = [CommandURI(value=self.url)] if step == "fetching" else []
        command = CommandInfo(value=text, uris=uris)
        if step in COMMANDS:
            return task(step, command)
        executor = ExecutorInfo(
            type=ExecutorType.CUSTOM,
            executor_id=ExecutorID(value=step),
            framework_id=FRAMEWORK_ID,
            command=command,
            resources=resources(),
        )
        return task(step, executor=executor)

    async def reached(self) -> None:
        """Wait until every task is at its step, and what is acknowledged is on disk as such."""
        told = {step: [*BEFORE.get(step, ["TASK_STARTING", "TASK_RUNNING"])] for step in self.steps}
        for step in self.steps & {"ended", "left", "shutdown", "gone"}:
            told[step].append("TASK_FINISHED")
        told |= {"starting": ["TASK_STARTING"]} if "starting" in told else {}
        if "killing" in told:
            await self.master.update("killing", "TASK_RUNNING")
            await self.master.until(self.path("here", "killing").exists)
            self.kill_task(1000)
        for step in self.steps:
            await self.master.until(lambda step=step: self.master.told(step) == told[step])
        await self.master.until(self._quiet)
        for step, there in self._signs().items():
            if step in self.steps:
                await self.master.until(there)

    def _quiet(self) -> bool:
        """Whether all updates are acknowledged on disk but those that are held back."""
        waiting = {one.split()[0] for one in self.master.held} & self.steps
        behind = "starting" in self.steps  # TASK_RUNNING behind TASK_STARTING
        return self.agent.unacknowledged() == len(waiting) + behind

    def _signs(self) -> dict[str, Any]:
        """How to see what no update tells."""
        agent = self.agent

        def heard(step: str, kind: str) -> bool:
            path = agent.sandbox("m-f", step) / "stderr"
            return path.exists() and f"Received {kind} event" in path.read_text()

        if "shutdown" in self.steps:
            self.shut_down("shutdown")
        return {
            "fetching": lambda: self.processes("fetching"),
            "forked": self.path("here", "forked").exists,
            "launched": lambda: heard("launched", "LAUNCH"),
            "shutdown": lambda: heard("shutdown", "SHUTDOWN"),
            "left": lambda: not self.processes("left"),
            "gone": lambda: list(agent.work_dir.glob("meta/**/gone/runs/*/executor.sentinel")),
        }

    def processes(self, step: str) -> dict[int, bytes]:
        """Command lines of the processes that belong to a task, by pid."""
        found = {}
        mark = f"MESOS_EXECUTOR_ID={step}\0".encode()
        for pid in self.agent.processes():
            try:
                folder = Path("/proc", str(pid))
                if mark in (folder / "environ").read_bytes():
                    found[pid] = (folder / "cmdline").read_bytes()
            except OSError:
                continue
        return found

    # --- the accident ------------------------------------------------------------------------

    def victims(self, victim: str) -> list[int]:
        """The process of each step that is to die, of those that have one by now."""
        found = []
        for step in self.steps:
            mark = rb"/mesos-executor$|/deaf.py$|^1000$"
            if victim == "task":
                mark = rf"#{step}$|/mesos-fetcher$".encode()
            named = [pid for pid, line in self.processes(step).items() if _names(line, mark)]
            # A child that was just forked has its parent's command line still.
            found += [pid for pid in named if _parent(pid) not in named]
        return found

    async def kill(self, victim: str) -> None:
        def every() -> list[int] | None:
            found = self.victims(victim)
            return found if len(found) == len(self.steps) else None

        for pid in await self.master.until(every):
            os.kill(pid, signal.SIGKILL)

    # --- and on ------------------------------------------------------------------------------

    def kill_task(self, seconds: int) -> None:
        policy = KillPolicy(grace_period=DurationInfo(nanoseconds=seconds * 10**9))
        task_id = TaskID(value="killing")
        self.master.send(
            link.KillTask(framework_id=FRAMEWORK_ID, task_id=task_id, kill_policy=policy)
        )

    def shut_down(self, step: str) -> None:
        self.master.send(
            link.ShutdownExecutor(framework_id=FRAMEWORK_ID, executor_id=ExecutorID(value=step))
        )

    def go_on(self) -> None:
        """Let tasks end that waited."""
        for step in self.steps:
            self.path("go", step).touch()
        if "killing" in self.steps:
            self.kill_task(0)

    async def last(self, step: str, end: End) -> None:
        """Wait for a task's last update and compare all of them."""
        before = BEFORE.get(step, ["TASK_STARTING", "TASK_RUNNING"])
        if (step, end.state) == ("launched", "TASK_FINISHED"):
            before = ["TASK_RUNNING"]
        last = await self.master.update(step, end.state)
        assert self.master.told(step) == [*before, end.state], step
        assert (step, last.reason) == (step, end.reason)

    async def nothing_left(self) -> None:
        agent, until = self.agent, self.master.until
        await until(lambda: not agent.processes())
        await until(lambda: not agent.cgroups())
        await until(lambda: not self.folders())
        await until(lambda: not list((self.folder / "run/containers").iterdir()))
        with open("/proc/self/mountinfo") as mounts:  # noqa: ASYNC230 (waits for nothing)
            assert str(self.folder) not in mounts.read()
        assert (await agent.get("/metrics/snapshot"))["gc/path_removals_failed"] == 0
        assert (await agent.get("/state"))["frameworks"] == []

    def folders(self) -> list[str]:
        """Sandboxes and checkpoints of executors; they may vanish while they are looked for."""
        every = os.walk(self.agent.work_dir)
        return [folder for folder, inside, _ in every if folder.endswith("/executors") and inside]


def _names(line: bytes, mark: bytes) -> bool:
    """Whether one of a command line's words is a program; shells that supervise have many."""
    words = line.rstrip(b"\0").split(b"\0")
    return not words[0].startswith(b"/bin/sh") and any(re.search(mark, word) for word in words)


def _parent(pid: int) -> int | None:
    found = stat(pid)
    return found and found.parent


@pytest.fixture
async def endless() -> AsyncIterator[str]:
    """The address of a file that never comes."""
    held = []

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1")
    port = server.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}/file"
    server.close()
    for writer in held:
        writer.close()


@pytest.mark.parametrize("victim", ["agent", "executor", "task"])
async def test_every_step_ends_as_documented(victim: str, tmp_path: Path, endless: str) -> None:
    """Each task in its state by updates that came once and in order; nothing else is left."""
    ends = {step: by[victim] for step, by in documented().items() if victim in by}
    master = Master()
    await master.start()
    life = Life(tmp_path, master, endless, set(ends))
    try:
        life.agent.start(**(PATIENT if victim == "agent" else HASTY | PATIENT))
        await master.until(lambda: master.registrations)
        life.launch()
        await life.reached()
        master.settle()
        if victim == "agent":
            await life.agent.kill()
            master.held.clear()
            life.agent.start(**HASTY)
            await master.until(lambda: len(master.registrations) > 1)
        else:
            await life.kill(victim)
            master.release()
        life.go_on()
        for step, end in ends.items():
            await life.last(step, end)
        assert master.repeated == []
        for step in set(ends) & {"launched", "ended", "shutdown"}:
            life.shut_down(step)
        await life.nothing_left()
    finally:
        text = life.agent.log.read_text() if life.agent.log.exists() else ""
        print(text)  # shown with a failure
        life.agent.clean()
        await master.stop()
    assert "Traceback" not in text


def test_the_document_names_every_step() -> None:
    """No step is there that these tests do not reach, none is forgotten."""
    assert set(documented()) == COMMANDS.keys() | EXECUTORS.keys()
