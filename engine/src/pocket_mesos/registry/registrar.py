"""Reads the registry for a new leader, and writes for it without holding it up.

Changes wait while a write is under way; then those that have come are written at once, as in Mesos.
Who asked for a change is told when it is safe, and acts only then.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence

from pocket_mesos.election.info import CAPABILITIES as ABLE
from pocket_mesos.flags.types import show_duration
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.errors import ProtocolError
from pocket_mesos.protocol.mesos import MasterInfo
from pocket_mesos.registry import records
from pocket_mesos.registry.errors import CorruptRecordError, RegistryError
from pocket_mesos.registry.records import Capability, Change, Key, Registry
from pocket_mesos.registry.store import Store, Write

_log = logging.getLogger(__name__)

_MAX_BATCH = 1000
"""Operations of one write, so that it is the store's pace that ``store_timeout`` judges, and not
how many agents come at once."""

Stored = Callable[[float], None]
"""Is told how long a write took, in milliseconds."""


class Registrar:
    """The registry of a leading master."""

    def __init__(self, store: Store, *, fetch_timeout: float, store_timeout: float) -> None:
        """Use ``store``; times in seconds."""
        self.registry = Registry()
        """What is safe in the store."""
        self.recovered = False
        self.bytes = 0
        """Size of all records."""
        self.fetch_ms: float | None = None
        self._store = store
        self._fetch_timeout = fetch_timeout
        self._store_timeout = store_timeout
        self._sizes: dict[Key, int] = {}
        self._queue: list[tuple[Sequence[Change], Callable[[], None]]] = []
        self._asked = asyncio.Event()

    @property
    def queued(self) -> int:
        """How many operations wait to be written."""
        return len(self._queue)

    @property
    def replicas(self) -> int:
        """How many machines keep the registry."""
        return self._store.replicas

    async def recover(self, info: MasterInfo) -> Registry:
        """Take the registry over for a new leader and return it.

        Raises:
            RegistryError: it can't be read, or not by this master.
        """
        began = time.perf_counter()
        try:
            async with asyncio.timeout(self._fetch_timeout):
                found = await self._store.fetch()
        except TimeoutError:
            within = show_duration(self._fetch_timeout)
            raise RegistryError(f"Failed to perform fetch within {within}") from None
        self.fetch_ms = (time.perf_counter() - began) * 1000
        for key, data in found.items():
            self._learn(key, data)
        self._check_capabilities()
        await self._write([[Change(kind=records.MASTER, key=records.LEADER, record=info)]])
        self.recovered = True
        return self.registry

    def apply(self, changes: Sequence[Change], done: Callable[[], None]) -> None:
        """Have one operation's changes written; ``done`` is called when they are safe."""
        self._queue.append((changes, done))
        self._asked.set()

    async def run(self, stored: Stored) -> None:
        """Write what is asked for, for ever.

        Raises:
            RegistryError: a write failed; what was asked for is not done.
        """
        while True:
            await self._asked.wait()
            batch, self._queue = self._queue[:_MAX_BATCH], self._queue[_MAX_BATCH:]
            if not self._queue:
                self._asked.clear()
            began = time.perf_counter()
            await self._write([changes for changes, _ in batch])
            stored((time.perf_counter() - began) * 1000)
            for _, done in batch:
                done()

    async def close(self) -> None:
        """Let the store go."""
        await self._store.close()

    def _learn(self, key: Key, data: bytes) -> None:
        kind, name = key
        try:
            record = records.decode(kind, data)
        except ProtocolError as error:
            raise CorruptRecordError(self._store.place(key), str(error)) from error
        self.registry.apply(Change(kind=kind, key=name, record=record))
        self._measure(key, len(data))

    def _check_capabilities(self) -> None:
        """Refuse a registry that another version of the master has written for its like."""
        needed = self.registry.of(records.CAPABILITIES, Capability).keys()
        lacking = sorted(needed - set(ABLE))
        if lacking:
            raise RegistryError(
                f"Master is missing the following minimum capabilities: {', '.join(lacking)}"
            )

    async def _write(self, operations: Sequence[Sequence[Change]]) -> None:
        written = [[_encoded(one) for one in changes] for changes in operations]
        try:
            async with asyncio.timeout(self._store_timeout):
                await self._store.write(written)
        except TimeoutError:
            within = show_duration(self._store_timeout)
            raise RegistryError(
                f"Failed to update registry: Failed to perform store within {within}"
            ) from None
        for changes, writes in zip(operations, written, strict=True):
            for change, (key, data) in zip(changes, writes, strict=True):
                self.registry.apply(change)
                self._measure(key, 0 if data is None else len(data))

    def _measure(self, key: Key, size: int) -> None:
        self.bytes += size - self._sizes.pop(key, 0)
        if size:
            self._sizes[key] = size


def _encoded(change: Change) -> Write:
    data = None if change.record is None else codec.encode(change.record)
    return (change.kind, change.key), data
