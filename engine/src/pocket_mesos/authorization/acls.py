"""The flag ``--acls``: JSON in, rules out, and the text that /flags shows of them.

Unlike real Mesos, which passes over what it does not know, names that no action has are refused:
a misspelt rule would otherwise protect nothing in silence.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pocket_mesos.protocol.errors import PocketError

ENDPOINTS = frozenset(
    {
        "/containers",
        "/containerizer/debug",
        "/files/debug",
        "/logging/toggle",
        "/metrics/snapshot",
        "/monitor/statistics",
    }
)
"""Paths that ``get_endpoints`` may name."""


class ACLError(PocketError, ValueError):
    """The lists can't be taken; ``str()`` says what is wrong and where."""


class EntityType(Enum):
    """What an entity stands for."""

    SOME = "SOME"
    ANY = "ANY"
    NONE = "NONE"


@dataclass(frozen=True, slots=True)
class Entity:
    """The subjects or the objects of a rule."""

    type: EntityType
    values: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    """Prefixes ``a/`` of roles, from values ``a/%``: whatever is below the role ``a``."""

    def matches(self, value: str | None) -> bool:
        """Whether a rule with this entity is about ``value``; None stands for anybody."""
        return self.type is not EntityType.SOME or self._names(value)

    def allows(self, value: str | None) -> bool:
        """Whether a rule with this entity, being about ``value``, grants."""
        return self.type is EntityType.ANY or (self.type is EntityType.SOME and self._names(value))

    def _names(self, value: str | None) -> bool:
        return value is not None and (value in self.values or value.startswith(self.below))


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of an action's list."""

    subjects: Entity
    objects: Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class ACLs:
    """All lists, and what holds where no rule matches."""

    permissive: bool = True
    rules: Mapping[str, tuple[Rule, ...]]
    source: Mapping[str, Any]
    """The JSON that they were read from."""


class _Kind(Enum):
    NAMES = "names"
    ROLES = "roles"
    """Names of which ``a/%`` means everything below ``a``."""
    PATHS = "paths"
    GIVEN = "given"
    """There is only one object, so that a rule says ANY or NONE."""


@dataclass(frozen=True, slots=True)
class _Action:
    number: int
    """Of the field in Mesos' message; texts list actions in this order."""
    message: str
    objects: str
    """Name of the objects' field."""
    kind: _Kind = _Kind.NAMES


_GIVEN, _ROLES = _Kind.GIVEN, _Kind.ROLES

_ACTIONS = {
    "register_frameworks": _Action(2, "RegisterFramework", "roles", _ROLES),
    "run_tasks": _Action(3, "RunTask", "users"),
    "reserve_resources": _Action(5, "ReserveResources", "roles", _ROLES),
    "unreserve_resources": _Action(6, "UnreserveResources", "reserver_principals"),
    "create_volumes": _Action(7, "CreateVolume", "roles", _ROLES),
    "destroy_volumes": _Action(8, "DestroyVolume", "creator_principals"),
    "teardown_frameworks": _Action(11, "TeardownFramework", "framework_principals"),
    "update_weights": _Action(12, "UpdateWeight", "roles", _ROLES),
    "get_endpoints": _Action(13, "GetEndpoint", "paths", _Kind.PATHS),
    "get_quotas": _Action(14, "GetQuota", "roles", _ROLES),
    "update_quotas": _Action(15, "UpdateQuota", "roles", _ROLES),
    "view_frameworks": _Action(16, "ViewFramework", "users"),
    "view_tasks": _Action(17, "ViewTask", "users"),
    "view_executors": _Action(18, "ViewExecutor", "users"),
    "access_sandboxes": _Action(19, "AccessSandbox", "users"),
    "access_mesos_logs": _Action(20, "AccessMesosLog", "logs", _GIVEN),
    "view_roles": _Action(21, "ViewRole", "roles", _ROLES),
    "view_flags": _Action(22, "ViewFlags", "flags", _GIVEN),
    "launch_nested_containers_as_user": _Action(23, "LaunchNestedContainerAsUser", "users"),
    "launch_nested_containers_under_parent_with_user": _Action(
        24, "LaunchNestedContainerUnderParentWithUser", "users"
    ),
    "kill_nested_containers": _Action(25, "KillNestedContainer", "users"),
    "wait_nested_containers": _Action(26, "WaitNestedContainer", "users"),
    "launch_nested_container_sessions_as_user": _Action(
        27, "LaunchNestedContainerSessionAsUser", "users"
    ),
    "launch_nested_container_sessions_under_parent_with_user": _Action(
        28, "LaunchNestedContainerSessionUnderParentWithUser", "users"
    ),
    "attach_containers_input": _Action(29, "AttachContainerInput", "users"),
    "attach_containers_output": _Action(30, "AttachContainerOutput", "users"),
    "view_containers": _Action(31, "ViewContainer", "users"),
    "set_log_level": _Action(32, "SetLogLevel", "level", _GIVEN),
    "remove_nested_containers": _Action(33, "RemoveNestedContainer", "users"),
    "register_agents": _Action(34, "RegisterAgent", "agents", _GIVEN),
    "update_maintenance_schedules": _Action(35, "UpdateMaintenanceSchedule", "machines", _GIVEN),
    "get_maintenance_schedules": _Action(36, "GetMaintenanceSchedule", "machines", _GIVEN),
    "start_maintenances": _Action(37, "StartMaintenance", "machines", _GIVEN),
    "stop_maintenances": _Action(38, "StopMaintenance", "machines", _GIVEN),
    "get_maintenance_statuses": _Action(39, "GetMaintenanceStatus", "machines", _GIVEN),
    "mark_agents_gone": _Action(40, "MarkAgentGone", "agents", _GIVEN),
    "launch_standalone_containers": _Action(41, "LaunchStandaloneContainer", "users", _GIVEN),
    "kill_standalone_containers": _Action(42, "KillStandaloneContainer", "users", _GIVEN),
    "wait_standalone_containers": _Action(43, "WaitStandaloneContainer", "users", _GIVEN),
    "remove_standalone_containers": _Action(44, "RemoveStandaloneContainer", "users", _GIVEN),
    "modify_resource_provider_configs": _Action(
        45, "ModifyResourceProviderConfig", "resource_providers", _GIVEN
    ),
    "view_standalone_containers": _Action(46, "ViewStandaloneContainer", "users", _GIVEN),
    "prune_images": _Action(47, "PruneImages", "images", _GIVEN),
    "resize_volumes": _Action(48, "ResizeVolume", "roles", _ROLES),
    "create_block_disks": _Action(49, "CreateBlockDisk", "roles", _ROLES),
    "destroy_block_disks": _Action(50, "DestroyBlockDisk", "roles", _ROLES),
    "create_mount_disks": _Action(51, "CreateMountDisk", "roles", _ROLES),
    "destroy_mount_disks": _Action(52, "DestroyMountDisk", "roles", _ROLES),
    "view_resource_providers": _Action(53, "ViewResourceProvider", "resource_providers", _GIVEN),
    "mark_resource_providers_gone": _Action(
        54, "MarkResourceProvidersGone", "resource_providers", _GIVEN
    ),
    "destroy_raw_disks": _Action(55, "DestroyRawDisk", "roles", _ROLES),
    "drain_agents": _Action(56, "DrainAgent", "agents", _GIVEN),
    "deactivate_agents": _Action(57, "DeactivateAgent", "agents", _GIVEN),
    "reactivate_agents": _Action(58, "ReactivateAgent", "agents", _GIVEN),
}
"""Every action that Mesos knows; rules about what Pocket lacks are checked and wait unused."""


