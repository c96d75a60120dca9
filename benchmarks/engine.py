"""Benchmarks of Pocket's daemons: a master and agents on loopback, a PyMesos framework, no lab.

Tasks a second through a PyMesos executor that does nothing, and of command tasks, as they were
measured on real Mesos (REAL); the time from an ACCEPT to TASK_RUNNING on an idle cluster; 1,000
command tasks launched and destroyed on one agent; the daemons' memory over 10,000 tasks. All share
the machine's cores. Writes engine.json, engine.md and engine.png.
"""

import argparse
import os
import platform
import shlex
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import daemons
import machine
import picture
import report
from daemons import TERMINAL, Daemon, Framework
from matplotlib.axes import Axes

HERE = Path(__file__).resolve().parent
TWO = ["cpus:2;mem:4096"] * 2
"""The agents that real Mesos was measured with."""
ROOMY = "cpus:1000;mem:100000"

REAL = {"noop 500": 97.3, "noop 2000": 55.8, "commands 200": 5.5}
"""Tasks a second of real Mesos 1.12, an unoptimised build on two cores (shared with all of it)."""

AT_ONCE = 10
"""Command tasks beside each other on an agent."""


def noop(folder: Path, tasks: int) -> dict[str, Any]:
    """Launch tasks that do nothing, half of them on each of two agents, in one ACCEPT each."""
    with daemons.cluster(folder, TWO) as (master, *_), Framework(master.address) as framework:
        began = _launch_noop(framework, "t", tasks)
        running, ended = _until_all_end(framework, tasks)
        return {
            "tasks": tasks,
            "seconds": ended - began,
            "to running": [when - began for when in running],
        }


def _launch_noop(framework: Framework, name: str, tasks: int) -> float:
    offers = framework.offers(2)
    value = shlex.join([sys.executable, str(HERE / "noop_executor.py")])
    executor = {"executor_id": {"value": "noop"}, "name": "noop", "command": {"value": value}}
    made = [daemons.task(f"{name}{number}", 0.001, 1, executor=executor) for number in range(tasks)]
    parts = [made[number::2] for number in range(2)]
    return min(framework.launch(offer, part) for offer, part in zip(offers, parts, strict=True))


def _until_all_end(framework: Framework, tasks: int) -> tuple[list[float], float]:
    """Return when tasks ran, and when the last one was finished; all must finish."""
    running: list[float] = []
    ends: Counter[str] = Counter()
    while True:
        when, event = framework.next_update()
        if event["state"] == "TASK_RUNNING":
            running.append(when)
        elif event["state"] in TERMINAL:
            ends[event["state"]] += 1
            if ends.total() == tasks:
                assert set(ends) == {"TASK_FINISHED"}, ends
                return running, when


def commands(folder: Path, tasks: int) -> dict[str, Any]:
    """Run `true` so many times, at most AT_ONCE beside each other on each of two agents."""
    with daemons.cluster(folder, TWO) as (master, *_), Framework(master.address) as framework:
        launched: dict[str, float] = {}
        active: Counter[str] = Counter()
        to_running: list[float] = []
        ended = 0
        last = 0.0
        while ended < tasks:
            kind, when, event = framework.next()
            agent = event["agent_id"]["value"]
            if kind == "offer":
                room = daemons.room(event, cpus=0.2, mem=64)
                count = min(room, AT_ONCE - active[agent], tasks - len(launched))
                made = [
                    daemons.command(f"c{len(launched) + number}", "true", 0.2, 64)
                    for number in range(count)
                ]
                began = framework.launch([event], made, refuse_seconds=0)
                active[agent] += count
                launched |= {one["name"]: began for one in made}
                continue
            state, identity = event["state"], event["task_id"]["value"]
            if state == "TASK_RUNNING":
                to_running.append(when - launched[identity])
            elif state in TERMINAL:
                assert state == "TASK_FINISHED", event
                active[agent] -= 1
                ended, last = ended + 1, when
        return {
            "tasks": tasks,
            "seconds": last - min(launched.values()),
            "to running": to_running,
        }


