"""Describe the columns of CSV files."""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import zip_longest
from typing import Any

from mapreduce.job import Block, Job, Row
from mapreduce.jobs import exact

Column = list[Any]
"""What is known of a column: cells with content, numbers, their sum, squares' sum, least, most."""

Part = list[Any]
"""What is known of an input: its header where that was seen, how many lines, columns."""


@dataclass
class Stats(Job[None, dict[str, Part]]):
    """For each column of CSV files: how many values, and minimum, maximum, mean and deviation.

    columns=a,b    Only these columns; all unless given. A column that no input has is an error.
    delimiter=;    What separates cells: the comma unless given; `tab` for tab-separated files.
    header=no      The inputs have no line with the columns' names: these are called 1, 2, ...

    Rows are (column, {"count": cells with content, "missing": empty cells or lines that end ahead
    of the column, "numbers": cells that are finite numbers, "min", "max", "mean", "deviation": of
    these, null where there are none}). Numbers are what Python's float() reads. "deviation" is the
    sample's standard deviation, and null of one number. The first line of each input names its
    columns, which may differ from input to input; columns of the same name are one. Sums are
    exact, so that the last digit of a result does not depend on the order in which blocks come,
    and no cancellation spoils it.

    Quoted cells may hold delimiters, but no line ends, since inputs are cut at these: an error.
    """

    columns: list[str] = field(default_factory=list)
    delimiter: str = ","
    header: bool = True

    def __post_init__(self) -> None:
        """Raise ValueError for a delimiter that is none."""
        if self.delimiter == "tab":
            self.delimiter = "\t"
        if len(self.delimiter) != 1 or self.delimiter in '\r\n"':
            raise ValueError(f"the delimiter is one character, not {self.delimiter!r}")

    def map(self, block: Block) -> Iterator[tuple[None, dict[str, Part]]]:
        """Describe the columns of the block by their place; their names may be in another one."""
        rows = self._rows(block)
        names = next(rows, []) if self.header and block.offset == 0 else None
        if names and len(set(names)) < len(names):
            raise ValueError(f"two columns have the same name, of {names}")
        lines = 0
        cells: list[list[str]] = []
        for row in rows:
            lines += 1
            while len(cells) < len(row):
                cells.append([])
            for number, cell in enumerate(row):
                cells[number].append(cell)
        yield None, {block.input: [names, lines, [_described(column) for column in cells]]}

    def _rows(self, block: Block) -> Iterator[list[str]]:
        """Yield the block's lines as cells; empty lines are none."""
        encoding = "utf-8-sig" if block.offset == 0 else "utf-8"
        lines = block.decode(encoding, "surrogateescape").split("\n")
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True)
        begun = 0
        try:
            for row in reader:
                if reader.line_num != begun + 1:
                    raise csv.Error("a quoted cell holds a line end")
                begun += 1
                if row:
                    yield row
        except csv.Error as error:
            offset = block.offset + sum(len(line) + 1 for line in block.split(b"\n")[:begun])
            raise ValueError(f"the line at offset {offset} is no CSV: {error}") from error

    def combine(self, left: dict[str, Part], right: dict[str, Part]) -> dict[str, Part]:
        """Add up what is known of each input."""
        for name, part in right.items():
            left[name] = _joined(left[name], part) if name in left else part
        return left

    def reduce(self, key: None, value: dict[str, Part]) -> list[Row]:
        """Bring together the columns of the same name."""
        found: dict[str, tuple[Column, int]] = {}
        for name, (names, lines, columns) in value.items():
            names = names or []
            for number in range(max(len(names), len(columns))):
                title = names[number] if number < len(names) else str(number + 1)
                if title in names[:number]:
                    raise ValueError(f"{name!r} has more columns than names; one is {title!r}")
                column = columns[number] if number < len(columns) else _described([])
                known, missing = found.get(title, (_described([]), 0))
                found[title] = _added(known, column), missing + lines - column[0]
        if unknown := set(self.columns) - set(found):
            raise ValueError(f"no input has a column {min(unknown)!r}; there are {sorted(found)}")
        wanted = self.columns or found
        return [(title, _summary(*found[title])) for title in wanted]


def _described(cells: list[str]) -> Column:
    filled = [cell for cell in cells if cell.strip()]
    numbers = [number for number in _numbers(filled) if math.isfinite(number)]
    total, squares = exact.sums(numbers)
    least, most = min(numbers, default=None), max(numbers, default=None)
    return [len(filled), len(numbers), total, squares, least, most]


def _numbers(cells: list[str]) -> list[float]:
    """Return the cells that are numbers; minus zero as zero, which is equal and looks better."""
    try:
        return [float(cell) + 0.0 for cell in cells]
    except ValueError:
        return [number for cell in cells for number in _number(cell)]


def _number(cell: str) -> list[float]:
    try:
        return [float(cell) + 0.0]
    except ValueError:
        return []


def _added(left: Column, right: Column) -> Column:
    ends = [end for end in (left[4], right[4]) if end is not None]
    tops = [top for top in (left[5], right[5]) if top is not None]
    return [
        left[0] + right[0],
        left[1] + right[1],
        exact.add(left[2], right[2]),
        exact.add(left[3], right[3]),
        min(ends, default=None),
        max(tops, default=None),
    ]


def _joined(left: Part, right: Part) -> Part:
    columns = [
        one if other is None else other if one is None else _added(one, other)
        for one, other in zip_longest(left[2], right[2])
    ]
    return [left[0] if right[0] is None else right[0], left[1] + right[1], columns]


def _summary(column: Column, missing: int) -> dict[str, Any]:
    filled, count, total, squares, least, most = column
    mean = exact.fraction(total) / count if count else None
    return {
        "count": filled,
        "missing": missing,
        "numbers": count,
        "min": least,
        "max": most,
        "mean": None if mean is None else float(mean),
        "deviation": _deviation(count, exact.fraction(total), exact.fraction(squares)),
    }


def _deviation(count: int, total: Fraction, squares: Fraction) -> float | None:
    if count < 2:
        return None
    variance = (squares - total * total / count) / (count - 1)
    # The square of what a float holds may be too large or too small for one.
    half = (variance.numerator.bit_length() - variance.denominator.bit_length()) // 2
    return math.ldexp(math.sqrt(variance / Fraction(4) ** half), half)
