"""Real agent processes for tests, and certainty that nothing of them is left afterwards."""

import asyncio
import contextlib
import functools
import itertools
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
from container_lab import containers, groups
from fake_master import PATIENCE, FakeMaster

import pocket_mesos
from pocket_mesos import libexec
from pocket_mesos.containerizer.cgroups import files

SYSTEM_PYTHON = "/usr/bin/python3"


class AgentProcess:
    """One work_dir and the agents that run on it, one after the other."""

    def __init__(self, folder: Path, master: FakeMaster, **flags: object) -> None:
        self.folder = folder
        self.work_dir = folder / "work"
        self.cgroups_root = f"mesostest{uuid.uuid4().hex[:12]}"
        self.port = _free_port()
        self.flags = {
            "master": master.url,
            "work_dir": self.work_dir,
            "runtime_dir": folder / "run",
            "ip": "127.0.0.1",
            "hostname": "127.0.0.1",
            "port": self.port,
            "resources": "cpus:4;mem:4096;disk:10000;ports:[31000-31099]",
            "registration_backoff_factor": "50ms",
            "launcher": "posix",
            "isolation": "posix/cpu,posix/mem",
            "cgroups_root": self.cgroups_root,
            **flags,
        }
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "agent.log"

    def start(self, **more: object) -> None:
        arguments = [f"--{name}={value}" for name, value in {**self.flags, **more}.items()]
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pocket_mesos.cli.mesos_agent", *arguments],
                stdout=out,
                stderr=out,
                env={"PATH": os.environ["PATH"], "HOME": "/"},
            )

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    async def wait(self) -> int:
        assert self.process is not None
        try:
            return await asyncio.to_thread(self.process.wait, PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"still running after {PATIENCE} s:\n{self.log.read_text()}"
            ) from None

    async def kill(self) -> None:
        self.signal(signal.SIGKILL)
        await self.wait()

    async def get(self, path: str) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"http://127.0.0.1:{self.port}{path}") as response,
        ):
            assert response.status == 200, await response.text()
            return await response.json() if await response.read() else None

    def sandbox(self, framework: str, executor: str) -> Path:
        runs = self.work_dir / "slaves/m-S0/frameworks" / framework / "executors" / executor
        return (runs / "runs" / "latest").resolve()

    def printed(self, framework: str, executor: str) -> str:
        """Return what an executor and its tasks have written to stdout so far."""
        path = self.sandbox(framework, executor) / "stdout"
        return path.read_text() if path.exists() else ""

    def has_id(self) -> bool:
        """Say whether the id that the master gave is on disk, for the next agent to find."""
        return (self.work_dir / "meta/slaves/latest/slave.info").exists()

    def unacknowledged(self) -> int:
        """Count the checkpointed updates that have no acknowledgement on disk."""
        files = list(self.work_dir.rglob("task.updates"))
        kinds = [json.loads(line)["type"] for one in files for line in _whole_lines(one)]
        return kinds.count("UPDATE") - kinds.count("ACK")

    def acknowledged(self) -> bool:
        """Say whether every checkpointed update has its acknowledgement on disk as well."""
        return self.unacknowledged() == 0

    def processes(self) -> list[int]:
        """Live processes that belong to this agent's tasks."""
        mark = f"MESOS_DIRECTORY={self.work_dir}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
        return found

    def cgroups(self) -> list[Path]:
        """Cgroups of containers that are still there."""
        return containers(self.cgroups_root)

    def clean(self) -> None:
        """Kill everything and remove everything."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for _ in range(100):
            left = [one for folder in groups(self.cgroups_root) for one in files.nested(folder)]
            for folder in left:
                _thaw(folder)
                with contextlib.suppress(OSError):
                    folder.rmdir()
            if not any(folder.exists() for folder in left):
                break
            signal.sigtimedwait([], 0.02)
        shutil.rmtree(self.folder, ignore_errors=True)


def _thaw(cgroup: Path) -> None:
    """Let killed processes die that an agent had frozen when it was killed itself."""
    state = cgroup / "freezer.state"
    if state.exists():
        state.write_text("THAWED")


def _whole_lines(path: Path) -> list[bytes]:
    return path.read_bytes().rpartition(b"\n")[0].splitlines()


def _free_port() -> int:
    """Choose a port that no client's connection is given while an agent is down."""
    for port in _own_ports()[1]:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("ports come round again")


@functools.cache
def _own_ports() -> tuple[socket.socket, Iterator[int]]:
    """A hundred ports of this process: tests beside it must not take one before an agent does.

    They are its own as long as it holds the first one's namesake of UDP.
    """
    while True:
        held = socket.socket(type=socket.SOCK_DGRAM)
        first = random.randrange(20_000, 30_000, 100)
        try:
            held.bind(("127.0.0.1", first))
        except OSError:
            held.close()
        else:
            return held, itertools.cycle(range(first, first + 100))


def launcher_dir_for_all(folder: Path) -> Path:
    """Helper programs on an interpreter and a copy of the package that every user can read."""
    source = folder / "source"
    shutil.copytree(Path(pocket_mesos.__file__).parent, source / "pocket_mesos")
    programs = folder / "libexec"
    programs.mkdir()
    for name, module in libexec.PROGRAMS.items():
        (programs / name).write_text(libexec.script(module, SYSTEM_PYTHON, source))
        (programs / name).chmod(0o755)
    return programs
