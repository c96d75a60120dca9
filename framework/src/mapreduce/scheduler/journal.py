"""The journal of a run: every event that its core took in, so that the run can be resumed.

A run has a folder, and in it the journal beside the results that arrived. The core is pure: it
becomes what it was by taking in the same events again. What must not be lost is on disk before the
cluster hears that it arrived. Secrets are in it (the server's token): the folder is its owner's.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mapreduce.core import events
from mapreduce.core.events import Event
from mapreduce.errors import ClusterError, UsageError

VERSION = 1
"""Of the journal's form and of the core's decisions: those of another one cannot be repeated."""

NAME = "journal.jsonl"

_KINDS = {
    kind.__name__: kind
    for kind in (
        events.Registered,
        events.Disconnected,
        events.Removed,
        events.Offers,
        events.Update,
        events.ExecutorLost,
        events.AgentLost,
        events.ResultLost,
        events.LaunchFailed,
        events.Overflow,
        events.Collected,
        events.Tick,
    )
}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """An event, when it came (seconds of the run's clock), and the receipt that came with it."""

    at: float
    event: Event
    receipt: Json | None


@dataclass(frozen=True, slots=True)
class Saved:
    """What a journal holds. `head` is what `Journal.begin` was given."""

    head: Json
    framework: str | None
    entries: list[Entry]


def state_home() -> Path:
    """Return the folder of all runs' folders."""
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "mapreduce"


def run_folder(identity: Json) -> Path:
    """Return the folder of the run of this job, these arguments, inputs, and master."""
    text = json.dumps(identity, sort_keys=True)
    return state_home() / hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


class Folder:
    """A run's folder, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        """Take the folder; raises UsageError while another process holds it."""
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise ClusterError(
                f"The run's folder {str(path)!r} cannot be used: {error.strerror}. "
                "XDG_STATE_HOME sets another place."
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise UsageError(
                f"The same job runs on the same inputs already: its folder is {str(path)!r}."
            ) from error

    def clear(self) -> None:
        """Remove what an earlier run left."""
        for entry in self.path.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()

    def remove(self) -> None:
        """Remove the folder and let go of it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Let go of the folder, and leave it for `--resume`."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


class Journal:
    """Appends to a run's journal."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / NAME).open("ab", buffering=0)

    def begin(self, head: Json) -> None:
        """Note what stays the same for as long as the run lasts."""
        self._write({"version": VERSION, **head}, sync=True)

    def framework(self, framework_id: str) -> None:
        """Note the framework that runs the tasks."""
        self._write({"framework": framework_id}, sync=True)

    def event(
        self, at: float, event: Event, *, receipt: Json | None = None, sync: bool = False
    ) -> None:
        """Note an event; `sync`: it is on disk when this returns."""
        line: Json = {"at": at, "event": type(event).__name__}
        line |= dataclasses.asdict(event)
        if receipt is not None:
            line["receipt"] = receipt
        self._write(line, sync=sync)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, line: Json, *, sync: bool) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        if sync:
            os.fsync(self._file.fileno())


def load(folder: Path) -> Saved | None:
    """Return what the folder's journal holds, None where there is none that can be resumed.

    A line that was cut short when the run was killed is removed.
    """
    path = folder / NAME
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    whole = content[: content.rfind(b"\n") + 1]
    os.truncate(path, len(whole))
    lines = [json.loads(line) for line in whole.splitlines()]
    if not lines or lines[0].get("version") != VERSION:
        return None
    frameworks = [line["framework"] for line in lines[1:] if "framework" in line]
    return Saved(lines[0], frameworks[-1] if frameworks else None, list(_entries(lines[1:])))


def _entries(lines: list[Json]) -> Iterator[Entry]:
    for line in lines:
        if "event" in line:
            at, kind = line.pop("at"), _KINDS[line.pop("event")]
            receipt = line.pop("receipt", None)
            if kind is events.Offers:
                line["offers"] = tuple(events.Offer(**offer) for offer in line["offers"])
            fields: Json = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in line.items()
            }
            yield Entry(at, kind(**fields), receipt)
