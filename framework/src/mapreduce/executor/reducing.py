"""A reduce task: a share of the buckets of all runs, reduced to sorted rows for the scheduler."""

import heapq
import os
import urllib.parse
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from mapreduce.exchange import results
from mapreduce.exchange.results import Parts
from mapreduce.exchange.runs import PATIENCE, Run, RunError
from mapreduce.exchange.transfer import kept
from mapreduce.executor.tasks import Clock, LostRunError, Setup, job_errors
from mapreduce.job import Row


def payloads(setup: Setup, data: dict[str, Any]) -> Generator[bytes, None, None]:
    """Yield the payloads of the task's buckets from all runs; raises LostRunError."""
    start, stop = data["buckets"]
    runs = _list(data["runs"], setup.patience)
    # Each reducer begins with another run, so that they do not all ask the same server at once.
    first = start % len(runs) if runs else 0
    for about in runs[first:] + runs[:first]:
        own = about["executor"] is None
        here = os.access(about["path"], os.R_OK)
        patience = setup.patience if own else PATIENCE
        run = Run(about["path"] if here else about["url"], patience)
        try:
            yield from run.payloads(start, stop)
        except RunError as error:
            if own:
                raise
            raise LostRunError(str(error), about["executor"]) from error


def _list(url: str, patience: float) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = kept(url, patience).get_json(urllib.parse.urlsplit(url).path)
    return runs


def run(
    setup: Setup, task_id: str, taken: Iterable[bytes], clock: Clock, top: int | None
) -> dict[str, Any]:
    """Merge payloads, reduce, and return the receipt of the rows: all, or the `top` first."""
    table = setup.job.table()
    size = 0
    with clock.on("shuffle"):
        for payload in taken:
            size += len(payload)
            with job_errors("combining"):
                table.merge(payload)
    keys = len(table)
    with TemporaryDirectory(prefix=f"{task_id}-", dir=setup.folder) as folder:
        file = Path(folder) / "rows"
        with clock.on("reduce"), job_errors("reducing"):
            results.write_rows(file, _first(table.rows(), setup.job.order, top, Path(folder)))
        parts = Parts(setup.server, task_id, setup.patience)
        with clock.on("send"):
            parts.send_file(file)
    timing = {"bytes": size}
    return {"parts": parts.digests, "runs": [], "pairs": 0, "keys": keys, "timing": timing}


def _first(
    rows: Iterator[Row], order: Callable[[Row], Any], top: int | None, folder: Path
) -> Iterable[Row]:
    if top is not None:
        return heapq.nsmallest(top, rows, key=order)
    return results.sorted_rows(rows, order, folder)
