"""Dominant resource fairness on a running lab: two frameworks share it, and a table grows.

The example of the paper: 9 CPUs and 18 GB, tasks of <1 CPU, 4 GB> for framework A and of <3 CPUs,
1 GB> for B. On the lab each agent is such a cluster in small, one filled after the other; without
a lab a mesos-local is started that has just that. Prints each launch as it happens and draws the
dominant shares over time. No task computes anything.
"""

import argparse
import base64
import getpass
import json
import queue
import re
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import picture
from matplotlib.axes import Axes

HERE = Path(__file__).resolve().parent
LAB = HERE.parent / ".lab"

PAPER = {"cpus": 9, "mem": 18}
DEMANDS = {"A": {"cpus": 1, "mem": 4}, "B": {"cpus": 3, "mem": 1}}
"""Of the paper's cluster; memory in GB."""

PATIENCE = 60.0
"""Seconds for a framework to be registered, and to begin."""

COLORS = {"A": picture.OWN, "B": picture.SPARK}


class DRFError(Exception):
    """It can't be shown; the message says why."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where the frameworks run: the leading master, who may, as whom, and what there is."""

    master: str
    account: dict[str, str]
    user: str
    agents: dict[str, dict[str, float]]
    """Their resources, by id."""

    @property
    def total(self) -> dict[str, float]:
        """What all agents have."""
        return {name: sum(agent[name] for agent in self.agents.values()) for name in PAPER}

    def demand(self, framework: str) -> dict[str, float]:
        """Return a task's size: that part of the smallest agent that the paper's has of it all."""
        least = {name: min(agent[name] for agent in self.agents.values()) for name in PAPER}
        part = {name: least[name] * DEMANDS[framework][name] / PAPER[name] for name in PAPER}
        return {"cpus": int(part["cpus"] * 1000) / 1000, "mem": int(part["mem"])}


@dataclass(slots=True)
class Framework:
    """One of the two, as it is seen from here; ``shares`` are its dominant share at each time."""

    name: str
    process: subprocess.Popen[str]
    demand: dict[str, float]
    total: dict[str, float]
    tasks: int = 0
    shares: list[tuple[float, float]] = field(default_factory=lambda: [(0.0, 0.0)])

    def go_on(self) -> None:
        """Let it do the next thing: ask for offers, answer them."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def has(self, name: str) -> float:
        """Return how much its tasks take of a resource."""
        return self.tasks * self.demand[name]

    @property
    def share(self) -> float:
        """The larger one of its parts of what there is."""
        return max(self.has(name) / whole for name, whole in self.total.items())

    def shown(self) -> str:
        """Return its columns of the table."""
        return f"{self.has('cpus'):6.2f} {self.has('mem'):7.0f}  {self.share:5.3f}"


def reached(addresses: Sequence[str], account: dict[str, str], user: str) -> Cluster:
    """Ask masters for the leader and its agents; raises DRFError."""
    headers = {}
    if account:
        shown = f"{account['principal']}:{account['secret']}".encode()
        headers["Authorization"] = f"Basic {base64.b64encode(shown).decode()}"
    for address in addresses:
        asked = urllib.request.Request(f"http://{address}/slaves", headers=headers)
        try:
            with urllib.request.urlopen(asked, timeout=5) as page:  # goes on to the leader
                agents = {
                    one["id"]: one["resources"]
                    for one in json.load(page)["slaves"]
                    if one["active"]
                }
                leader = page.url.removeprefix("http://").partition("/")[0]
        except (urllib.error.URLError, OSError):
            continue
        if not agents:
            raise DRFError(f"the master at {leader} has no agents")
        return Cluster(leader, account, user, agents)
    raise DRFError(f"no master leads at {', '.join(addresses)}")


@contextmanager
def local() -> Iterator[str]:
    """Run a mesos-local with the paper's resources; yield its master's address."""
    resources = f"cpus:{PAPER['cpus']};mem:{PAPER['mem'] * 1024}"
    program = Path(sys.executable).with_name("mesos-local")
    command = [program, "--port=0", "--num_slaves=1", f"--resources={resources}"]
    with subprocess.Popen(
        [*command, "--logging_level=WARNING"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            ready = re.search(r"http://(\S+)", process.stdout.readline())
            if ready is None:
                raise DRFError("mesos-local did not start")
            yield ready[1]
        finally:
            process.terminate()


@contextmanager
def framework(name: str, cluster: Cluster, told: queue.SimpleQueue[Any]) -> Iterator[Framework]:
    """Run a framework; what it tells goes into the queue with its name."""
    demand = cluster.demand(name)
    given = {
        "master": cluster.master,
        "agents": list(cluster.agents),
        "user": cluster.user,
        "role": f"drf-{name.lower()}",
    }
    with subprocess.Popen(
        [sys.executable, HERE / "drf_framework.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C is for this process, which then ends the input
    ) as process:
        assert process.stdin is not None
        process.stdin.write(json.dumps({**given, **demand, **cluster.account}) + "\n")
        process.stdin.flush()
        threading.Thread(target=_listen, args=(name, process, told), daemon=True).start()
        try:
            yield Framework(name, process, demand, cluster.total)
        finally:
            process.stdin.close()
            process.wait()


def _listen(name: str, process: subprocess.Popen[str], told: queue.SimpleQueue[Any]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        told.put((name, json.loads(line)))
    told.put((name, {"what": "ended"}))


def share(both: dict[str, Framework], told: queue.SimpleQueue[Any], quiet: float) -> None:
    """Let both begin together and print each launch, until nobody launches any more."""
    for state in ("registered", "begun"):
        waiting = set(both)
        while waiting:
            name, event = _next(told, PATIENCE)
            waiting.discard(name if event["what"] == state else "")
        for one in both.values():
            one.go_on()
    began = last = time.monotonic()
    while (left := last + quiet - time.monotonic()) > 0:
        try:
            name, event = _next(told, left)
        except queue.Empty:
            break
        change = {"launches": 1, "lost": -1}.get(event["what"], 0)
        if change:
            last = time.monotonic()
            both[name].tasks += change
            for one in both.values():
                one.shares.append((last - began, one.share))
            print(_row(last - began, name if change > 0 else f"{name} lost a task", both))


def _next(told: queue.SimpleQueue[Any], seconds: float) -> tuple[str, dict[str, Any]]:
    name, event = told.get(timeout=seconds)
    if event["what"] in ("ended", "error"):
        raise DRFError(f"framework {name} ended: {event.get('message', 'see above')}")
    return name, event


def _head(cluster: Cluster, both: dict[str, Framework]) -> str:
    total = cluster.total
    whole = f"{total['cpus']:g} CPUs, {total['mem']:.0f} MB"
    lines = [f"agents of {cluster.master}: {len(cluster.agents)}, with {whole}"]
    lines += [
        f"a task of {name} takes <{one.demand['cpus']:g} CPUs, {one.demand['mem']} MB>"
        for name, one in both.items()
    ]
    heads = "".join(f" | {name}: CPUs      MB  share" for name in both)
    return "\n".join([*lines, "", f"{'s':>6}  launches{heads} |  all CPUs    all MB"])


def _row(seconds: float, event: str, both: dict[str, Framework]) -> str:
    cells = " | ".join(one.shown() for one in both.values())
    parts = {
        name: sum(one.has(name) for one in both.values()) / next(iter(both.values())).total[name]
        for name in PAPER
    }
    return f"{seconds:6.1f}  {event:<8} | {cells} | {parts['cpus']:9.0%} {parts['mem']:9.0%}"


def draw(both: dict[str, Framework], note: str, path: Path) -> None:
    """Draw the dominant shares over time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.sheet([partial(_shares, both)], note, path)


