"""From runs to figures: medians, ratios within a round, shares of the time.

A run is a mapping as `contenders.Run` becomes it; a list of runs holds one of each round, so that
runs with the same number were measured close to each other.
"""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any

Runs = Sequence[dict[str, Any]]


def _median(values: Iterable[float]) -> float:
    return float(statistics.median(values))


def seconds(runs: Runs) -> float:
    """Return the median time."""
    return _median(run["seconds"] for run in runs)


def spread(runs: Runs) -> tuple[float, float]:
    """Return the least and the most time."""
    times = [run["seconds"] for run in runs]
    return min(times), max(times)


def ratios(runs: Runs, others: Runs) -> list[float]:
    """Return how many times as long the others took, each round by itself, sorted.

    There may be fewer rounds of the others, which are the first ones.
    """
    pairs = zip(runs, others, strict=False)
    return sorted(other["seconds"] / run["seconds"] for run, other in pairs)


def ratio(runs: Runs, others: Runs) -> float:
    """Return the median of the ratios."""
    return _median(ratios(runs, others))


def scheduler_memory(runs: Runs) -> float:
    """Return the largest resident set of the framework's command, in MB."""
    return float(max(run["memory"] for run in runs))


def executor_memory(runs: Runs, kind: str) -> float:
    """Return the largest memory of an executor, in MB: "resident", or "peak" with page cache."""
    return max((seen[kind] for run in runs for seen in run["executors"]), default=0.0)


def mapping(run: dict[str, Any]) -> list[tuple[float, float]]:
    """Return when tasks that map were at work, as periods that do not overlap, in order."""
    periods: list[tuple[float, float]] = []
    spans = [span for span in run["report"]["timeline"] if span["kind"] == "map"]
    for began, ended in sorted((span["began"], span["ended"]) for span in spans):
        if periods and began <= periods[-1][1]:
            periods[-1] = periods[-1][0], max(ended, periods[-1][1])
        else:
            periods.append((began, ended))
    return periods


def outside(runs: Runs) -> float:
    """Return the median share of the whole time in which no task read and mapped."""
    return _median(
        1 - sum(ended - began for began, ended in mapping(run)) / run["seconds"] for run in runs
    )


def map_rate(runs: Runs, size: int) -> float:
    """Return the median MB that are mapped in a second of a core's time, by the workers' clocks."""
    return _median(size / 1e6 / run["report"]["phases"]["mapping cpu"] for run in runs)


def core_rate(runs: Runs, size: int) -> float:
    """Return the median MB that a process of one core counts in a second of that core's time."""
    return _median(size / 1e6 / run["cpu"] for run in runs)


def cores_mapping(runs: Runs, cores: int) -> float:
    """Return the median share of the cores' time, from start to end, that went into mapping."""
    return _median(
        run["report"]["phases"]["mapping cpu"] / (cores * run["seconds"]) for run in runs
    )


def phases(runs: Runs) -> dict[str, float]:
    """Return the median seconds of each phase, and what process start and end add to them."""
    names = ("preparing", "offers", "start-up", "map", "shuffle", "reduce", "output")
    found = {
        name: statistics.median(run["report"]["phases"].get(name, 0.0) for run in runs)
        for name in names
    }
    found["the rest"] = statistics.median(
        run["seconds"] - sum(run["report"]["phases"].get(name, 0.0) for name in names)
        for run in runs
    )
    return found
