"""The figures as one picture: who is how fast, how it grows, what it takes, where the time goes."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import figures
import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch

OWN, SPARK, PLAIN, LIMIT = "#0b6e99", "#e07a3f", "#8a8f98", "#3a3f47"
COLORS = {
    "mapreduce": OWN,
    "mapreduce-local": "#5fa8c7",
    "spark-dataframe": SPARK,
    "spark-rdd": "#f0b48f",
    "counter": PLAIN,
    "c": LIMIT,
}
LINES: dict[Any, Any] = {
    "text.color": "#22262b",
    "axes.labelcolor": "#22262b",
    "axes.edgecolor": "#b8bdc4",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.grid": True,
    "grid.color": "#e6e8eb",
    "axes.axisbelow": True,
    "font.size": 9,
    "xtick.color": "#5b616a",
    "ytick.color": "#22262b",
    "legend.frameon": False,
}

SCHEDULER_LIMIT, EXECUTOR_LIMIT = 300, 400
"""MB, the goals."""


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw the panels that there are figures for."""
    panels = [partial(panel, results) for part, panel in PANELS if part in results]
    about = results["machine"]
    sheet(panels, f"Counting words, {about['machine']}, {about['measured']}", path)


def sheet(panels: Sequence[Callable[[Axes], None]], note: str, path: Path) -> None:
    """Draw panels, two in a row, with a note above; nothing where there are none."""
    if not panels:
        return
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    layout = ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12)
    with plt.rc_context(LINES):
        figure, axes = plt.subplots(
            rows, columns, figsize=(6.4 * columns, 3.7 * rows), squeeze=False, layout=layout
        )
        for number, place in enumerate(axes.flat):
            if number < len(panels):
                panels[number](place)
            else:
                place.set_axis_off()
        figure.suptitle(note, fontsize=8, color="#5b616a", x=0.995, ha="right")
        figure.savefig(path, dpi=150)
        plt.close(figure)


def _contenders(results: dict[str, Any], axes: Axes) -> None:
    """Draw a bar for each who counts the largest text that all count."""
    entry = results["ratios"][-1]
    own = entry["runs"]["mapreduce"]
    names = [name for name in COLORS if name in entry["runs"]]
    names.sort(key=lambda name: figures.seconds(entry["runs"][name]), reverse=True)
    longest = figures.seconds(entry["runs"][names[0]])
    for place, name in enumerate(names):
        runs = entry["runs"][name]
        median = figures.seconds(runs)
        least, most = figures.spread(runs)
        axes.barh(place, median, color=COLORS[name], height=0.62)
        axes.plot([least, most], [place, place], color="#22262b", linewidth=1)
        times = figures.ratio(own, runs)
        label = f"{median:.1f} s" + ("" if name == "mapreduce" else f"   {times:.1f} x")
        axes.text(most + longest * 0.015, place, label, va="center", fontsize=9)
    axes.set_yticks(range(len(names)), [results["names"][name] for name in names])
    axes.set_xlim(0, longest * 1.2)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("seconds from process start to result, and how many times as long as mapreduce")
    axes.set_title(f"{_short(entry['size'] / 1e6)} of text, {results['cores']} cores")


