"""Those who count: this framework on the lab, Spark, a Counter, plain C. Each a whole process.

Every run's answer is compared with the text's own before its time is told.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import FOLDER, HERE, Lab
from texts import Text, Tools

LIMIT = 1800
"""Seconds after which a run is given up."""


class WrongError(Exception):
    """A contender failed, or its answer is not that of the others; the message says which."""


@dataclass(slots=True)
class Run:
    """What one run took: seconds from the process' start to its end, MB of its largest process.

    `report` is what the framework says of itself, `executors` what its agents saw.
    """

    seconds: float
    cpu: float
    memory: float
    report: dict[str, Any] = field(default_factory=dict)
    executors: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OnHost:
    """A program on this machine, kept to `cores`; it takes the text and where the counts go."""

    name: str
    command: Sequence[str]
    tools: Tools
    cores: str
    at_once: int = 1

    def run(self, text: Text, *, watched: bool = False) -> Run:
        """Count the text once."""
        counts = self.tools.folder / "counts.tsv"
        counts.unlink(missing_ok=True)
        command = [*self._command(text), str(text.path), str(counts)]
        measure = [
            sys.executable,
            str(HERE / "measure.py"),
            str(LIMIT),
            "taskset",
            "-c",
            self.cores,
        ]
        run = _outcome(self.name, subprocess.check_output([*measure, *command], text=True))
        _check(self.name, text, self.tools.digest_of(counts))
        return run

    def shown(self) -> str:
        """Return the command for the documents."""
        names = [Path(part).name if "/" in part else part for part in self.command]
        return " ".join([*names, "TEXT", "COUNTS"])

    def _command(self, text: Text) -> list[str]:
        command = list(self.command)
        if command[-1] == "ascii|unicode":
            command[-1] = "ascii" if text.ascii else "unicode"
        if self.at_once > 1:
            together = '"$0" "$1" /dev/null & ' * (self.at_once - 1) + '"$0" "$1" "$2"; wait'
            command = ["sh", "-c", together, *command]
        return command


@dataclass(slots=True)
class OnLab:
    """This framework, its command run on the client node; `local`: the agents see the text."""

    name: str
    lab: Lab
    tools: Tools
    local: bool = False
    _placed: str = ""

    def place(self, text: Text) -> str:
        """Bring the text to where it is read; return its path on the client."""
        name = text.path.name if self.local else f"served-{text.path.name}"
        path = f"{FOLDER}/{name}"
        if self._placed != path:
            for node in [self.lab.client, *(self.lab.agents if self.local else [])]:
                if self._placed:
                    self.lab.run(node, "rm", "-f", self._placed)
                self.lab.put(node, text.path, name)
                self.lab.run(node, "sh", "-c", f"cat {path} > /dev/null")
            self._placed = path
        return path

    def run(self, text: Text, *, watched: bool = False) -> Run:
        """Count the text once; `watched`: look at the executors' memory meanwhile."""
        self.place(text)
        return self.count(self._placed, text, watched=watched)

    def count(self, path: str, text: Text, *, watched: bool = False) -> Run:
        """Count a text that is on the client already."""
        client = self.lab.client
        script = self.lab.put(client, HERE / "measure.py")
        self.lab.run(client, "rm", "-f", COUNTS, REPORT)
        measure = ["python3", script, str(LIMIT), *COMMAND, path]
        if watched:
            with self.lab.watched() as executors:
                said = self.lab.run(client, *measure)
        else:
            executors = []
            said = self.lab.run(client, *measure)
        run = _outcome(self.name, said)
        run.executors = executors
        run.report = json.loads(self.lab.run(client, "cat", REPORT))
        counts = self.tools.folder / "counts.tsv"
        self.lab.fetch(client, COUNTS, counts)
        _check(self.name, text, self.tools.digest_of(counts))
        return run

    def shown(self) -> str:
        """Return the command for the documents."""
        return f"docker exec {self.lab.client} mapreduce run wordcount TEXT --output COUNTS"


COUNTS = f"{FOLDER}/counts.tsv"
REPORT = f"{FOLDER}/report.json"
COMMAND = ("mapreduce", "run", "wordcount", "--output", COUNTS, "--report", REPORT)

Contender = OnHost | OnLab


def _outcome(name: str, said: str) -> Run:
    found = json.loads(said)
    if found["status"] != 0:
        raise WrongError(f"{name} ended with status {found['status']}:\n{found['output']}")
    return Run(found["seconds"], found["user"] + found["system"], found["memory"])


def _check(name: str, text: Text, digest: str) -> None:
    if digest != text.digest:
        raise WrongError(
            f"{name} counted {text.path.name} otherwise than expected: "
            f"{digest} instead of {text.digest} (number of different words, hash of the counts)"
        )


def everybody(lab: Lab, tools: Tools, cores: Sequence[int]) -> dict[str, Contender]:
    """Return all who count, by key."""
    here = ",".join(map(str, cores))
    number = str(len(cores))
    dataframe = [sys.executable, str(HERE / "spark_dataframe.py"), number, "ascii|unicode"]
    rdd = [sys.executable, str(HERE / "spark_rdd.py"), number]
    counter = [sys.executable, str(HERE / "counter.py")]
    plain_c = [tools.program("counter")]
    return {
        "mapreduce": OnLab("mapreduce", lab, tools),
        "mapreduce-local": OnLab("mapreduce, text on the agents", lab, tools, local=True),
        "spark-dataframe": OnHost("Spark DataFrame", dataframe, tools, here),
        "spark-rdd": OnHost("Spark RDD", rdd, tools, here),
        "counter": OnHost("Counter, one process", counter, tools, here),
        "c": OnHost("C, one process", plain_c, tools, here),
        "c-each": OnHost("C, one on each core", plain_c, tools, here, len(cores)),
    }
