"""Data of our own inside Mesos' messages: plain values in a field of bytes.

Apart from `mapreduce.scheduler.wire` for the executor's sake, which needs nothing else of it.
"""

import base64
import json
from typing import Any


def encode(data: dict[str, Any]) -> str:
    """Return data for a field of bytes, which JSON carries as base64."""
    return base64.b64encode(json.dumps(data).encode()).decode("ascii")


def decode(field: str) -> dict[str, Any]:
    """Return the data of a field of bytes; raises ValueError where none of ours is in it."""
    data = json.loads(base64.b64decode(field))
    if not isinstance(data, dict):
        raise ValueError("no object")
    return data
