"""Whether a peer's resource messages make sense, in Mesos' words."""

import math
from collections.abc import Iterable

from pocket_mesos.protocol.mesos import Opaque, Resource, ValueType
from pocket_mesos.resources import values

_LARGEST = 2**63 / values.PRECISION
"""Scalars beyond this can't be kept exactly; nobody has so much of anything."""


def validate(resources: Iterable[Resource]) -> str | None:
    """Return what is wrong with the first bad resource."""
    for one in resources:
        error = _validate(one)
        if error is not None:
            return f"Resource '{describe(one)}' is invalid: {error}"
    return None


def is_empty(resource: Resource) -> bool:
    """Whether a resource is named and there is none of it, as in ``disk:0;ports:[]``."""
    if resource.scalar is not None:
        return resource.scalar.value == 0
    if resource.ranges is not None:
        return not resource.ranges.range
    return resource.set is not None and not resource.set.item


def describe(resource: Resource, allocated: str | None = None) -> str:
    """Print one resource as Mesos' messages do: ``cpus(allocated: r):0.1``."""
    label = resource.name + (f"(allocated: {allocated})" if allocated is not None else "")
    if resource.reservations:
        stack = ",".join(_reservation(one) for one in resource.reservations)
        label += f"(reservations: [{stack}])"
    if resource.scalar is not None:
        return f"{label}:{_number(resource.scalar.value)}"
    if resource.ranges is not None:
        return f"{label}:{values.spans_text(values.spans_from_message(resource.ranges))}"
    if resource.set is not None:
        return f"{label}:{values.set_text(frozenset(resource.set.item))}"
    return label


def describe_all(resources: Iterable[Resource], allocated: str | None = None) -> str:
    """Print resources as Mesos' messages do."""
    return "; ".join(describe(one, allocated) for one in resources)


def _reservation(reservation: Opaque) -> str:
    parts = [reservation.get(name) for name in ("type", "role", "principal")]
    return "(" + ",".join(str(part) for part in parts if part is not None) + ")"


def _number(value: float) -> str:
    return f"{value:.15g}"


def _validate(resource: Resource) -> str | None:
    if not resource.name:
        return "Empty resource name"
    match resource.type:
        case ValueType.SCALAR:
            return _validate_scalar(resource)
        case ValueType.RANGES:
            return _validate_ranges(resource)
        case ValueType.SET:
            return _validate_set(resource)
    return "Unsupported resource type"


def _validate_scalar(resource: Resource) -> str | None:
    if resource.scalar is None or resource.ranges is not None or resource.set is not None:
        return "Invalid scalar resource"
    value = resource.scalar.value
    if not math.isfinite(value) or value > _LARGEST:
        return "Invalid scalar resource: value is not a finite number"
    if value <= 0:
        return "Invalid scalar resource: value <= 0"
    return None


def _validate_ranges(resource: Resource) -> str | None:
    if resource.ranges is None or resource.scalar is not None or resource.set is not None:
        return "Invalid ranges resource"
    if any(one.begin > one.end for one in resource.ranges.range):
        return "Invalid ranges resource: begin > end"
    return None


def _validate_set(resource: Resource) -> str | None:
    if resource.set is None or resource.scalar is not None or resource.ranges is not None:
        return "Invalid set resource"
    if len(set(resource.set.item)) != len(resource.set.item):
        return "Invalid set resource: duplicated elements"
    return None
