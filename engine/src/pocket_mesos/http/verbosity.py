"""glog's verbosity of this process: 0, or more for debug lines, changed for a while.

Pocket Mesos has one kind of debug lines, so that all levels above 0 log the same.
"""

import asyncio
import logging

MAX_SECONDS = 365 * 24 * 3600.0
"""More is as good as for ever, and timers can't count it."""


class Verbosity:
    """The level, and the way back to the one that the process was started with."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        """Change what ``logger``, by default the root of all, lets through."""
        self._logger = logger or logging.getLogger()
        self._level: int | None = None
        self._usual = logging.NOTSET
        self._end: asyncio.TimerHandle | None = None

    @property
    def level(self) -> int:
        """Return the level that holds now."""
        return self.usual if self._level is None else self._level

    @property
    def usual(self) -> int:
        """Return the level that the process was started with."""
        least = self._logger.level if self._level is None else self._usual
        return int(least <= logging.DEBUG)

    def set(self, level: int, seconds: float) -> None:
        """Let a level hold for a while; one that was set before ends now."""
        self._revert()
        self._usual = self._logger.level
        self._level = level
        if level > 0:
            self._logger.setLevel(logging.DEBUG)
        loop = asyncio.get_running_loop()
        self._end = loop.call_later(min(seconds, MAX_SECONDS), self._revert)

    def _revert(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None
            self._level = None
            self._logger.setLevel(self._usual)


VERBOSITY = Verbosity()
"""Of the process: a master and agents that share one share it too."""
