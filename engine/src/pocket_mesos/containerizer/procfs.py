"""Processes as /proc shows them. Executors use this too, so it imports next to nothing."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Stat:
    """The parts of /proc/<pid>/stat that matter here."""

    __slots__ = (
        "group",
        "parent",
        "pid",
        "rss_pages",
        "session",
        "start_time",
        "state",
        "system_ticks",
        "user_ticks",
    )

    def __init__(self, pid: int, text: str) -> None:
        """Read the text of /proc/<pid>/stat."""
        # The command's name stands in parentheses and may hold anything, parentheses included.
        fields = text[text.rindex(")") + 2 :].split()
        self.pid = pid
        self.state = fields[0]
        self.parent = int(fields[1])
        self.group = int(fields[2])
        self.session = int(fields[3])
        self.user_ticks = int(fields[11])
        self.system_ticks = int(fields[12])
        self.start_time = int(fields[19])
        """Clock ticks between boot and the process' start."""
        self.rss_pages = int(fields[21])


Sessions = dict[int, list[int]]
"""The processes of sessions; what no session can be told of (the kernel's own) has 0."""


def stat(pid: int) -> Stat | None:
    """Read a process' state; None when there is no such process."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY)
        try:
            return Stat(pid, os.read(descriptor, 4096).decode("utf-8", "replace"))
        finally:
            os.close(descriptor)
    except OSError:
        return None


def live(pids: Iterable[int]) -> list[Stat]:
    """Return those processes that are not zombies."""
    found = map(stat, pids)
    return [one for one in found if one is not None and one.state != "Z"]


def sessions() -> Sessions:
    """Return all processes of this machine.

    Where thousands run, each a task's that is about to be killed, it matters that this costs a
    twentieth of reading all their states.
    """
    found: Sessions = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 (no pathlib)
        if name.isdigit():
            try:
                found.setdefault(os.getsid(int(name)), []).append(int(name))
            except OSError:
                continue  # it has just ended
    return found


def below(members: set[int], others: Sessions) -> list[Stat]:
    """Return the live processes of those other sessions that ``members`` began, all of them.

    Args:
        members: processes of one session.
        others: sessions to choose from; those that are found are taken out.
    """
    heads = [one for session, pids in others.items() if session for one in _heads(session, pids)]
    found: list[Stat] = []
    while True:
        begun = {one.session for one in heads if one.parent in members} & others.keys()
        if not begun:
            return found
        more = live(pid for session in begun for pid in others.pop(session))
        members = members | {one.pid for one in more}
        found += more


def _heads(session: int, pids: list[int]) -> list[Stat]:
    """Return whose parents may be of other sessions: its leader, or whom a dead one left."""
    leader = live([session])
    return leader or live(pids)


def group_tree(leader: int) -> list[int]:
    """Return the live processes of a process group and all their descendants.

    Args:
        leader: of the group; not waited for yet.
    """
    others = sessions()
    own = live(others.pop(os.getsid(leader), ()))
    members = {one.pid for one in own if leader in (one.pid, one.group)}
    while more := {one.pid for one in own if one.parent in members} - members:
        members |= more
    return sorted(members | {one.pid for one in below(members, others)})
