"""Result files hold the input's bytes, each format escaped as it does."""

import contextlib
import csv
import gzip
import io
import itertools
import json
import os
import pty
import resource
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapreduce.client import output
from mapreduce.errors import JobFailedError, UsageError

ROWS = [("the", 3), ('say,"x"', 2), ("b\udcff", 1), ("na\u00efve", 1)]


def write(path, rows):
    output.write(path, lambda: rows)


def test_tsv_gives_the_inputs_bytes_back(tmp_path):
    """UTF-8 with surrogateescape, a row a line, in the order given."""
    path = tmp_path / "counts.tsv"
    write(path, ROWS)
    expected = b'the\t3\nsay,"x"\t2\n' + b"b\xff\t1\n" + "na\u00efve\t1\n".encode()
    assert path.read_bytes() == expected


def test_tsv_escapes_what_would_break_a_line(tmp_path):
    """Keys and values of other jobs may hold tabs and line ends."""
    path = tmp_path / "counts.tsv"
    write(path, [("a\tb\nc\r", 1.5), ("k", [1, "ä"]), ("v", "1\t2\n")])
    assert path.read_bytes() == 'a\\tb\\nc\\r\t1.5\nk\t[1, "ä"]\nv\t1\\t2\\n\n'.encode()


@given(st.lists(st.tuples(st.binary(), st.integers())))
def test_any_bytes_are_one_line_each_and_come_back(rows):
    """Whatever the keys hold, a line is a row, and the escapes are all that changes."""
    buffer = io.BytesIO()
    texts = [(key.decode("utf-8", "surrogateescape"), value) for key, value in rows]
    with io.TextIOWrapper(buffer, "utf-8", "surrogateescape", newline="") as file:
        output._tsv(file, lambda: texts)
        file.flush()
        lines = buffer.getvalue().split(b"\n")
    escapes = {b"\t": b"\\t", b"\n": b"\\n", b"\r": b"\\r"}
    for (key, value), line in zip(rows, lines[:-1], strict=True):
        for byte, escape in escapes.items():
            key = key.replace(byte, escape)
        assert line == key + b"\t%d" % value


def test_csv_reads_back(tmp_path):
    """Commas and quotes are escaped as CSV does."""
    path = tmp_path / "counts.csv"
    write(path, ROWS)
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
        assert [(key, int(value)) for key, value in csv.reader(file)] == ROWS


@pytest.mark.parametrize("rows", [[], ROWS, [(f"key {n}", n) for n in range(output.BATCH + 1)]])
def test_json_reads_back_in_order(tmp_path, rows):
    """One object; bytes that are no UTF-8 are lone surrogates, escaped."""
    path = tmp_path / "counts.json"
    write(path, rows)
    assert list(json.loads(path.read_text("ascii")).items()) == rows


@pytest.mark.parametrize("name", ["counts.tsv", "counts.csv", "counts.json"])
def test_gz_holds_the_same_bytes(tmp_path, name):
    """Compressed, and nothing else is different; the same result gives the same file."""
    write(tmp_path / name, ROWS)
    write(tmp_path / f"{name}.gz", ROWS)
    packed = (tmp_path / f"{name}.gz").read_bytes()
    assert gzip.decompress(packed) == (tmp_path / name).read_bytes()
    write(tmp_path / f"{name}.gz", ROWS)
    assert (tmp_path / f"{name}.gz").read_bytes() == packed


@pytest.mark.parametrize("name", ["c.tsv", "c.csv", "c.json", "c.json.gz", "c.parquet"])
@pytest.mark.parametrize(
    "row",
    [("a", object()), ("a", {1: b"x"}), (b"a", 1), ("\ud800", 1)],
    ids=["object", "bytes", "key", "surrogate"],
)
def test_a_row_that_cannot_be_expressed_leaves_the_old_file(tmp_path, name, row):
    """No partial result that looks complete, and the message names the row."""
    if row == ("\ud800", 1) and "json" in name:
        pytest.skip("JSON can express it")
    path = tmp_path / name
    path.write_text("old")
    rows = [("fine", 1)] * 20 + [row]
    with pytest.raises(JobFailedError, match=r"cannot be written: the row b?'"):
        write(path, rows)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [name]


def test_a_row_source_that_fails_leaves_the_old_file(tmp_path):
    """Also when it is interrupted, half-way."""

    def rows():
        yield from ROWS
        raise KeyboardInterrupt

    path = tmp_path / "counts.tsv"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        output.write(path, rows)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["counts.tsv"]


