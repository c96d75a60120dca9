"""What each framework does and is told, counted for /metrics/snapshot.

The names are Mesos'; what counts things that do not exist here stays 0.
"""

from collections.abc import Collection

from pocket_mesos.master.state import Framework
from pocket_mesos.protocol import scheduler
from pocket_mesos.protocol.mesos import TERMINAL_STATES, TaskState

_CALLS = (
    *("accept", "accept_inverse_offers", "acknowledge", "acknowledge_operation_status"),
    *("decline", "decline_inverse_offers", "kill", "message", "reconcile"),
    *("reconcile_operations", "request", "revive", "shutdown", "subscribe", "suppress"),
    *("teardown", "update_framework"),
)
_EVENTS = (
    *("error", "failure", "heartbeat", "inverse_offers", "message", "offers", "rescind"),
    *("rescind_inverse_offer", "subscribed", "update", "update_operation_status"),
)
_OFFERS = ("accepted", "declined", "rescinded", "sent")
_OPERATIONS = (
    *("create", "create_disk", "destroy", "destroy_disk", "grow_volume", "launch"),
    *("launch_group", "reserve", "shrink_volume", "unreserve"),
)
_ACTIVE = ("killing", "running", "staging", "starting", "unknown", "unreachable")
_TERMINAL = (
    *("dropped", "error", "failed", "finished", "gone", "gone_by_operator", "killed", "lost"),
)

NAMES = (
    *("calls", "events", "operations"),
    *(f"calls/{name}" for name in _CALLS),
    *(f"events/{name}" for name in _EVENTS),
    *(f"offers/{name}" for name in _OFFERS),
    *(f"operations/{name}" for name in _OPERATIONS),
    *(f"tasks/active/task_{name}" for name in _ACTIVE),
    *(f"tasks/terminal/task_{name}" for name in _TERMINAL),
)
"""Shown of each framework, whether or not there is something to count."""


def called(framework: Framework, call: scheduler.Call) -> None:
    """Count a call that was taken."""
    assert call.type is not None, "validation has looked"
    framework.counters.update(["calls", f"calls/{call.type.lower()}"])
    if call.decline is not None:
        framework.counters["offers/declined"] += len(call.decline.offer_ids)
    if call.accept is not None:
        framework.counters["offers/accepted"] += len(call.accept.offer_ids)
        for operation in call.accept.operations:
            name = (operation.type or "unknown").lower()
            framework.counters.update(["operations", f"operations/{name}"])


def told(framework: Framework, event: scheduler.Event) -> None:
    """Count an event that goes out to a framework."""
    framework.counters.update(["events", f"events/{event.type.lower()}"])
    if event.type == "SUBSCRIBED":  # the answer to a call that has no other
        framework.counters.update(["calls", "calls/subscribe"])
    if event.offers is not None:
        framework.counters["offers/sent"] += len(event.offers.offers)
    if event.rescind is not None:
        framework.counters["offers/rescinded"] += 1


def ended(framework: Framework, state: TaskState) -> None:
    """Count a task that has come to its end."""
    framework.counters[f"tasks/terminal/{state.value.lower()}"] += 1


def shown(framework: Framework, suppressed: Collection[str]) -> dict[str, float]:
    """Return the metrics of a framework that has suppressed offers in some roles.

    Their names go below that of the framework itself.
    """
    counts = dict.fromkeys(NAMES, 0) | framework.counters
    counts["subscribed"] = int(framework.connected)
    for task in framework.tasks.values():
        if task.state not in TERMINAL_STATES:
            counts[f"tasks/active/{task.state.value.lower()}"] += 1
    counts["tasks/active/task_unreachable"] += len(framework.unreachable_tasks)
    for role in framework.roles:
        counts[f"roles/{role}/suppressed"] = int(role in suppressed)
    return {name: float(count) for name, count in counts.items()}
