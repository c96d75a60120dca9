"""The plain JSON forms in which Mesos' endpoints print resources and attributes."""

from collections.abc import Iterable
from typing import Any

from pocket_mesos.protocol.mesos import Attribute
from pocket_mesos.resources import values
from pocket_mesos.resources.bundle import Resources

_ALWAYS_SHOWN = ("disk", "mem", "gpus", "cpus")


def model(resources: Resources) -> dict[str, Any]:
    """Print a bundle as /state does: four scalars always, ``"ports": "[a-b]"``."""
    shown: dict[str, Any] = dict.fromkeys(_ALWAYS_SHOWN, 0.0)
    for name, value in resources.scalars.items():
        shown[name] = value / values.PRECISION
    for name, other in resources.items():
        if not isinstance(other, int):
            shown[name] = values.value_text(other)
    return shown


def quantities(resources: Resources) -> dict[str, float]:
    """Print how much a bundle holds of each resource: ranges and sets by their size."""
    return {name: _quantity(value) for name, value in resources.items()}


def _quantity(value: values.Value) -> float:
    if isinstance(value, int):
        return value / values.PRECISION
    if isinstance(value, frozenset):
        return float(len(value))
    return float(sum(end - begin + 1 for begin, end in value))


def attributes_model(attributes: Iterable[Attribute]) -> dict[str, Any]:
    """Print attributes as /state does."""
    return {one.name: _attribute(one) for one in attributes}


def _attribute(attribute: Attribute) -> Any:
    if attribute.scalar is not None:
        return attribute.scalar.value
    if attribute.ranges is not None:
        return values.spans_text(values.spans_from_message(attribute.ranges))
    if attribute.set is not None:
        return values.set_text(frozenset(attribute.set.item))
    return attribute.text.value if attribute.text is not None else ""
