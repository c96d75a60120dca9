"""Election through ZooKeeper, in Mesos' own layout.

Each contender keeps an ephemeral sequential znode ``<path>/json.info_%010d`` with its MasterInfo;
the lowest number leads. Contender and detector share one session: what is true of the session is
true of both. kazoo runs in threads of its own; everything here runs on the event loop.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from typing import Any

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException, NodeExistsError, NoNodeError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.interfaces import IAsyncResult
from kazoo.protocol.states import KazooState
from kazoo.retry import KazooRetry
from kazoo.security import CREATOR_ALL_ACL, OPEN_ACL_UNSAFE, READ_ACL_UNSAFE

from pocket_mesos.election import info as master_infos
from pocket_mesos.election.address import ZooKeeperAddress
from pocket_mesos.election.detector import LeaderCell
from pocket_mesos.protocol.errors import ProtocolError
from pocket_mesos.protocol.mesos import MasterInfo

LABEL = "json.info_"
_RETRY_SECONDS = 1.0
_MIN_ATTEMPTS = 3
"""Servers to try within one session's time. kazoo waits for a server's answer for the session's
time divided by the number of servers: a single one that is just starting and accepts without
answering would otherwise cost the whole session."""

_log = logging.getLogger(__name__)


class SessionState(Enum):
    """What is known of the session."""

    CONNECTING = "CONNECTING"
    """Not yet connected for the first time."""
    CONNECTED = "CONNECTED"
    SUSPENDED = "SUSPENDED"
    """Disconnected; the session may or may not live on. Whoever leads must stop acting."""
    LOST = "LOST"
    """Expired, or disconnected for so long that it must be taken for expired."""


class ZooKeeperSession:
    """One session with an ensemble, its state told to listeners on the event loop."""

    def __init__(self, address: ZooKeeperAddress, timeout: float) -> None:
        """Prepare a session that ZooKeeper drops after ``timeout`` seconds of silence."""
        self.address = address
        self.state = SessionState.CONNECTING
        self._timeout = timeout
        self._loop = asyncio.get_running_loop()
        self._listeners: list[Callable[[SessionState], None]] = []
        self._expiry: asyncio.TimerHandle | None = None
        self._stopped = False
        self.client = KazooClient(
            hosts=_at_least(_MIN_ATTEMPTS, address.servers),
            timeout=timeout,
            connection_retry=KazooRetry(max_tries=-1, delay=0.1, backoff=2, max_delay=1.0),
            auth_data=[("digest", ":".join(address.credentials))] if address.credentials else None,
        )
        self.client.add_listener(self._told)

    @property
    def acl(self) -> list[Any]:
        """ACL of every znode: the creator's own where there are credentials, open elsewhere."""
        if self.address.credentials is None:
            return list(OPEN_ACL_UNSAFE)
        return [*CREATOR_ALL_ACL, *READ_ACL_UNSAFE]

    def listen(self, listener: Callable[[SessionState], None]) -> None:
        """Call ``listener`` with every new state."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin to connect; retried until :meth:`stop`."""
        self.client.start_async()

    async def stop(self) -> None:
        """End the session, its ephemeral znodes with it."""
        self._stopped = True
        if self._expiry is not None:
            self._expiry.cancel()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with suppress(KazooException, KazooTimeoutError):
            self.client.stop()
            self.client.close()

    async def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a blocking operation of the client.

        Raises:
            KazooException: as kazoo does, connection losses included.
        """
        return await asyncio.to_thread(function, *args, **kwargs)

    def outcome(self, pending: IAsyncResult) -> "asyncio.Future[Any]":
        """Return what an asynchronous operation of the client comes to; many may be under way.

        The future raises what the operation does.
        """
        future = self._loop.create_future()

        def settle(done: IAsyncResult) -> None:
            with suppress(RuntimeError):  # the loop is gone: nobody is left to tell
                self._loop.call_soon_threadsafe(_settle, future, done)

        pending.rawlink(settle)
        return future

    async def ensure_path(self, wanted: str | None = None) -> None:
        """Create a path (the election's), where it is missing, with the session's ACL."""
        path = ""
        for part in (wanted or self.address.path).strip("/").split("/"):
            path = f"{path}/{part}"
            if await self.call(self.client.exists, path) is None:
                with suppress(NodeExistsError):
                    await self.call(self.client.create, path, b"", self.acl)

    def _told(self, state: str) -> None:
        """Take kazoo's word, on kazoo's thread."""
        with suppress(RuntimeError):  # the loop is gone: nobody is left to tell
            self._loop.call_soon_threadsafe(self._change, state)

    def _change(self, state: str) -> None:
        if self._stopped:
            return
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
        match state:
            case KazooState.CONNECTED:
                self._publish(SessionState.CONNECTED)
            case KazooState.SUSPENDED if self.state is SessionState.CONNECTED:
                self._expiry = self._loop.call_later(
                    self._timeout, self._publish, SessionState.LOST
                )
                self._publish(SessionState.SUSPENDED)
            case KazooState.LOST if self.state is not SessionState.CONNECTING:
                self._publish(SessionState.LOST)

    def _publish(self, state: SessionState) -> None:
        if state is self.state:
            return
        _log.info("ZooKeeper session: %s", state.value)
        self.state = state
        for listener in self._listeners:
            listener(state)


class ZooKeeperContender:
    """Keeps this master's znode there as long as the session lives, and again in the next one."""

    def __init__(self, session: ZooKeeperSession, info: MasterInfo) -> None:
        self._session = session
        self._data = master_infos.encode(info)
        self._task: asyncio.Task[None] | None = None
        session.listen(self._on_state)

    def _on_state(self, state: SessionState) -> None:
        if self._task is not None:
            self._task.cancel()
        self._task = None
        if state is SessionState.CONNECTED:
            self._task = asyncio.ensure_future(self._contend())

    async def _contend(self) -> None:
        while True:
            try:
                await self._session.ensure_path()
                if not await self._own_node_exists():
                    path = await self._create()
                    _log.info("New candidate (id='%d') has entered the contest", sequence(path))
                return
            except KazooException as error:
                _log.warning("Failed to contend: %r; trying again", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _create(self) -> str:
        session = self._session
        prefix = f"{session.address.path}/{LABEL}"
        created: str = await session.call(
            session.client.create, prefix, self._data, session.acl, ephemeral=True, sequence=True
        )
        return created

    async def _own_node_exists(self) -> bool:
        """Whether a znode of this session is there: a create may succeed and its answer be lost."""
        session = self._session
        own = session.client.client_id
        for name in await session.call(session.client.get_children, session.address.path):
            if name.startswith(LABEL):
                stat = await session.call(session.client.exists, f"{session.address.path}/{name}")
                if stat is not None and own is not None and stat.ephemeralOwner == own[0]:
                    return True
        return False


class ZooKeeperDetector:
    """Watches who has the lowest number."""

    def __init__(self, session: ZooKeeperSession) -> None:
        self._session = session
        self._cell = LeaderCell()
        self._changed = asyncio.Event()
        self._task = asyncio.ensure_future(self._watch())
        session.listen(self._on_state)

    async def detect(self, previous: MasterInfo | None) -> MasterInfo | None:
        """Wait until the leader differs from ``previous``."""
        return await self._cell.detect(previous)

    def stop(self) -> None:
        """Stop watching."""
        self._task.cancel()

    def _on_state(self, state: SessionState) -> None:
        if state is SessionState.CONNECTED:
            self._changed.set()
        elif state is SessionState.LOST:
            self._tell(None)

    def _tell(self, leader: MasterInfo | None) -> None:
        if leader != self._cell.leader:
            _log.info("A new leading master is detected: %s", leader.pid if leader else "none")
            self._cell.appoint(leader)

    def _on_event(self, _event: Any) -> None:
        """Hear of a change among the znodes, on kazoo's thread."""
        with suppress(RuntimeError):  # the loop is gone: nobody is left to tell
            self._session._loop.call_soon_threadsafe(self._changed.set)

    async def _watch(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                self._tell(await self._read_leader())
            except NoNodeError:
                self._changed.set()
            except KazooException as error:
                _log.warning("Failed to detect the leader: %r; trying again", error)
                await asyncio.sleep(_RETRY_SECONDS)
                self._changed.set()

    async def _read_leader(self) -> MasterInfo | None:
        session = self._session
        await session.ensure_path()
        path = session.address.path
        names = await session.call(session.client.get_children, path, watch=self._on_event)
        candidates = sorted((n for n in names if n.startswith(LABEL)), key=sequence)
        if not candidates:
            return None
        data, _ = await session.call(session.client.get, f"{path}/{candidates[0]}")
        try:
            return master_infos.decode(data)
        except ProtocolError as error:
            _log.error("Leader's znode %s is unreadable: %s", candidates[0], error)
            return None


def _at_least(count: int, servers: str) -> str:
    """Name servers repeatedly until there are ``count`` of them."""
    named = servers.split(",")
    return ",".join(named * -(-count // len(named)))


def _settle(future: "asyncio.Future[Any]", done: IAsyncResult) -> None:
    """Hand an operation's outcome over."""
    if future.done():
        return  # nobody waits any more
    if done.exception is not None:
        future.set_exception(done.exception)
    else:
        future.set_result(done.value)


def sequence(name: str) -> int:
    """Return the number in a znode's name."""
    digits = name.rpartition("_")[2]
    return int(digits) if digits.isdecimal() else 0
