"""Resources as values: pure, exact, without I/O.

``Resources`` is what the allocator, the master and the agent count with; messages come in through
``validate`` and ``Resources.of`` and go out through ``to_messages``; operators' text comes in
through ``parse_resources`` and ``parse_attributes``; ``model`` prints what endpoints show.
"""

from pocket_mesos.resources.bundle import EMPTY, ResourceError, Resources
from pocket_mesos.resources.model import attributes_model, model, quantities
from pocket_mesos.resources.parse import ParseError, parse_attributes, parse_resources
from pocket_mesos.resources.validation import describe_all, is_empty, validate

__all__ = [
    "EMPTY",
    "ParseError",
    "ResourceError",
    "Resources",
    "attributes_model",
    "describe_all",
    "is_empty",
    "model",
    "parse_attributes",
    "parse_resources",
    "quantities",
    "validate",
]
