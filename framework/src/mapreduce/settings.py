"""Where options that are not given come from: the environment, then what fits the cluster."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

ON_AGENTS = "/opt/mapreduce/bin/mapreduce-executor"
"""Where the lab's agents have the executor."""

USER_ON_AGENTS = "mapreduce"
"""The user that tasks run as on the lab's agents."""


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
        executor=executor or (beside if local else ON_AGENTS),
        user=user or ("" if local else USER_ON_AGENTS),
    )
