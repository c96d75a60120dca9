"""Who belongs to a process group or a session, and how few processes have to be looked at."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from pocket_mesos.containerizer import process, procfs

PATIENCE = 60.0
ADOPTS = "import ctypes; ctypes.CDLL(None).prctl(36, 1)"
"""Makes a process the parent of orphans among its descendants (PR_SET_CHILD_SUBREAPER)."""

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start programs whose processes write their pids to ``NAME``; all are killed at last."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*argv: str, **how: bool) -> subprocess.Popen[bytes]:
        made = subprocess.Popen(argv, cwd=tmp_path, **how)  # type: ignore[call-overload]
        started.append(made)
        return made

    yield run
    for path in tmp_path.iterdir():
        with suppress(ProcessLookupError, ValueError):
            os.kill(int(path.read_text()), signal.SIGKILL)
    for made in started:
        made.kill()
        made.wait()


def pid(path: Path) -> int:
    """Return what a process wrote, as soon as it has."""
    deadline = time.monotonic() + PATIENCE
    while not (path.exists() and path.read_text().endswith("\n")):
        assert time.monotonic() < deadline, path
        time.sleep(0.01)
    return int(path.read_text())


def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the processes whose state will have been read."""
    read = procfs.stat
    pids: list[int] = []

    def noting(pid: int) -> procfs.Stat | None:
        pids.append(pid)
        return read(pid)

    monkeypatch.setattr(procfs, "stat", noting)
    return pids


def test_a_group_has_its_orphans_and_all_descendants(start: Start, tmp_path: Path) -> None:
    """A kill reaches what left the group or the session, and what lost its parent in the group."""
    leader = start(
        "sh",
        "-c",
        "sh -c 'sleep 1000 & echo $! >orphan'; "
        "setsid sh -c 'sleep 1000 & echo $! >deep; sleep 1000 & echo $! >deeper; wait' & wait",
        process_group=0,
    )
    pids = {pid(tmp_path / name) for name in ("orphan", "deep", "deeper")}
    found = procfs.group_tree(leader.pid)
    assert {leader.pid, *pids} <= set(found)
    other = start("sleep", "1000", process_group=0)
    assert os.getpid() not in found
    assert other.pid not in procfs.group_tree(leader.pid)


def test_a_group_has_whom_it_adopted_from_a_session_without_leader(
    start: Start, tmp_path: Path
) -> None:
    """Supervisors within a task take orphans in; those have a parent in another session."""
    begin = "import subprocess; subprocess.run(['setsid', 'sh', '-c', 'sleep 1000 & echo $! >it'])"
    wait = "import time; time.sleep(1000)"
    leader = start(sys.executable, "-c", f"{ADOPTS}; {begin}; {wait}", process_group=0)
    adopted = pid(tmp_path / "it")
    deadline = time.monotonic() + PATIENCE
    while adopted not in procfs.group_tree(leader.pid):
        assert time.monotonic() < deadline, procfs.stat(adopted)
        time.sleep(0.01)


def test_a_kill_does_not_look_at_everybody(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Where a thousand tasks are killed at once, each looking at all would take a minute."""
    start("sh", "-c", "sleep 1000 & echo $! >other; wait", start_new_session=True)
    leader = start("sleep", "1000", start_new_session=True)
    other = pid(tmp_path / "other")
    read = looked_at(monkeypatch)
    assert procfs.group_tree(leader.pid) == [leader.pid]
    assert leader.pid in read
    assert other not in read


def test_an_ended_session_needs_no_look_at_others(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As containers mostly end: with nothing left."""
    leader = start("sh", "-c", "sleep 1000 & echo $! >rest; wait", start_new_session=True)
    rest = pid(tmp_path / "rest")
    identity = process.own_child(leader.pid)
    assert {one.pid for one in process.tree(identity)} == {leader.pid, rest}
    leader.kill()
    os.waitid(os.P_PID, leader.pid, os.WEXITED | os.WNOWAIT)
    assert [one.pid for one in process.tree(identity)] == [rest]
    leader.wait()
    os.kill(rest, signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while procfs.live([rest]):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    read = looked_at(monkeypatch)
    assert process.tree(identity) == []
    assert set(read) <= {leader.pid, rest}
