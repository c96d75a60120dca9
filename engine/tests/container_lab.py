"""A containerizer of real processes for tests, and certainty that nothing is left of them."""

import asyncio
import contextlib
import os
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pocket_mesos.containerizer import isolators
from pocket_mesos.containerizer.cgroups import files
from pocket_mesos.containerizer.config import ContainerConfig, Limits, Termination
from pocket_mesos.containerizer.containerizer import Containerizer, Recovered
from pocket_mesos.containerizer.fetching import FetcherSettings
from pocket_mesos.containerizer.isolators import IsolationSettings
from pocket_mesos.protocol.mesos import ContainerInfo

CGROUPS = Path("/sys/fs/cgroup")
PATIENCE = 60.0
"""Seconds until what is awaited counts as missing, on a busy machine too."""


def new_root() -> str:
    """Return a name of cgroups that nothing else uses."""
    return f"mesosunit{uuid.uuid4().hex[:12]}"


class Lab:
    """One containerizer, and what it told."""

    def __init__(
        self, folder: Path, kind: tuple[str, str], *, root: str | None = None, **settings: object
    ) -> None:
        """Make one.

        Args:
            folder: for sandboxes and the runtime folder.
            kind: launcher and isolation.
            root: of the cgroups; None: one of its own.
            settings: of the isolators.
        """
        self.folder = folder
        self.root = root or new_root()
        launcher, isolation = kind
        made, isolators_ = isolators.create(
            isolation,
            launcher,
            IsolationSettings(
                hierarchy=CGROUPS,
                root=self.root,
                enable_cfs=True,
                destroy_timeout=10,
                **settings,  # type: ignore[arg-type]
            ),
        )
        fetcher = FetcherSettings(program=Path("/nonexistent"), stall_timeout=1)
        self.ended: dict[str, asyncio.Future[Termination]] = {}
        self.containerizer = Containerizer(
            made, isolators_, fetcher, folder / "run", self._terminated
        )

    def _terminated(self, container_id: str, termination: Termination) -> None:
        self.future(container_id).set_result(termination)

    def future(self, container_id: str) -> "asyncio.Future[Termination]":
        loop = asyncio.get_running_loop()
        return self.ended.setdefault(container_id, loop.create_future())

    async def launch(
        self,
        command: str,
        *,
        limits: Limits | None = None,
        user: str | None = None,
        container: ContainerInfo | None = None,
        environment: dict[str, str] | None = None,
    ) -> str:
        container_id = str(uuid.uuid4())
        config = ContainerConfig(
            container_id=container_id,
            argv=("/bin/sh", "-c", command),
            environment={"PATH": os.environ["PATH"], "ONLY": "this", **(environment or {})},
            directory=self.folder / container_id,
            user=user,
            limits=limits or Limits(cpus=0.5, mem=64 * 2**20),
            container=container,
        )
        await self.containerizer.launch(config, lambda *_: None)
        return container_id

    async def end(self, container_id: str) -> Termination:
        return await asyncio.wait_for(self.future(container_id), PATIENCE)

    def output(self, container_id: str) -> str:
        return (self.folder / container_id / "stdout").read_text()

    def cgroups(self) -> list[Path]:
        return [one for one in CGROUPS.glob(f"*/{self.root}/*") if one.is_dir()]

    def take_over(self, other: "Lab", container_id: str) -> None:
        """Go on with a container of another lab, as a restarted agent does."""
        known = other.containerizer._containers[container_id]
        assert known.process is not None
        found = Recovered(process=known.process, directory=known.directory, limits=known.limits)
        self.containerizer.recover({container_id: found})

    async def close(self) -> None:
        """End all containers and remove all cgroups."""
        for container_id in list(self.containerizer._containers):
            self.containerizer.destroy(container_id)
            await self.end(container_id)
        self.clean()

    def clean(self) -> None:
        for folder in CGROUPS.glob(f"*/{self.root}"):
            for one in files.nested(folder):
                files.kill(files.processes(one))
                _remove(one)
            if folder.parent.parent != CGROUPS:
                # Another lab may still have its root there.
                with contextlib.suppress(OSError):
                    folder.parent.rmdir()


def _remove(cgroup: Path) -> None:
    """Remove a cgroup as soon as the kernel is done with its killed processes."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return cgroup.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def marked(mark: str) -> list[int]:
    """Live processes whose command line holds a mark."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (what the kernel does sets no event)
            await asyncio.sleep(0.02)


def subsystem(*wanted: str) -> pytest.MarkDecorator:
    """Skip where this process can't use cgroups of version 1."""
    lacking = [one for one in (*wanted, "freezer") if not os.access(CGROUPS / one, os.W_OK)]
    reason = f"no writable cgroup v1 hierarchy {', '.join(lacking)}"
    return pytest.mark.skipif(os.geteuid() != 0 or bool(lacking), reason=reason)


def _refused() -> str | None:
    """Say why the kernel lets this process have no namespaces of its own."""
    if os.geteuid() != 0:
        return "namespaces and mounts need root"
    command = "mount -t proc proc /proc && mount -t tmpfs none /mnt"
    try:
        subprocess.run(
            ["unshare", "--mount", "--pid", "--ipc", "--fork", "sh", "-c", command],
            check=True,
            capture_output=True,
            text=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        return f"no namespaces here: {getattr(error, 'stderr', '') or error}".strip()
    return None


REFUSED = _refused()


def namespaces(test: Any) -> Any:
    """Skip where the kernel refuses namespaces, mounts or the freezer."""
    return subsystem()(pytest.mark.skipif(REFUSED is not None, reason=str(REFUSED))(test))
