"""Writing a result as Parquet, with the `parquet` extra: two columns, `key` and `value`.

Keys are strings, or binary (the input's bytes) where any key is no UTF-8. Values are int64,
double, bool or string where all are of that kind (double also for a mixture of numbers), and
otherwise JSON as strings; None is null in all. What holds for all rows is only known after the
last: rows that do not fit what the first ones suggested make the writing begin again.
"""

import json
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
from pyarrow import parquet

from mapreduce.client.output import Row, Rows, batches, expressible

GROUP = 100_000
"""Rows in a row group, and in memory at a time."""

_KINDS: dict[type, str] = {bool: "bool", int: "int", float: "float", str: "str"}
_TYPES = {
    "bool": pa.bool_(),
    "int": pa.int64(),
    "float": pa.float64(),
    "str": pa.string(),
    "json": pa.string(),
    "": pa.string(),
}
_INT64 = range(-(2**63), 2**63)
_EXACT = range(-(2**53), 2**53 + 1)
"""Integers that a double holds."""


@dataclass(frozen=True, slots=True)
class Columns:
    """What the columns hold: keys that are all UTF-8, and a kind of values ("" if all are None)."""

    utf8: bool = True
    kind: str = ""

    def widened(self, batch: list[Row]) -> "Columns":
        """Return what these columns must be so as to hold a batch, too."""
        utf8 = self.utf8 and _utf8([key for key, _ in batch])
        return Columns(utf8, _widen(self.kind, [value for _, value in batch]))

    @property
    def schema(self) -> pa.Schema:
        """The schema of the file."""
        key = pa.field("key", pa.string() if self.utf8 else pa.binary(), nullable=False)
        return pa.schema([key, pa.field("value", _TYPES[self.kind])])

    def arrays(self, batch: list[Row]) -> pa.RecordBatch:
        """Return a batch as Arrow's arrays."""
        keys: list[Any] = [key for key, _ in batch]
        values = [value for _, value in batch]
        if not self.utf8:
            keys = [key.encode("utf-8", "surrogateescape") for key in keys]
        if self.kind == "json":
            values = [None if value is None else json.dumps(value) for value in values]
        columns = zip((keys, values), self.schema.types, strict=True)
        arrays = [pa.array(column, kind) for column, kind in columns]
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _utf8(texts: list[str]) -> bool:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True


def _widen(kind: str, values: list[Any]) -> str:
    values = [value for value in values if value is not None]
    kinds = {_KINDS.get(found, "json") for found in set(map(type, values))}
    kinds |= {kind} if kind else set()
    if kinds == {"int"}:
        return "int" if _within(_INT64, values) else "json"
    if kinds == {"int", "float"}:
        return "float" if _within(_EXACT, [v for v in values if type(v) is int]) else "json"
    if kinds == {"str"}:
        return "str" if _utf8(values) else "json"
    return kinds.pop() if len(kinds) == 1 else "json" if kinds else ""


def _within(limits: range, numbers: list[int]) -> bool:
    return not numbers or (min(numbers) in limits and max(numbers) in limits)


def write(file: IO[bytes], rows: Rows) -> None:
    """Write all rows. Raises JobFailedError for a row that cannot be expressed."""
    columns: Columns | None = Columns()
    while columns is not None:
        file.seek(0)
        file.truncate()
        columns = _attempt(file, rows, columns)


def _attempt(file: IO[bytes], rows: Rows, columns: Columns) -> Columns | None:
    """Write the rows into these columns; return wider ones as soon as some rows need them."""
    with parquet.ParquetWriter(file, columns.schema, compression="zstd") as writer:
        for batch in batches(rows, GROUP):
            with expressible(batch):
                wider = columns.widened(batch)
                if wider != columns:
                    return wider
                arrays = columns.arrays(batch)
            writer.write_batch(arrays)
    return None
