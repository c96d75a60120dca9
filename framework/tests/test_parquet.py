"""Parquet files hold the rows with the narrowest types that hold all of them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce.client import output

pa = pytest.importorskip("pyarrow")
from pyarrow import parquet as pq  # noqa: E402 only where the extra is installed

from mapreduce.client import parquet  # noqa: E402


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("parquet") / "rows.parquet"


def table(path, rows):
    output.write(path, lambda: iter(rows))
    return pq.read_table(path)


@pytest.mark.parametrize(
    ("values", "kind", "read"),
    [
        ([1, 2**40, None], pa.int64(), [1, 2**40, None]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([2**53 + 1, 2.5], pa.string(), ["9007199254740993", "2.5"]),
        ([2**63], pa.string(), ["9223372036854775808"]),
        ([True, None], pa.bool_(), [True, None]),
        ([True, 1], pa.string(), ["true", "1"]),
        (["ä", None], pa.string(), ["ä", None]),
        (["a\udcff"], pa.string(), ['"a\\udcff"']),
        (["x", 1], pa.string(), ['"x"', "1"]),
        ([[1, "x"], {"a": None}], pa.string(), ['[1, "x"]', '{"a": null}']),
        ([None], pa.string(), [None]),
        ([], pa.string(), []),
    ],
)
def test_the_type_of_the_values_is_that_which_holds_all(path, values, kind, read):
    """Nothing is rounded, nothing is lost; what has no type of its own is JSON."""
    found = table(path, [(f"key {n}", value) for n, value in enumerate(values)])
    assert found.schema.field("value").type == kind
    assert found.column("value").to_pylist() == read


def test_keys_are_strings_where_all_are_utf8(path):
    """What every reader of Parquet understands."""
    found = table(path, [("naïve", 1), ("", 2)])
    assert found.schema.field("key").type == pa.string()
    assert found.column("key").to_pylist() == ["naïve", ""]


def test_keys_are_the_inputs_bytes_where_one_is_not(path):
    """All of them: a column has one type."""
    found = table(path, [("naïve", 1), ("b\udcff", 2)])
    assert found.schema.field("key").type == pa.binary()
    assert found.column("key").to_pylist() == ["naïve".encode(), b"b\xff"]


def test_what_only_the_last_rows_tell_holds_for_all(path, monkeypatch):
    """The first rows are written again, as what the last ones need; in their order."""
    monkeypatch.setattr(parquet, "GROUP", 10)
    rows = [(f"key {n}", n) for n in range(35)] + [("x\udc80", 0.5)] + [("y", [])]
    found = table(path, rows)
    assert found.column("key").to_pylist()[-3:] == [b"key 34", b"x\x80", b"y"]
    assert found.column("value").to_pylist() == [*map(str, range(35)), "0.5", "[]"]


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()


@given(rows=st.lists(st.tuples(st.text(), VALUES), max_size=12), group=st.integers(1, 4))
def test_how_rows_are_grouped_changes_nothing(path, rows, group):
    """The same rows give the same table, whichever of them come together."""
    before, parquet.GROUP = parquet.GROUP, 1000
    try:
        expected = table(path, rows)
        parquet.GROUP = group
        found = table(path, rows)
    finally:
        parquet.GROUP = before
    assert found.equals(expected)


def test_as_many_groups_as_needed(path, monkeypatch):
    """Rows are never held together, but in groups."""
    monkeypatch.setattr(parquet, "GROUP", 100)
    output.write(path, lambda: ((str(n), n) for n in itertools.islice(itertools.count(), 1000)))
    assert pq.ParquetFile(path).metadata.num_row_groups == 10
