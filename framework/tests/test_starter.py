"""The job that `mapreduce new` writes runs as it is."""

import os

import pytest

from mapreduce.client import starter
from mapreduce.errors import UsageError
from mapreduce.job import Block, load


def test_the_new_job_runs(tmp_path):
    """With its defaults, and with the settings that its text shows."""
    path = tmp_path / "mine.py"
    starter.write(path)
    assert "mapreduce run mine.py:Pairs" in path.read_text()
    for arguments, rows in (
        ({}, [("to be", 2)]),
        ({"least": "1", "ignore_case": "no"}, [("To be", 1), ("be or", 1), ("to be", 1)]),
    ):
        job = load(f"{path}:{starter.NAME}", arguments)
        table = job.table()
        table.map(Block(b"To be or\n"))
        table.map(Block(b"to be\n\xff\n"))
        assert sorted(table.rows(), key=job.order) == rows


def test_the_new_job_never_replaces_a_file(tmp_path):
    """Work of an hour may be in it."""
    path = tmp_path / "mine.py"
    path.write_text("precious")
    with pytest.raises(UsageError, match="there already"):
        starter.write(path)
    assert path.read_text() == "precious"


def test_a_name_that_can_not_be_written_is_told(tmp_path):
    """With the reason."""
    with pytest.raises(UsageError, match=r"ends in \.py"):
        starter.write(tmp_path / "mine")
    with pytest.raises(UsageError, match=os.strerror(2)):
        starter.write(tmp_path / "none" / "mine.py")
