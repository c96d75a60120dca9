"""The three kinds of value that a resource can have, in their text and protocol forms.

Scalars are whole thousandths: Mesos keeps three decimals, and sums of them must be exact.
"""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal

from pocket_mesos.protocol.mesos import Range, Ranges, ValueSet

PRECISION = 1000
"""Units of a scalar per whole: Mesos keeps three decimals."""

Milli = int
"""A scalar in thousandths."""

Spans = tuple[tuple[int, int], ...]
"""Ranges: inclusive, ascending, neither overlapping nor adjacent."""

Value = Milli | Spans | frozenset[str]


def milli(value: float) -> Milli:
    """Round a scalar to thousandths, as Mesos does before it counts with it."""
    return round(value * PRECISION)


def scalar_text(value: Milli) -> str:
    """Print a scalar as Mesos' logs and messages do: no trailing zeros."""
    whole, rest = divmod(abs(value), PRECISION)
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}" + (f".{rest:03d}".rstrip("0") if rest else "")


def scalar_from_text(text: str) -> Milli | None:
    """Read a scalar as a flag gives it; None when it is no finite number."""
    try:
        number = Decimal(text.strip())
    except ArithmeticError:
        return None
    if not number.is_finite():
        return None
    return int((number * PRECISION).to_integral_value(ROUND_HALF_EVEN))


def coalesce(spans: Iterable[tuple[int, int]]) -> Spans:
    """Sort spans and join those that overlap or touch."""
    joined: list[tuple[int, int]] = []
    for begin, end in sorted(spans):
        if joined and begin <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((begin, end))
    return tuple(joined)


def spans_minus(left: Spans, right: Spans) -> Spans:
    """Return what ``left`` has and ``right`` has not."""
    rest: list[tuple[int, int]] = []
    cuts = list(right)
    for begin, end in left:
        for cut_begin, cut_end in cuts:
            if cut_end < begin or cut_begin > end:
                continue
            if cut_begin > begin:
                rest.append((begin, cut_begin - 1))
            begin = cut_end + 1
        if begin <= end:
            rest.append((begin, end))
    return tuple(rest)


def spans_contain(left: Spans, right: Spans) -> bool:
    """Whether every number of ``right`` is in ``left``."""
    return all(any(b <= begin and end <= e for b, e in left) for begin, end in right)


def spans_text(spans: Spans) -> str:
    """Print ranges as Mesos does: ``[1-2, 5-9]``."""
    return "[" + ", ".join(f"{begin}-{end}" for begin, end in spans) + "]"


def spans_from_text(text: str) -> Spans | None:
    """Read ``[1-2, 5-9]``; None when it is not that."""
    inner = text.strip()
    if not (inner.startswith("[") and inner.endswith("]")):
        return None
    spans = []
    for part in filter(None, (p.strip() for p in inner[1:-1].split(","))):
        begin, dash, end = part.partition("-")
        if not (dash and begin.strip().isdecimal() and end.strip().isdecimal()):
            return None
        if int(begin) > int(end):
            return None
        spans.append((int(begin), int(end)))
    return coalesce(spans)


def set_text(items: frozenset[str]) -> str:
    """Print a set as Mesos does: ``{a, b}``."""
    return "{" + ", ".join(sorted(items)) + "}"


def set_from_text(text: str) -> frozenset[str] | None:
    """Read ``{a, b}``; None when it is not that."""
    inner = text.strip()
    if not (inner.startswith("{") and inner.endswith("}")):
        return None
    return frozenset(filter(None, (item.strip() for item in inner[1:-1].split(","))))


def value_text(value: Value) -> str:
    """Print any value."""
    if isinstance(value, int):
        return scalar_text(value)
    return set_text(value) if isinstance(value, frozenset) else spans_text(value)


def spans_from_message(ranges: Ranges) -> Spans:
    """Read ranges from their message."""
    return coalesce((one.begin, one.end) for one in ranges.range)


def spans_to_message(spans: Spans) -> Ranges:
    """Write ranges as their message."""
    return Ranges(range=[Range(begin=begin, end=end) for begin, end in spans])


def set_to_message(items: frozenset[str]) -> ValueSet:
    """Write a set as its message."""
    return ValueSet(item=sorted(items))
