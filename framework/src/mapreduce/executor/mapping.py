"""A map task: blocks into a table, and the table to the scheduler or into runs."""

from collections.abc import Generator, Iterable
from typing import Any

from mapreduce.exchange import runs
from mapreduce.exchange.results import Parts
from mapreduce.executor.tasks import Clock, Setup, job_errors
from mapreduce.inputs import splits
from mapreduce.inputs.sources import Source, open_source
from mapreduce.job import Block
from mapreduce.tables import BUCKETS, Table

LARGEST_PART = 24 << 20
"""Bytes of a table that becomes a part: it has to fit beside the scheduler's own."""


def blocks(setup: Setup, data: dict[str, Any]) -> Generator[Block, None, None]:
    """Yield the blocks of the task's ranges."""
    sources: dict[int, Source] = {}
    for number, start, end in data["ranges"]:
        if number not in sources:
            sources[number] = open_source(data["sources"][str(number)], setup.patience)
        source = sources[number]
        for offset, records in splits.records(source, start, end, setup.job.record_ends):
            yield Block(records, source.name, offset)


def run(
    setup: Setup, task_id: str, taken: Iterable[Block], clock: Clock, *, keep: bool
) -> dict[str, Any]:
    """Map blocks and return the receipt of what was found: of runs to `keep`, else of parts."""
    table = setup.job.table()
    pairs = size = 0
    outlet = _Runs(setup, task_id) if keep else _Direct(setup, task_id)
    limit = setup.table_bytes if keep else min(setup.table_bytes, LARGEST_PART)
    for block in taken:
        size += len(block)
        with clock.on("map", cpu="cpu"), job_errors(f"on the input {block.input!r}", block.offset):
            table.map(block)
        if table.nbytes > limit:
            pairs += _empty(table, outlet, clock)
    pairs += _empty(table, outlet, clock)
    return {"pairs": pairs, "timing": {"bytes": size}, **outlet.receipt}


def _empty(table: Table, outlet: "_Runs | _Direct", clock: Clock) -> int:
    """Send what the table holds and return how many pairs it was."""
    pairs = len(table)
    if pairs:
        with clock.on("send"):
            outlet.take(table)
    return pairs


class _Direct:
    """Tables as parts to the scheduler."""

    def __init__(self, setup: Setup, task_id: str) -> None:
        self._parts = Parts(setup.server, task_id, setup.patience)

    def take(self, table: Table) -> None:
        self._parts.send(table.dump()[0])

    @property
    def receipt(self) -> dict[str, Any]:
        return {"parts": self._parts.digests, "runs": []}


class _Runs:
    """Tables as runs in the worker's folder."""

    def __init__(self, setup: Setup, task_id: str) -> None:
        self._setup = setup
        self._task_id = task_id
        self._runs: list[dict[str, Any]] = []

    def take(self, table: Table) -> None:
        name = f"{self._task_id}-{len(self._runs)}.run"
        path = self._setup.folder / name
        sizes = runs.write_run(path, table.dump(BUCKETS))
        url = f"{self._setup.served}/{name}"
        about = {"name": name, "path": str(path), "url": url, "sizes": runs.encode_sizes(sizes)}
        self._runs.append(about)

    @property
    def receipt(self) -> dict[str, Any]:
        return {"parts": [], "runs": self._runs}
