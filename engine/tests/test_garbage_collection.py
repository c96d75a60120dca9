"""Folders of what has ended are removed after gc_delay, sooner the fuller their disk is."""

import shutil
from pathlib import Path

import pytest

from pocket_mesos.agent.disk import GarbageCollector

DELAY = 1000.0


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 5000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "slaves" / "S0" / "runs" / "c1"
    path.mkdir(parents=True)
    (path / "stdout").write_text("x")
    return path


def test_a_folder_goes_when_it_has_waited_long_enough(
    tmp_path: Path, folder: Path, clock: Clock
) -> None:
    """How old it may grow is gc_delay, less by the part of the disk in use or to be free."""
    collector = GarbageCollector(tmp_path, DELAY, 0.0, clock)
    usage = shutil.disk_usage(tmp_path)
    free = 1.0 - usage.used / usage.total
    assert collector.max_allowed_age() == pytest.approx(DELAY * free, rel=0.05)
    collector.schedule(str(folder))
    collector.collect()
    assert folder.exists()
    assert collector.pending == 1
    clock.now += DELAY
    collector.collect()
    assert not folder.exists()
    assert (collector.pending, collector.removed) == (0, 1)


def test_no_folder_stays_when_the_disk_is_too_full(
    tmp_path: Path, folder: Path, clock: Clock
) -> None:
    """With more to be kept free than there is, nothing may wait."""
    collector = GarbageCollector(tmp_path, DELAY, 1.0, clock)
    collector.schedule(str(folder))
    collector.collect()
    assert not folder.exists()


def test_what_is_in_use_again_is_kept(tmp_path: Path, folder: Path, clock: Clock) -> None:
    """So is what lies below a folder that was to go."""
    collector = GarbageCollector(tmp_path, DELAY, 0.0, clock)
    collector.schedule(str(folder.parent))
    collector.keep(str(folder))
    clock.now += DELAY
    collector.collect()
    assert folder.exists()


def test_what_went_with_a_folder_above_is_no_failure(
    tmp_path: Path, folder: Path, clock: Clock
) -> None:
    """Runs go with their executor's folder."""
    collector = GarbageCollector(tmp_path, DELAY, 0.0, clock)
    for path in (folder.parent, folder):
        collector.schedule(str(path))
    clock.now += DELAY
    collector.collect()
    assert (collector.removed, collector.failed) == (1, 0)
