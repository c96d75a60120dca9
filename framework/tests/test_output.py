"""Result files hold the input's bytes, each format escaped as it does."""

import csv
import io
import json
import os

import pytest

from mapreduce import output
from mapreduce.errors import UsageError

ROWS = [("the", 3), ('say,"x"', 2), ("b\udcff", 1), ("na\u00efve", 1)]


def test_tsv_gives_the_inputs_bytes_back(tmp_path):
    """UTF-8 with surrogateescape, a row a line, in the order given."""
    path = tmp_path / "counts.tsv"
    output.write(path, ROWS)
    expected = b'the\t3\nsay,"x"\t2\n' + b"b\xff\t1\n" + "na\u00efve\t1\n".encode()
    assert path.read_bytes() == expected


def test_tsv_escapes_what_would_break_a_line(tmp_path):
    """Keys of other jobs may hold tabs and line ends."""
    path = tmp_path / "counts.tsv"
    output.write(path, [("a\tb\nc\r", 1.5), ("k", [1, "x"])])
    assert path.read_bytes() == b'a\\tb\\nc\\r\t1.5\nk\t[1, "x"]\n'


def test_csv_reads_back(tmp_path):
    """Commas and quotes are escaped as CSV does."""
    path = tmp_path / "counts.csv"
    output.write(path, ROWS)
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        assert [(key, int(value)) for key, value in csv.reader(file)] == ROWS


def test_json_reads_back_in_order(tmp_path):
    """One object; bytes that are no UTF-8 are lone surrogates, escaped."""
    path = tmp_path / "counts.json"
    output.write(path, ROWS)
    assert list(json.loads(path.read_text("ascii")).items()) == ROWS


def test_a_failed_write_leaves_the_old_file(tmp_path):
    """No partial result that looks complete."""
    path = tmp_path / "counts.json"
    path.write_text("old")
    with pytest.raises(TypeError):
        output.write(path, [("a", object())])
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["counts.json"]


def test_a_new_file_is_as_readable_as_any(tmp_path):
    """The umask decides, as for files made in any other way."""
    before = os.umask(0o027)
    try:
        output.write(tmp_path / "counts.tsv", [])
    finally:
        os.umask(before)
    assert (tmp_path / "counts.tsv").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("name", "message"),
    [("counts.xls", ".csv, .json, .tsv"), ("counts", "must end"), ("none/c.tsv", "does not exist")],
)
def test_an_output_that_cannot_be_is_refused_beforehand(tmp_path, name, message):
    """Not after the work is done."""
    with pytest.raises(UsageError, match=message):
        output.check(tmp_path / name)


def test_a_folder_is_no_output(tmp_path):
    """A folder that is named like a file is still a folder."""
    (tmp_path / "x.tsv").mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        output.check(tmp_path / "x.tsv")


def test_rows_for_people_stand_in_columns():
    """Values are aligned, and no byte stops the printing."""
    buffer = io.BytesIO()
    file = io.TextIOWrapper(buffer, "utf-8", "surrogateescape")
    output.show([("the", 300), ("b\udcff", 1)], file)
    assert buffer.getvalue() == b"300  the\n  1  b\xff\n"
