"""The v1 executor API: what is wrong with a call, in Mesos' words, and what it means if nothing."""

from typing import TYPE_CHECKING

from pocket_mesos.agent import events
from pocket_mesos.agent.state import ExecutorState
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.executor import Call, UpdateStatus
from pocket_mesos.protocol.mesos import TaskState, TaskStatus, TaskStatusSource

if TYPE_CHECKING:
    from pocket_mesos.agent.core import Agent

TYPES = frozenset({"SUBSCRIBE", "UPDATE", "MESSAGE", "HEARTBEAT"})
_UUID_BYTES = 16

MAX_CALL_BYTES = 32 * 1024 * 1024
"""A larger call, once more is written around it, could not reach the master."""
MAX_PLAIN_BYTES = 1024 * 1024
"""Of an update without its data: agent and master keep that while the task lives."""
MAX_WAITING_BYTES = 64 * 1024 * 1024
"""What a framework's executors may have told that the framework has not taken."""


def validate(call: Call) -> str | None:
    """Return what is wrong with a call, whoever it comes from."""
    if call.type not in TYPES:
        return "Expecting 'type' to be present"
    if call.type == "SUBSCRIBE" and call.subscribe is None:
        return "Expecting 'subscribe' to be present"
    if call.type == "MESSAGE" and call.message is None:
        return "Expecting 'message' to be present"
    if call.type == "UPDATE" and call.update is None:
        return "Expecting 'update' to be present"
    found = (_validate_status(call, one.status) for one in _updates(call))
    return next((error for error in found if error is not None), None)


def oversized(call: Call, size: int) -> str | None:
    """Return what is too large about a valid call of so many bytes."""
    if size > MAX_CALL_BYTES:
        return f"Expecting a call of at most {MAX_CALL_BYTES} bytes"
    # Most calls are small as a whole: nothing has to be looked at.
    large = size > MAX_PLAIN_BYTES
    if large and any(_plain(one.status) > MAX_PLAIN_BYTES for one in _updates(call)):
        return f"Expecting a status of at most {MAX_PLAIN_BYTES} bytes, 'data' aside"
    return None


def _updates(call: Call) -> list[UpdateStatus]:
    """Return the updates that a valid call brings."""
    if call.type == "SUBSCRIBE" and call.subscribe is not None:
        return call.subscribe.unacknowledged_updates
    return [call.update] if call.type == "UPDATE" and call.update is not None else []


def _plain(status: TaskStatus) -> int:
    return len(codec.encode(replace(status, data=None)))


def _validate_status(call: Call, status: TaskStatus) -> str | None:
    executor, framework = call.executor_id.value, call.framework_id.value
    if status.uuid is None:
        return "Expecting 'uuid' to be present"
    if len(status.uuid) != _UUID_BYTES:
        return "Not a valid UUID"
    if status.executor_id is not None and status.executor_id.value != executor:
        return (
            f"ExecutorID in Call: {executor} does not match ExecutorID in TaskStatus: "
            f"{status.executor_id.value}"
        )
    if status.source is not TaskStatusSource.SOURCE_EXECUTOR:
        return (
            f"Received Call from executor {executor} of framework {framework} with invalid "
            "source, expecting 'SOURCE_EXECUTOR'"
        )
    if status.state is TaskState.TASK_STAGING:
        return (
            f"Received TASK_STAGING from executor {executor} of framework {framework} which is "
            "not allowed"
        )
    return None


Refusal = tuple[int, str]
"""Status and sentence."""


def refusal(agent: "Agent", call: Call) -> Refusal | None:
    """Return why this agent does not take a valid call."""
    framework = agent.framework(call.framework_id.value)
    if framework is None:
        return 400, "Framework cannot be found"
    executor = framework.executors.get(call.executor_id.value)
    if executor is None:
        return 400, "Executor cannot be found"
    if call.type != "SUBSCRIBE" and executor.state is ExecutorState.REGISTERING:
        return 403, "Executor is not subscribed"
    waiting = agent.streams.waiting(framework.id)
    if _updates(call) and waiting > MAX_WAITING_BYTES:
        return 503, f"Updates of {waiting} bytes wait for the framework to acknowledge them"
    return None


def event(call: Call) -> events.Event | None:
    """Turn a call that was not refused into the core's event; None: there is nothing to do."""
    framework_id, executor_id = call.framework_id.value, call.executor_id.value
    if call.subscribe is not None and call.type == "SUBSCRIBE":
        return events.ExecutorSubscribed(
            framework_id=framework_id, executor_id=executor_id, subscribe=call.subscribe
        )
    if call.update is not None and call.type == "UPDATE":
        return events.ExecutorUpdated(
            framework_id=framework_id, executor_id=executor_id, status=call.update.status
        )
    if call.message is not None and call.type == "MESSAGE":
        return events.ExecutorMessaged(
            framework_id=framework_id, executor_id=executor_id, data=call.message.data
        )
    return None
