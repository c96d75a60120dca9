"""What the command `mapreduce` does: the grammar of its command line, and its verbs."""

import argparse
import difflib
import importlib
import inspect
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn, TextIO

from mapreduce import arguments
from mapreduce.client import api, output, progress, settings, summary
from mapreduce.errors import UsageError
from mapreduce.job import BUILTIN

TOP = 10
"""Rows that are shown unless a file is asked for."""


class Parser(argparse.ArgumentParser):
    """Argparse, with a guess at what was meant."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and end with status 2."""
        super().error(message + self._guess(message))

    def _guess(self, message: str) -> str:
        wrong = message.partition("unrecognized arguments: ")[2].split(" ")[0]
        if wrong and not wrong.startswith("-"):
            return " (all inputs stand together, before the options or behind them)"
        known = [option for action in self._actions for option in action.option_strings]
        if not wrong:
            wrong = message.partition("invalid choice: ")[2].split(" ")[0].strip("'")
            known = [str(c) for action in self._actions for c in action.choices or ()]
        close = difflib.get_close_matches(wrong.partition("=")[0], known, 1)
        return f" (did you mean {close[0]}?)" if close else ""

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        """Parse; a verb's own parser refuses what it does not know, as only it can guess."""
        found, rest = super().parse_known_args(args, namespace)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return found, rest


def parser() -> Parser:
    """Return the command line's grammar."""
    top = Parser(prog="mapreduce", description="MapReduce on Apache Mesos.")
    top.add_argument("--version", action="store_true", help="show the version and end")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    _add_run(
        commands.add_parser(
            "run",
            help="run a job",
            usage="mapreduce run JOB INPUT... --master ADDRESS [OPTION]...",
            description="Run a job on a cluster.",
        )
    )
    new = commands.add_parser(
        "new", help="write a job to start from", description="Write a commented job to start from."
    )
    new.add_argument("path", metavar="PATH", type=Path, help="a .py file, which must not exist")
    jobs = commands.add_parser(
        "jobs",
        help="list the built-in jobs",
        description="List the built-in jobs and their settings, or explain one.",
    )
    jobs.add_argument("job", metavar="JOB", nargs="?", choices=sorted(BUILTIN))
    return top


def _add_run(run: argparse.ArgumentParser) -> None:
    run.add_argument(
        "job",
        metavar="JOB",
        help="a built-in job, as `mapreduce jobs` lists them, or path/to/file.py:name",
    )
    run.add_argument("inputs", metavar="INPUT", nargs="+", help="file, folder, glob or URL")
    job = run.add_argument_group("the job")
    job.add_argument(
        "--set",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        type=_setting,
        help="a setting of the job's; repeatable",
    )
    job.add_argument(
        "--package",
        metavar="FILE",
        action="append",
        default=[],
        type=Path,
        help="zip or wheel with what the job's file imports; repeatable",
    )
    _add_results(run.add_argument_group("the result"))
    _add_cluster(run.add_argument_group("the cluster"))


def _add_results(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--output",
        metavar="FILE",
        type=Path,
        help="write the result to a .tsv, .csv, .json (each also .gz) or .parquet file; "
        "- for standard output",
    )
    group.add_argument(
        "--top",
        metavar="N",
        type=_count,
        help=f"show the first N rows [{TOP}, or none with --output]",
    )
    group.add_argument(
        "--plot",
        metavar="FILE",
        type=Path,
        help="draw the first keys and the tasks over time to a .png or .svg file",
    )
    group.add_argument(
        "--report", metavar="FILE", type=Path, help="write the summary and all tasks' times as JSON"
    )


