"""The picture of a run shows its first keys, and every task where and when it ran."""

import warnings

import pytest

from mapreduce.client import output
from mapreduce.errors import UsageError
from mapreduce.exchange.results import write_rows
from mapreduce.job import Job
from mapreduce.scheduler.result import Result, Span

pytest.importorskip("matplotlib")

from matplotlib.colors import to_hex

from mapreduce.client import plot


class ByNumber(Job):
    def order(self, row):
        return 0


ROWS = [("the", 300), ("and", 200.5), ("$x_2$", 100), ("b\udcff\x1b", 50), ("你\ud800" * 20, 1)]

TIMELINE = [
    Span(kind="offers", agent="", worker=0, began=0, ended=0.5),
    Span(kind="start", agent="agent1", worker=0, began=0.5, ended=1, task="mapreduce-1"),
    Span(kind="start", agent="agent2", worker=0, began=0.5, ended=1, task="mapreduce-2"),
    Span(kind="map", agent="agent1", worker=11, began=1, ended=3, task="map-1"),
    Span(kind="map", agent="agent1", worker=12, began=1, ended=2, task="map-2"),
    Span(kind="map", agent="agent1", worker=12, began=2, ended=3, task="map-3", outcome="failed"),
    Span(kind="map", agent="agent2", worker=0, began=1, ended=4, task="map-4", outcome="lost"),
    Span(kind="map", agent="agent2", worker=0, began=2, ended=4, task="map-5", outcome="lost"),
    Span(kind="map", agent="agent1", worker=11, began=3, ended=5, task="map-6", speculative=True),
    Span(kind="map", agent="agent2", worker=21, began=4, ended=5, task="map-7", outcome="killed"),
    Span(kind="reduce", agent="agent2", worker=21, began=5, ended=6, task="reduce-1"),
]


@pytest.fixture
def result(tmp_path):
    """A function that makes a result of rows and a timeline."""

    def make(rows=ROWS, timeline=TIMELINE):
        file = tmp_path / "rows"
        write_rows(file, rows)
        return Result(
            job=ByNumber(), keys=len(rows), files=[file], limit=None, timeline=list(timeline)
        )

    return make


def axes_of(result):
    return plot.draw("wordcount", result).axes


def bars_of(axes):
    """Return (row, began, ended, colour) of each bar in a chart of tasks."""
    found = []
    for drawn in axes.collections:
        for path in drawn.get_paths():
            box = path.get_extents()
            colour = to_hex(drawn.get_facecolor()[0])
            found.append((round(box.y0 + box.height / 2, 2), box.x0, box.x1, colour))
    return found


def test_the_first_keys_are_bars_with_their_values(result):
    """In the result's order, and whatever is in a key is shown rather than obeyed."""
    keys, _ = axes_of(result())
    assert [bar.get_width() for bar in keys.patches] == [300, 200.5, 100, 50, 1]
    names = [label.get_text() for label in keys.get_yticklabels()]
    assert names[:4] == ["the", "and", "$x_2$", "b\\xff\\x1b"]
    assert len(names[4]) <= plot.LONGEST
    assert [text.get_text() for text in keys.texts] == ["300", "200.5", "100", "50", "1"]


def test_lists_are_as_long_as_what_they_list(result):
    """Such as the places of an inverted index."""
    keys, _ = axes_of(result([("a", [1, 2, 3]), ("b", {"x": 1}), ("c", "text")]))
    assert [bar.get_width() for bar in keys.patches] == [3, 1]


def test_without_numbers_there_are_only_the_tasks(result):
    """Words have no length that would say something."""
    assert len(axes_of(result([("a", "x"), ("b", None), ("c", True), ("d", float("nan"))]))) == 1


def test_every_task_is_drawn_when_it_ran_in_the_colour_of_its_end(result):
    """Lost, failed, speculative and spare ones are told apart; so are the kinds."""
    assert len(set(plot.COLOURS.values())) == len(plot.COLOURS)
    tasks = axes_of(result())[1]
    drawn = sorted((began, ended, colour) for _, began, ended, colour in bars_of(tasks))
    expected = [
        (0.5, 1, "start-up"),
        (0.5, 1, "start-up"),
        (1, 3, "map"),
        (1, 2, "map"),
        (2, 3, "failed"),
        (1, 4, "lost"),
        (2, 4, "lost"),
        (3, 5, "map, speculative"),
        (4, 5, "done by another"),
        (5, 6, "reduce"),
    ]
    assert drawn == sorted((began, ended, plot.COLOURS[name]) for began, ended, name in expected)
    legend = [text.get_text() for text in tasks.get_legend().get_texts()]
    assert set(legend) == {"offers", *(name for _, _, name in expected)}


def test_no_bar_hides_another(result):
    """A worker has a line of its own; tasks of which no worker told share what lines are free."""
    drawn = [bar for bar in bars_of(axes_of(result())[1]) if bar[3] != plot.COLOURS["start-up"]]
    for number, (row, began, ended, _) in enumerate(drawn):
        for other_row, other_began, other_ended, _ in drawn[number + 1 :]:
            assert row != other_row or ended <= other_began or other_ended <= began


def test_a_great_cluster_is_drawn_in_part_and_says_so(result):
    """A picture of a thousand lines shows nothing."""
    timeline = [
        Span(kind="map", agent=f"agent{agent:03}", worker=worker + 1, began=0, ended=1)
        for agent in range(100)
        for worker in range(10)
    ]
    tasks = axes_of(result(timeline=timeline))[-1]
    labels = [label.get_text() for label in tasks.get_yticklabels()]
    assert len(labels) == plot.AGENTS
    assert labels[0] == "agent000\n(first 2 of 10)"
    assert len(bars_of(tasks)) == plot.LANES
    assert "the first 32 of 100 agents" in tasks.get_title(loc="left")


@pytest.mark.parametrize(("rows", "timeline"), [(ROWS, TIMELINE), ([], [])])
@pytest.mark.parametrize(("name", "magic"), [("p.png", b"\x89PNG"), ("p.svg", b"<?xml")])
def test_a_file_is_written(tmp_path, result, name, magic, rows, timeline):
    """Without a word about letters that no font has; also of a run that found nothing."""
    odd = [("$\\nonsense$", 5), ("\U00012000", 4)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plot.write(tmp_path / name, "wordcount", result(rows and [*rows, *odd], timeline))
    assert (tmp_path / name).read_bytes().startswith(magic)


def test_the_same_run_gives_the_same_drawing(tmp_path, result):
    """So that it can be kept beside sources."""
    for name in ("a.svg", "b.svg"):
        plot.write(tmp_path / name, "wordcount", result())
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


@pytest.mark.parametrize(
    ("name", "message"), [("p.gif", r"must end in \.png or \.svg"), ("no/p.png", "does not exist")]
)
def test_a_plot_that_cannot_be_is_refused_beforehand(tmp_path, name, message):
    """Not after the work is done."""
    with pytest.raises(UsageError, match=message):
        plot.check(tmp_path / name)


def test_a_missing_library_is_named_beforehand(tmp_path, monkeypatch):
    """With what to install."""
    monkeypatch.setattr(output.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"needs matplotlib: pip install 'mesos-mapreduce\[plot"):
        plot.check(tmp_path / "p.png")
