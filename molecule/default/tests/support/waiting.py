"""Waiting for a state of the cluster, with a reason when it does not come."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(what: str, look: Callable[[], T | None], seconds: float = 120) -> T:
    """Return the first true answer of look(); fail after so many seconds with its last one.

    An OSError (a refused or broken connection) counts as "not yet".
    """
    deadline = time.monotonic() + seconds
    while True:
        last: object
        try:
            answer = look()
        except OSError as error:
            last = error
        else:
            if answer:
                return answer
            last = answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s; last seen: {last!r}")
        time.sleep(0.2)
