"""A registry in the work folder of a master that stands alone: an SQLite file.

SQLite brings what the registry needs: a transaction is written whole or not at all, also when the
power fails, and the file is locked by the one master that has it.
"""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pocket_mesos.registry.errors import RegistryError
from pocket_mesos.registry.records import Key
from pocket_mesos.registry.store import Write

NAME = "registry.sqlite"

_RETRY_SECONDS = 0.1

_CREATE = (
    "CREATE TABLE IF NOT EXISTS records "
    "(kind TEXT, key TEXT, data BLOB NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID"
)

T = TypeVar("T")

_log = logging.getLogger(__name__)


class _LockedError(RegistryError):
    """Another process has the file."""


class DiskStore:
    """The file in a work folder."""

    replicas = 1

    def __init__(self, work_dir: Path) -> None:
        self._path = work_dir / NAME
        self._connection: sqlite3.Connection | None = None

    async def fetch(self) -> dict[Key, bytes]:
        """Open the file, made where it is missing, and read it; wait while somebody has it.

        That is another master, such as one that was killed and is about to end.
        """
        while True:
            try:
                return await asyncio.to_thread(self._guarded, self._fetch)
            except _LockedError as error:
                _log.warning("Registry can't be read yet: %s", error)
                await self.close()
                await asyncio.sleep(_RETRY_SECONDS)

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
            locked = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
            kind = _LockedError if locked else RegistryError
            raise kind(f"{self._path}: {error}") from error

    def _fetch(self) -> dict[Key, bytes]:
        # One thread at a time uses the connection, though not always the same one.
        connection = self._connection = sqlite3.connect(
            self._path, timeout=0, isolation_level=None, check_same_thread=False
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
