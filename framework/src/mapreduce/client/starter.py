"""What `mapreduce new` writes: a job that runs, and that its reader can change.

Its text is that of the module `mapreduce.jobs.starter`, which is checked like all others.
"""

from importlib import resources
from pathlib import Path

from mapreduce.errors import UsageError

NAME = "Pairs"
"""The job's name in the file."""


def write(path: Path) -> None:
    """Write a new job's file; raises UsageError rather than replace one."""
    if path.suffix != ".py":
        raise UsageError(f"A job's file ends in .py, and {str(path)!r} does not.")
    source = (resources.files("mapreduce.jobs") / "starter.py").read_text(encoding="utf-8")
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(source.replace("THIS_FILE.py", path.name))
    except FileExistsError:
        raise UsageError(f"{str(path)!r} is there already, and stays as it is.") from None
    except OSError as error:
        raise UsageError(f"{str(path)!r} cannot be written: {error.strerror}.") from error
