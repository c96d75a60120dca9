"""POST /pocket/v1/agent: the master's end of the link to agents; see ``protocol.link``."""

import logging
import uuid

import msgspec

from pocket_mesos.http import messages
from pocket_mesos.http.messages import Request, Response
from pocket_mesos.http.router import Reply
from pocket_mesos.http.stream import EventStream
from pocket_mesos.master import events
from pocket_mesos.master.runner import Runner
from pocket_mesos.master.security import AGENT_REALM
from pocket_mesos.protocol import link, recordio
from pocket_mesos.protocol.errors import ProtocolError

_log = logging.getLogger(__name__)

_DECODER: msgspec.json.Decoder[link.Call] = msgspec.json.Decoder(link.Call)


class AgentLink:
    """The links of all agents."""

    def __init__(self, runner: Runner, *, authenticate: bool) -> None:
        """Serve agents; ``authenticate`` says whether only those that have said who they are."""
        self._runner = runner
        self._authenticate = authenticate

    async def handle(self, request: Request) -> Reply:
        """Answer an agent's POST."""
        await self._runner.recovered()
        refusal = await self._runner.gate(request)
        if refusal is not None:
            return refusal
        if request.method != "POST":
            return messages.method_not_allowed(("POST",), request.method)
        try:
            calls = _read(request.body)
        except (ProtocolError, msgspec.DecodeError) as error:
            return messages.bad_request(str(error))
        if self._authenticate and request.principal is None:
            return _refuse(calls)
        stream_id = request.headers.get("Mesos-Stream-Id")
        if stream_id is not None:
            return self._calls(calls, stream_id)
        if len(calls) == 1 and isinstance(calls[0], link.Register | link.Reregister):
            return self._open(calls[0], request.principal)
        return messages.bad_request("Expecting Register or Reregister alone on a new stream")

    def _open(self, call: link.Register | link.Reregister, principal: str | None) -> EventStream:
        runner, stream_id = self._runner, str(uuid.uuid4())
        ended = events.AgentDisconnected(stream_id=stream_id)
        stream = EventStream(
            stream_id=stream_id, on_closed=lambda: runner.stream_closed(stream_id, ended)
        )
        runner.open_stream(stream_id, stream)
        if principal is not None:
            _log.info("Successfully authenticated principal '%s' at %s", principal, call.pid)
        subscribed = events.AgentSubscribed(call=call, stream_id=stream_id, principal=principal)
        runner.feed(subscribed)
        return stream

    def _calls(self, calls: list[link.Call], stream_id: str) -> Response:
        for call in calls:
            answer = self._runner.feed(events.AgentCalled(call=call, stream_id=stream_id))
            if answer is not None:
                return messages.text(answer.status, answer.body)
        return messages.accepted()


def _refuse(calls: list[link.Call]) -> Response:
    """Turn an agent away that has not authenticated."""
    for call in calls:
        if isinstance(call, link.Register | link.Reregister):
            _log.warning(
                "Refusing registration of agent at %s because it is not authenticated", call.pid
            )
    return messages.unauthorized(AGENT_REALM)


def _read(body: bytes) -> list[link.Call]:
    """Read a body: RecordIO records, or one call without framing.

    Raises:
        ProtocolError: not RecordIO, or cut short.
        msgspec.DecodeError: a record is no call of the link.
    """
    if body.startswith(b"{"):
        return [_DECODER.decode(body)]
    decoder = recordio.Decoder()
    records = decoder.feed(body)
    if decoder.pending:
        raise ProtocolError("Expecting whole RecordIO records")
    return [_DECODER.decode(record) for record in records]
