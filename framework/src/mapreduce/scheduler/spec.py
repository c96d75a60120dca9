"""What a run is given: what to run, and where and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mapreduce import job
from mapreduce.client import settings
from mapreduce.exchange import results
from mapreduce.inputs.inputs import Input
from mapreduce.inputs.storage import Storage
from mapreduce.scheduler import leader

JOB_FILE = {".py": "job.py", ".pkl": "job.pkl"}
"""Under which names a job's file is fetched into the sandbox."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """What to run.

    `name` and `arguments` are what `job.load` takes, on the agents; `job` is what it gave here.
    `job_file` is fetched by the agents, None for built-in jobs. `storage` holds the options of
    the file systems that inputs are on. `top` is how many rows are wanted, None for all. `folder`
    is where the run keeps its journal and results, by default one below the user's state folder;
    `resume` goes on with what an earlier run left there.
    """

    name: str
    job: job.Job[Any, Any]
    inputs: Sequence[Input]
    arguments: Mapping[str, str] = field(default_factory=dict)
    packages: Sequence[Path] = ()
    job_file: Path | None = None
    storage: Storage = field(default_factory=Storage)
    top: int | None = None
    folder: Path | None = None
    resume: bool = False

    def identity(self, master: str) -> dict[str, Any]:
        """Return what makes a run the same run as an earlier one."""
        return {
            "job": self.name,
            "arguments": dict(self.arguments),
            "inputs": [given.path or given.name for given in self.inputs],
            "master": master,
        }

    def content(self) -> dict[str, Any]:
        """Return what must not change until the run is resumed, without what is secret in it."""
        files = self.shipped().items()
        return {
            "inputs": [[one.name, results.digest(repr(one).encode())] for one in self.inputs],
            "files": [[name, results.file_digest(path)] for name, path in files],
            "top": self.top,
        }

    def shipped(self) -> dict[str, Path]:
        """Return the files that agents fetch, by the names that they have there."""
        shipped = {package.name: package for package in self.packages}
        if self.job_file is not None:
            shipped[JOB_FILE[self.job_file.suffix]] = self.job_file
        return shipped


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where and how a job runs.

    `wait` is the patience in seconds with missing offers; `credential` is the principal and its
    secret that the framework authenticates with.
    """

    master: leader.Address
    leader: leader.Leader
    tasks: settings.Tasks
    advertise: str | None
    wait: float
    credential: tuple[str, str] | None = None
