"""Recorded answers of a real Mesos, so that the suite's own assertions are tested.

The folder is named by MESOS_TRANSCRIPTS, or lies beside the repository.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .wire import RecordDecoder, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "mesos-transcripts"
ROOT = Path(os.environ.get("MESOS_TRANSCRIPTS") or BESIDE)

recorded = pytest.mark.skipif(
    not (ROOT / "README.md").is_file(),
    reason=f"no transcripts of a real Mesos at {ROOT}; name their folder in MESOS_TRANSCRIPTS",
)


@cache
def load(name: str) -> Any:
    """Decode one transcript, given as `folder/file.json`."""
    return json.loads((ROOT / name).read_text())


def response(entry: dict[str, Any]) -> Response:
    """Rebuild an HTTP answer from a transcript's `response`."""
    body = entry.get("body", "")
    if not isinstance(body, str):
        body = json.dumps(body)
    headers = tuple((name, value) for name, value in entry.get("headers", []))
    return Response(entry["status"], entry["reason"], headers, body)


def body(name: str) -> Any:
    """Return the decoded body of a transcript that holds one request."""
    return load(name)["response"]["body"]


def records(name: str) -> list[bytes]:
    """Return the records of a byte-exact event stream."""
    return RecordDecoder().feed((ROOT / name).read_bytes())


def steps(name: str, kind: str) -> Iterator[dict[str, Any]]:
    """Yield the steps of a transcript that have a field of this name."""
    return (step for step in load(name)["steps"] if kind in step)


def events(name: str, kind: str | None = None) -> list[dict[str, Any]]:
    """Return the events of a transcript in order, all or those of one type."""
    found = (step["event"] for step in steps(name, "event"))
    return [event for event in found if kind in (None, event["type"])]


def updates(name: str, task_id: str) -> list[dict[str, Any]]:
    """Return the task's statuses as the scheduler received them."""
    statuses = (event["update"]["status"] for event in events(name, "UPDATE"))
    return [status for status in statuses if status["task_id"]["value"] == task_id]


def files(folder: str, suffix: str) -> list[str]:
    """List the transcripts of a folder; nothing when there are no transcripts."""
    found = (ROOT / folder).glob(f"**/*{suffix}")
    return sorted(str(path.relative_to(ROOT)) for path in found)
