"""Processes that may not be our children: identity, exit, whole tree.

A pid alone is no identity: it is used again. A process is its pid and its start time.
"""

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass

from pocket_mesos.containerizer.procfs import Stat, below, live, sessions, stat

_POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class ProcessId:
    """A process for as long as the machine runs."""

    pid: int
    start_time: int
    """Clock ticks between boot and the process' start."""


def identify(pid: int) -> ProcessId | None:
    """Return the identity of a process that runs; None for a zombie or when there is none."""
    found = stat(pid)
    if found is None or found.state == "Z":
        return None
    return ProcessId(pid, found.start_time)


def own_child(pid: int) -> ProcessId:
    """Return the identity of a child that was not waited for yet, be it a zombie."""
    found = stat(pid)
    assert found is not None, "a child stays until it is waited for"
    return ProcessId(pid, found.start_time)


def alive(process: ProcessId) -> bool:
    """Tell whether this very process still runs."""
    return identify(process.pid) == process


def tree(leader: ProcessId) -> list[Stat]:
    """Return the live processes of a session and all their descendants.

    The session's processes are found also after its leader died, so that nothing that stayed in
    the session is forgotten. What left the session *and* lost its parents is out of reach.
    """
    found = stat(leader.pid)
    if found is not None and found.start_time != leader.start_time:
        # The kernel gives a pid away again only when no session of that number is left.
        return []
    others = sessions()
    members = live(others.pop(leader.pid, ()))
    if members:  # as a rule nothing is left, and nobody else need be looked at
        others.pop(os.getsid(0), None)
        members += below({found.pid for found in members}, others)
    return members


async def kill_tree(leader: ProcessId, seconds: float) -> bool:
    """Kill a session and all descendants; return False when some survived ``seconds``."""
    deadline = asyncio.get_running_loop().time() + seconds
    pause = 0.005
    while processes := tree(leader):
        # Stopped first, the processes can't fork away from under the loop.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for found in processes:
                _signal(found.pid, number)
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(pause)
        pause = min(pause * 2, _POLL_SECONDS)
    return True


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


async def wait_exit(process: ProcessId) -> None:
    """Return when the process has ended, be it a child (not reaped here) or not."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    except OSError:
        await _poll_exit(process)
        return
    try:
        if not alive(process):
            return
        await _readable(descriptor)
    finally:
        os.close(descriptor)


async def _poll_exit(process: ProcessId) -> None:
    while alive(process):  # noqa: ASYNC110 (the kernel tells nobody about others' children)
        await asyncio.sleep(_POLL_SECONDS)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
