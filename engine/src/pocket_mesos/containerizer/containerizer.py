"""The Mesos containerizer: launch, watch, measure and destroy the containers of executors."""

import asyncio
import contextlib
import logging
import shutil
import signal
import subprocess
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pocket_mesos.containerizer import fork, process, sandbox
from pocket_mesos.containerizer.config import (
    ContainerConfig,
    Limitation,
    Limits,
    Termination,
    joined,
)
from pocket_mesos.containerizer.errors import ContainerizerError, DestroyError, LaunchError
from pocket_mesos.containerizer.fetching import FetcherSettings, Fetching
from pocket_mesos.containerizer.isolators import Isolator
from pocket_mesos.containerizer.launcher import Launcher
from pocket_mesos.containerizer.process import ProcessId

log = logging.getLogger(__name__)

OnTermination = Callable[[str, Termination], None]
OnForked = Callable[[str, ProcessId], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovered:
    """A container of the previous agent that may still run."""

    process: ProcessId
    directory: Path
    limits: Limits


@dataclass(slots=True)
class _Container:
    directory: Path
    """The sandbox."""
    limits: Limits
    """What the isolators are told; kept for statistics."""
    process: ProcessId | None = None
    gated: fork.Gated | None = None
    fetching: subprocess.Popen[bytes] | None = None
    limitation: Limitation | None = None
    status: int | None = None
    destroying: asyncio.Task[None] | None = None
    doomed: bool = False
    """Whether it is being destroyed."""

    def begin_fetching(self, fetcher: subprocess.Popen[bytes]) -> bool:
        """Note the fetcher's process; return whether it is still wanted."""
        self.fetching = fetcher
        return not self.doomed


class Containerizer:
    """Owns the containers of one agent.

    Every container that was launched or recovered ends in exactly one call of
    ``on_termination``, after its last process and its cgroups are gone.
    """

    def __init__(
        self,
        launcher: Launcher,
        isolators: list[Isolator],
        fetcher: FetcherSettings,
        runtime_dir: Path,
        on_termination: OnTermination,
    ) -> None:
        self._launcher = launcher
        self._isolators = isolators
        self._fetching = Fetching(fetcher)
        self._runtime = runtime_dir / "containers"
        self._on_termination = on_termination
        self._containers: dict[str, _Container] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = asyncio.Lock()

    # --- life of a container ---------------------------------------------------------------

    def launch(self, config: ContainerConfig, on_forked: OnForked) -> Coroutine[None, None, int]:
        """Start a container; the result, when awaited, is its pid.

        The container exists from the call on: it can be destroyed before it is awaited.

        Args:
            config: what to start, in a sandbox that is made here.
            on_forked: called with the process before anything of the executor has run, so that
                it can be checkpointed.

        Raises:
            SandboxError: no sandbox.
            LaunchError: something else failed; nothing is left of the container.
        """
        container = _Container(config.directory, config.limits)
        self._containers[config.container_id] = container
        return self._launch(config, container, on_forked)

    async def _launch(
        self, config: ContainerConfig, container: _Container, on_forked: OnForked
    ) -> int:
        try:
            sandbox.create(config.directory, config.user)
            if config.uris and not container.doomed:
                await self._fetching.fetch(config, container.begin_fetching)
            # One by one, with a turn for everybody else after each: a thousand in one go would
            # keep the agent from its executors and its master for longer than those wait.
            async with self._starting:
                if container.doomed:
                    raise LaunchError("Container destroyed during launch")
                self._start(config, container, on_forked)
                await asyncio.sleep(0)
        except (ContainerizerError, OSError) as error:
            await self._cleanup(config.container_id, None)
            del self._containers[config.container_id]
            if isinstance(error, LaunchError):
                raise
            raise LaunchError(f"Failed to launch container: {error}") from error
        assert container.process is not None
        return container.process.pid

    def _start(self, config: ContainerConfig, container: _Container, on_forked: OnForked) -> None:
        """Fork, isolate, checkpoint, let go. Nothing here waits, so nothing can come between."""
        folder = self._runtime / config.container_id
        folder.mkdir(parents=True, exist_ok=True)
        launch = joined([isolator.prepare(config) for isolator in self._isolators])
        gated = fork.fork(config, launch, folder)
        child = process.own_child(gated.pid)
        try:
            self._launcher.adopt(config.container_id, gated.pid)
            for isolator in self._isolators:
                isolator.isolate(config.container_id, gated.pid)
            self._checkpoint_pid(config.container_id, child)
            on_forked(config.container_id, child)
        except BaseException:
            gated.abandon()
            raise
        container.gated = gated
        container.process = child
        gated.open()
        self._watch(config.container_id)

    def _watch(self, container_id: str) -> None:
        container = self._containers[container_id]
        for isolator in self._isolators:
            try:
                isolator.watch(container_id, container.directory, container.limits, self._limited)
            except (ContainerizerError, OSError) as error:
                # It was launched by an agent with other flags, and ends as well without.
                log.warning("Not isolating %s by %s: %s", container_id, isolator.name, error)
        self._spawn(self._wait(container_id, container))

    async def _wait(self, container_id: str, container: _Container) -> None:
        if container.process is not None:
            await process.wait_exit(container.process)
        container.status = fork.recorded_status(self._runtime / container_id)
        if container.gated is not None:
            container.status = _first(container.status, container.gated.status())
        self.destroy(container_id)

    def _limited(self, container_id: str, limitation: Limitation) -> None:
        self.destroy(container_id, limitation)

    def destroy(self, container_id: str, limitation: Limitation | None = None) -> None:
        """Begin to end a container; its termination follows. Unknown ones are left alone."""
        container = self._containers.get(container_id)
        if container is None:
            return
        container.doomed = True
        if container.fetching is not None:
            container.fetching.kill()
        if limitation is not None and container.limitation is None:
            log.info("Container %s has reached its limit: %s", container_id, limitation.reason)
            container.limitation = limitation
        if container.destroying is None and container.process is not None:
            container.destroying = self._spawn(self._destroy(container_id, container))

    async def _destroy(self, container_id: str, container: _Container) -> None:
        # An isolator may have seen what the kernel did before its notice reached us.
        if container.limitation is None:
            container.limitation = self.limitation(container_id)
        assert container.process is not None
        killed = process.alive(container.process)
        try:
            await self._cleanup(container_id, container.process)
        except DestroyError as error:
            log.error("Failed to destroy container %s: %s", container_id, error)
        if container.gated is not None:
            await process.wait_exit(container.process)
            container.status = _first(container.status, container.gated.status())
        elif killed:
            container.status = _first(container.status, signal.SIGKILL)
        del self._containers[container_id]
        self._on_termination(
            container_id, Termination(status=container.status, limitation=container.limitation)
        )

    async def _cleanup(self, container_id: str, leader: ProcessId | None) -> None:
        await self._launcher.destroy(container_id, leader)
        for isolator in self._isolators:
            await isolator.cleanup(container_id)
        folder = self._runtime / container_id
        shutil.rmtree(folder, ignore_errors=True)

    # --- questions and changes -------------------------------------------------------------

    def update(self, container_id: str, limits: Limits) -> None:
        """Change a container's limits; one that is about to end is left alone."""
        container = self._containers.get(container_id)
        if container is None or container.destroying is not None:
            return
        container.limits = limits
        if container.process is None:
            return
        for isolator in self._isolators:
            isolator.update(container_id, limits)

    def limitation(self, container_id: str) -> Limitation | None:
        """Look now whether a container went over a limit, ahead of the kernel's notice."""
        found = (isolator.check(container_id) for isolator in self._isolators)
        return next((one for one in found if one is not None), None)

    @property
    def metrics(self) -> dict[str, float]:
        """Return the containerizer's own metrics, by their full names."""
        fetcher = self._fetching.metrics
        return {f"containerizer/fetcher/{name}": value for name, value in fetcher.items()}

    def pid(self, container_id: str) -> int | None:
        """Return the pid of a container's first process, None without container."""
        container = self._containers.get(container_id)
        return container.process.pid if container and container.process else None

    def usage(self, container_id: str) -> dict[str, Any]:
        """Measure a container; without those values that can't be had (any more)."""
        container = self._containers.get(container_id)
        if container is None or container.process is None:
            return {}
        values: dict[str, Any] = {"cpus_soft_limit": container.limits.cpus}
        if container.limits.mem:
            values["mem_limit_bytes"] = container.limits.mem
        pids = self._launcher.pids(container_id, container.process)
        for isolator in self._isolators:
            with contextlib.suppress(ContainerizerError, KeyError):
                values |= isolator.usage(container_id, pids)
        return values

    # --- restart of the agent --------------------------------------------------------------

    def recover(self, known: dict[str, Recovered]) -> None:
        """Take over the containers of the previous agent and destroy what nobody knows."""
        for container_id, found in known.items():
            container = _Container(found.directory, found.limits, found.process)
            self._containers[container_id] = container
            if process.alive(found.process):
                self._watch(container_id)
            else:
                container.status = fork.recorded_status(self._runtime / container_id)
                self.destroy(container_id)
        for container_id in self._orphans() - known.keys():
            log.info("Cleaning up orphan container %s", container_id)
            self._spawn(self._clean_orphan(container_id))

    async def _clean_orphan(self, container_id: str) -> None:
        try:
            await self._cleanup(container_id, self._recorded(container_id))
        except DestroyError as error:
            log.error("Failed to clean up orphan container %s: %s", container_id, error)

    def _orphans(self) -> set[str]:
        found = set(self._launcher.containers())
        for isolator in self._isolators:
            found |= isolator.containers()
        if self._runtime.is_dir():
            found |= {folder.name for folder in self._runtime.iterdir()}
        return found

    def _checkpoint_pid(self, container_id: str, found: ProcessId) -> None:
        (self._runtime / container_id / "pid").write_text(f"{found.pid} {found.start_time}")

    def _recorded(self, container_id: str) -> ProcessId | None:
        """Return the process that an orphan had."""
        try:
            pid, start = (self._runtime / container_id / "pid").read_text().split()
        except (OSError, ValueError):
            return None
        return ProcessId(int(pid), int(start))

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _first(status: int | None, other: int | None) -> int | None:
    return other if status is None else status
