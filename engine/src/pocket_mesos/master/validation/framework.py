"""FrameworkInfo: roles, capabilities, what may change."""

from collections.abc import Iterable

from pocket_mesos.master.state import roles_of
from pocket_mesos.protocol.mesos import FrameworkInfo

_BACKSPACE_OR_SPACE = "\x08\t\n\v\f\r "


def validate(
    info: FrameworkInfo,
    suppressed: Iterable[str],
    *,
    root_submissions: bool = True,
    allowed_roles: frozenset[str] | None = None,
) -> str | None:
    """Return what is wrong with a framework that wants to subscribe."""
    error = _validate_roles(info) or _validate_suppressed(info, suppressed)
    if error is not None:
        return error
    if info.id is not None and info.id.value == "":
        return "Framework ID must not be empty"
    if not root_submissions and info.user == "root":
        return "User 'root' is not allowed to run frameworks without --root_submissions set"
    refused = sorted(set(roles_of(info)) - allowed_roles) if allowed_roles is not None else []
    if refused:
        return f"Roles {{ {', '.join(refused)} }} are not present in the master's --roles"
    return None


def validate_update(old: FrameworkInfo, new: FrameworkInfo) -> str | None:
    """Return which change from ``old`` to ``new`` is not possible."""
    error = validate_principal(old, new)
    if error is not None:
        return error
    for name in ("user", "checkpoint"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            shown = (_shown(before), _shown(after))
            return (
                f"Updating 'FrameworkInfo.{name}' is unsupported; "
                f"attempted to update from '{shown[0]}' to '{shown[1]}'"
            )
    return None


def validate_principal(old: FrameworkInfo, new: FrameworkInfo) -> str | None:
    """Return that a framework comes as somebody else; who it was is nobody's business."""
    if old.principal == new.principal:
        return None
    return "Changing framework's principal is not allowed."


def validate_role(role: str) -> str | None:
    """Return what is wrong with a role's name."""
    if role == "*":
        return None
    if not role:
        return "Role names cannot be the empty string"
    if role.startswith("/"):
        return f"Role '{role}' cannot start with a slash"
    if role.endswith("/"):
        return f"Role '{role}' cannot end with a slash"
    for component in role.split("/"):
        error = _validate_component(role, component)
        if error is not None:
            return error
    return None


def _validate_component(role: str, component: str) -> str | None:
    if not component:
        return f"Role '{role}' cannot contain two adjacent slashes"
    if component in (".", "..", "*"):
        return f"Role component '{component}' is invalid: it is reserved"
    if component.startswith("-"):
        return f"Role component '{component}' is invalid because it starts with a dash"
    if any(character in _BACKSPACE_OR_SPACE for character in component):
        return (
            f"Role component '{component}' is invalid because it contains backspace or whitespace"
        )
    return None


def _validate_roles(info: FrameworkInfo) -> str | None:
    multi_role = any(c.type == "MULTI_ROLE" for c in info.capabilities)
    if multi_role and info.role is not None:
        return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable"
    if not multi_role and info.roles:
        return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable"
    duplicates = sorted({role for role in info.roles if info.roles.count(role) > 1})
    if duplicates:
        return f"'FrameworkInfo.roles' contains duplicate items: {{ {', '.join(duplicates)} }}"
    for role in roles_of(info):
        error = validate_role(role)
        if error is not None:
            field = "roles' contains invalid role" if multi_role else "role' is not a valid role"
            return f"'FrameworkInfo.{field}: {error}"
    return None


def _validate_suppressed(info: FrameworkInfo, suppressed: Iterable[str]) -> str | None:
    strangers = sorted(set(suppressed) - set(roles_of(info)))
    if strangers:
        return (
            f"Suppressed roles {{ {', '.join(strangers)} }} are not contained in the set of roles"
        )
    return None


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
