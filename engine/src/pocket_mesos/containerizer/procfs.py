"""Processes as /proc shows them. Executors use this too, so it imports next to nothing."""

import os


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


def stat(pid: int) -> Stat | None:
    """Read a process' state; None when there is no such process."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return Stat(pid, file.read())
    except OSError:
        return None


def live() -> list[Stat]:
    """Return all processes of this machine that are not zombies."""
    names = [name for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 (no pathlib)
    found = (stat(int(name)) for name in names)
    return [one for one in found if one is not None and one.state != "Z"]


def with_descendants(processes: list[Stat], members: set[int]) -> set[int]:
    """Return ``members`` and all of ``processes`` that descend from them."""
    while more := {one.pid for one in processes if one.parent in members} - members:
        members = members | more
    return members


def group_tree(leader: int) -> list[int]:
    """Return the live processes of a process group and all their descendants."""
    processes = live()
    roots = {one.pid for one in processes if leader in (one.pid, one.group)}
    return sorted(with_descendants(processes, roots))
