"""The agent's end of the master-agent link: one stream in, calls out in order."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

import msgspec

from pocket_mesos.agent import events
from pocket_mesos.credentials import Credential
from pocket_mesos.election import endpoint
from pocket_mesos.http.authentication import authorization
from pocket_mesos.http.client import Client, RefusedError, Subscription, UnreachableError
from pocket_mesos.protocol import codec, link, recordio
from pocket_mesos.protocol.errors import ProtocolError
from pocket_mesos.protocol.mesos import MasterInfo

log = logging.getLogger(__name__)

_decoder: msgspec.json.Decoder[link.Event] = msgspec.json.Decoder(link.Event)


MAX_WAITING_BYTES = 64 * 1024 * 1024
"""With more than this to be sent, the link takes no messages of executors, which may be lost."""
_BATCH_BYTES = 8 * 1024 * 1024
"""A body grows no further; the master refuses large ones."""


class MasterLink:
    """At most one connection at a time; what happens on it is told to ``notify``."""

    def __init__(
        self,
        client: Client,
        notify: Callable[
            [events.FromMaster | events.LinkLost | events.AuthenticationRefused], None
        ],
        credential: Credential | None = None,
    ) -> None:
        """Prepare; nothing is opened before :meth:`connect`.

        Args:
            client: makes the connections.
            notify: is told what the master says.
            credential: shown with every call.
        """
        self._client = client
        self._notify = notify
        self._headers = {}
        if credential is not None:
            value = authorization(credential.principal, credential.secret)
            self._headers["Authorization"] = value
        self._task: asyncio.Task[None] | None = None
        self._stream: Subscription | None = None
        self._calls: asyncio.Queue[bytes] = asyncio.Queue()
        """Records to be sent."""
        self._waiting = 0
        """Bytes of all that is not through."""

    @property
    def congested(self) -> bool:
        """Whether the master takes less than it is told."""
        return self._waiting > MAX_WAITING_BYTES

    def connect(self, leader: MasterInfo, call: link.Register | link.Reregister) -> None:
        """Open a stream in place of the present one, if any."""
        self.disconnect()
        self._calls = asyncio.Queue()
        self._waiting = 0
        self._task = asyncio.get_running_loop().create_task(self._run(leader, call, self._calls))

    def send(self, call: link.Call) -> None:
        """Make a call; lost when the stream breaks before it is through."""
        record = recordio.encode(codec.encode(call))
        self._calls.put_nowait(record)
        self._waiting += len(record)

    def disconnect(self) -> None:
        """Drop the stream; nothing more is told about it."""
        self._stream = None
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def flush(self, within: float) -> None:
        """Wait until all calls are through, at most ``within`` seconds."""
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._calls.join(), within)

    async def _run(
        self,
        leader: MasterInfo,
        call: link.Register | link.Reregister,
        calls: asyncio.Queue[bytes],
    ) -> None:
        host, port = endpoint(leader)
        url = f"http://{host}:{port}{link.PATH}"
        try:
            stream = await self._client.subscribe(url, codec.encode(call), headers=self._headers)
        except (UnreachableError, RefusedError) as error:
            reason = str(error)
            if self._headers and isinstance(error, RefusedError) and error.status == 401:
                self._task = None
                self._notify(events.AuthenticationRefused(master=leader))
                return
        else:
            reason = await self._serve(url, stream, calls)
        log.warning("No link to the master at %s:%d: %s", host, port, reason)
        self._task = None
        self._notify(events.LinkLost(reason=reason))

    async def _serve(self, url: str, stream: Subscription, calls: asyncio.Queue[bytes]) -> str:
        """Receive and send until one of both fails; return why."""
        self._stream = stream
        receiving = asyncio.ensure_future(self._receive(stream))
        sending = asyncio.ensure_future(self._send_all(url, stream.stream_id or "", calls))
        try:
            done, _ = await asyncio.wait((receiving, sending), return_when=asyncio.FIRST_COMPLETED)
            return next(iter(done)).result()
        finally:
            receiving.cancel()
            sending.cancel()
            stream.close()

    async def _receive(self, stream: Subscription) -> str:
        try:
            async for record in stream.records():
                if stream is not self._stream:
                    break  # disconnected by what a record before this one brought about
                self._notify(events.FromMaster(event=_decoder.decode(record)))
        except (UnreachableError, ProtocolError, msgspec.DecodeError) as error:
            return str(error)
        return "the master ended the stream"

    async def _send_all(self, url: str, stream_id: str, calls: asyncio.Queue[bytes]) -> str:
        while True:
            batch = [await calls.get()]
            size = len(batch[0])
            while size < _BATCH_BYTES and not calls.empty():
                batch.append(calls.get_nowait())
                size += len(batch[-1])
            body = b"".join(batch)
            try:
                answer = await self._client.request(
                    "POST", url, body=body, headers={**self._headers, "Mesos-Stream-Id": stream_id}
                )
            except UnreachableError as error:
                return str(error)
            if answer.status != 202:
                return (
                    f"the master answered {answer.status}: {answer.body.decode('utf-8', 'replace')}"
                )
            self._waiting -= size
            for _ in batch:
                calls.task_done()