def latency(folder: Path, runs: int) -> list[float]:
    """Return the seconds from an ACCEPT to TASK_RUNNING of one command task after the other."""
    found = []
    with daemons.cluster(folder, TWO[:1]) as (master, *_), Framework(master.address) as framework:
        for number in range(runs):
            (offers,) = framework.offers(1)
            began = framework.launch(offers, [daemons.command(f"one{number}", "true")])
            running, _ = _until_all_end(framework, 1)
            found.append(running[0] - began)
    return found


def thousand(folder: Path, tasks: int) -> dict[str, Any]:
    """Launch command tasks on one agent by one ACCEPT; when all run, kill them."""
    with daemons.cluster(folder, [ROOMY]) as parts, Framework(parts[0].address) as framework:
        before = _cpu(*parts)
        (offers,) = framework.offers(1)
        names = [f"many{number}" for number in range(tasks)]
        made = [daemons.command(name, "exec sleep 86400") for name in names]
        began = framework.launch(offers, made)
        running = _moments(framework, {"TASK_RUNNING"}, tasks)
        killed = time.perf_counter()
        for name in names:
            framework.driver.killTask({"value": name})
        gone = _moments(framework, TERMINAL, tasks)
        while parts[1].ask("/containers"):
            time.sleep(0.1)
        return {
            "tasks": tasks,
            "running": [when - began for when in running],
            "gone": [when - killed for when in gone],
            "cpu": {name: spent - before[name] for name, spent in _cpu(*parts).items()},
        }


def _cpu(master: Daemon, agent: Daemon) -> dict[str, float]:
    """Return the seconds that all cores have spent so far, by whom."""
    own, executors = agent.cpu()
    return {
        "executors and their tasks": executors,
        "agent": own,
        "master": master.cpu()[0],
        "framework": time.process_time(),
    }


def _moments(framework: Framework, states: set[str], tasks: int) -> list[float]:
    """Return when each of so many tasks reached one of some states."""
    found: list[float] = []
    while len(found) < tasks:
        when, event = framework.next_update()
        assert event["state"] in states | {"TASK_STARTING"}, event
        if event["state"] in states:
            found.append(when)
    return found


