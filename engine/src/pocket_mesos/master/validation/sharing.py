"""Weights and quota: what operators may ask for."""

from collections.abc import Iterable, Mapping

from pocket_mesos.master.validation.framework import validate_role
from pocket_mesos.protocol.mesos import Scalar, ValueType
from pocket_mesos.protocol.sharing import QuotaConfig, QuotaRequest, WeightInfo
from pocket_mesos.resources import validate as validate_resources
from pocket_mesos.resources.values import PRECISION, Milli, milli, scalar_text

_LARGEST = 2.0**53 / PRECISION
"""Of a scalar, so that thousandths of it can still be told apart."""


def validate_weights(infos: Iterable[WeightInfo], allowed: frozenset[str] | None) -> str | None:
    """Return what is wrong with weights; ``allowed`` are the master's roles, None for any."""
    for one in infos:
        role = one.role or ""
        error = validate_role(role)
        if error is not None:
            return f"Invalid role '{role}': {error}"
        if allowed is not None and role not in allowed:
            return f"Unknown role '{role}'"
    return None


def validate_positive(infos: Iterable[WeightInfo]) -> tuple[str, str] | None:
    """Return the first role whose weight can't be, and why."""
    for one in infos:
        if not 0 < one.weight < float("inf"):
            return one.role or "", f"Invalid weight '{one.weight:g}': Weights must be positive"
    return None


def validate_update(config: QuotaConfig, allowed: frozenset[str] | None) -> str | None:
    """Return what is wrong with a role's quota, taken by itself, in full."""
    if allowed is not None and config.role not in allowed:
        return f"Invalid QuotaConfig: '{config.role}' is not on the roles whitelist"
    # So it is in Mesos (MESOS-7402), though limits of its allocator hold for role trees.
    if "/" in config.role:
        return f"Updating quota on nested role '{config.role}' is not supported yet"
    error = _validate_config(config)
    return None if error is None else f"Invalid QuotaConfig: {error}"


def _validate_config(config: QuotaConfig) -> str | None:
    error = _role_error(config.role, None)
    if error is not None:
        return f"Invalid 'QuotaConfig.role': {error}"
    for name, amounts in (("guarantees", config.guarantees), ("limits", config.limits)):
        for resource, amount in amounts.items():
            if not 0 <= amount.value <= _LARGEST:
                return f"Invalid 'QuotaConfig.{name}': {resource} can't be {amount.value:g}"
    guarantees, limits = quantities(config.guarantees), quantities(config.limits)
    if any(value > limits.get(name, value) for name, value in guarantees.items()):
        return (
            f"'QuotaConfig.guarantees' {_braced(guarantees)} is not contained within "
            f"the 'QuotaConfig.limits' {_braced(limits)}"
        )
    return None


def validate_request(request: QuotaRequest, allowed: frozenset[str] | None) -> str | None:
    """Return what is wrong with a role's guarantee, taken by itself."""
    error = _role_error(request.role, allowed)
    if error is not None:
        return f"QuotaInfo with invalid role: {error}"
    error = validate_resources(request.guarantee)
    if error is not None:
        return f"QuotaInfo with invalid resource: {error}"
    names = [one.name for one in request.guarantee]
    if len(set(names)) != len(names):
        return "QuotaInfo contains duplicate resource names"
    if any(one.type is not ValueType.SCALAR for one in request.guarantee):
        return "QuotaInfo must not include non-scalar resources"
    return None


def quantities(amounts: Mapping[str, Scalar]) -> dict[str, Milli]:
    """Return amounts in thousandths, by name in order."""
    return {name: milli(amounts[name].value) for name in sorted(amounts)}


def _role_error(role: str, allowed: frozenset[str] | None) -> str | None:
    error = validate_role(role)
    if error is None and role == "*":
        error = "the default role '*' can have no quota"
    if error is None and allowed is not None and role not in allowed:
        error = f"Unknown role '{role}'"
    return error


def _braced(amounts: Mapping[str, Milli]) -> str:
    return f"{{ {', '.join(f'{name}: {scalar_text(value)}' for name, value in amounts.items())} }}"
