"""A scheduler on PyMesos, a program of its own: PyMesos takes over SIGINT when imported.

Standard input: one JSON object with master, user, role, agent_id, executor (a shell
command),
and principal and secret where the master wants them.
Launches two tasks that finish and one that does not; sends that one's executor a message
and kills it when the echo has come. Prints what it was told, as one JSON object.
"""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

from pymesos import MesosSchedulerDriver, Scheduler, decode_data, encode_data

TERMINAL = {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST", "TASK_ERROR"}
TASKS = {"first": b"finish", "second": b"finish", "lasting": b"wait"}


def scalars(cpus: float, mem: float) -> list[dict[str, Any]]:
    amounts = {"cpus": cpus, "mem": mem}
    return [
        {"name": name, "type": "SCALAR", "scalar": {"value": value}}
        for name, value in amounts.items()
    ]


class Watching(Scheduler):  # type: ignore[misc]  # PyMesos has no types
    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.launched = False
        self.told: dict[str, Any] = {"updates": [], "messages": [], "errors": []}

    def registered(self, driver: Any, framework_id: Any, master_info: Any) -> None:
        self.told["framework_id"] = framework_id["value"]
        self.told["master_version"] = master_info.get("version")

    def resourceOffers(self, driver: Any, offers: Any) -> None:  # noqa: N802 - PyMesos' name
        for offer in offers:
            fits = offer["agent_id"]["value"] == self.given["agent_id"] and self.holds(offer)
            if self.launched or not fits:
                driver.declineOffer(offer["id"], {"refuse_seconds": 1})
                continue
            self.launched = True
            tasks = [self.task(driver, offer, name, data) for name, data in TASKS.items()]
            driver.launchTasks(offer["id"], tasks)

    def holds(self, offer: Any) -> bool:
        found = {
            item["name"]: item.get("scalar", {}).get("value", 0) for item in offer["resources"]
        }
        return bool(found.get("cpus", 0) >= 0.4 and found.get("mem", 0) >= 224)

    def task(self, driver: Any, offer: Any, name: str, data: bytes) -> dict[str, Any]:
        executor = {
            "executor_id": {"value": "pymesos"},
            "framework_id": {"value": driver.framework_id},
            "type": "CUSTOM",
            "command": {"value": self.given["executor"]},
            "resources": scalars(0.1, 128),
        }
        return {
            "name": name,
            "task_id": {"value": name},
            "agent_id": offer["agent_id"],
            "resources": scalars(0.1, 32),
            "executor": executor,
            "data": encode_data(data),
        }

    def statusUpdate(self, driver: Any, status: Any) -> None:  # noqa: N802 - PyMesos' name
        self.told["updates"].append(status)
        ids = status["task_id"]["value"], status["state"]
        if ids == ("lasting", "TASK_RUNNING"):
            executor_id, agent_id = {"value": "pymesos"}, status["agent_id"]
            driver.sendFrameworkMessage(executor_id, agent_id, encode_data(b"hello"))
        ended = {
            item["task_id"]["value"] for item in self.told["updates"] if item["state"] in TERMINAL
        }
        if ended == TASKS.keys():
            driver.stop()

    def frameworkMessage(  # noqa: N802 - PyMesos' name
        self, driver: Any, executor_id: Any, agent_id: Any, message: str
    ) -> None:
        self.told["messages"].append(decode_data(message).decode())
        driver.killTask({"value": "lasting"})

    def error(self, driver: Any, message: Any) -> None:
        self.told["errors"].append(str(message))


def main() -> None:
    given = json.load(sys.stdin)
    scheduler = Watching(given)
    framework = {
        "user": given["user"],
        "name": "conformance pymesos",
        "roles": [given["role"]],
        "capabilities": [{"type": "MULTI_ROLE"}],
    }
    driver = MesosSchedulerDriver(
        scheduler,
        framework,
        given["master"],
        principal=given.get("principal"),
        secret=given.get("secret"),
    )
    watchdog = threading.Timer(90, driver.stop)
    watchdog.daemon = True
    watchdog.start()
    driver.run()
    print(json.dumps(scheduler.told))


if __name__ == "__main__":
    main()
