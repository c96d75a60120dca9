"""The figures as Markdown: what was measured, on what, by which command, and the spread."""

import argparse
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import figures
from lab import ROOT

DOCUMENT = ROOT / "docs" / "benchmarks.md"
IMAGES = ROOT / "docs" / "images"

Results = dict[str, Any]
Drawing = Callable[[Results, Path], None]


def markdown(results: Results) -> str:
    """Return all parts that were measured."""
    parts = [
        part
        for name, function in PARTS.items()
        if name in results
        for part in ("", *function(results))
    ]
    return "\n".join([*_machine(results), "", *_goals(results), *parts]) + "\n"


def record(text: str, picture: Path, name: str = "benchmarks") -> None:
    """Put a text and its picture into the documents, where the name marks their place."""
    begin, end = f"<!-- begin of the recorded {name} -->", f"<!-- end of the recorded {name} -->"
    IMAGES.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(picture, IMAGES / f"{name}.png")
    before, _, rest = DOCUMENT.read_text().partition(begin)
    after = rest.partition(end)[2]
    DOCUMENT.write_text(f"{before}{begin}\n{text}{end}{after}")


def options(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Return what the command line asks for: where results go, besides the benchmark's own."""
    parser.add_argument("--folder", type=Path, default=ROOT / ".lab" / "bench", help="[.lab/bench]")
    parser.add_argument("--record", action="store_true", help="also into docs/benchmarks.md")
    return parser.parse_args()


def leave(
    name: str, results: Results, text: str, draw: Drawing, options: argparse.Namespace
) -> None:
    """Write results as NAME.json, .md and .png, print the text, record both where that is asked."""
    options.folder.mkdir(parents=True, exist_ok=True)
    (options.folder / f"{name}.json").write_text(json.dumps(results) + "\n")
    (options.folder / f"{name}.md").write_text(text)
    drawing = options.folder / f"{name}.png"
    draw(results, drawing)
    print(text)
    if options.record:
        record(text, drawing, name)


def _machine(results: Results) -> Iterator[str]:
    for name, value in results["machine"].items():
        yield f"- {name}: {value}"
    yield "- commands:"
    for name, command in results["commands"].items():
        yield f"  - {name}: `{command}`"


def _goals(results: Results) -> Iterator[str]:
    """Yield the goals that the project set itself, and how near it came."""
    yield from table("Goal", "Measured")
    if "book" in results:
        runs = results["book"]["runs"]["mapreduce"]
        yield row("The lab's book on a warm lab in less than 2 s", f"{figures.seconds(runs):.2f} s")
    for entry, times in zip(results.get("ratios", ()), (4, 5), strict=False):
        runs, text = entry["runs"], _size(entry["size"])
        spark = min(figures.ratio(runs["mapreduce"], runs[name]) for name in SPARKS)
        yield row(f"{text}: at least {times} times as fast as the better Spark", f"{spark:.1f}")
    for entry in results.get("ratios", ())[1:]:
        runs, text = entry["runs"], _size(entry["size"])
        counter = figures.ratio(runs["mapreduce"], runs["counter"])
        rate = figures.map_rate(runs["mapreduce"], entry["size"])
        limit = figures.core_rate(runs["c"], entry["size"])
        outside = figures.outside(runs["mapreduce"])
        yield row(f"{text}: at least 3 times as fast as one Counter", f"{counter:.1f}")
        yield row(f"{text}: map work per core at least 0.5 of C's speed", f"{rate / limit:.2f}")
        yield row(f"{text}: less than 30 % outside reading and mapping", f"{outside:.0%}")
    for entry in results.get("growth", ())[-1:]:
        runs, text = entry["runs"]["mapreduce"], _size(entry["size"])
        scheduler = figures.scheduler_memory(runs)
        executor = figures.executor_memory(runs, "resident")
        yield row(f"{text}: scheduler below 300 MB of memory", f"{scheduler:.0f} MB")
        yield row(f"{text}: each executor below 400 MB of memory", f"{executor:.0f} MB")
    for entry in results.get("words", ())[-1:]:
        runs = entry["runs"]["mapreduce"]
        resident = figures.executor_memory(runs, "resident")
        yield row(
            f"{entry['different']:,} different words end within the tasks' memory",
            f"{figures.seconds(runs):.0f} s, an executor {resident:.0f} MB",
        )


SPARKS = ("spark-dataframe", "spark-rdd")


def _book(results: Results) -> Iterator[str]:
    book = results["book"]
    runs = book["runs"]["mapreduce"]
    least, most = figures.spread(runs)
    yield (
        f"The lab's book, {_size(book['size'])}, on a warm lab: **{figures.seconds(runs):.2f} s** "
        f"({least:.2f} to {most:.2f}, {len(runs)} runs)."
    )


def _ratios(results: Results) -> Iterator[str]:
    for entry in results["ratios"]:
        runs, size = entry["runs"], entry["size"]
        own = runs["mapreduce"]
        yield f"**{_size(size)}**, {len(own)} interleaved rounds, process start to result:"
        yield ""
        yield from table(
            "Contender", "Runs", "Seconds (median)", "Least to most", "MB/s", "MB/s per core",
            "Times as long as mapreduce (median of the rounds)", "Least to most",
        )  # fmt: skip
        for name, others in runs.items():
            yield row(*_contender(results, name, own, others, size))
        yield ""
        yield from _insight(results, runs, size)
        yield ""


def _contender(
    results: Results, name: str, own: figures.Runs, others: figures.Runs, size: int
) -> Iterator[str]:
    median = figures.seconds(others)
    least, most = figures.spread(others)
    ratios = figures.ratios(own, others)
    cores = 1 if name in ("c", "counter") else results["cores"]
    copies = results["cores"] if name == "c-each" else 1
    rate = size * copies / 1e6 / median
    yield results["names"][name]
    yield str(len(others))
    yield f"{median:.2f}"
    yield f"{least:.2f} to {most:.2f}"
    yield f"{rate:.0f}"
    yield f"{rate / cores:.0f}"
    yield f"{figures.ratio(own, others):.2f}"
    yield f"{ratios[0]:.2f} to {ratios[-1]:.2f}"


def _insight(results: Results, runs: dict[str, figures.Runs], size: int) -> Iterator[str]:
    own = runs["mapreduce"]
    rate, limit = figures.map_rate(own, size), figures.core_rate(runs["c"], size)
    each = size / 1e6 / figures.seconds(runs["c-each"])
    yield (
        f"- Mapping alone: {rate:.0f} MB per second of a core's time, **{rate / limit:.2f}** of C "
        f"with a core to itself ({limit:.0f}), {rate / each:.2f} of C on all cores at once "
        f"({each:.0f} each)."
    )
    yield (
        f"- Wall time outside overlapped reading and mapping: **{figures.outside(own):.0%}**; "
        f"{figures.cores_mapping(own, results['cores']):.0%} of the cores' whole time went into "
        "mapping."
    )
    shares = ", ".join(f"{name} {value:.2f} s" for name, value in figures.phases(own).items())
    yield f"- Phases: {shares} (interpreter and teardown)."


def _growth(results: Results) -> Iterator[str]:
    yield "**Growth of the text.** Memory in MB, the largest of all runs:"
    yield ""
    names = list(results["growth"][0]["runs"])
    yield from table("Text", *_shared_heads(results, names), *MEMORY)
    for entry in results["growth"]:
        yield row(_size(entry["size"]), *_shared_cells(names, entry))


def _words(results: Results) -> Iterator[str]:
    size = results["words"][-1]["size"]
    yield f"**Growth of the vocabulary.** Made-up text of about {_size(size)}; memory in MB:"
    yield ""
    names = list(results["words"][0]["runs"])
    yield from table("Different words", *_shared_heads(results, names), *MEMORY)
    for entry in results["words"]:
        yield row(f"{entry['different']:,}", *_shared_cells(names, entry))


MEMORY = ("Scheduler", "An executor", "The same with its files' page cache")


def _shared_heads(results: Results, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        yield f"{results['names'][name]}, s"
        yield "MB/s"


def _shared_cells(names: Sequence[str], entry: dict[str, Any]) -> Iterator[str]:
    for name in names:
        runs = entry["runs"].get(name)
        if not runs:
            yield from ("", "")
            continue
        median = figures.seconds(runs)
        yield f"{median:.2f}"
        yield f"{entry['size'] / 1e6 / median:.0f}"
    own = entry["runs"]["mapreduce"]
    yield f"{figures.scheduler_memory(own):.0f}"
    yield f"{figures.executor_memory(own, 'resident'):.0f}"
    yield f"{figures.executor_memory(own, 'peak'):.0f}"


def _agents(results: Results) -> Iterator[str]:
    entries = results["agents"]
    yield (
        f"**Agents**, each kept to a core of its own, {_size(entries[0]['size'])}. The client that "
        "serves the text takes its share of the same cores; one that need not leaves them to the "
        "agents:"
    )
    yield ""
    yield from table("Contender", "Agents", "Seconds (median)", "Least to most", "MB/s", "Speed-up")
    for name in entries[0]["runs"]:
        first = figures.seconds(entries[0]["runs"][name])
        for entry in entries:
            runs = entry["runs"][name]
            median = figures.seconds(runs)
            least, most = figures.spread(runs)
            yield row(
                results["names"][name], str(entry["agents"]), f"{median:.2f}",
                f"{least:.2f} to {most:.2f}", f"{entry['size'] / 1e6 / median:.0f}",
                f"{first / median:.2f}",
            )  # fmt: skip


PARTS = {
    "book": _book,
    "ratios": _ratios,
    "growth": _growth,
    "agents": _agents,
    "words": _words,
}


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 999_000_000 else f"{count / 1e6:.1f} MB"


def table(*heads: str) -> Iterator[str]:
    """Yield the head of a table."""
    yield row(*heads)
    yield "|---" + "|---:" * (len(heads) - 1) + "|"


def row(*cells: str) -> str:
    """Return a line of a table."""
    return f"| {' | '.join(cells)} |"