def memory(folder: Path, tasks: int, batch: int) -> list[dict[str, float]]:
    """Return the daemons' memory in MB as tasks that do nothing have finished."""
    found = []
    with daemons.cluster(folder, TWO) as (master, *agents), Framework(master.address) as framework:
        for done in range(0, tasks, batch):
            _launch_noop(framework, f"m{done}-", batch)
            _until_all_end(framework, batch)
            found.append(
                {
                    "tasks": done + batch,
                    "master": master.resident(),
                    "agent": max(agent.resident() for agent in agents),
                }
            )
    return found


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure everything."""
    part = 20 if options.quick else 1
    with tempfile.TemporaryDirectory(prefix="mesos-bench-") as name:
        folder = Path(name)
        return {
            "throughput": {
                "noop 500": _repeat("noop 500", partial(noop, tasks=500 // part), folder, options),
                "noop 2000": _repeat(
                    "noop 2000", partial(noop, tasks=2000 // part), folder, options
                ),
                "commands 200": _repeat(
                    "commands 200", partial(commands, tasks=200 // part), folder, options
                ),
            },
            "latency": latency(folder / "latency", 100 // part),
            "thousand": _repeat("thousand", partial(thousand, tasks=1000 // part), folder, options),
            "memory": memory(folder / "memory", 10_000 // part, 500 // part),
        }


def _repeat(name: str, one: Any, folder: Path, options: argparse.Namespace) -> list[Any]:
    print(f"  {name}", file=sys.stderr, flush=True)
    return [one(folder / f"{name}-{number}") for number in range(options.rounds)]


def spread(values: Sequence[float]) -> str:
    """Return a median with its extremes."""
    return f"{statistics.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"


def markdown(results: dict[str, Any]) -> str:
    """Return conditions and figures."""
    lines = [f"- {name}: {value}" for name, value in results["machine"].items()]
    lines += ["", *_goals(results), "", *_throughput(results)]
    return "\n".join(lines) + "\n"


def _goals(results: dict[str, Any]) -> Iterator[str]:
    yield from report.table("Goal", "Measured")
    for name in ("noop 500", "noop 2000"):
        rates = [one["tasks"] / one["seconds"] / REAL[name] for one in results["throughput"][name]]
        yield report.row(f"{name}: at least twice real Mesos' tasks a second", spread(rates))
    milliseconds = [seconds * 1000 for seconds in results["latency"]]
    yield report.row("ACCEPT to TASK_RUNNING, idle: median under 150 ms", spread(milliseconds))
    runs, tasks = results["thousand"], results["thousand"][0]["tasks"]
    for part, title, goal in (("running", "launched", 30), ("gone", "destroyed", 20)):
        seconds = [max(one[part]) for one in runs]
        yield report.row(f"{tasks:,} command tasks {title}: near {goal} s", spread(seconds))
    spent = {name: statistics.median(one["cpu"][name] for one in runs) for name in runs[0]["cpu"]}
    shares = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items())
    yield report.row("The cores' time for both", shares)
    first, last = results["memory"][len(results["memory"]) // 5], results["memory"][-1]
    for daemon in ("master", "agent"):
        grown = f"{first[daemon]:.0f} MB after {first['tasks']:,}, {last[daemon]:.0f} MB at the end"
        yield report.row(f"Memory of the {daemon} over {last['tasks']:,} tasks: flat", grown)


def _throughput(results: dict[str, Any]) -> Iterator[str]:
    yield from report.table(
        "Load", "tasks/s", "real Mesos", "s from launch to TASK_RUNNING, median"
    )
    for name, runs in results["throughput"].items():
        rates = [one["tasks"] / one["seconds"] for one in runs]
        waits = [statistics.median(one["to running"]) for one in runs]
        yield report.row(name, spread(rates), f"{REAL[name]:g}", spread(waits))


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw how 1,000 tasks come and go, and the daemons' memory."""
    about = results["machine"]
    panels = [partial(_thousand, results["thousand"][0]), partial(_memory, results["memory"])]
    picture.sheet(panels, f"Pocket's daemons, {about['machine']}, {about['measured']}", path)


def _thousand(run: dict[str, Any], axes: Axes) -> None:
    count = range(1, run["tasks"] + 1)
    axes.plot(sorted(run["running"]), count, color=picture.OWN, linewidth=2, label="running")
    axes.plot(sorted(run["gone"]), count, color=picture.SPARK, linewidth=2, label="destroyed")
    axes.set_xlabel("seconds since the launch, the first kill")
    axes.set_title(f"{run['tasks']:,} command tasks on one agent")
    axes.legend(loc="lower right")


def _memory(entries: list[dict[str, float]], axes: Axes) -> None:
    tasks = [entry["tasks"] for entry in entries]
    for name, color in (("master", picture.OWN), ("agent", picture.SPARK)):
        axes.plot(tasks, [entry[name] for entry in entries], color=color, linewidth=2, label=name)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("finished tasks")
    axes.set_ylabel("MB")
    axes.set_title("Resident memory")
    axes.legend(loc="lower right")


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="bench engine", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3, help="runs of each load [%(default)s]")
    parser.add_argument("--quick", action="store_true", help="a twentieth: does it work?")
    return report.options(parser)


def main() -> None:
    """Measure; print the tables."""
    options = arguments()
    about = {
        **machine.here(len(os.sched_getaffinity(0))),
        "this repository": f"commit {machine.commit()}, Python {platform.python_version()}",
        "cluster": f"one master (`--registry=in_memory`), agents with `{TWO[0]}`, launcher posix; "
        f"{options.rounds} runs of each load: median (least to most)",
    }
    results = {"machine": about, **measure(options)}
    report.leave("engine", results, markdown(results), draw, options)


if __name__ == "__main__":
    main()
