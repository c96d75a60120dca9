"""Files of rows: what is written comes back, in order, without being held in memory at once."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce.exchange import results

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.lists(st.tuples(st.text(), values)))
def test_rows_come_back_as_written(tmp_path_factory, rows):
    """Whatever JSON can express, and every text."""
    path = tmp_path_factory.mktemp("rows") / "rows"
    assert results.write_rows(path, iter(rows)) == len(rows)
    assert list(results.read_rows(path)) == rows


@pytest.mark.parametrize("value", [1, "x" * 50_000])
def test_many_rows_need_little_memory(tmp_path, value):
    """A merge reads many files at once: neither many rows nor large ones may pile up."""
    count = 200_000 if value == 1 else 400
    path = tmp_path / "rows"
    tracemalloc.start()
    try:
        written = results.write_rows(path, ((f"key {n}", value) for n in range(count)))
        seen = sum(1 for _ in results.read_rows(path))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert written == seen == count
    assert peak < 3_000_000


def test_rows_that_cannot_travel_are_refused(tmp_path):
    """The message says what can."""
    with pytest.raises(results.ResultError, match="plain data"):
        results.write_rows(tmp_path / "rows", [("a", object())])
