"""An executor on PyMesos whose tasks do nothing: each runs and is finished at once."""

from typing import Any

from pymesos import Executor, MesosExecutorDriver


class Noop(Executor):  # type: ignore[misc]  # PyMesos has no types
    """Tells of two states for each task."""

    def launchTask(self, driver: Any, task: Any) -> None:  # noqa: N802 PyMesos' name
        """Say that a task runs, and that it is finished."""
        for state in ("TASK_RUNNING", "TASK_FINISHED"):
            driver.sendStatusUpdate({"task_id": task["task_id"], "state": state})


if __name__ == "__main__":
    MesosExecutorDriver(Noop()).run()
