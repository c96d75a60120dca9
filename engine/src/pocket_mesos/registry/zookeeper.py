"""The registry in ZooKeeper, beside the election: one znode for each record.

Every write is a transaction that also checks that this master's own znode of the election is there.
ZooKeeper removes that znode before anybody else can be elected, so a master that was deposed, and
does not know it yet, writes nothing, not even the one line it was about to write when it was
stopped. The new leader has seen the znode gone, and reads later: it reads all that was written.

The records are below ``log_replicas``, which real Mesos keeps for its replicated log: clients that
look for masters (PyMesos) know that name and pass it by.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

from kazoo.exceptions import (
    ConnectionLoss,
    KazooException,
    NodeExistsError,
    NoNodeError,
    OperationTimeoutError,
    RolledBackError,
    RuntimeInconsistency,
    SessionExpiredError,
)

from pocket_mesos.election.zookeeper import LABEL, ZooKeeperSession, sequence
from pocket_mesos.registry.errors import FencedError, RegistryError
from pocket_mesos.registry.records import MAX_BYTES, TYPES, Key
from pocket_mesos.registry.store import Write

_RETRY_SECONDS = 0.1
_ANY_VERSION = -1
_MAX_WRITES = 500
"""In one transaction, of MAX_BYTES at most: a server refuses more than 1 MB."""

_UNKNOWN_OUTCOME = (ConnectionLoss, OperationTimeoutError)
"""The write was done, or not."""

_log = logging.getLogger(__name__)


class _NotSeatedError(Exception):
    """The election does not say (yet) that this session leads."""


class ZooKeeperStore:
    """The registry below an election's path."""

    def __init__(self, session: ZooKeeperSession) -> None:
        self._session = session
        self._root = f"{session.address.path}/log_replicas/registry"
        self._seat = ""
        """This master's znode of the election."""
        self._present: set[str] = set()
        """Znodes of records that are there."""
        self.replicas = len(set(session.address.servers.split(",")))

    async def fetch(self) -> dict[Key, bytes]:
        """Read all records, trying again while the connection is lost."""
        while True:
            try:
                return await self._fetch()
            except (*_UNKNOWN_OUTCOME, NoNodeError, _NotSeatedError) as error:
                _log.info("Registry can't be read yet: %r", error)
                await asyncio.sleep(_RETRY_SECONDS)
            except SessionExpiredError as error:
                raise FencedError("ZooKeeper session expired") from error
            except KazooException as error:
                raise RegistryError(f"ZooKeeper at {self._root}: {error!r}") from error

    async def write(self, operations: Sequence[Sequence[Write]]) -> None:
        """Write; after a lost connection, look what came through and write the rest."""
        try:
            for part in _parts(operations):
                while not await self._commit(part):
                    await self._look_again(part)
        except SessionExpiredError as error:
            raise FencedError("ZooKeeper session expired") from error
        except KazooException as error:
            raise RegistryError(f"Failed to update registry: {error!r}") from error

    async def close(self) -> None:
        """Let nothing go: the session is the election's."""

    def place(self, key: Key) -> str:
        """Return a record's znode."""
        kind, name = key
        return f"{self._root}/{kind}/{quote(name, safe='')}"

    # --- reading ---------------------------------------------------------------------------

    async def _fetch(self) -> dict[Key, bytes]:
        self._seat = await self._find_seat()
        found: dict[Key, bytes] = {}
        for kind in TYPES:
            await self._session.ensure_path(f"{self._root}/{kind}")
            found |= await self._fetch_kind(kind)
        self._present = {self.place(key) for key in found}
        return found

    async def _find_seat(self) -> str:
        """Return the leader's znode, which must be this session's own."""
        client, path = self._session.client, self._session.address.path
        names = await self._session.outcome(client.get_children_async(path))
        seats = sorted((name for name in names if name.startswith(LABEL)), key=sequence)
        if not seats:
            raise _NotSeatedError("no master stands for election")
        seat = f"{path}/{seats[0]}"
        stat = await self._session.outcome(client.exists_async(seat))
        # Of this master's former session there may be a znode left, which will go.
        if stat is None or client.client_id is None or stat.ephemeralOwner != client.client_id[0]:
            raise _NotSeatedError(f"{seat} is another session's")
        return seat

    async def _fetch_kind(self, kind: str) -> dict[Key, bytes]:
        client, folder = self._session.client, f"{self._root}/{kind}"
        names = await self._session.outcome(client.get_children_async(folder))
        asked = [self._session.outcome(client.get_async(f"{folder}/{name}")) for name in names]
        read = await asyncio.gather(*asked)
        return {(kind, unquote(name)): data for name, (data, _) in zip(names, read, strict=True)}

    # --- writing ---------------------------------------------------------------------------

    async def _commit(self, writes: Sequence[Write]) -> bool:
        """Write all of this or nothing; False: it is not known which, or not what was there."""
        present = set(self._present)
        transaction = self._session.client.transaction()
        transaction.check(self._seat, _ANY_VERSION)
        for key, data in writes:
            self._add(transaction, self.place(key), data, present)
        try:
            results = await self._session.outcome(transaction.commit_async())
        except _UNKNOWN_OUTCOME as error:
            _log.warning("Write to the registry is in doubt: %r", error)
            return False
        if not self._accepted(results):
            return False
        self._present = present
        return True

    def _add(self, transaction: Any, path: str, data: bytes | None, present: set[str]) -> None:
        if data is None:
            if path in present:
                transaction.delete(path)
                present.discard(path)
        elif path in present:
            transaction.set_data(path, data)
        else:
            transaction.create(path, data, acl=self._session.acl)
            present.add(path)

    def _accepted(self, results: list[Any]) -> bool:
        """Whether a transaction was carried out; False: records were not as they should be."""
        if isinstance(results[0], NoNodeError):
            raise FencedError(f"{self._seat} is gone: this master was deposed")
        for one in results:
            # What stands before and after the one that failed says no more than that.
            if isinstance(one, NoNodeError | NodeExistsError):
                _log.warning("Registry is not as it was left: %r", one)
                return False
            if isinstance(one, Exception) and not isinstance(
                one, RolledBackError | RuntimeInconsistency
            ):
                raise RegistryError(f"Failed to update registry: {one!r}")
        return True

    async def _look_again(self, writes: Sequence[Write]) -> None:
        """Find out which of these records are there."""
        for path in {self.place(key) for key, _ in writes}:
            if await self._exists(path):
                self._present.add(path)
            else:
                self._present.discard(path)

    async def _exists(self, path: str) -> bool:
        while True:
            with suppress(*_UNKNOWN_OUTCOME):
                found = await self._session.outcome(self._session.client.exists_async(path))
                return found is not None
            await asyncio.sleep(_RETRY_SECONDS)


def _parts(operations: Sequence[Sequence[Write]]) -> Iterator[list[Write]]:
    """Join operations into transactions; one that is too large for any comes in several."""
    part: list[Write] = []
    size = 0
    for operation in operations:
        bytes_ = sum(map(_size, operation))
        if part and (size + bytes_ > MAX_BYTES or len(part) + len(operation) > _MAX_WRITES):
            yield part
            part, size = [], 0
        for one in operation:
            if part and (size + _size(one) > MAX_BYTES or len(part) >= _MAX_WRITES):
                yield part
                part, size = [], 0
            part.append(one)
            size += _size(one)
    if part:
        yield part


def _size(write: Write) -> int:
    (_, name), data = write
    return len(name) + len(data or b"")
