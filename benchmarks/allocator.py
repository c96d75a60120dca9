"""Benchmarks of the allocator alone, in one process on one core: no master, no network.

How long an allocation of all agents takes without filters, with every framework's filter on every
agent, and when more has become free on each of them, so that all filters must be asked again; how
long a change on one agent takes in clusters of growing size. Times are the processor's, which
others on the machine do not lengthen: the allocator waits for nothing. Writes allocator.json,
allocator.md and allocator.png.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import machine
import picture
import report
from matplotlib.axes import Axes

from pocket_mesos.allocator import HierarchicalAllocator, Options
from pocket_mesos.resources import Resources, parse_resources

AGENT = "cpus:24;mem:65536;disk:1000000;ports:[31000-32000]"
LEAST = ("cpus:0.01", "mem:32")
"""The default of --min_allocatable_resources."""

GOAL = 1.0
"""Seconds for an allocation of 10,000 agents without filters."""

CHANGES = 1000
"""Changes on one agent, each measured by itself."""

YEAR = 365 * 24 * 3600.0

CYCLES = {
    "free": "nobody has a filter",
    "filtered": "every framework has one on every agent",
    "grown": "the same, and more is free on each agent",
}
CHANGED = {
    "recovered": "resources come back and are offered",
    "joined": "an agent comes, is offered, and goes",
}
COLORS = {
    "free": picture.OWN,
    "filtered": picture.SPARK,
    "grown": picture.PLAIN,
    "recovered": picture.OWN,
    "joined": picture.SPARK,
}


class Cluster:
    """An allocator with agents that are all alike, and a role for each framework."""

    def __init__(self, agents: int, frameworks: int) -> None:
        self.bundle = bundle(AGENT)
        self.allocator = HierarchicalAllocator(Options(least=tuple(bundle(one) for one in LEAST)))
        for number in range(frameworks):
            name = f"{number:08d}"
            self.allocator.add_framework(f"framework-{name}", [f"role-{name}"], [], gpus=False)
        self.agents = [f"agent-S{number}" for number in range(agents)]
        for agent in self.agents:
            self.allocator.add_agent(agent, self.bundle, {})

    def cycle(self, offers: int, refuse_seconds: float = 0.0) -> float:
        """Return the seconds of an allocation that makes so many offers; decline them all."""
        began = time.process_time()
        made = self.allocator.allocate(0.0)
        seconds = time.process_time() - began
        assert len(made) == offers, f"{len(made)} offers, not {offers}"
        self._decline(made, refuse_seconds)
        return seconds

    def filter_all(self) -> None:
        """Let every framework decline every agent, as it is offered to it."""
        while made := self.allocator.allocate(0.0):
            self._decline(made, YEAR)

    def grow(self) -> None:
        """Let a bit of each agent be in use while the rest is looked at, and come back."""
        bit = bundle("cpus:0.001")
        holder = ("framework-00000000", "role-00000000")
        for agent in self.agents:
            self.allocator.hold(*holder, agent, bit)
        self.cycle(0)
        for agent in self.agents:
            self.allocator.recover(*holder, agent, bit)

    def recovered(self, number: int) -> float:
        """Return the seconds for resources to come back on an agent and to be offered."""
        agent = self.agents[number % len(self.agents)]
        (offer,) = self.allocator.allocate(0.0, [agent])
        began = time.process_time()
        self.allocator.recover(offer.framework, offer.role, agent, offer.resources)
        (offer,) = self.allocator.allocate(0.0, [agent])
        seconds = time.process_time() - began
        self._decline([offer], 0.0)
        return seconds

    def joined(self, number: int) -> float:
        """Return the seconds for an agent to come, to be offered, and to go."""
        agent = f"agent-N{number}"
        began = time.process_time()
        self.allocator.add_agent(agent, self.bundle, {})
        made = self.allocator.allocate(0.0, [agent])
        self.allocator.remove_agent(agent)
        seconds = time.process_time() - began
        assert len(made) == 1
        return seconds

    def _decline(self, made: Sequence[Any], refuse_seconds: float) -> None:
        for one in made:
            self.allocator.recover(
                one.framework, one.role, one.agent, one.resources, refuse_seconds=refuse_seconds
            )


def bundle(text: str) -> Resources:
    """Return resources as flags give them."""
    return Resources.of(parse_resources(text))


def measure(sizes: Sequence[int], frameworks: int, rounds: int) -> Iterator[dict[str, Any]]:
    """Measure clusters of growing size; yield the seconds of each run."""
    for agents in sizes:
        print(f"  {agents:,} agents", file=sys.stderr, flush=True)
        cluster = Cluster(agents, frameworks)
        cluster.cycle(agents)  # the interpreter's own first time
        free = [cluster.cycle(agents) for _ in range(rounds)]
        changes = {
            name: [change(number) for number in range(CHANGES)]
            for name, change in (("recovered", cluster.recovered), ("joined", cluster.joined))
        }
        cluster.filter_all()
        filtered = [cluster.cycle(0) for _ in range(rounds)]
        grown = [_after(cluster.grow, partial(cluster.cycle, 0)) for _ in range(rounds)]
        yield {"agents": agents, "free": free, "filtered": filtered, "grown": grown, **changes}


def _after(prepare: Callable[[], None], measured: Callable[[], float]) -> float:
    prepare()
    return measured()


def spread(seconds: Sequence[float]) -> tuple[float, float, float]:
    """Return the 5th percentile, the median and the 95th percentile; of few runs, the extremes."""
    if len(seconds) < 20:
        return min(seconds), statistics.median(seconds), max(seconds)
    parts = statistics.quantiles(seconds, n=20)
    return parts[0], statistics.median(seconds), parts[-1]


def markdown(results: dict[str, Any]) -> str:
    """Return conditions, goals and figures."""
    lines = [f"- {name}: {value}" for name, value in results["machine"].items()]
    lines += ["", *_goals(results), ""]
    lines += ["Seconds for an allocation of all agents:", "", *_cycles(results), ""]
    lines += ["Microseconds for a change on one agent:", "", *_changes(results)]
    return "\n".join(lines) + "\n"


def _goals(results: dict[str, Any]) -> Iterator[str]:
    yield from report.table("Goal", "Measured")
    first, last = results["sizes"][0], results["sizes"][-1]
    yield report.row(
        f"{last['agents']:,} agents, no filters: less than {GOAL:g} s",
        f"{spread(last['free'])[1]:.2f} s",
    )
    for name, title in CHANGED.items():
        ratio = spread(last[name])[1] / spread(first[name])[1]
        times = f"{last['agents']:,} agents against {first['agents']:,}"
        yield report.row(f"A change costs the same at any size: {title}, {times}", f"{ratio:.2f}")


def _cycles(results: dict[str, Any]) -> Iterator[str]:
    heads = [cell for title in CYCLES.values() for cell in (title, "least to most")]
    yield from report.table("Agents", *heads)
    for entry in results["sizes"]:
        cells = [f"{entry['agents']:,}"]
        for name in CYCLES:
            least, median, most = spread(entry[name])
            cells += [f"{median:.3f}", f"{least:.3f} to {most:.3f}"]
        yield report.row(*cells)


def _changes(results: dict[str, Any]) -> Iterator[str]:
    heads = [cell for title in CHANGED.values() for cell in (title, "5 % to 95 %")]
    yield from report.table("Agents", *heads)
    for entry in results["sizes"]:
        cells = [f"{entry['agents']:,}"]
        for name in CHANGED:
            least, median, most = (value * 1e6 for value in spread(entry[name]))
            cells += [f"{median:.0f}", f"{least:.0f} to {most:.0f}"]
        yield report.row(*cells)


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw the curves with their spread."""
    about, count = results["machine"], results["frameworks"]
    panels = [partial(_all, results, count), partial(_one, results)]
    picture.sheet(panels, f"Allocator, {about['machine']}, {about['measured']}", path)


