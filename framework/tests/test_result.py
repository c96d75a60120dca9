"""A result is the rows of all files in the job's order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce.errors import JobFailedError
from mapreduce.exchange import results
from mapreduce.job import Job
from mapreduce.scheduler.result import Result


class ByValue(Job[str, int]):
    def order(self, row):
        return -row[1], row[0]


class Bad(Job[str, int]):
    def order(self, row):
        raise ValueError("no")


def result(folder, shares, job=None, **more):
    files = []
    for number, rows in enumerate(shares):
        files.append(folder / f"rows-{number}")
        results.write_rows(files[-1], rows)
    fields = {"job": job or ByValue(), "keys": 0, "limit": None, **more}
    return Result(files=files, **fields)


ROWS = st.lists(st.tuples(st.text(), st.integers()), unique_by=lambda row: row[0])


@given(st.lists(ROWS, max_size=4))
def test_rows_come_in_order_as_often_as_asked(tmp_path_factory, shares):
    """Merged from files that are sorted each."""
    order = ByValue().order
    shares = [sorted(rows, key=order) for rows in shares]
    found = result(tmp_path_factory.mktemp("rows"), shares)
    expected = sorted((row for rows in shares for row in rows), key=order)
    assert list(found.rows()) == expected
    assert found.top(2) == expected[:2]
    assert list(found.rows()) == expected


def test_no_more_rows_come_than_the_run_was_for(tmp_path):
    """Each reducer sent its first ones; only the first of all are known to be right."""
    found = result(tmp_path, [[("a", 3), ("b", 1)], [("c", 2), ("d", 1)]], limit=2)
    assert list(found.rows()) == [("a", 3), ("c", 2)]
    assert found.top(9) == [("a", 3), ("c", 2)]


def test_what_the_job_raises_while_sorting_is_the_jobs_fault(tmp_path):
    """Not a traceback."""
    with pytest.raises(JobFailedError, match="sorting: ValueError: no"):
        list(result(tmp_path, [[("a", 1)], [("b", 1)]], Bad()).rows())


def ending(folder):
    done = []
    return done, result(
        folder, [], on_close=lambda: done.append("close"), on_keep=lambda: done.append("keep")
    )


def test_closing_removes_the_files_once(tmp_path):
    """However often it is done."""
    done, found = ending(tmp_path)
    with found:
        assert done == []
    found.close()
    assert done == ["close"]


def test_a_result_that_is_kept_is_not_removed(tmp_path):
    """Where writing it failed, it can be had again."""
    done, found = ending(tmp_path)
    with found:
        found.keep()
    assert done == ["keep"]