def parse(text: str) -> ACLs:
    """Read the lists.

    Raises:
        ACLError: no JSON, or not of their shape.
    """
    try:
        source = json.loads(text)
    except ValueError as error:
        raise ACLError(f"syntax error: {error}") from None
    _expect(source, dict, "ACLs")
    permissive = source.get("permissive", True)
    _expect(permissive, bool, "permissive")
    rules = {
        name: tuple(_rules(name, entries))
        for name, entries in source.items()
        if name != "permissive"
    }
    return ACLs(permissive=permissive, rules=rules, source=source)


def show(acls: ACLs) -> str:
    """Print the lists as Mesos does, in the text format of protobuf."""
    lines = []
    if "permissive" in acls.source:
        lines.append(f"permissive: {str(acls.permissive).lower()}")
    for name in sorted(acls.rules, key=lambda name: _ACTIONS[name].number):
        for entry in acls.source[name]:
            lines += _printed_rule(name, entry)
    return "".join(f"{line}\n" for line in lines)


def _rules(name: str, entries: Any) -> Iterator[Rule]:
    action = _ACTIONS.get(name)
    if action is None:
        raise ACLError(f"Unknown action '{name}'")
    _expect(entries, list, name)
    for index, entry in enumerate(entries):
        where = f"{name}[{index}]"
        _expect(entry, dict, where)
        _check_names(entry, ("principals", action.objects), where)
        missing = [f for f in ("principals", action.objects) if f not in entry]
        if missing:
            raise ACLError(
                "Missing required fields: " + ", ".join(f"{where}.{one}" for one in missing)
            )
        subjects = _entity(entry["principals"], f"{where}.principals")
        objects = _entity(entry[action.objects], f"{where}.{action.objects}")
        yield Rule(subjects, _objects(action, objects))


def _entity(value: Any, where: str) -> Entity:
    _expect(value, dict, where)
    _check_names(value, ("type", "values"), where)
    type_, values = value.get("type", "SOME"), value.get("values", [])
    if type_ not in EntityType.__members__:
        raise ACLError(f"Failed to find enum for '{type_}' in {where}.type: SOME, ANY or NONE")
    _expect(values, list, f"{where}.values")
    for one in values:
        _expect(one, str, f"{where}.values")
    return Entity(EntityType[type_], tuple(values))


def _objects(action: _Action, entity: Entity) -> Entity:
    """Check and complete the objects of a rule."""
    if entity.type is not EntityType.SOME:
        return entity
    if action.kind is _Kind.GIVEN:
        raise ACLError(f"ACL.{action.message} type must be either NONE or ANY")
    if action.kind is _Kind.PATHS:
        for path in entity.values:
            if path not in ENDPOINTS:
                raise ACLError(f"Path: '{path}' is not an authorizable path")
    if action.kind is _Kind.ROLES:
        below = tuple(one[:-1] for one in entity.values if one.endswith("/%"))
        return Entity(entity.type, tuple(v for v in entity.values if not v.endswith("/%")), below)
    return entity


_KINDS = {dict: "an object", list: "an array", bool: "a boolean", str: "a string"}


def _expect(value: Any, type_: type, where: str) -> None:
    if not isinstance(value, type_):
        raise ACLError(f"Expecting {_KINDS[type_]} for '{where}'")


def _check_names(value: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    strangers = sorted(value.keys() - set(known))
    if strangers:
        raise ACLError(f"Unknown field '{strangers[0]}' in {where}: {' or '.join(known)}")


def _printed_rule(name: str, entry: dict[str, Any]) -> Iterator[str]:
    yield f"{name} {{"
    for field in ("principals", _ACTIONS[name].objects):
        yield f"  {field} {{"
        if "type" in entry[field]:
            yield f"    type: {entry[field]['type']}"
        for value in entry[field].get("values", ()):
            yield f"    values: {json.dumps(value)}"
        yield "  }"
    yield "}"
