"""Shape of scheduler calls: what the type announces must be there and agree with itself."""

from pocket_mesos.protocol import scheduler

_PREFIX = "Failed to validate scheduler::Call: "

_FIELDS = {
    "SUBSCRIBE": "subscribe",
    "TEARDOWN": None,
    "ACCEPT": "accept",
    "DECLINE": "decline",
    "ACCEPT_INVERSE_OFFERS": "accept_inverse_offers",
    "DECLINE_INVERSE_OFFERS": "decline_inverse_offers",
    "REVIVE": None,
    "KILL": "kill",
    "SHUTDOWN": "shutdown",
    "ACKNOWLEDGE": "acknowledge",
    "ACKNOWLEDGE_OPERATION_STATUS": "acknowledge_operation_status",
    "RECONCILE": "reconcile",
    "RECONCILE_OPERATIONS": "reconcile_operations",
    "MESSAGE": "message",
    "REQUEST": "request",
    "SUPPRESS": None,
    "UPDATE_FRAMEWORK": "update_framework",
}
"""The field that each type of call needs."""

_UUID_BYTES = 16

_ABSENT_CALLS = frozenset(
    {
        "ACCEPT_INVERSE_OFFERS",
        "DECLINE_INVERSE_OFFERS",
        "ACKNOWLEDGE_OPERATION_STATUS",
        "RECONCILE_OPERATIONS",
    }
)

_OPERATIONS = frozenset({"LAUNCH", "LAUNCH_GROUP"})


def validate(call: scheduler.Call, principal: str | None) -> str | None:
    """Return what is wrong with a call from somebody who has authenticated as ``principal``."""
    if call.type not in _FIELDS:
        return _PREFIX + "Expecting 'type' to be present"
    needed = _FIELDS[call.type]
    if call.type == "SUBSCRIBE":
        return _validate_subscribe(call, principal)
    if call.framework_id is None:
        return _PREFIX + "Expecting 'framework_id' to be present"
    if needed is not None and getattr(call, needed) is None:
        return _PREFIX + f"Expecting '{needed}' to be present"
    if call.acknowledge is not None and len(call.acknowledge.uuid) != _UUID_BYTES:
        return _PREFIX + "Not a valid UUID"
    update = call.update_framework if call.type == "UPDATE_FRAMEWORK" else None
    if update is not None and update.framework_info.id != call.framework_id:
        return _PREFIX + "'framework_id' differs from 'update_framework.framework_info.id'"
    return None


def unsupported(call: scheduler.Call) -> str | None:
    """Return which known part of Mesos a call asks for that this engine lacks."""
    if call.type in _ABSENT_CALLS:
        return f"Pocket Mesos does not support the call {call.type}"
    for operation in call.accept.operations if call.accept is not None else []:
        if operation.type not in _OPERATIONS:
            return f"Pocket Mesos does not support the offer operation {operation.type}"
    return None


def _validate_subscribe(call: scheduler.Call, principal: str | None) -> str | None:
    if call.subscribe is None:
        return _PREFIX + "Expecting 'subscribe' to be present"
    if call.framework_id != call.subscribe.framework_info.id:
        return _PREFIX + "'framework_id' differs from 'subscribe.framework_info.id'"
    named = call.subscribe.framework_info.principal
    if principal is not None and named is not None and named != principal:
        return _PREFIX + (
            f"Authenticated principal '{principal}' does not match principal '{named}' set in "
            "`FrameworkInfo`"
        )
    return None
