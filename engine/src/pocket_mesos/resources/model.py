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
    shown.update(quantities(resources))
    for name, value in resources.items():
        if not isinstance(value, int):
            shown[name] = values.value_text(value)
    return shown


def quantities(resources: Resources) -> dict[str, float]:
    """Print the scalars that a bundle holds, and no others."""
    return {name: value / values.PRECISION for name, value in resources.scalars.items()}


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