def _all(results: dict[str, Any], frameworks: int, axes: Axes) -> None:
    _curves(results, CYCLES, 1.0, axes)
    axes.set_yscale("log")
    axes.set_ylabel("seconds")
    axes.set_title(f"Allocation of all agents, {frameworks} frameworks")


def _one(results: dict[str, Any], axes: Axes) -> None:
    highest = _curves(results, CHANGED, 1e6, axes)
    axes.set_ylim(0, highest * 1.3)
    axes.set_ylabel("microseconds")
    axes.set_title("A change on one agent")


def _curves(results: dict[str, Any], names: dict[str, str], unit: float, axes: Axes) -> float:
    """Draw medians with their spread over the number of agents; return the highest value."""
    sizes = [entry["agents"] for entry in results["sizes"]]
    highest = 0.0
    for name, shown in names.items():
        spreads = [spread(entry[name]) for entry in results["sizes"]]
        least, median, most = (
            [value * unit for value in part] for part in zip(*spreads, strict=True)
        )
        axes.fill_between(sizes, least, most, color=COLORS[name], alpha=0.2, linewidth=0)
        axes.plot(sizes, median, marker="o", color=COLORS[name], linewidth=2, label=shown)
        highest = max(highest, *most)
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("agents")
    axes.legend(loc="upper left")
    return highest


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="bench allocator", description=__doc__.splitlines()[0])
    parser.add_argument("--agents", type=int, nargs="+", default=[100, 1000, 3000, 10_000])
    parser.add_argument("--frameworks", type=int, default=200, help="[%(default)s]")
    parser.add_argument("--rounds", type=int, default=9, help="allocations of each kind [9]")
    return report.options(parser)


def main() -> None:
    """Measure what the command line asks for; print the tables."""
    options = arguments()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    about = {
        **machine.here(1),
        "this repository": f"commit {machine.commit()}, Python {platform.python_version()}",
        "cluster": f"{options.frameworks} frameworks, each in a role of its own; agents with "
        f"`{AGENT}`; {options.rounds} allocations of each kind, {CHANGES} changes",
    }
    sizes = list(measure(options.agents, options.frameworks, options.rounds))
    results = {"machine": about, "frameworks": options.frameworks, "sizes": sizes}
    report.leave("allocator", results, markdown(results), draw, options)


if __name__ == "__main__":
    main()