def _shares(both: dict[str, Framework], axes: Axes) -> None:
    end = max(seconds for one in both.values() for seconds, _ in one.shares) + 1
    for name, one in both.items():
        times, shares = zip(*one.shares, (end, one.share), strict=True)
        wants = f"<{DEMANDS[name]['cpus']} CPUs, {DEMANDS[name]['mem']} GB>"
        axes.step(
            times, shares, where="post", color=COLORS[name], linewidth=2, label=f"{name} {wants}"
        )
    axes.axhline(2 / 3, color=picture.PLAIN, linewidth=1, linestyle=(0, (4, 3)))
    axes.text(
        0, 2 / 3 + 0.01, "2/3, where the paper's example ends", fontsize=7.5, color=picture.PLAIN
    )
    axes.set_ylim(0, 1)
    axes.set_xlim(0, end)
    axes.set_xlabel("seconds")
    axes.set_ylabel("dominant share")
    axes.set_title("Two frameworks share a cluster")
    axes.legend(loc="lower right")


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="drf", description=__doc__.splitlines()[0])
    parser.add_argument("--lab", default="mesos-lab", help="name of the running lab [%(default)s]")
    parser.add_argument("--master", help="host:port of a master without accounts, instead of a lab")
    parser.add_argument("--picture", type=Path, default=LAB / "drf.png", help="[.lab/drf.png]")
    parser.add_argument(
        "--quiet", type=float, default=10.0, help="seconds without a launch that end it [10]"
    )
    return parser.parse_args()


@contextmanager
def found(options: argparse.Namespace) -> Iterator[Cluster]:
    """Yield the cluster that was asked for: by address, the lab, or a new one on this machine."""
    description = LAB / options.lab / "lab.json"
    if options.master is not None:
        yield reached([options.master], {}, getpass.getuser())
    elif description.is_file():
        lab = json.loads(description.read_text())
        yield reached(list(lab["masters"].values()), lab["accounts"].get("operator", {}), "root")
    else:
        print("no lab runs: the paper's cluster is made by mesos-local, for as long as this takes")
        with local() as master:
            yield reached([master], {}, getpass.getuser())


def main() -> None:
    """Show it."""
    options = arguments()
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    try:
        with ExitStack() as stack:
            cluster = stack.enter_context(found(options))
            both = {name: stack.enter_context(framework(name, cluster, told)) for name in DEMANDS}
            print(_head(cluster, both), flush=True)
            share(both, told, options.quiet)
    except (DRFError, queue.Empty) as error:
        sys.exit(f"drf: {str(error) or 'no framework answers'}")
    except KeyboardInterrupt:
        sys.exit(130)
    shares = " and ".join(f"{one.share:.3f}" for one in both.values())
    draw(both, f"agents: {len(cluster.agents)}, {time.strftime('%Y-%m-%d %H:%M')}", options.picture)
    print(f"\nDominant shares of {' and '.join(both)}: {shares}. Over time: {options.picture}")


if __name__ == "__main__":
    main()
