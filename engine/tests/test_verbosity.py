"""The logging level that an operator changes for a while."""

import asyncio
import logging

from pocket_mesos.http.verbosity import Verbosity


def logger(level: int) -> logging.Logger:
    made = logging.Logger("of its own")
    made.setLevel(level)
    return made


async def test_a_level_holds_for_its_time() -> None:
    """Debug lines come meanwhile; then it is as it was."""
    own = logger(logging.WARNING)
    verbosity = Verbosity(own)
    assert (verbosity.level, verbosity.usual) == (0, 0)
    verbosity.set(3, 0.05)
    assert (verbosity.level, verbosity.usual, own.level) == (3, 0, logging.DEBUG)
    for _ in range(6000):
        if verbosity.level == 0:
            break
        await asyncio.sleep(0.01)
    assert verbosity.level == 0
    assert own.level == logging.WARNING


async def test_another_level_takes_the_place_of_the_first() -> None:
    """The way back is to the start, and the first one's time is over."""
    own = logger(logging.INFO)
    verbosity = Verbosity(own)
    verbosity.set(2, 0.01)
    verbosity.set(1, 3600)
    await asyncio.sleep(0.05)
    assert (verbosity.level, own.level) == (1, logging.DEBUG)
    verbosity.set(0, 3600)
    assert (verbosity.level, own.level) == (0, logging.INFO)
    verbosity.set(0, float("1e300"))


async def test_a_process_that_logs_debug_lines_has_them_at_level_one() -> None:
    """That is its usual level."""
    verbosity = Verbosity(logger(logging.DEBUG))
    assert (verbosity.level, verbosity.usual) == (1, 1)
