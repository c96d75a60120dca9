"""A leader killed with -9 under load: when it is missed, and when all is as before.

ZooKeeper, three masters, two agents and a framework on PyMesos whose tasks do nothing, all on
loopback, without a lab. Told apart: detection, until ZooKeeper's session of the dead leader has
ended, and recovery, from then on until there is a leader that answers, until the agents and the
framework are with it, and until it offers. Beside the figures of real Mesos (REAL). Writes
failover.json, failover.md and failover.png.
"""

import argparse
import logging
import os
import platform
import shlex
import statistics
import sys
import tempfile
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import daemons
import machine
import picture
import report
from daemons import Daemon, Framework
from kazoo.client import KazooClient
from matplotlib.axes import Axes

HERE = Path(__file__).resolve().parent
TWO = ["cpus:2;mem:4096"] * 2
BATCH = 50
"""Tasks that are launched on an offer; then its agent is not offered for a second."""

UNDER_LOAD = 200
"""Tasks that have ended before the leader is killed."""

STEPS = {
    "detected": "the dead leader's session has ended",
    "serving": "a new leader answers operators",
    "agents": "both agents are registered again",
    "framework": "the framework is subscribed again",
    "offer": "it has an offer",
}

REAL = {
    "detected": [11.39, 8.75, 8.73, 10.04, 8.98],
    "serving": [11.43, 8.79, 8.77, 10.08, 9.02],
    "agents": [11.76, 9.37, 9.69, 10.99, 9.67],
    "framework": [14.47, 11.85, 16.54, 12.76, 14.31],
    "offer": [14.48, 11.86, 16.55, 12.77, 14.31],
}
"""Seconds from kill -9 in five runs of real Mesos 1.12, an unoptimised build on two cores."""


class Loaded(Framework):
    """Launches on every offer, without end, and notes when it is subscribed anew and offered."""

    def __init__(self, master: str) -> None:
        super().__init__(master, failover_timeout=600)
        self.ended = 0
        self.again: float | None = None
        self.offered: float | None = None
        self._numbers = count()
        value = shlex.join([sys.executable, str(HERE / "noop_executor.py")])
        self._executor = {"executor_id": {"value": "noop"}, "command": {"value": value}}

    def reregistered(self, driver: Any, master: Any) -> None:
        """Note a new leader."""
        self.again = time.perf_counter()

    def resourceOffers(self, driver: Any, offers: list[Any]) -> None:  # noqa: N802 PyMesos' name
        """Use offers up."""
        if self.again is not None and self.offered is None:
            self.offered = time.perf_counter()
        for offer in offers:
            made = [
                daemons.task(f"t{next(self._numbers)}", 0.001, 1, executor=self._executor)
                for _ in range(BATCH)
            ]
            self.launch([offer], made, refuse_seconds=1)

    def statusUpdate(self, driver: Any, status: Any) -> None:  # noqa: N802 PyMesos' name
        """Count ends."""
        self.ended += status["state"] in daemons.TERMINAL


def once(folder: Path) -> dict[str, float]:
    """Kill a leader once; return the seconds until each step."""
    with (
        daemons.zookeeper(folder / "zookeeper") as address,
        daemons.available_cluster(folder, address, TWO) as (masters, agents),
    ):
        client = KazooClient(address)
        client.start()
        try:
            with Loaded(f"zk://{address}/mesos") as framework:
                _wait(lambda: framework.ended >= UNDER_LOAD)
                found = _timed(client, masters, len(agents), framework)
        finally:
            client.stop()
            client.close()
        # Executors on PyMesos would look for their agents for ever.
        _wait(lambda: not any(one.ask("/containers") for one in agents))
        return found


