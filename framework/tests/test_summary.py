"""The summary adds up: each second of wall time is in one line, and only once."""

import json

import pytest

from mapreduce.client import summary
from mapreduce.client.output import OutputError
from mapreduce.job import Job
from mapreduce.scheduler.result import Result, Span

PHASES = {
    "preparing": 0.5,
    "offers": 0.25,
    "start-up": 0.75,
    "map": 6.0,
    "shuffle": 0.0,
    "reduce": 1.0,
    "output": 0.5,
    "input wait": 1.5,
    "mapping": 20.25,
}


def span(kind, **more):
    return Span(kind=kind, agent="a", worker=1, began=0, ended=1, **more)


TIMELINE = [
    span("offers"),
    span("start"),
    span("map"),
    span("map", outcome="lost"),
    span("map", outcome="lost"),
    span("map", speculative=True),
    span("map", outcome="killed"),
    span("reduce"),
    span("reduce", outcome="failed"),
]


@pytest.fixture
def result():
    return Result(
        job=Job(), keys=12345, files=[], limit=None, timeline=TIMELINE, phases=dict(PHASES)
    )


def test_the_phases_and_the_rest_are_the_whole(result):
    """Seconds of workers, of which many pass at once, are not among them."""
    wall = summary.wall(result.phases, 10.0)
    assert wall[summary.REST] == pytest.approx(1.0)
    assert sum(wall.values()) == pytest.approx(10.0)


def test_what_was_read_is_what_counts():
    """No attempt that was lost, or came second."""
    outcomes = ["done", "lost", "killed", "done"]
    timeline = [span("map", bytes=10**n, outcome=o) for n, o in enumerate(outcomes)]
    assert summary.read([*timeline, span("reduce", bytes=7)]) == 1001


def test_the_lines_say_where_the_time_went(result):
    """A line a phase that took time, then workers, tasks, and the whole."""
    lines = list(summary.lines(result, 1_000_000_000, 10.0))
    assert lines == [
        "  preparing     0.50 s   5%  ▇▇",
        "  offers        0.25 s   2%  ▇",
        "  start-up      0.75 s   8%  ▇▇",
        "  map           6.00 s  60%  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇",
        "  reduce        1.00 s  10%  ▇▇▇",
        "  output        0.50 s   5%  ▇▇",
        "  the rest      1.00 s  10%  ▇▇▇",
        "Workers: 20.2 s mapping and 1.5 s waiting for input, all together",
        "Tasks: 5 map, 2 reduce, 2 lost, 1 failed, 1 speculative",
        "12345 keys from 1.0 GB in 10.0 s (100.0 MB/s)",
    ]


def test_a_run_of_nothing_has_a_summary(result):
    """No rate, no tasks, no division by nothing, and a word about it."""
    result.timeline, result.phases, result.keys = [], {}, 0
    assert list(summary.lines(result, 0, 0.5))[-3:] == [
        "Tasks: none",
        "There are no keys: the job found none, the inputs are empty.",
        "0 keys from 0 bytes in 0.5 s",
    ]
    assert list(summary.lines(result, 5, 0.5))[-2] == "There are no keys: the job found none."


def test_the_report_is_the_same_for_programs(result, tmp_path):
    """JSON with every span."""
    path = tmp_path / "report.json"
    summary.write(path, result, 10**9, 10.0)
    read = json.loads(path.read_text())
    assert (read["keys"], read["bytes"], read["seconds"]) == (12345, 10**9, 10.0)
    assert read["phases"] == PHASES
    assert read["wall"]["the rest"] == pytest.approx(1.0)
    assert [found["kind"] for found in read["timeline"]] == [s.kind for s in TIMELINE]


def test_a_report_that_cannot_be_written_is_named(result, tmp_path):
    """As every file is."""
    with pytest.raises(OutputError, match=r"The report .* cannot be written: Is a directory"):
        summary.write(tmp_path, result, 1, 1.0)
