"""A registry in the work folder of a master that stands alone: an SQLite file.

SQLite brings what the registry needs: a transaction is written whole or not at all, also when the
power fails, and the file is locked by the one master that has it.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pocket_mesos.registry.errors import RegistryError
from pocket_mesos.registry.records import Key
from pocket_mesos.registry.store import Write

NAME = "registry.sqlite"

_LOCK_SECONDS = 5.0
"""A master that was killed may still be about to end."""

_CREATE = (
    "CREATE TABLE IF NOT EXISTS records "
    "(kind TEXT, key TEXT, data BLOB NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID"
)

T = TypeVar("T")


class DiskStore:
    """The file in a work folder."""

    replicas = 1

    def __init__(self, work_dir: Path) -> None:
        self._path = work_dir / NAME
        self._connection: sqlite3.Connection | None = None

    async def fetch(self) -> dict[Key, bytes]:
        """Open the file, made where it is missing, and read it."""
        return await asyncio.to_thread(self._guarded, self._fetch)

    async def write(self, operations: Sequence[Sequence[Write]]) -> None:
        """Write all operations as one transaction."""
        await asyncio.to_thread(self._guarded, lambda: self._write(operations))

    async def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            await asyncio.to_thread(self._connection.close)

    def place(self, key: Key) -> str:
        """Name a record and the file."""
        return f"{'/'.join(key)} in {self._path}"

    def _guarded(self, act: Callable[[], T]) -> T:
        try:
            return act()
        except sqlite3.Error as error:
            raise RegistryError(f"{self._path}: {error}") from error

    def _fetch(self) -> dict[Key, bytes]:
        # One thread at a time uses the connection, though not always the same one.
        connection = self._connection = sqlite3.connect(
            self._path, timeout=_LOCK_SECONDS, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_CREATE)
        rows = connection.execute("SELECT kind, key, data FROM records").fetchall()
        connection.execute("COMMIT")
        return {(kind, key): bytes(data) for kind, key, data in rows}

    def _write(self, operations: Sequence[Sequence[Write]]) -> None:
        assert self._connection is not None, "fetched before"
        with self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            for operation in operations:
                for (kind, key), data in operation:
                    if data is None:
                        statement = "DELETE FROM records WHERE kind = ? AND key = ?"
                        connection.execute(statement, (kind, key))
                    else:
                        statement = "INSERT OR REPLACE INTO records VALUES (?, ?, ?)"
                        connection.execute(statement, (kind, key, data))