def _timed(
    client: KazooClient, masters: Sequence[Daemon], agents: int, framework: Loaded
) -> dict[str, float]:
    dead = _leading_znode(client)
    leader = next(one for one in masters if one.ask("/metrics/snapshot")["master/elected"])
    others = [one for one in masters if one is not leader]
    killed = time.perf_counter()
    leader.process.kill()
    found = {}

    def follow(name: str, step: Callable[[], Any]) -> None:
        _wait(step)
        found[name] = time.perf_counter()

    steps = {
        "detected": lambda: _leading_znode(client) != dead,
        "serving": lambda: any(_active(one) is not None for one in others),
        "agents": lambda: any(_active(one) == agents for one in others),
    }
    threads = [threading.Thread(target=follow, args=step) for step in steps.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _wait(lambda: framework.offered)
    assert framework.again is not None
    assert framework.offered is not None
    found |= {"framework": framework.again, "offer": framework.offered}
    return {name: found[name] - killed for name in STEPS}


def _leading_znode(client: KazooClient) -> str | None:
    found = [one for one in client.get_children("/mesos") if one.startswith("json.info_")]
    return min(found, default=None)


def _active(master: Daemon) -> int | None:
    """Return how many agents a leader has; None while it does not lead, or has no registry yet."""
    with suppress(urllib.error.URLError, OSError):
        # A follower would send us on to the leader it knows.
        metrics = master.ask("/metrics/snapshot")
        if metrics["master/elected"] and metrics["registrar/log/recovered"]:
            return sum(one["active"] for one in master.ask("/slaves")["slaves"])
    return None


def _wait(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + daemons.PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.05)


def markdown(results: dict[str, Any]) -> str:
    """Return conditions and figures."""
    lines = [f"- {name}: {value}" for name, value in results["machine"].items()]
    lines += ["", *_table(results["runs"])]
    return "\n".join(lines) + "\n"


def _table(runs: Sequence[dict[str, float]]) -> Iterator[str]:
    own = {name: [run[name] for run in runs] for name in STEPS}
    yield from report.table(
        "Until", "s after kill -9", "real Mesos", "s after detection", "real Mesos"
    )
    for name, title in STEPS.items():
        after = [] if name == "detected" else [spread(_after(one, name)) for one in (own, REAL)]
        yield report.row(title, spread(own[name]), spread(REAL[name]), *(after or ["", ""]))


def _after(runs: dict[str, list[float]], name: str) -> list[float]:
    """Return the seconds from detection on."""
    return [step - begun for step, begun in zip(runs[name], runs["detected"], strict=True)]


def spread(values: Sequence[float]) -> str:
    """Return a median with its extremes."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def draw(results: dict[str, Any], path: Path) -> None:
    """Draw every run's steps."""
    about = results["machine"]
    own = {name: [run[name] for run in results["runs"]] for name in STEPS}
    panels = [
        partial(_steps, own, REAL, "Seconds from kill -9 of the leader"),
        partial(
            _steps,
            *({name: _after(one, name) for name in list(STEPS)[1:]} for one in (own, REAL)),
            "Seconds from detection",
        ),
    ]
    picture.sheet(panels, f"Failover, {about['machine']}, {about['measured']}", path)


def _steps(
    own: dict[str, list[float]], real: dict[str, list[float]], title: str, axes: Axes
) -> None:
    for runs, color, label, shift in (
        (own, picture.OWN, "Pocket", -0.12),
        (real, picture.SPARK, "real Mesos", 0.12),
    ):
        for place, values in enumerate(runs.values()):
            places = [place + shift] * len(values)
            axes.plot(values, places, "o", color=color, alpha=0.7, label=None if place else label)
    axes.set_yticks(range(len(own)), list(own))
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_title(title)
    axes.legend(loc="lower left")


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="bench failover", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="leaders to kill [%(default)s]")
    return report.options(parser)


def main() -> None:
    """Measure; print the table."""
    options = arguments()
    # A dead leader is what it is told about; it goes on by itself.
    logging.getLogger("pymesos").setLevel(logging.CRITICAL)
    about = {
        **machine.here(len(os.sched_getaffinity(0))),
        "this repository": f"commit {machine.commit()}, Python {platform.python_version()}",
        "cluster": "one ZooKeeper, three masters, two agents, default flags "
        f"(`zk_session_timeout` 10 s), tasks that do nothing all the while; {options.rounds} runs: "
        "median (least to most)",
    }
    with tempfile.TemporaryDirectory(prefix="mesos-bench-") as name:
        runs = [once(Path(name) / str(number)) for number in range(options.rounds)]
    results = {"machine": about, "runs": runs}
    report.leave("failover", results, markdown(results), draw, options)


if __name__ == "__main__":
    main()
