"""Where options that are not given come from: the environment, then what fits the cluster."""

import json
import os
import re
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from mapreduce.errors import UsageError

ON_AGENTS = "/opt/mapreduce/bin/mapreduce-executor"
"""Where the lab's agents have the executor."""

USER_ON_AGENTS = "mapreduce"
"""The user that tasks run as on the lab's agents."""

WAIT = 15.0
"""Seconds of patience with missing leaders and offers: a lost leader's successor is there after
about 10."""

_UNITS = {"": 1.0, "s": 1.0, "ms": 1e-3, "secs": 1.0, "mins": 60.0, "hrs": 3600.0}


@dataclass(frozen=True, slots=True)
class Tasks:
    """How agents start executors; an empty user stands for whoever runs the command."""

    executor: str
    user: str


def from_environment(option: str) -> str | None:
    """Return what the environment says about an option: `MAPREDUCE_<OPTION>`."""
    return os.environ.get(f"MAPREDUCE_{option.upper()}") or None


def tasks(executor: str | None, user: str | None, *, local: bool) -> Tasks:
    """Return how executors are started, `local` where the whole cluster is on this machine.

    A local cluster, such as `mesos-local`, need not be root's: it runs tasks as the user and from
    the environment that it is called from.
    """
    beside = str(Path(sys.executable).parent / "mapreduce-executor")
    return Tasks(
        executor=executor or from_environment("executor") or (beside if local else ON_AGENTS),
        user=user or from_environment("user") or ("" if local else USER_ON_AGENTS),
    )


def seconds(text: str) -> float:
    """Read a time: seconds, or as Mesos writes it (`500ms`, `10secs`, `2mins`, `1hrs`).

    Raises ValueError where it is neither.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) *([a-z]*)", text.strip())
    if found is None or found[2] not in _UNITS:
        raise ValueError(f"{text!r} is no time: give seconds, or 500ms, 10secs, 2mins, 1hrs")
    return float(found[1]) * _UNITS[found[2]]


def credential(file: Path | None) -> tuple[str, str] | None:
    """Return the principal and its secret that the framework authenticates with, if any.

    From a file as Mesos' own tools take it, {"principal": ..., "secret": ...} in JSON or both in
    a line; else from the file that MAPREDUCE_CREDENTIAL names; else from MAPREDUCE_PRINCIPAL and
    MAPREDUCE_SECRET. Raises UsageError for a file that cannot be used, or that others may read.
    """
    named = from_environment("credential")
    principal, secret = from_environment("principal"), from_environment("secret")
    if file is None and named is None:
        if bool(principal) != bool(secret):
            raise UsageError("MAPREDUCE_PRINCIPAL and MAPREDUCE_SECRET are only used together.")
        return (principal, secret) if principal and secret else None
    path = file or Path(str(named))
    found = _parse_credential(_read_secret(path))
    if found is None:
        raise UsageError(
            f"The credential {str(path)!r} is of no form that Mesos knows: "
            '{"principal": "...", "secret": "..."}.'
        )
    return found


def _read_secret(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UsageError(f"The credential {str(path)!r} cannot be read: {reason}.") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(f"The credential {str(path)!r} can be read by others: chmod 600 it.")
    return content


def _parse_credential(content: str) -> tuple[str, str] | None:
    if not content.lstrip().startswith("{"):
        words = content.split()
        return (words[0], words[1]) if len(words) == 2 else None
    try:
        parsed = json.loads(content)
    except ValueError:
        return None
    found = parsed.get("principal"), parsed.get("secret")
    return found if all(isinstance(part, str) and part for part in found) else None
