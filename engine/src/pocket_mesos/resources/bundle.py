"""A bundle of resources: an immutable value with exact arithmetic.

What is not there is zero: a bundle never holds an empty value, so bundles that hold the same are
equal. Names keep the order in which they came, because that is what clients see.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from pocket_mesos.protocol.errors import PocketError
from pocket_mesos.protocol.mesos import (
    AllocationInfo,
    Resource,
    Scalar,
    ValueType,
)
from pocket_mesos.resources import values
from pocket_mesos.resources.values import Milli, Spans, Value


class ResourceError(PocketError):
    """More was to be taken than there is: a mistake in this program's accounting."""


class Resources:
    """Scalars, ranges and sets by name."""

    __slots__ = ("_others", "_scalars")

    def __init__(
        self,
        scalars: Mapping[str, Milli] | None = None,
        others: Mapping[str, Spans | frozenset[str]] | None = None,
    ) -> None:
        """Hold what is not empty of ``scalars`` (in thousandths) and ``others``."""
        self._scalars = {name: value for name, value in (scalars or {}).items() if value}
        self._others = {name: value for name, value in (others or {}).items() if value}

    @classmethod
    def of(cls, resources: Iterable[Resource]) -> "Resources":
        """Add up resource messages; who they are allocated to is not part of the bundle.

        The messages must have passed :func:`pocket_mesos.resources.validate`.
        """
        scalars: dict[str, Milli] = {}
        others: dict[str, Spans | frozenset[str]] = {}
        for one in resources:
            if one.scalar is not None:
                scalars[one.name] = scalars.get(one.name, 0) + values.milli(one.scalar.value)
            elif one.ranges is not None:
                spans = values.spans_from_message(one.ranges)
                others[one.name] = _join(others.get(one.name), spans)
            elif one.set is not None:
                others[one.name] = _join(others.get(one.name), frozenset(one.set.item))
        return cls(scalars, others)

    # --- reading ---------------------------------------------------------------------------

    @property
    def scalars(self) -> Mapping[str, Milli]:
        """Scalars in thousandths, by name."""
        return MappingProxyType(self._scalars)

    def scalar(self, name: str) -> float:
        """Return a scalar in whole units; 0.0 when there is none."""
        return self._scalars.get(name, 0) / values.PRECISION

    def ranges(self, name: str) -> Spans:
        """Return the inclusive spans of a ranges resource; empty when there is none."""
        value = self._others.get(name, ())
        return value if isinstance(value, tuple) else ()

    def names(self) -> list[str]:
        """Names of all that the bundle holds, non-scalars first, as offers show them."""
        return [*self._others, *self._scalars]

    def items(self) -> Iterator[tuple[str, Value]]:
        """Yield names with values, non-scalars first."""
        yield from self._others.items()
        yield from self._scalars.items()

    def __bool__(self) -> bool:
        return bool(self._scalars or self._others)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Resources):
            return NotImplemented
        return self._scalars == other._scalars and self._others == other._others

    def __hash__(self) -> int:
        return hash((frozenset(self._scalars.items()), frozenset(self._others.items())))

    def __repr__(self) -> str:
        return f"Resources({self})"

    def __str__(self) -> str:
        return "; ".join(f"{name}:{values.value_text(value)}" for name, value in self.items())

    # --- arithmetic ------------------------------------------------------------------------

    def contains(self, other: "Resources") -> bool:
        """Whether all of ``other`` could be taken from this bundle."""
        mine = self._scalars
        for name, value in other._scalars.items():
            if mine.get(name, 0) < value:
                return False
        if not other._others or other._others == self._others:
            return True
        return all(
            name in self._others and _covers(self._others[name], value)
            for name, value in other._others.items()
        )

    def __add__(self, other: "Resources") -> "Resources":
        if not other:
            return self
        if not self:
            return other
        scalars = dict(self._scalars)
        for name, value in other._scalars.items():
            scalars[name] = scalars.get(name, 0) + value
        others = self._others
        if other._others:
            others = dict(others)
            for name, spans in other._others.items():
                others[name] = _join(others.get(name), spans)
        return _bundle(scalars, others)

    def __sub__(self, other: "Resources") -> "Resources":
        """Take ``other`` away.

        Raises:
            ResourceError: ``other`` is not contained.
        """
        if not other:
            return self
        if other is self:
            return EMPTY
        if not self.contains(other):
            raise ResourceError(f"can't take {other} from {self}")
        scalars = dict(self._scalars)
        for name, value in other._scalars.items():
            rest = scalars[name] - value
            if rest:
                scalars[name] = rest
            else:
                del scalars[name]
        others = self._others
        if other._others:
            others = dict(others)
            for name, spans in other._others.items():
                left = _cut(others.pop(name), spans)
                if left:
                    others[name] = left
        return _bundle(scalars, others)

    # --- messages --------------------------------------------------------------------------

    def to_messages(
        self, *, role: str | None = None, allocated: str | None = None
    ) -> list[Resource]:
        """Write the bundle as messages.

        Args:
            role: reservation role to show, ``"*"`` where Mesos shows it.
            allocated: role that the resources are allocated to.
        """
        info = None if allocated is None else AllocationInfo(role=allocated)
        return [_message(name, value, role, info) for name, value in self.items()]


def _bundle(scalars: dict[str, Milli], others: dict[str, Spans | frozenset[str]]) -> Resources:
    """Make a bundle of parts that are known to hold nothing empty."""
    made = Resources.__new__(Resources)
    made._scalars = scalars
    made._others = others
    return made


def _join(
    left: Spans | frozenset[str] | None, right: Spans | frozenset[str]
) -> Spans | frozenset[str]:
    match left, right:
        case None, _:
            return right
        case frozenset(), frozenset():
            return left | right
        case tuple(), tuple():
            return values.coalesce(left + right)
    raise ResourceError(f"can't add {right!r} to {left!r}")


def _covers(left: Spans | frozenset[str], right: Spans | frozenset[str]) -> bool:
    match left, right:
        case frozenset(), frozenset():
            return left >= right
        case tuple(), tuple():
            return values.spans_contain(left, right)
    return False


def _cut(left: Spans | frozenset[str], right: Spans | frozenset[str]) -> Spans | frozenset[str]:
    match left, right:
        case frozenset(), frozenset():
            return left - right
        case tuple(), tuple():
            return values.spans_minus(left, right)
    raise ResourceError(f"can't take {right!r} from {left!r}")


def _message(
    name: str, value: Value, role: str | None, allocation_info: AllocationInfo | None
) -> Resource:
    if isinstance(value, int):
        return Resource(
            name=name,
            type=ValueType.SCALAR,
            scalar=Scalar(value=value / values.PRECISION),
            role=role,
            allocation_info=allocation_info,
        )
    if isinstance(value, tuple):
        return Resource(
            name=name,
            type=ValueType.RANGES,
            ranges=values.spans_to_message(value),
            role=role,
            allocation_info=allocation_info,
        )
    return Resource(
        name=name,
        type=ValueType.SET,
        set=values.set_to_message(value),
        role=role,
        allocation_info=allocation_info,
    )


EMPTY = Resources()
