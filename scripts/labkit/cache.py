"""Things that are made once: one maker at a time, and what is half made is never seen."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from labkit.paths import CACHE


@contextmanager
def only_one(name: str) -> Iterator[None]:
    """Keep other processes of this checkout out of a block of that name."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
