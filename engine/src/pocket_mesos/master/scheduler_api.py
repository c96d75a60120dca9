"""POST /api/v1/scheduler."""

import logging
import uuid

from pocket_mesos.http import api, messages
from pocket_mesos.http.messages import Request, Response
from pocket_mesos.http.router import Reply
from pocket_mesos.http.stream import EventStream
from pocket_mesos.master import events
from pocket_mesos.master.runner import Runner
from pocket_mesos.master.validation import call as validation
from pocket_mesos.protocol import scheduler
from pocket_mesos.protocol.base import replace

_log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 15.0

_HEARTBEAT = b'{"type":"HEARTBEAT"}'
_STREAM_ID = "Mesos-Stream-Id"


class SchedulerAPI:
    """The scheduler API of a master."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    async def handle(self, request: Request) -> Reply:
        """Answer a call."""
        refusal = await self._runner.gate(request)
        if refusal is not None:
            return refusal
        if request.method != "POST":
            return messages.method_not_allowed(("POST",), request.method)
        call = api.read_call(request, scheduler.Call)
        if isinstance(call, Response):
            return call
        error = validation.validate(call, request.principal)
        if error is not None:
            return messages.bad_request(error)
        lacking = validation.unsupported(call)
        if lacking is not None:
            return messages.text(501, lacking)
        if call.type == "SUBSCRIBE":
            return self._subscribe(request, call)
        return self._call(request, call)

    def _subscribe(self, request: Request, call: scheduler.Call) -> Reply:
        refusal = api.check_accept(request)
        if refusal is not None:
            return refusal
        if _STREAM_ID in request.headers:
            return messages.bad_request(
                f"Subscribe calls should not include the '{_STREAM_ID}' header"
            )
        runner, stream_id = self._runner, str(uuid.uuid4())
        ended = events.SchedulerDisconnected(stream_id=stream_id)
        stream = EventStream(
            stream_id=stream_id,
            heartbeat=_HEARTBEAT,
            heartbeat_interval=HEARTBEAT_SECONDS,
            on_closed=lambda: runner.stream_closed(stream_id, ended),
        )
        runner.open_stream(stream_id, stream)
        call = _with_principal(call, request.principal)
        runner.feed(events.Subscribed(call=call, stream_id=stream_id))
        return stream

    def _call(self, request: Request, call: scheduler.Call) -> Response:
        stream_id = request.headers.get(_STREAM_ID)
        called = events.SchedulerCalled(call=call, stream_id=stream_id, principal=request.principal)
        answer = self._runner.feed(called)
        if answer is None:
            return messages.accepted()
        if not answer.body:
            return messages.empty(answer.status)
        return messages.text(answer.status, answer.body)


def _with_principal(call: scheduler.Call, principal: str | None) -> scheduler.Call:
    """Note in a subscription whom its sender has authenticated as; validation has compared."""
    assert call.subscribe is not None, "validation has looked"
    info = call.subscribe.framework_info
    if principal is None or info.principal is not None:
        return call
    _log.warning(
        "Setting 'principal' in FrameworkInfo to '%s' because the framework authenticated with "
        "that principal but did not set it in FrameworkInfo",
        principal,
    )
    subscribe = replace(call.subscribe, framework_info=replace(info, principal=principal))
    return replace(call, subscribe=subscribe)
