"""A registry that ends with its master: ``--registry=in_memory``."""

from collections.abc import Sequence

from pocket_mesos.registry.records import Key
from pocket_mesos.registry.store import Write


class MemoryStore:
    """Keeps nothing: a master that just began to lead finds no records."""

    replicas = 1

    async def fetch(self) -> dict[Key, bytes]:
        """Find nothing."""
        return {}

    async def write(self, operations: Sequence[Sequence[Write]]) -> None:
        """Forget; the registrar itself has all records at hand."""

    async def close(self) -> None:
        """Let nothing go."""

    def place(self, key: Key) -> str:
        """Name a record."""
        return "/".join(key)
