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
from pocket_mesos.containerizer.cgroups import device_filter, files, v2
from pocket_mesos.containerizer.config import ContainerConfig, Limits, Termination
from pocket_mesos.containerizer.containerizer import Containerizer, Recovered
from pocket_mesos.containerizer.fetching import FetcherSettings
from pocket_mesos.containerizer.isolators import IsolationSettings
from pocket_mesos.protocol.mesos import ContainerInfo

CGROUPS = Path("/sys/fs/cgroup")
UNIFIED = v2.mounted(CGROUPS)
"""Whether this machine has version 2: the one hierarchy instead of one a subsystem."""

PATIENCE = 60.0
"""Seconds until what is awaited counts as missing, on a busy machine too."""


def group(subsystem: str, root: str) -> Path:
    """Return the cgroup that a flag cgroups_root stands for."""
    return v2.root(CGROUPS, root, v2.own()) if UNIFIED else CGROUPS / subsystem / root


def groups(root: str) -> list[Path]:
    """Return what there is of a cgroups_root, in every hierarchy."""
    found = [group("", root)] if UNIFIED else CGROUPS.glob(f"*/{root}")
    return [one for one in found if one.is_dir()]


def containers(root: str) -> list[Path]:
    """Return the cgroups of containers below a cgroups_root, in every hierarchy."""
    return [one for folder in groups(root) for one in folder.iterdir() if one.is_dir()]


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
        return containers(self.root)

    def group(self, subsystem: str) -> Path:
        return group(subsystem, self.root)

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
        for folder in groups(self.root):
            for one in files.nested(folder):
                files.kill(files.processes(one))
                _remove(one)
            if "/" in self.root:
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
    """Skip where this process can't use cgroups, named as those of version 1 are."""
    reason = _without(wanted) if os.geteuid() == 0 else "cgroups need root"
    return pytest.mark.skipif(reason is not None, reason=str(reason))


def _without(wanted: tuple[str, ...]) -> str | None:
    if not UNIFIED:
        lacking = [one for one in (*wanted, "freezer") if not os.access(CGROUPS / one, os.W_OK)]
        return f"no writable cgroup v1 hierarchy {', '.join(lacking)}" if lacking else None
    if v2.own() == "/":
        return "in the root of cgroup v2, whose processes would all have to move"
    there = v2.offered(CGROUPS) | device_filter.offered() | {"cpuacct", "freezer"}
    lacking = [one for one in wanted if one.replace("blkio", "io") not in there]
    if lacking or not os.access(CGROUPS, os.W_OK):
        return f"no writable cgroup v2 hierarchy, or one without {', '.join(lacking)}"
    return None


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
