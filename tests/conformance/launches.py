"""Launches that cannot be, and the status that says so.

`name` is the task's id, here as in scheduler/launch_invalid_and_stale.json; `$FRAMEWORK`,
`$AGENT`, `$ROLE`, `$OFFER` stand for the ids and the role in question.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from .expect import Status
from .scheduler import Json, scalar, small

COMMAND = {"value": "sleep 1000"}
EXECUTOR = {
    "executor_id": {"value": "rawx"},
    "framework_id": {"value": "$FRAMEWORK"},
    "type": "CUSTOM",
    "command": COMMAND,
    "resources": small(),
}
RESERVED = [{"type": "DYNAMIC", "role": "$ROLE"}]


@dataclass(frozen=True)
class Launch:
    """A task and the TASK_ERROR that it gets; `begins` marks a message known by its start."""

    name: str
    message: str
    fields: dict[str, Any]
    agent_id: str = "$AGENT"
    begins: bool = False

    def task(self) -> Json:
        """Describe the task, with names yet to be filled."""
        task = {
            "name": self.name,
            "task_id": {"value": self.name},
            "agent_id": {"value": self.agent_id},
            "resources": small(),
            "command": COMMAND,
            **self.fields,
        }
        return {key: value for key, value in task.items() if value is not None}

    def problems(self, status: Json, names: dict[str, str]) -> list[str]:
        """Hold the task's status against the expectation."""
        message = self.message
        for name, value in names.items():
            message = message.replace(f"${name}", value)
        pattern = re.compile(re.escape(message) + (".+" if self.begins else ""), re.DOTALL)
        return invalid(pattern).problems(status)


def invalid(message: str | re.Pattern[str], reason: str = "REASON_TASK_INVALID") -> Status:
    """The status of a task that the master turned down."""
    return Status("TASK_ERROR", "SOURCE_MASTER", reason, message, acknowledged=False)


def stale(state: str, offer: str = "$OFFER") -> Status:
    """The status of a task launched on an offer that is no more."""
    text = f"Task launched with invalid offers: Offer {offer} is no longer valid"
    return Status(state, "SOURCE_MASTER", "REASON_INVALID_OFFERS", text, acknowledged=False)


def too_much(name: str, resources: list[Json], listed: str) -> Launch:
    """A task that wants more than the offer holds."""
    message = f"Total resources {listed} required by task and its executor is more than available "
    return Launch(name, message, {"resources": resources}, begins=True)


ONE_OF_BOTH = "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"
INVALID = (
    too_much(
        "e-more",
        small(cpus=100),
        "cpus(allocated: $ROLE):100; mem(allocated: $ROLE):32",
    ),
    too_much(
        "e-unk",
        [*small(), scalar("bananas", 1)],
        "cpus(allocated: $ROLE):0.1; mem(allocated: $ROLE):32; bananas(allocated: $ROLE):1",
    ),
    too_much(
        "e-resv",
        [{**item, "reservations": RESERVED} for item in small()],
        "cpus(allocated: $ROLE)(reservations: [(DYNAMIC,$ROLE)]):0.1;"
        " mem(allocated: $ROLE)(reservations: [(DYNAMIC,$ROLE)]):32",
    ),
    Launch("e-nores", "Task uses no resources", {"resources": []}),
    Launch(
        "e-neg",
        "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0",
        {"resources": small(cpus=-1)},
    ),
    Launch("a/b", "'a/b' contains invalid characters", {}),
    Launch("", "ID must not be empty", {}),
    Launch("..", "'..' is disallowed", {}),
    Launch(
        "e-agent",
        "Task uses invalid agent other-agent while agent $AGENT is expected",
        {},
        agent_id="other-agent",
    ),
    Launch("e-both", ONE_OF_BOTH, {"executor": EXECUTOR}),
    Launch("e-none", ONE_OF_BOTH, {"command": None}),
    Launch(
        "e-fid",
        "ExecutorInfo has an invalid FrameworkID (Actual: bogus vs Expected: $FRAMEWORK)",
        {"command": None, "executor": {**EXECUTOR, "framework_id": {"value": "bogus"}}},
    ),
    Launch(
        "e-nocmd",
        "'ExecutorInfo.command' must be set for 'CUSTOM' executor",
        {"command": None, "executor": {"executor_id": {"value": "q"}, "type": "CUSTOM"}},
    ),
)
