"""Benchmarks of the word count on the running lab, against Spark, a Counter and plain C.

The same text, the same cores, whole process to whole process, rounds interleaved. Every answer is
compared with the others' before any figure is told. Parts: the time of the lab's own book; ratios
to the others at 100 MB and 1 GB; growth from 10 MB to 4 GB; one agent's core against two's; 10
thousand to 50 million different words. Writes results.json, results.md and results.png.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import machine
import picture
import report
import texts
from contenders import Contender, OnLab, Run, WrongError, everybody
from lab import HERE, ROOT, Lab, LabError
from texts import Text, Tools

MB = 1_000_000

SMALL_ROUNDS = 10
"""Of the book, which takes no time."""

SLOW = 500 * MB
"""Texts above this are counted by Spark's RDDs in the first round only: that takes minutes."""

MOST_FOR_C = 10_000_000
"""Different words; the table of more needs gigabytes of memory and minutes to sort."""

WORDS_TOTAL = 60_000_000
"""Words in each of the made-up texts, of 11 bytes on average."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What is measured: sizes of texts in bytes, numbers of different words, rounds."""

    ratios: Sequence[int] = (100 * MB, 1000 * MB)
    growth: Sequence[int] = (10 * MB, 100 * MB, 1000 * MB, 4000 * MB)
    agents: int = 1000 * MB
    words: Sequence[int] = (10_000, 100_000, 1_000_000, 10_000_000, 50_000_000)
    words_total: int = WORDS_TOTAL


QUICK = Sizes((20 * MB,), (5 * MB, 20 * MB), 20 * MB, (10_000, 1_000_000), 2_000_000)


@dataclass(slots=True)
class Bench:
    """One run of the benchmarks: the lab, who counts, and what was measured so far."""

    lab: Lab
    tools: Tools
    contenders: dict[str, Contender]
    book_here: Path
    original: Path
    folder: Path
    sizes: Sizes
    rounds: int
    cores: Sequence[int]
    texts: dict[int, Text] = field(default_factory=dict)
    measured: dict[str, Any] = field(default_factory=dict)

    @property
    def framework(self) -> OnLab:
        """Return the contender that is this framework."""
        found = self.contenders["mapreduce"]
        assert isinstance(found, OnLab)
        return found

    def check(self) -> None:
        """Let everybody count a text with white space of every kind; raises WrongError."""
        path = self.folder / "white-space.txt"
        path.write_text(every_white_space(), encoding="utf-8", newline="")
        text = texts.as_is(path, self.tools)
        for contender in self.contenders.values():
            say(f"  {contender.name}")
            contender.run(text)

    def book(self) -> None:
        """Measure the lab's own book, which is on the client."""
        book = texts.as_is(self.book_here, self.tools)
        runs = [self.framework.count(self.lab.book, book) for _ in range(SMALL_ROUNDS + 1)]
        self.measured["book"] = {"size": book.size, "runs": {"mapreduce": all_of(runs[1:])}}

    def ratios(self) -> None:
        """Measure everybody at the same texts, in turn."""
        self.measured["ratios"] = []
        for size in self.sizes.ratios:
            text = self._text(size)
            once = {"spark-rdd"} if size > SLOW else set()
            runs = self._rounds(text, list(self.contenders), once=once)
            self.measured["ratios"].append({"size": text.size, "runs": runs})

    def growth(self) -> None:
        """Measure growing texts, and the memory that is taken for them."""
        self.measured["growth"] = []
        for size in self.sizes.growth:
            text = self._text(size)
            names = ["mapreduce", "spark-dataframe", "c"]
            runs = self._rounds(text, names, once={"spark-dataframe", "c"}, watched=True)
            self.measured["growth"].append({"size": text.size, "runs": runs})

    def agents(self) -> None:
        """Measure one agent against two, a core each."""
        text = self._text(self.sizes.agents)
        self.measured["agents"] = []
        limits = {
            agent: str(self.cores[number % len(self.cores)])
            for number, agent in enumerate(self.lab.agents)
        }
        with self.lab.cores(limits):
            for count in range(1, len(self.lab.agents) + 1):
                with self.lab.only_agents(count):
                    runs = self._rounds(text, ["mapreduce", "mapreduce-local"])
                entry = {"agents": count, "size": text.size, "runs": runs}
                self.measured["agents"].append(entry)

    def words(self) -> None:
        """Measure texts with more and more different words, and the memory taken for them."""
        self.measured["words"] = []
        for different in self.sizes.words:
            say(f"  making the text of {different:,} different words")
            text = texts.made_up(different, self.sizes.words_total, self.folder, self.tools)
            names = ["mapreduce", "c"] if different <= MOST_FOR_C else ["mapreduce"]
            runs = self._rounds(text, names, once=names, watched=True)
            entry = {"different": different, "size": text.size, "runs": runs}
            self.measured["words"].append(entry)
            text.path.unlink()

    def _text(self, size: int) -> Text:
        """Return the text of that size, made once."""
        if size not in self.texts:
            say(f"  making the text of {size // MB} MB")
            self.texts[size] = texts.repeated(self.original, size, self.folder, self.tools)
        return self.texts[size]

    def _rounds(
        self,
        text: Text,
        names: Sequence[str],
        *,
        once: Container[str] = (),
        watched: bool = False,
    ) -> dict[str, Any]:
        """Run the contenders in turn, beginning with another one each round.

        Those in `once` take part in the first round only.
        """
        runs: dict[str, list[Run]] = {name: [] for name in names}
        for number in range(self.rounds):
            shift = number % len(names)
            for name in [*names[shift:], *names[:shift]]:
                if number and name in once:
                    continue
                run = self.contenders[name].run(text, watched=watched)
                say(f"  {self.contenders[name].name}: {run.seconds:.2f} s")
                runs[name].append(run)
        return {name: all_of(those) for name, those in runs.items()}


