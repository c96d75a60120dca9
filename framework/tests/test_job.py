"""Jobs are found by name, and a wrong name says what is right."""

import pytest

from mapreduce.errors import UsageError
from mapreduce.job import Job, load, text
from mapreduce.jobs.wordcount import WordCount

FILE = """
from mapreduce import Job

class Longest(Job):
    def map(self, block):
        return {b"longest": max(map(len, block.split()), default=0)}
    def combine(self, left, right):
        return max(left, right)

ready = Longest()
number = 7
"""


def test_built_in_jobs_are_found_by_their_name():
    """`wordcount` needs no path."""
    assert isinstance(load("wordcount"), WordCount)


@pytest.mark.parametrize("name", ["Longest", "ready"])
def test_a_job_in_a_file_is_a_class_or_an_instance(tmp_path, name):
    """Both forms that people write are taken."""
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    job = load(f"{path}:{name}")
    totals = {}
    for block in (b"to be\n", b"or not\n"):
        job.merge(totals, job.map(block))
    assert [job.reduce(key, value) for key, value in totals.items()] == [("longest", 3)]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("worldcount", "Built in: wordcount"),
        ("mine.py", "path/to/file.py:name"),
        ("{dir}/none.py:Longest", "No such file"),
        ("{dir}/mine.py:number", "not a mapreduce.Job"),
        ("{dir}/mine.py:absent", "not a mapreduce.Job"),
        ("{dir}/broken.py:x", "SyntaxError"),
    ],
)
def test_a_wrong_name_says_what_is_wrong(tmp_path, name, message):
    """The message carries what the user needs to do next."""
    (tmp_path / "mine.py").write_text(FILE)
    (tmp_path / "broken.py").write_text("def (")
    with pytest.raises(UsageError, match=message):
        load(name.format(dir=tmp_path))


def test_rows_are_sorted_by_key_unless_a_job_says_otherwise():
    """The default order is by the key's text."""
    rows = sorted([("b", 1), ("a", 2)], key=Job().order)
    assert rows == [("a", 2), ("b", 1)]


def test_word_counts_come_highest_first_then_by_word():
    """The order that the result's files promise."""
    rows = sorted([("b", 1), ("c", 2), ("a", 1)], key=WordCount().order)
    assert rows == [("c", 2), ("a", 1), ("b", 1)]


def test_bytes_keys_become_text_without_loss():
    """Invalid UTF-8 comes back as the same bytes."""
    assert text(b"\xff\xc3\xbc").encode("utf-8", "surrogateescape") == b"\xff\xc3\xbc"
    assert text(7) == "7"