def _add_cluster(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--master",
        metavar="ADDRESS",
        help="host:port, or zk://host:2181,host:2181/path [$MAPREDUCE_MASTER]",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="go on with a run of the same job on the same inputs that was cut off",
    )
    group.add_argument(
        "--storage",
        metavar="FILE",
        type=Path,
        help="JSON or TOML with options for URLs, such as credentials [$MAPREDUCE_STORAGE]",
    )
    group.add_argument(
        "--credential",
        metavar="FILE",
        type=Path,
        help="principal and secret for the master, as Mesos takes them [$MAPREDUCE_CREDENTIAL, "
        "$MAPREDUCE_PRINCIPAL and $MAPREDUCE_SECRET, or for clusters that it knows this "
        "environment's etc/mapreduce.ini]",
    )
    group.add_argument(
        "--advertise",
        metavar="IP",
        help="address at which agents reach this machine "
        "[$MAPREDUCE_ADVERTISE, or that of the route to the leader]",
    )
    group.add_argument(
        "--executor",
        metavar="PATH",
        help="the executor's command on the agents [$MAPREDUCE_EXECUTOR, or the one beside this "
        f"command where the leader is at 127.0.0.1, or {settings.ON_AGENTS}]",
    )
    group.add_argument(
        "--user",
        metavar="NAME",
        help="user that tasks run as [$MAPREDUCE_USER, or yourself where the leader is at "
        f"127.0.0.1, or {settings.USER_ON_AGENTS}]",
    )
    group.add_argument(
        "--wait",
        metavar="TIME",
        type=_seconds,
        default=settings.WAIT,
        help="patience with missing leaders and offers, such as 30, 500ms, 2mins "
        f"[{settings.WAIT:.0f}secs]",
    )
    group.add_argument("--verbose", action="store_true", help="show every event and decision")


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no number of rows: give 0, 1, 2, ...")
    return int(text)


def _seconds(text: str) -> float:
    try:
        return settings.seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name, value


def run(words: Sequence[str], running: Callable[[], None]) -> None:
    """Do what the command line says, or raise MapReduceError.

    `running` is called before anything runs that has to be torn down.
    """
    grammar = parser()
    given = grammar.parse_args(words)
    if given.version:
        from importlib.metadata import version  # slow to import

        _say(f"mapreduce {version('mesos-mapreduce')}")
    elif given.command == "run":
        _run(given, running)
    elif given.command == "new":
        _new(given.path)
    elif given.command == "jobs":
        _jobs(given.job)
    else:
        grammar.error("the command is missing: run, new or jobs")


def _new(path: Path) -> None:
    from mapreduce.client.starter import NAME, write

    write(path)
    _say(f"{path} holds a job. Try it: mapreduce run {path}:{NAME} INPUT...")


def _jobs(only: str | None) -> None:
    for name in [only] if only else sorted(BUILTIN):
        module, _, attribute = BUILTIN[name].partition(":")
        kind = getattr(importlib.import_module(module), attribute)
        about = inspect.getdoc(kind) or ""
        shown = about if only else about.partition("\n")[0]
        _say(f"{name}: {shown}\n    {arguments.describe(kind)}")


def _run(given: argparse.Namespace, running: Callable[[], None]) -> None:
    began = time.monotonic() - _age()
    _log(verbose=given.verbose)
    top = given.top if given.top is not None else TOP if given.output is None else 0
    options = api.Options(
        master=given.master,
        arguments=_settings(given.set),
        packages=given.package,
        output=given.output,
        plot=given.plot,
        top=top,
        resume=given.resume,
        storage=given.storage,
        credential=given.credential,
        advertise=given.advertise,
        executor=given.executor,
        user=given.user,
        wait=given.wait,
    )
    if given.report is not None:
        output.check_folder(given.report, "report")
    prepared = api.prepare(given.job, given.inputs, options, progress.for_terminal())
    preparing = time.monotonic() - began
    running()
    with prepared.run() as result:
        result.phases["preparing"] = preparing
        output.show(result.top(top), output.for_bytes(sys.stdout))
        seconds = time.monotonic() - began
        size = prepared.size(result)
        for line in summary.lines(result, size, seconds):
            _say(line, sys.stderr)
        if given.report is not None:
            summary.write(given.report, result, size, seconds)


def _settings(pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    twice = {name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1}
    if twice:
        raise UsageError(f"--set {sorted(twice)[0]}=... is given twice.")
    return dict(pairs)


def _log(*, verbose: bool) -> None:
    logging.basicConfig(format="%(asctime)s %(name)s: %(message)s")
    level = logging.INFO if verbose else logging.CRITICAL
    for name in ("kazoo", "mapreduce", "pymesos"):
        logging.getLogger(name).setLevel(level)


def _say(text: str, file: TextIO | None = None) -> None:
    print(text, file=file)


def _age() -> float:
    """Return the seconds since this process began, as far as the system tells."""
    try:
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        started = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - started)
    except (OSError, AttributeError, ValueError):
        return 0.0
