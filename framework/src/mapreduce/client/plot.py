"""Drawing a run, with the `plot` extra: its first keys, and its tasks over time on each agent."""

import importlib
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapreduce.client import output
from mapreduce.client.output import Row
from mapreduce.errors import UsageError

if TYPE_CHECKING:
    from mapreduce.scheduler.result import Result, Span

KEYS = 20
"""Keys that are drawn."""

LANES, AGENTS = 64, 32
"""Workers and agents that are drawn at most: those that began first, the first by name."""

MANY = 100
"""Tasks of a lane that leave no room for white between them."""

LONGEST = 24
"""Characters of a key; longer ones are cut."""

INK, FAINT, GRID = "#22303c", "#7b8794", "#e4e8ec"
COLOURS = {
    "offers": "#eef1f4",
    "start-up": "#d9dee3",
    "map": "#3d7ab8",
    "map, speculative": "#8ec1ea",
    "reduce": "#2f9e77",
    "reduce, speculative": "#93d6bd",
    "done by another": "#c7b8e0",
    "failed": "#d1495b",
    "lost": "#e9963e",
}
"""What a bar of the time chart stands for; in the legend's order."""

STYLE: dict[str, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "xtick.color": FAINT,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "mapreduce",  # the same result gives the same file
    "text.parse_math": False,  # a key may hold dollars
}

WIDE_FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Noto Sans", "Symbola")
"""Fonts with letters that the first one lacks, used where they are installed."""


def check(path: Path) -> None:
    """Raise UsageError unless a picture can be drawn there; before any work is done."""
    if path.suffix not in (".png", ".svg"):
        raise UsageError(f"The plot {str(path)!r} must end in .png or .svg.")
    output.require("matplotlib", "plot", f"The plot {str(path)!r}")
    output.check_folder(path, "plot")


def write(path: Path, job: str, result: "Result") -> None:
    """Draw a result; the file appears complete or not at all. Raises OutputError."""
    matplotlib = importlib.import_module("matplotlib")
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that no font has are drawn as boxes
        matplotlib.rcParams["font.family"] = [*STYLE["font.family"], *_installed(WIDE_FONTS)]
        figure = draw(job, result)
        with output.replacing(path, "plot") as file:
            metadata = {"Date": None} if path.suffix == ".svg" else {}
            figure.savefig(file, format=path.suffix[1:], dpi=160, metadata=metadata)


def _installed(names: Sequence[str]) -> list[str]:
    from matplotlib import font_manager

    known = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in names if name in known]