def _growth(results: dict[str, Any], axes: Axes) -> None:
    """Draw the speed at each size of text."""
    entries = results["growth"]
    sizes = [entry["size"] / 1e6 for entry in entries]
    for name in entries[0]["runs"]:
        rates = [
            size / figures.seconds(entry["runs"][name])
            for size, entry in zip(sizes, entries, strict=True)
        ]
        axes.plot(sizes, rates, marker="o", color=COLORS[name], linewidth=2, markersize=4.5)
        axes.annotate(
            results["names"][name], (sizes[-1], rates[-1]), xytext=(0, 7),
            textcoords="offset points", ha="right", color=COLORS[name], fontweight="bold",
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_ylim(0, axes.get_ylim()[1] * 1.12)
    axes.set_xticks(sizes, [_short(size) for size in sizes])
    axes.minorticks_off()
    axes.set_ylabel("MB/s, whole process")
    axes.set_title("Growth of the text")


def _memory(results: dict[str, Any], axes: Axes) -> None:
    """Draw the memory at each size of text."""
    entries = results["growth"]
    _memory_lines(axes, [entry["size"] / 1e6 for entry in entries], entries)
    axes.set_xticks(*_labels([entry["size"] / 1e6 for entry in entries], _short))
    axes.set_title("Peak memory as the text grows")


def _words(results: dict[str, Any], axes: Axes) -> None:
    """Draw the memory at each number of different words."""
    entries = results["words"]
    counts = [entry["different"] for entry in entries]
    _memory_lines(axes, counts, entries)
    axes.set_xticks(*_labels(counts, _number))
    axes.set_xlabel("different words")
    axes.set_title("Peak memory as the vocabulary grows")


def _memory_lines(axes: Axes, places: list[float], entries: list[dict[str, Any]]) -> None:
    own = [entry["runs"]["mapreduce"] for entry in entries]
    lines = {
        "scheduler": ([figures.scheduler_memory(runs) for runs in own], OWN, SCHEDULER_LIMIT),
        "an executor": (
            [figures.executor_memory(runs, "resident") for runs in own], SPARK, EXECUTOR_LIMIT,
        ),
    }  # fmt: skip
    for name, (values, color, limit) in lines.items():
        axes.plot(places, values, marker="o", color=color, linewidth=2, markersize=4.5, label=name)
        axes.axhline(limit, color=color, linewidth=1, linestyle=(0, (4, 3)), alpha=0.7)
        axes.text(places[0], limit + 5, f"goal: {name} below {limit} MB", fontsize=7.5, color=color)
    axes.set_xscale("log")
    axes.minorticks_off()
    axes.set_ylim(0, max(EXECUTOR_LIMIT * 1.15, axes.get_ylim()[1]))
    axes.set_ylabel("MB")
    axes.legend(loc="lower right")


def _timeline(results: dict[str, Any], axes: Axes) -> None:
    """Draw what each worker did in one run at the largest text that all count."""
    entry = results["ratios"][-1]
    run = entry["runs"]["mapreduce"][-1]
    spans = [span for span in run["report"]["timeline"] if span["worker"]]
    rows = sorted({(span["agent"], span["worker"]) for span in spans})
    for span in spans:
        place = rows.index((span["agent"], span["worker"]))
        axes.barh(
            place, span["ended"] - span["began"], left=span["began"], height=0.7,
            color=OWN if span["kind"] == "map" else SPARK, edgecolor="white", linewidth=0.6,
        )  # fmt: skip
    agents = {
        agent: f"agent {number}" for number, agent in enumerate(sorted({a for a, _ in rows}), 1)
    }
    axes.set_yticks(range(len(rows)), [f"{agents[agent]}, worker" for agent, _ in rows])
    axes.set_xlim(0, run["report"]["seconds"])
    axes.grid(visible=False, axis="y")
    kinds = {span["kind"] for span in spans}
    shown = [Patch(color=OWN, label="map")] + [Patch(color=SPARK, label="reduce")] * (
        "reduce" in kinds
    )
    axes.legend(handles=shown, loc="upper left", ncols=2)
    axes.set_ylim(-0.6, len(rows) + 0.3)
    axes.set_xlabel("seconds since the run began")
    axes.set_title(f"The workers' tasks, {_short(entry['size'] / 1e6)}")


def _agents(results: dict[str, Any], axes: Axes) -> None:
    """Draw a bar for each number of agents, with the text served and with it on the agents."""
    entries = results["agents"]
    labels: list[str] = []
    longest = 0.0
    for name in entries[0]["runs"]:
        first = figures.seconds(entries[0]["runs"][name])
        for entry in entries:
            median = figures.seconds(entry["runs"][name])
            longest = max(longest, median)
            speed_up = "" if entry is entries[0] else f"   speed-up {first / median:.2f}"
            axes.barh(len(labels), median, color=COLORS[name], height=0.62)
            axes.text(median * 1.02, len(labels), f"{median:.1f} s{speed_up}", va="center")
            count = entry["agents"]
            where = "text there" if name == "mapreduce-local" else "text served"
            labels.append(f"{count} agent{'s' * (count > 1)}, {where}")
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.set_xlim(0, longest * 1.35)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("seconds from process start to result")
    axes.set_title(f"A core for each agent, {_short(entries[0]['size'] / 1e6)}")


PANELS: list[tuple[str, Callable[[dict[str, Any], Axes], None]]] = [
    ("ratios", _contenders),
    ("growth", _growth),
    ("ratios", _timeline),
    ("growth", _memory),
    ("words", _words),
    ("agents", _agents),
]


def _labels(values: list[float], name: Callable[[float], str]) -> tuple[list[float], list[str]]:
    return values, [name(value) for value in values]


def _short(megabytes: float) -> str:
    return f"{megabytes / 1000:.0f} GB" if megabytes > 998 else f"{megabytes:.0f} MB"


def _number(count: float) -> str:
    return f"{count / 1e6:g} M" if count >= 1e6 else f"{count / 1e3:g} k"
