"""A framework on PyMesos that wants as many tasks of one size as it can get.

A program of its own: PyMesos takes SIGINT over when imported, and two drivers in one process mix
up their streams. The first line of standard input says what it is, as one JSON object with master,
user, role, cpus and mem (MB), agents (ids, to fill in this order), and principal and secret where
the master wants them; at the second it asks for offers, at the third it answers them; its end ends
the framework and its tasks. Standard output has one JSON object for each thing that happens.
"""

import json
import sys
import threading
from typing import Any

from pymesos import MesosSchedulerDriver, Scheduler

DAY = 24 * 3600


class Greedy(Scheduler):  # type: ignore[misc]  # PyMesos has no types
    """Launches one task of each offer that has room for one, as the paper's progressive filling.

    It fills agent after agent: were all offered at once, each of two frameworks would be handed
    some, whoever has less, and what is left on several of them may fit on none.
    """

    def __init__(self, wanted: dict[str, float], agents: list[str]) -> None:
        self.wanted = wanted
        self.agents = agents
        self.begun = False
        self.answering = threading.Event()
        self.tasks = 0

    def registered(self, driver: Any, framework_id: Any, master_info: Any) -> None:
        """Tell that it can begin."""
        tell("registered")

    def resourceOffers(self, driver: Any, offers: list[Any]) -> None:  # noqa: N802 PyMesos' name
        """Take a task's worth of the agent in turn and leave the rest to others at once."""
        if not self.begun:
            driver.declineOffer([offer["id"] for offer in offers], {"refuse_seconds": DAY})
            return
        self.answering.wait()
        for offer in offers:
            if offer["agent_id"]["value"] not in self.agents[:1]:
                driver.declineOffer(offer["id"], {"refuse_seconds": 1})
            elif self.fits(offer):
                self.tasks += 1
                tell("launches")  # first: the other one's turn comes with the launch
                driver.launchTasks(offer["id"], [self.task(offer)], {"refuse_seconds": 0})
            else:
                driver.declineOffer(offer["id"], {"refuse_seconds": DAY})
                del self.agents[0]

    def fits(self, offer: Any) -> bool:
        """Whether there is room for a task."""
        free = {one["name"]: one.get("scalar", {}).get("value", 0) for one in offer["resources"]}
        return all(free.get(name, 0) >= amount for name, amount in self.wanted.items())

    def task(self, offer: Any) -> dict[str, Any]:
        """Return a task that only takes up room."""
        return {
            "name": "sleep",
            "task_id": {"value": f"task-{self.tasks}"},
            "agent_id": offer["agent_id"],
            "command": {"shell": False, "value": "sleep", "arguments": ["sleep", str(DAY)]},
            "resources": [
                {"name": name, "type": "SCALAR", "scalar": {"value": amount}}
                for name, amount in self.wanted.items()
            ],
        }

    def statusUpdate(self, driver: Any, status: Any) -> None:  # noqa: N802 PyMesos' name
        """Tell of tasks that do not run."""
        if status["state"] not in ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING"):
            self.tasks -= 1
            tell("lost", state=status["state"], message=status.get("message", ""))

    def error(self, driver: Any, message: Any) -> None:
        """Tell why the master wants nothing of this framework."""
        tell("error", message=str(message))


def tell(what: str, **details: Any) -> None:
    """Write a line about what happened."""
    print(json.dumps({"what": what, **details}), flush=True)


def main() -> None:
    """Take part until standard input ends."""
    given = json.loads(sys.stdin.readline())
    scheduler = Greedy({"cpus": given["cpus"], "mem": given["mem"]}, given["agents"])
    framework = {
        "user": given["user"],
        "name": f"DRF, {given['role']}",
        "roles": [given["role"]],
        "capabilities": [{"type": "MULTI_ROLE"}],
        "failover_timeout": 0.0,
    }
    account = {name: given.get(name) for name in ("principal", "secret")}
    if account["principal"]:
        framework["principal"] = account["principal"]
    driver = MesosSchedulerDriver(scheduler, framework, given["master"], **account)
    driver.start()
    try:
        if sys.stdin.readline():
            scheduler.begun = True
            driver.reviveOffers()
            tell("begun")
        if sys.stdin.readline():
            scheduler.answering.set()
            sys.stdin.read()
    finally:
        scheduler.begun = False
        scheduler.answering.set()
        driver.stop()
        driver.join()


if __name__ == "__main__":
    main()
