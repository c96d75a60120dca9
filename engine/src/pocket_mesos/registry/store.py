"""What every store offers."""

from collections.abc import Sequence
from typing import Protocol

from pocket_mesos.registry.records import Key

Write = tuple[Key, bytes | None]
"""A record's data as it is to be; None: it is to go."""


class Store(Protocol):
    """Keeps records. One leader at a time reads them all, then writes."""

    replicas: int
    """How many machines keep a copy."""

    async def fetch(self) -> dict[Key, bytes]:
        """Return all records, and take the store over: whoever had it writes no more.

        Raises:
            RegistryError: the store can't be read.
            FencedError: this master does not lead.
        """

    async def write(self, operations: Sequence[Sequence[Write]]) -> None:
        """Write some operations, each in whole or not at all, in order.

        Raises:
            RegistryError: the store can't be written.
            FencedError: this master leads no more; nothing was written.
        """

    async def close(self) -> None:
        """Let the store go."""

    def place(self, key: Key) -> str:
        """Say where a record is kept."""