@pytest.mark.parametrize("name", ["c.tsv", "c.csv.gz", "c.json", "c.parquet"])
def test_no_room_is_a_clear_message(tmp_path, name):
    """The file that was there stays; nothing half-written is left to find or to fill the disk."""
    path = tmp_path / name
    path.write_text("old")
    code = (
        "import os, random, resource, signal, sys\n"
        "from pathlib import Path\n"
        "from mapreduce.client import output\n"
        "path = Path(sys.argv[1])\n"
        "if path.suffix == '.parquet': from mapreduce.client import parquet\n"
        "chosen = random.Random(1)\n"
        "rows = [(chosen.randbytes(30).hex(), n) for n in range(20000)]\n"
        # A limit instead of a full disk: the system says EFBIG at the same place.
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: output.write(path, lambda: rows)\n"
        "except output.OutputError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert f"'{path}' cannot be written: File too large" in done.stdout, done.stderr
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [name]


def test_memory_is_that_of_a_batch(tmp_path):
    """However many the rows are: they are never held together."""
    rows = ((f"{number:0100}", number) for number in range(600_000))
    write(tmp_path / "first.tsv", itertools.islice(rows, 100_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    write(tmp_path / "rest.tsv", rows)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB, of 100 MB


KILLED = """
import os, signal, sys
from pathlib import Path
from mapreduce.client import output


def rows():
    yield from [("a", 1)] * 100_000
    os.kill(os.getpid(), signal.SIGKILL)


output.write(Path(sys.argv[1]), rows)
"""


def test_a_process_that_is_killed_leaves_nothing_behind(tmp_path):
    """Where the file system has files without a name."""
    with contextlib.suppress(OSError):
        os.close(os.open(tmp_path, os.O_TMPFILE | os.O_WRONLY))
        command = [sys.executable, "-c", KILLED, str(tmp_path / "counts.tsv")]
        assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL
        assert os.listdir(tmp_path) == []


def test_a_file_system_without_nameless_files_serves_as_well(tmp_path, monkeypatch):
    """The file has another name until it is whole."""
    monkeypatch.setattr(output, "_nameless", lambda folder: None)
    path = tmp_path / "counts.tsv"

    def rows():
        yield from ROWS[:1]
        (hidden,) = os.listdir(tmp_path)
        assert hidden.startswith(".counts.tsv.")

    output.write(path, rows)
    assert path.read_text() == "the\t3\n"
    assert os.listdir(tmp_path) == ["counts.tsv"]


def test_a_new_file_is_as_readable_as_any(tmp_path):
    """The umask decides, as for files made in any other way."""
    before = os.umask(0o027)
    try:
        write(tmp_path / "counts.tsv", [])
    finally:
        os.umask(before)
    assert (tmp_path / "counts.tsv").stat().st_mode & 0o777 == 0o640


def test_a_link_stays_one(tmp_path):
    """What it leads to is replaced."""
    (tmp_path / "link.tsv").symlink_to(tmp_path / "real.tsv")
    write(tmp_path / "link.tsv", ROWS[:1])
    assert (tmp_path / "link.tsv").is_symlink()
    assert (tmp_path / "real.tsv").read_text() == "the\t3\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("counts.xls", ".csv, .json, .parquet, .tsv"),
        ("counts", "must end"),
        ("counts.parquet.gz", "must end"),
        ("none/c.tsv", "does not exist"),
    ],
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


def test_a_missing_library_is_named_beforehand(tmp_path, monkeypatch):
    """With what to install."""
    monkeypatch.setattr(output.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"needs pyarrow: pip install 'mesos-mapreduce\[parquet\]"):
        output.check(tmp_path / "counts.parquet")


def test_standard_output_takes_lines(capfdbinary, monkeypatch):
    """`--output -`, for pipes; with the input's bytes."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.FileIO(1, "w", closefd=False)))
    write(output.Path("-"), ROWS)
    assert capfdbinary.readouterr().out.splitlines()[2] == b"b\xff\t1"


def shown(rows):
    buffer = io.BytesIO()
    file = io.TextIOWrapper(buffer, "utf-8", "surrogateescape")
    output.show(rows, file)
    return buffer.getvalue()


def test_rows_for_people_stand_in_columns():
    """Values are aligned, and no byte stops the printing."""
    assert shown([("the", 300), ("b\udcff", 1)]) == b"300  the\n  1  b\xff\n"


def test_values_that_are_no_numbers_stand_behind_their_keys():
    """They may be long."""
    rows = [("a", [1, 2]), ("bcd", "x\ny")]
    assert shown(rows) == b"a    [1, 2]\nbcd  x\\ny\n"


def test_a_terminal_gets_a_line_a_row_and_no_commands(monkeypatch):
    """What is in a text must not move the cursor or hide what follows."""
    monkeypatch.setenv("COLUMNS", "20")
    ours, its = pty.openpty()
    told = b""
    with open(ours, "rb", buffering=0) as seen, contextlib.suppress(OSError):
        with open(its, "w") as file:
            output.show([("\x1b[2J", 5), ("x" * 50, 4)], file)
        # A terminal hands on what has arrived, and an error after the last of it.
        while part := seen.read(1000):
            told += part
    assert told == b"5  \\x1b[2J\r\n4  " + b"x" * 16 + "…\r\n".encode()
