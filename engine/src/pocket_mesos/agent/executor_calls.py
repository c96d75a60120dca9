"""The v1 executor API: what is wrong with a call, in Mesos' words, and what it means if nothing."""

from typing import TYPE_CHECKING

from pocket_mesos.agent import events
from pocket_mesos.agent.state import ExecutorState
from pocket_mesos.protocol.executor import Call
from pocket_mesos.protocol.mesos import TaskState, TaskStatusSource

if TYPE_CHECKING:
    from pocket_mesos.agent.core import Agent

TYPES = frozenset({"SUBSCRIBE", "UPDATE", "MESSAGE", "HEARTBEAT"})
_UUID_BYTES = 16


def validate(call: Call) -> str | None:
    """Return what is wrong with a call, whoever it comes from."""
    if call.type not in TYPES:
        return "Expecting 'type' to be present"
    if call.type == "SUBSCRIBE" and call.subscribe is None:
        return "Expecting 'subscribe' to be present"
    if call.type == "MESSAGE" and call.message is None:
        return "Expecting 'message' to be present"
    return _validate_update(call) if call.type == "UPDATE" else None


def _validate_update(call: Call) -> str | None:
    if call.update is None:
        return "Expecting 'update' to be present"
    status = call.update.status
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
