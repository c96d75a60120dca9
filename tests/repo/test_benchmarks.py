"""The benchmarks' own C programs count right, and figures come from runs as they should."""

import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))

import figures  # noqa: E402 found by the line above
from texts import Tools, made_up, repeated  # noqa: E402 likewise

SPACES = [chr(code) for code in range(0x3001) if chr(code).isspace()]
NEAR = ["\u0084", "\u00a1", "\u167f", "\u1fff", "\u200b", "\u2027", "\u2030", "\u3001", "é", "😀"]


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    if shutil.which("gcc") is None:
        pytest.skip("there is no gcc")
    return Tools.compiled(BENCHMARKS / "native", tmp_path_factory.mktemp("bin"))


def counted(tools, folder, text: bytes) -> bytes:
    (folder / "text").write_bytes(text)
    command = [tools.program("counter"), folder / "text", folder / "counts"]
    subprocess.run(command, check=True, timeout=60)
    return (folder / "counts").read_bytes()


def expected(text: bytes) -> bytes:
    words = Counter(text.decode("utf-8", "surrogateescape").split())
    rows = [(word.encode("utf-8", "surrogateescape"), count) for word, count in words.items()]
    rows.sort(key=lambda row: (-row[1], row[0]))
    return b"".join(b"%s\t%d\n" % row for row in rows)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.one_of(st.sampled_from([*SPACES, *NEAR]), st.text(max_size=3)), max_size=30))
def test_c_splits_where_python_does(tools, tmp_path, parts):
    """White space of every kind, characters close to it, and whatever else there is."""
    text = "".join(parts).encode("utf-8", "surrogatepass")
    assert counted(tools, tmp_path, text) == expected(text)


def test_c_counts_words_that_lie_across_the_pieces_it_reads(tools, tmp_path):
    """Pieces end amid words, amid wide white space, and amid one word longer than a piece."""
    text = ("wörter\u2003 " * 200_000 + "x" * 3_000_000 + " end").encode()
    assert counted(tools, tmp_path, text) == expected(text)


def test_the_fingerprint_ignores_order_and_nothing_else(tools, tmp_path):
    """The same lines in another order agree; one other count does not."""
    table = tmp_path / "table"
    prints = []
    for lines in (b"a\t1\nb\t2\n", b"b\t2\na\t1\n", b"a\t2\nb\t1\n", b"a\t1\n"):
        table.write_bytes(lines)
        prints.append(tools.digest_of(table))
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_a_made_up_text_has_the_words_and_counts_that_it_says(tools, tmp_path):
    """Its fingerprint, which comes without counting, is that of its counts."""
    text = made_up(1000, 2500, tmp_path, tools)
    counts = counted(tools, tmp_path, text.path.read_bytes())
    assert len(counts.splitlines()) == 1000
    assert sum(int(line.split(b"\t")[1]) for line in counts.splitlines()) == 2500
    assert tools.digest_of(tmp_path / "counts") == text.digest


def test_a_repeated_text_ends_with_a_whole_line(tools, tmp_path):
    """As many whole lines as the size allows, again and again from the first."""
    (tmp_path / "page.txt").write_bytes(b"one two\nthree\n")
    text = repeated(tmp_path / "page.txt", 40, tmp_path, tools)
    assert text.path.read_bytes() == b"one two\nthree\n" * 2 + b"one two\n"


def test_ratios_are_those_within_a_round():
    """A round in which everything is slow changes no ratio."""
    own = [{"seconds": 1.0}, {"seconds": 10.0}, {"seconds": 2.0}]
    others = [{"seconds": 3.0}, {"seconds": 30.0}, {"seconds": 8.0}]
    assert figures.ratios(own, others) == [3.0, 3.0, 4.0]
    assert figures.ratio(own, others) == 3.0


def test_time_in_which_any_task_maps_is_counted_once():
    """Tasks beside each other cover the same time; gaps between them lie outside."""
    spans = [(1.0, 2.0), (1.5, 3.0), (4.0, 5.0)]
    timeline = [{"kind": "map", "began": began, "ended": ended} for began, ended in spans]
    timeline.append({"kind": "reduce", "began": 5.0, "ended": 6.0})
    assert figures.outside([{"seconds": 6.0, "report": {"timeline": timeline}}]) == 0.5
