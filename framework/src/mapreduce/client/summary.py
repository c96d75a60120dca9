"""What a run was, when it is over: for people as a short table, for programs as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapreduce.client.output import OutputError
from mapreduce.client.progress import size

if TYPE_CHECKING:
    from mapreduce.scheduler.result import Result, Span

PHASES = ("preparing", "offers", "start-up", "map", "shuffle", "reduce", "output")
"""The phases of wall time, one after the other."""

REST = "the rest"
"""Wall time in none of the phases, such as subscribing and the teardown."""

BAR = 30
"""Characters of a bar that stands for the whole time."""


def wall(phases: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Return the seconds of each phase and of what is between them; they add up to `seconds`."""
    found = {name: phases.get(name, 0.0) for name in PHASES}
    return {**found, REST: max(0.0, seconds - sum(found.values()))}


def lines(result: "Result", inputs: int, seconds: float) -> Iterator[str]:
    """Yield the lines of the summary: where the time went, what ran, and the whole in a line.

    `inputs` is the bytes of the inputs, `seconds` the wall time of all of it.
    """
    spent = wall(result.phases, seconds)
    width = max(map(len, spent))
    for name, took in spent.items():
        if took >= 0.005:
            bar = "▇" * round(BAR * took / seconds)
            yield f"  {name:<{width}} {took:8.2f} s {took / seconds:4.0%}  {bar}".rstrip()
    workers = _workers(result.phases)
    if workers:
        yield f"Workers: {workers}"
    yield f"Tasks: {tasks(result.timeline)}"
    if not result.keys:
        yield "There are no keys: the job found none" + (
            "." if inputs else ", the inputs are empty."
        )
    rate = f" ({size(round(inputs / seconds))}/s)" if inputs >= 1e6 else ""
    yield f"{result.keys} keys from {size(inputs)} in {seconds:.1f} s{rate}"


def _workers(phases: Mapping[str, float]) -> str:
    mapping, waiting = phases.get("mapping", 0.0), phases.get("input wait", 0.0)
    if not mapping:
        return ""
    return f"{mapping:.1f} s mapping and {waiting:.1f} s waiting for input, all together"


def read(timeline: Sequence["Span"]) -> int:
    """Return the bytes that the tasks that count have mapped, decompressed."""
    return sum(span.bytes for span in timeline if (span.kind, span.outcome) == ("map", "done"))


def tasks(timeline: Sequence["Span"]) -> str:
    """Return how many tasks there were of each kind, and how many of them ended otherwise."""
    ran = [span for span in timeline if span.kind in ("map", "reduce")]
    counts = [
        (sum(span.kind == "map" for span in ran), "map"),
        (sum(span.kind == "reduce" for span in ran), "reduce"),
        (sum(span.outcome == "lost" for span in ran), "lost"),
        (sum(span.outcome == "failed" for span in ran), "failed"),
        (sum(span.speculative for span in ran), "speculative"),
    ]
    return ", ".join(f"{count} {what}" for count, what in counts if count) or "none"


def report(result: "Result", inputs: int, seconds: float) -> dict[str, Any]:
    """Return the same as plain data, with all spans of the timeline."""
    return {
        "keys": result.keys,
        "bytes": inputs,
        "seconds": seconds,
        "wall": wall(result.phases, seconds),
        "phases": dict(result.phases),
        "timeline": [asdict(span) for span in result.timeline],
    }


def write(path: Path, result: "Result", inputs: int, seconds: float) -> None:
    """Write the report as a JSON file; raises OutputError."""
    try:
        path.write_text(json.dumps(report(result, inputs, seconds), indent=1) + "\n")
    except OSError as error:
        raise OutputError(
            f"The report {str(path)!r} cannot be written: {error.strerror}."
        ) from error
