"""Showing how a run goes: live on a terminal, plain lines elsewhere. All on standard error."""

import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

PLAIN_INTERVAL = 5.0
"""Seconds between plain lines."""

WINDOW = 10.0
"""Seconds over which the rate is measured."""

NAMED_AGENTS = 4
"""Agents that are shown one by one; of the others only how many there are."""

DOING = {
    "offers": "waiting for offers",
    "start-up": "starting executors",
    "map": "mapping",
    "shuffle": "shuffling",
    "reduce": "reducing",
    "output": "writing",
}
"""The phases of a run, and what people read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How far a run is.

    `phase` is one of DOING; `done` and `total` are bytes of that phase (0 in all: unknown);
    `blocks` are done; `tasks` are live ones by their agent's host name; `cores` are those that
    live tasks hold; `retries` counts attempts that were lost or failed and run again,
    `speculative` second attempts at blocks whose first one still ran.
    """

    phase: str
    done: int = 0
    total: int = 0
    blocks: int = 0
    tasks: Mapping[str, int] = field(default_factory=dict)
    cores: float = 0
    retries: int = 0
    speculative: int = 0


class Progress(Protocol):
    """Shows how far a run is."""

    def show(self, status: Status) -> None:
        """Show the run's state; called often."""
        ...

    def say(self, text: str) -> None:
        """Show a line that stays."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was; nothing is shown afterwards."""
        ...


def for_terminal() -> Progress:
    """Return what suits standard error."""
    return Live() if sys.stderr.isatty() else Lines()


class Pace:
    """The rate of a phase, over the last WINDOW seconds."""

    def __init__(self) -> None:
        self._phase = ""
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, status: Status, now: float) -> None:
        """Take in how much is done; a new phase, or work that has to be done again, begins anew."""
        if status.phase != self._phase or (self._seen and status.done < self._seen[-1][1]):
            self._phase = status.phase
            self._seen.clear()
        self._seen.append((now, status.done))
        while len(self._seen) > 2 and self._seen[0][0] < now - WINDOW:
            self._seen.popleft()

    @property
    def rate(self) -> float:
        """Bytes in a second; 0 while unknown."""
        if not self._seen:
            return 0.0
        (began, first), (now, last) = self._seen[0], self._seen[-1]
        return (last - first) / (now - began) if now > began else 0.0

    def left(self, status: Status) -> float | None:
        """Return the seconds that the phase will take yet; None while unknown."""
        return (status.total - status.done) / self.rate if status.total and self.rate else None


def extent(status: Status, pace: Pace) -> list[str]:
    """Return how much is done, the rate and the time left, as far as they are known."""
    parts = []
    if status.total:
        parts.append(f"{size(status.done)} of {size(status.total)}")
    elif status.done:
        parts.append(size(status.done))
    if pace.rate:
        parts.append(f"{size(round(pace.rate))}/s")
    left = pace.left(status)
    if left is not None:
        parts.append(f"{duration(left)} left")
    return parts


def places(status: Status) -> list[str]:
    """Return what runs where, and what ran again."""
    parts = []
    if status.cores:
        parts.append(_plural(status.cores, "core"))
    named = sorted(status.tasks.items())[:NAMED_AGENTS]
    parts.extend(f"{host} {_plural(tasks, 'task')}" for host, tasks in named)
    if len(status.tasks) > len(named):
        others = sum(status.tasks.values()) - sum(tasks for _, tasks in named)
        parts.append(f"{len(status.tasks) - len(named)} more agents {_plural(others, 'task')}")
    if status.blocks:
        parts.append(f"{_plural(status.blocks, 'block')} done")
    if status.retries:
        parts.append(f"{status.retries} retried")
    if status.speculative:
        parts.append(f"{status.speculative} speculative")
    return parts


def _plural(count: float, noun: str) -> str:
    return f"{count:g} {noun}" if count == 1 else f"{count:g} {noun}s"


class Messages:
    """Only what is said, for programs."""

    def show(self, status: Status) -> None:
        """Show nothing."""

    def say(self, text: str) -> None:
        """Print a line."""
        print(text, file=sys.stderr, flush=True)  # noqa: T201

    def close(self) -> None:
        """Do nothing: lines stay."""


class Lines(Messages):
    """A line now and then, for logs."""

    def __init__(self) -> None:
        self._next = time.monotonic() + PLAIN_INTERVAL
        self._pace = Pace()

    def show(self, status: Status) -> None:
        """Print a line if the last one is a while ago."""
        now = time.monotonic()
        self._pace.note(status, now)
        if now >= self._next:
            self._next = now + PLAIN_INTERVAL
            details = ", ".join((*extent(status, self._pace), *places(status)))
            self.say(f"{DOING[status.phase]}: {details}" if details else DOING[status.phase])


class Live:
    """A bar with what runs where below it, kept up to date at the terminal's bottom."""

    def __init__(self) -> None:
        # Slow to import, and only terminals need it.
        from rich.console import Console
        from rich.live import Live as RichLive

        self._status = Status(phase="offers")
        self._pace = Pace()
        self._live = RichLive(
            console=Console(stderr=True),
            get_renderable=self._render,
            refresh_per_second=5,
            transient=True,
        )

    def _render(self) -> Any:
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        status = self._status  # replaced by another thread than the one that draws
        bar = ProgressBar(
            total=status.total or None,
            completed=min(status.done, status.total),
            width=40,
            pulse=not status.total,
            animation_time=time.monotonic(),
        )
        first = Table.grid(padding=(0, 1))
        about = Text("  ".join(extent(status, self._pace)), no_wrap=True, overflow="ellipsis")
        first.add_row(Text(DOING[status.phase], style="bold"), bar, about)
        second = Text(" · ".join(places(status)), style="dim", no_wrap=True, overflow="ellipsis")
        return Group(first, second) if second else first

    def show(self, status: Status) -> None:
        """Move the bar."""
        self._pace.note(status, time.monotonic())
        self._status = status
        if not self._live.is_started:
            self._live.start()

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Remove the bar and show the cursor again."""
        with suppress(Exception):  # whatever is wrong with the terminal must not hide the result
            self._live.stop()


def size(count: int) -> str:
    """Return a number of bytes for people."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"


def duration(seconds: float) -> str:
    """Return a time for people: seconds, or minutes and hours."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
