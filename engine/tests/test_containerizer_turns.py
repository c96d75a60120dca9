"""Many containers at once leave the agent time for everybody else."""

import asyncio
import os
from pathlib import Path

import pytest
from container_lab import Lab

from pocket_mesos.containerizer.config import ContainerConfig, Limits

pytestmark = pytest.mark.component

COUNT = 20


def _config(folder: Path, name: str) -> ContainerConfig:
    return ContainerConfig(
        container_id=name,
        argv=("/bin/true",),
        environment={"PATH": os.environ["PATH"]},
        directory=folder / name,
        user=None,
        limits=Limits(),
    )


async def test_others_have_a_turn_between_launches(tmp_path: Path) -> None:
    """A thousand launches take half a minute: too long for executors and master to wait."""
    lab = Lab(tmp_path, ("posix", "posix/cpu,posix/mem"))
    turns = 0
    launched: list[int] = []

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    names = [f"c{number}" for number in range(COUNT)]
    await asyncio.gather(
        *(
            lab.containerizer.launch(_config(tmp_path, name), lambda *_: launched.append(turns))
            for name in names
        )
    )
    counting.cancel()
    assert len(set(launched)) == COUNT, launched
    for name in names:
        assert (await lab.end(name)).status == 0
