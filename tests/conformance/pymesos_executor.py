"""An executor on PyMesos, sent inside its own command to an agent that has PyMesos.

Tasks whose data is `finish` end by themselves with a result; others run until killed.
Messages are echoed.
"""

from __future__ import annotations

from typing import Any

from pymesos import Executor, MesosExecutorDriver, decode_data, encode_data


class Echo(Executor):  # type: ignore[misc]  # PyMesos has no types
    def launchTask(self, driver: Any, task: Any) -> None:  # noqa: N802 - PyMesos' name
        driver.sendStatusUpdate({"task_id": task["task_id"], "state": "TASK_RUNNING"})
        if decode_data(task["data"]) == b"finish":
            status = {"task_id": task["task_id"], "state": "TASK_FINISHED"}
            driver.sendStatusUpdate({**status, "data": encode_data(b"result")})

    def killTask(self, driver: Any, task_id: Any) -> None:  # noqa: N802 - PyMesos' name
        driver.sendStatusUpdate({"task_id": task_id, "state": "TASK_KILLED"})

    def frameworkMessage(self, driver: Any, message: str) -> None:  # noqa: N802 - PyMesos' name
        driver.sendFrameworkMessage(encode_data(b"echo:" + decode_data(message)))


if __name__ == "__main__":
    MesosExecutorDriver(Echo()).run()
