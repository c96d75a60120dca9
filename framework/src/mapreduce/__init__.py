"""MapReduce on Apache Mesos: jobs, and what runs them on a cluster.

`Job` and `Block` are what a job's file imports; `run` runs a job from Python, as the command
`mapreduce` does. Importing this package must stay cheap, as executors start by the dozen: the names
below are imported when they are first used.
"""

TYPE_CHECKING = False  # as type checkers know it; the module typing takes long to import

if TYPE_CHECKING:
    from mapreduce.client.api import run
    from mapreduce.job import Block, Job
    from mapreduce.scheduler.result import Result

__all__ = ["Block", "Job", "Result", "run"]

_HOMES = {"Block": "job", "Job": "job", "Result": "scheduler.result", "run": "client.api"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