PARTS: dict[str, Callable[[Bench], None]] = {
    "book": Bench.book,
    "ratios": Bench.ratios,
    "growth": Bench.growth,
    "agents": Bench.agents,
    "words": Bench.words,
}


def all_of(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Return runs as JSON can hold them."""
    return [asdict(run) for run in runs]


def every_white_space() -> str:
    """Return a text with each kind of white space between words, and characters close to it."""
    spaces = [chr(code) for code in range(0x3001) if chr(code).isspace()]
    near = "\u0084 \u00a1 \u167f \u1fff \u200b \u2027 \u2030 \u2060 \u2fff \u3001 \u00e9 \U0001f600"
    return "".join(f"left{space}right {near}{space}{space}{near}\n" for space in spaces) + "end"


def say(line: str) -> None:
    """Show progress, apart from the figures."""
    print(line, file=sys.stderr, flush=True)


def arguments() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lab", default="mesos-lab", help="name of the running lab [%(default)s]")
    parser.add_argument(
        "--only",
        choices=PARTS,
        action="append",
        help="measure this part only; may be repeated",
    )
    parser.add_argument("--quick", action="store_true", help="small texts, to see that it works")
    parser.add_argument("--rounds", type=int, default=0, help="interleaved rounds [3; --quick 1]")
    parser.add_argument("--cores", type=int, default=2, help="of this machine [%(default)s]")
    parser.add_argument("--text", type=Path, help="text to repeat [the lab's book]")
    parser.add_argument(
        "--folder", type=Path, default=ROOT / ".lab" / "bench", help="for the results [.lab/bench]"
    )
    parser.add_argument("--record", action="store_true", help="also into docs/benchmarks.md")
    return parser.parse_args()


def prepared(options: argparse.Namespace) -> Bench:
    """Compile, find the lab and the text."""
    cores = sorted(os.sched_getaffinity(0))[: options.cores]
    if len(cores) < options.cores:
        raise LabError(f"this machine has {len(cores)} cores, not {options.cores}")
    work = ROOT / ".lab" / "cache" / "bench"
    lab = Lab.load(options.lab)
    tools = Tools.compiled(HERE / "native", work / "bin")
    book = work / Path(lab.book).name
    lab.fetch(lab.client, lab.book, book)
    return Bench(
        lab=lab,
        tools=tools,
        contenders=everybody(lab, tools, cores),
        book_here=book,
        original=options.text or book,
        folder=work,
        sizes=QUICK if options.quick else Sizes(),
        rounds=options.rounds or (1 if options.quick else 3),
        cores=cores,
    )


def measure(bench: Bench, parts: Sequence[str], cores: int) -> Iterator[dict[str, Any]]:
    """Measure the parts on the given number of cores; yield everything so far after each."""
    about = {
        "machine": machine.describe(bench.lab, cores),
        "cores": cores,
        "names": {key: contender.name for key, contender in bench.contenders.items()},
        "commands": {each.name: each.shown() for each in bench.contenders.values()},
    }
    try:
        with bench.lab.cores(machine.limits(bench.lab, bench.cores)):
            say("every contender's answer, with white space of every kind")
            bench.check()
            for name in parts:
                say(name)
                PARTS[name](bench)
                yield {**about, **bench.measured}
    finally:
        bench.lab.clean()
        for text in bench.texts.values():
            text.path.unlink()


def main() -> None:
    """Measure what the command line asks for; print the table."""
    options = arguments()
    try:
        bench = prepared(options)
        for results in measure(bench, options.only or list(PARTS), options.cores):
            write(results, options.folder)
    except (LabError, WrongError) as error:
        sys.exit(f"bench: {error}")
    table = report.markdown(results)
    print(table)
    if options.record:
        report.record(table, options.folder / "results.png")


def write(results: dict[str, Any], folder: Path) -> None:
    """Write what was measured so far; a long benchmark that ends early has not been for nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "results.md").write_text(report.markdown(results))
    picture.draw(results, folder / "results.png")


if __name__ == "__main__":
    main()