def draw(job: str, result: "Result") -> Any:
    """Return the figure: the first keys above, where these have sizes, and the tasks below."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    bars = [(key, value) for key, value in map(_magnitude, result.top(KEYS)) if value is not None]
    lanes = _lanes(result.timeline)
    heights = [0.6 + 0.2 * max(4, len(bars))] * bool(bars) + [0.9 + 0.2 * max(2, _rows(lanes))]
    figure = Figure(
        figsize=(10, 0.9 + sum(heights) + 0.5 * len(heights)),
        layout=ConstrainedLayoutEngine(h_pad=0.14, w_pad=0.14),
    )
    figure.suptitle(
        f"{job}: {result.keys:,} keys", x=0.012, ha="left", fontsize=14, fontweight="bold"
    )
    axes = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    if bars:
        _draw_keys(axes[0], bars)
    _draw_tasks(axes[-1], lanes, result.timeline)
    return figure


# Keys


def _magnitude(row: Row) -> tuple[str, float | None]:
    """Return a key, fit to be drawn, and how long its bar is: a number, or how many are listed."""
    key, value = row
    if isinstance(value, list | dict):
        value = len(value)
    drawn = isinstance(value, int | float) and not isinstance(value, bool)
    return _label(key), float(value) if drawn and math.isfinite(value) else None


def _label(key: str) -> str:
    r"""Return a key without what cannot be drawn; bytes that are no UTF-8 as \xNN."""
    shown = "".join(c if c.isprintable() else f"\\x{_code(c):02x}" for c in key[: LONGEST + 1])
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"


def _code(character: str) -> int:
    code = ord(character)
    return code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code


def _draw_keys(axes: Any, bars: Sequence[tuple[str, float]]) -> None:
    places = range(len(bars))
    drawn = axes.barh(places, [value for _, value in bars], color=COLOURS["map"], height=0.72)
    axes.bar_label(
        drawn, [f"{value:,.15g}" for _, value in bars], padding=4, fontsize=8, color=FAINT
    )
    axes.set_yticks(places, [key for key, _ in bars])
    axes.set_ylim(max(len(bars), 4) - 0.5, -0.5)
    axes.margins(x=0.09)
    axes.tick_params(left=False, bottom=False, labelbottom=False)
    axes.spines[["bottom", "left"]].set_visible(False)
    _title(axes, f"The first {len(bars)} keys" if len(bars) > 1 else "The first key")


# Tasks

Lanes = dict[str, list[list["Span"]]]
"""The spans of each agent by worker, in the order in which the workers began."""


def _lanes(timeline: Sequence["Span"]) -> Lanes:
    """Give each worker of each agent a lane; tasks that no worker reported share free lanes."""
    agents: dict[str, dict[tuple[int, int], list[Span]]] = {}
    for span in sorted(timeline, key=lambda span: span.began):
        if span.kind == "offers":
            continue
        workers = agents.setdefault(span.agent, {})
        if span.kind != "start":
            workers.setdefault(_lane(span, workers), []).append(span)
    return {agent: list(agents[agent].values()) for agent in sorted(agents)[:AGENTS]}


def _lane(span: "Span", workers: dict[tuple[int, int], list["Span"]]) -> tuple[int, int]:
    if span.worker:
        return span.worker, 0
    free = (n for n in range(len(workers) + 1) if _free((0, n), workers, span.began))
    return 0, next(free)


def _free(lane: tuple[int, int], workers: dict[tuple[int, int], list["Span"]], at: float) -> bool:
    return lane not in workers or workers[lane][-1].ended <= at


def _rows(lanes: Lanes) -> int:
    return min(LANES, sum(len(workers) for workers in lanes.values())) + len(lanes)


def _meaning(span: "Span") -> str:
    if span.outcome != "done":
        return {"killed": "done by another"}.get(span.outcome, span.outcome)
    return f"{span.kind}, speculative" if span.speculative else span.kind


def _draw_tasks(axes: Any, lanes: Lanes, timeline: Sequence["Span"]) -> None:
    used = set(_draw_lanes(axes, lanes, timeline))
    end = max((span.ended for span in timeline), default=1.0)
    for span in timeline:
        if span.kind == "offers":
            axes.axvspan(span.began, span.ended, color=COLOURS["offers"], lw=0, zorder=1)
            used.add("offers")
    axes.set_xlim(0, end * 1.01)
    axes.xaxis.set_major_formatter(lambda seconds, _: f"{seconds:g} s")
    axes.grid(axis="x", color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(left=False)
    axes.spines["left"].set_visible(False)
    agents = len({span.agent for span in timeline if span.kind != "offers"})
    more = f", the first {len(lanes)} of {agents} agents" if agents > len(lanes) else ""
    _title(axes, f"Tasks over time, a line for each worker{more}")
    _legend(axes, [name for name in COLOURS if name in used])


def _draw_lanes(axes: Any, lanes: Lanes, timeline: Sequence["Span"]) -> Iterator[str]:
    """Draw all bars; yield what they mean."""
    row, ticks = 0.0, []
    for agent, workers in lanes.items():
        shown = workers[: max(1, LANES // len(lanes))]
        top = row
        for spans in shown:
            for meaning in sorted({_meaning(span) for span in spans}):
                chosen = [span for span in spans if _meaning(span) == meaning]
                _draw_bars(axes, chosen, row, meaning)
                yield meaning
            row += 1
        starts = [span for span in timeline if span.kind == "start" and span.agent == agent]
        row = max(row, top + 1)
        if starts:
            _draw_bars(axes, starts, (top + row - 1) / 2, "start-up", row - top - 0.2)
            yield "start-up"
        more = f"\n(first {len(shown)} of {len(workers)})" if len(shown) < len(workers) else ""
        ticks.append(((top + row - 1) / 2, f"{agent or 'unknown'}{more}"))
        row += 0.6
    axes.set_yticks([place for place, _ in ticks], [name for _, name in ticks])
    axes.set_ylim(max(row - 1, 0.5), -0.6)


def _draw_bars(
    axes: Any, spans: Sequence["Span"], row: float, meaning: str, height: float = 0.8
) -> None:
    lengths = [(span.began, max(span.ended - span.began, 0.0)) for span in spans]
    axes.broken_barh(
        lengths,
        (row - height / 2, height),
        facecolors=COLOURS[meaning],
        edgecolors="white",
        lw=0.4 if len(spans) < MANY else 0,
        zorder=1.5 if meaning == "start-up" else 2,
    )


def _legend(axes: Any, names: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(facecolor=COLOURS[name], label=name) for name in names]
    axes.legend(
        handles=patches,
        ncols=len(patches) or 1,
        loc="upper left",
        bbox_to_anchor=(0, 0),
        frameon=False,
        fontsize=8,
        handlelength=1.2,
        columnspacing=1.2,
        borderaxespad=2.6,  # below the axis' labels
        borderpad=0,
    )


def _title(axes: Any, text: str) -> None:
    axes.set_title(text, loc="left", fontsize=10, color=FAINT, pad=6)
