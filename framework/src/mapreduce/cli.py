"""The command `mapreduce`: options in, result or a clear message and an exit status out.

PyMesos takes over SIGINT when it is imported: everything that imports it is imported late.
"""

import argparse
import heapq
import io
import logging
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from mapreduce import inputs, leader, output, progress, settings
from mapreduce.errors import MapReduceError, UsageError
from mapreduce.job import BUILTIN, Job, failures, load

FAILED, BAD_INPUT = 1, 2
"""Exit statuses besides 0, which only a complete result has, and 128 + a signal's number."""

WAIT = 15.0
"""Seconds: a lost leader's successor is there after about 10."""

TOP = 10
"""Rows that are shown unless a file is asked for."""


class Interrupted(BaseException):
    """A signal asks for the end; the value is the signal's number."""


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    top = argparse.ArgumentParser(prog="mapreduce", description="MapReduce on Apache Mesos.")
    commands = top.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run a job", description="Run a job on a cluster.")
    run.add_argument(
        "job", metavar="JOB", help=f"{', '.join(sorted(BUILTIN))}, or path/to/file.py:name"
    )
    run.add_argument("inputs", metavar="INPUT", nargs="+", help="file, folder or URL")
    run.add_argument(
        "--master",
        metavar="ADDRESS",
        default=settings.from_environment("master"),
        help="host:port, or zk://host:2181,host:2181/path [$MAPREDUCE_MASTER]",
    )
    run.add_argument(
        "--output", metavar="FILE", type=Path, help="write the result to a .tsv, .csv or .json file"
    )
    run.add_argument(
        "--top", metavar="N", type=_count, help=f"show the first N rows [{TOP} without --output]"
    )
    run.add_argument(
        "--advertise",
        metavar="IP",
        default=settings.from_environment("advertise"),
        help="address at which agents reach this machine "
        "[$MAPREDUCE_ADVERTISE, or that of the route to the leader]",
    )
    run.add_argument(
        "--executor",
        metavar="PATH",
        default=settings.from_environment("executor"),
        help="the executor's command on the agents [$MAPREDUCE_EXECUTOR, or the one beside this "
        f"command where the leader is at 127.0.0.1, or {settings.ON_AGENTS}]",
    )
    run.add_argument(
        "--user",
        metavar="NAME",
        default=settings.from_environment("user"),
        help="user that tasks run as [$MAPREDUCE_USER, or yourself where the leader is at "
        f"127.0.0.1, or {settings.USER_ON_AGENTS}]",
    )
    run.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=WAIT,
        help="patience with missing leaders and offers [%(default)s]",
    )
    run.add_argument("--verbose", action="store_true", help="show every event and decision")
    return top


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return count


def main() -> None:
    """Run the command line and exit."""
    arguments = parser().parse_args()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        status = run(arguments)
    except Interrupted as signalled:
        print("mapreduce: interrupted; nothing is left running", file=sys.stderr)
        status = 128 + signalled.args[0]
    except UsageError as error:
        print(f"mapreduce: {error}", file=sys.stderr)
        status = BAD_INPUT
    except MapReduceError as error:
        print(f"mapreduce: {error}", file=sys.stderr)
        status = FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's last flush
        status = 128 + signal.SIGPIPE
    except OSError as error:
        print(f"mapreduce: {error}", file=sys.stderr)
        status = FAILED
    sys.exit(status)


def _interrupt(number: int, frame: FrameType | None) -> None:
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)  # the teardown is under way
    raise Interrupted(number)


def run(arguments: argparse.Namespace) -> int:
    """Run a job as the arguments say; return 0, or raise MapReduceError."""
    began = time.monotonic()
    if arguments.output is not None:
        output.check(arguments.output)
    job = load(arguments.job)
    found = inputs.find(arguments.inputs)
    if not arguments.master:
        raise UsageError("Where is the cluster? Give --master or set MAPREDUCE_MASTER.")
    pairs = _map(arguments, job, found)
    _present(arguments, job, pairs)
    total = sum(given.size or 0 for given in found)
    print(
        f"{len(pairs)} keys from {progress.size(total)} in {time.monotonic() - began:.1f} s",
        file=sys.stderr,
    )
    return 0


def _map(
    arguments: argparse.Namespace, job: Job[Any, Any], found: list[inputs.Input]
) -> dict[Any, Any]:
    """Run the job on the cluster and return its pairs, complete."""
    address = leader.Address(arguments.master)
    address.check()
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s")
    level = logging.INFO if arguments.verbose else logging.CRITICAL
    for name in ("kazoo", "mapreduce"):
        logging.getLogger(name).setLevel(level)
    shown = progress.for_terminal()
    try:
        leading = leader.find(address, arguments.wait, shown.say)
        tasks = settings.tasks(arguments.executor, arguments.user, local=leader.is_local(leading))
        from mapreduce import scheduler

        # PyMesos has taken SIGINT, and set up logging of its own.
        signal.signal(signal.SIGINT, _interrupt)
        logging.getLogger("pymesos").handlers.clear()
        logging.getLogger("pymesos").setLevel(level)
        place = scheduler.Place(
            master=address,
            leader=leading,
            tasks=tasks,
            advertise=arguments.advertise,
            wait=arguments.wait,
        )
        return scheduler.run(arguments.job, job, found, place, shown)
    finally:
        shown.close()


def _present(arguments: argparse.Namespace, job: Job[Any, Any], pairs: dict[Any, Any]) -> None:
    top = arguments.top
    if top is None:
        top = 0 if arguments.output is not None else TOP
    with failures("reducing"):
        rows = [job.reduce(key, value) for key, value in pairs.items()]
        first = heapq.nsmallest(top, rows, key=job.order)
        if arguments.output is not None:
            rows.sort(key=job.order)
    if arguments.output is not None:
        output.write(arguments.output, rows)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The input's bytes come back, whatever the terminal's encoding.
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    output.show(first, sys.stdout)
