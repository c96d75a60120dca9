"""Showing how a run goes: a bar on a terminal, plain lines elsewhere. All on standard error."""

import sys
import time
from contextlib import suppress
from typing import Any, Protocol

PLAIN_INTERVAL = 5.0
"""Seconds between plain lines."""


class Progress(Protocol):
    """How far a run is."""

    def show(self, done: int, total: int, tasks: int, agents: int) -> None:
        """Show the bytes counted and in all, and the tasks that run on so many agents."""
        ...

    def say(self, text: str) -> None:
        """Show a line that stays."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


def for_terminal() -> Progress:
    """Return what suits standard error."""
    return Bar() if sys.stderr.isatty() else Lines()


class Lines:
    """A line now and then, for logs."""

    def __init__(self) -> None:
        self._next = time.monotonic() + PLAIN_INTERVAL

    def show(self, done: int, total: int, tasks: int, agents: int) -> None:
        """Print a line if the last one is a while ago."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PLAIN_INTERVAL
            percent = 100 * done // total if total else 0
            self.say(f"{percent}% of {size(total)}, {tasks} tasks on {agents} agents")

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, file=sys.stderr, flush=True)  # noqa: T201

    def close(self) -> None:
        """Do nothing: lines stay."""


class Bar:
    """A bar with rate and time left."""

    def __init__(self) -> None:
        # Slow to import, and only terminals need it.
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[where]}"),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: Any = self._bar.add_task("waiting for offers", total=None, where="")
        self._bar.start()

    def show(self, done: int, total: int, tasks: int, agents: int) -> None:
        """Move the bar."""
        description = "mapping" if tasks or done else "waiting for offers"
        self._bar.update(
            self._task,
            completed=done,
            total=total or None,
            description=description,
            where=f"{tasks} tasks on {agents} agents",
        )

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(text, markup=False, highlight=False)

    def close(self) -> None:
        """Remove the bar and show the cursor again."""
        with suppress(Exception):  # whatever is wrong with the terminal must not hide the result
            self._bar.stop()


def size(count: int) -> str:
    """Return a number of bytes for people."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
