"""What every detector offers, and the one for a cluster without election."""

import asyncio
from typing import Protocol

from pocket_mesos.protocol.mesos import MasterInfo


class Detector(Protocol):
    """Tells who leads."""

    async def detect(self, previous: MasterInfo | None) -> MasterInfo | None:
        """Return the leader as soon as it differs from ``previous``; None while nobody leads."""


class LeaderCell:
    """The leader as last known, with waiters for the next change."""

    def __init__(self, leader: MasterInfo | None = None) -> None:
        self.leader = leader
        self._changed = asyncio.Event()

    def appoint(self, leader: MasterInfo | None) -> None:
        """Tell all waiters about a new leader, or that there is none."""
        self.leader = leader
        self._changed.set()
        self._changed = asyncio.Event()

    async def detect(self, previous: MasterInfo | None) -> MasterInfo | None:
        """Wait until the leader differs from ``previous``."""
        while self.leader == previous:
            await self._changed.wait()
        return self.leader


class StandaloneDetector(LeaderCell):
    """The leader is whoever was appointed: a single master, or the address an agent was given."""
