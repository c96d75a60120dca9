"""POST /api/v1: the operator API's calls that read, and those that decide something."""

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from pocket_mesos.authorization import Authorizer, Viewer
from pocket_mesos.http import api, messages
from pocket_mesos.http.files import Files
from pocket_mesos.http.messages import Request, Response
from pocket_mesos.http.operator import (
    FILE_CALLS,
    OperatorCall,
    Sentences,
    answer_files,
    pairs,
    set_logging_level,
)
from pocket_mesos.http.router import Reply
from pocket_mesos.http.stream import EventStream
from pocket_mesos.http.verbosity import VERBOSITY
from pocket_mesos.master import events, metrics, operator_views, role_views
from pocket_mesos.master.runner import Runner, answered
from pocket_mesos.master.subscribers import HEARTBEAT_SECONDS
from pocket_mesos.protocol.base import Message, repeated
from pocket_mesos.protocol.deactivation import DrainConfig
from pocket_mesos.protocol.errors import ProtocolError
from pocket_mesos.protocol.mesos import AgentID, Duration, DurationInfo, FrameworkID
from pocket_mesos.protocol.sharing import QuotaConfig, QuotaRequest, WeightInfo
from pocket_mesos.version import build_info

if TYPE_CHECKING:
    from pocket_mesos.master.core import Core

_SENTENCES = Sentences("master::Call")

_HEARTBEAT = b'{"type":"HEARTBEAT"}'


class _Teardown(Message, frozen=True, kw_only=True):
    framework_id: FrameworkID


class _OfAgent(Message, frozen=True, kw_only=True):
    agent_id: AgentID


class _DrainAgent(_OfAgent, frozen=True, kw_only=True):
    max_grace_period: Duration | None = None
    mark_gone: bool = False


class _UpdateWeights(Message, frozen=True, kw_only=True):
    weight_infos: list[WeightInfo] = repeated()


class _UpdateQuota(Message, frozen=True, kw_only=True):
    force: bool = False
    quota_configs: list[QuotaConfig] = repeated()


class _SetQuota(Message, frozen=True, kw_only=True):
    quota_request: QuotaRequest


class _RemoveQuota(Message, frozen=True, kw_only=True):
    role: str


class Call(OperatorCall, frozen=True, kw_only=True):
    """A call to the master's operator API."""

    teardown: _Teardown | None = None
    deactivate_agent: _OfAgent | None = None
    reactivate_agent: _OfAgent | None = None
    drain_agent: _DrainAgent | None = None
    mark_agent_gone: _OfAgent | None = None
    update_weights: _UpdateWeights | None = None
    update_quota: _UpdateQuota | None = None
    set_quota: _SetQuota | None = None
    remove_quota: _RemoveQuota | None = None


_ABSENT = frozenset(
    {
        "RESERVE_RESOURCES",
        "UNRESERVE_RESOURCES",
        "CREATE_VOLUMES",
        "DESTROY_VOLUMES",
        "GROW_VOLUME",
        "SHRINK_VOLUME",
        "UPDATE_MAINTENANCE_SCHEDULE",
        "START_MAINTENANCE",
        "STOP_MAINTENANCE",
    }
)
"""Known to Mesos, absent here."""


def _drain(call: _DrainAgent, principal: str | None) -> events.DrainRequested:
    grace = None
    if call.max_grace_period is not None:
        grace = DurationInfo(nanoseconds=call.max_grace_period.nanoseconds)
        if grace.nanoseconds < 0:
            raise ProtocolError("Expecting 'max_grace_period' to be non-negative")
    config = DrainConfig(max_grace_period=grace, mark_gone=call.mark_gone)
    return events.DrainRequested(agent_id=call.agent_id.value, principal=principal, config=config)


def _about_agent(event: type[events.AgentDecided]) -> "_MakeEvent":
    return lambda call, principal: event(agent_id=call.agent_id.value, principal=principal)


_MakeEvent = Callable[[Any, str | None], events.Event]

_WRITES: dict[str, _MakeEvent] = {
    "TEARDOWN": lambda call, principal: events.TeardownRequested(
        framework_id=call.framework_id.value, principal=principal
    ),
    "DEACTIVATE_AGENT": _about_agent(events.DeactivateRequested),
    "REACTIVATE_AGENT": _about_agent(events.ReactivateRequested),
    "DRAIN_AGENT": _drain,
    "MARK_AGENT_GONE": _about_agent(events.GoneRequested),
    "UPDATE_WEIGHTS": lambda call, principal: events.WeightsRequested(
        infos=call.weight_infos, principal=principal
    ),
    "UPDATE_QUOTA": lambda call, principal: events.QuotaRequested(
        configs=call.quota_configs, force=call.force, principal=principal
    ),
    "SET_QUOTA": lambda call, principal: events.GuaranteeRequested(
        request=call.quota_request, principal=principal
    ),
    "REMOVE_QUOTA": lambda call, principal: events.QuotaRemovalRequested(
        role=call.role, principal=principal
    ),
}
"""What each call that writes asks of the core; the body is that of the call."""


class OperatorAPI:
    """The operator API of a master."""

    def __init__(
        self, runner: Runner, authorizer: Authorizer, flags: dict[str, str], files: Files
    ) -> None:
        self._runner = runner
        self._authorizer = authorizer
        self._flags = flags
        self._files = files
        self._calls: dict[str, Callable[[Core, Viewer], Any]] = {
            "GET_HEALTH": lambda *_: {"healthy": True},
            "GET_FLAGS": lambda *_: {"flags": pairs(self._flags)},
            "GET_VERSION": lambda *_: {"version_info": build_info()},
            "GET_LOGGING_LEVEL": lambda *_: {"level": VERBOSITY.level},
            "GET_MASTER": lambda *_: self._show_master(),
            "GET_AGENTS": lambda core, v: operator_views.agents(core.state, v),
            "GET_FRAMEWORKS": lambda core, v: operator_views.frameworks(core.state, v),
            "GET_EXECUTORS": lambda core, v: operator_views.executors(core.state, v),
            "GET_TASKS": lambda core, v: operator_views.tasks(core.state, v),
            "GET_ROLES": lambda core, v: operator_views.roles(core.state, v),
            "GET_STATE": lambda core, v: operator_views.state(core.state, v),
            "GET_OPERATIONS": lambda *_: {},
            "GET_QUOTA": lambda core, v: {"status": role_views.quota(core.state, v)},
            "GET_WEIGHTS": lambda core, v: operator_views.weights(core.state, v),
            "GET_MAINTENANCE_STATUS": lambda *_: {"status": {}},
            "GET_MAINTENANCE_SCHEDULE": lambda *_: {"schedule": {}},
            "GET_METRICS": lambda *_: {"metrics": pairs(metrics.snapshot(self._runner))},
        }

    async def handle(self, request: Request) -> Reply:
        """Answer a call."""
        refusal = await self._runner.gate(request)
        if refusal is not None:
            return refusal
        if request.method != "POST":
            return messages.method_not_allowed(("POST",), request.method)
        call = api.read_call(request, Call)
        if isinstance(call, Response):
            return call
        return api.check_accept(request) or await self._answer(call, request.principal)

    async def _answer(self, call: Call, principal: str | None) -> Reply:
        if call.type == "UNKNOWN":
            return messages.not_implemented()
        if call.type in _ABSENT:
            return _SENTENCES.absent(call.type)
        if call.type == "SUBSCRIBE":
            return self._subscribe(principal)
        if call.type == "SET_LOGGING_LEVEL":
            permitted = self._authorizer.approver("set_log_level", principal).approves()
            return set_logging_level(call, _SENTENCES, permitted=permitted)
        if call.type in _WRITES:
            return await self._write(call, call.type, principal)
        if call.type in FILE_CALLS:
            return answer_files(call, self._files, _SENTENCES, principal)
        if call.type is None or call.type not in self._calls:
            return _SENTENCES.missing("type")
        if call.type == "GET_METRICS" and call.get_metrics is None:
            return _SENTENCES.missing("get_metrics")
        assert self._runner.core is not None
        viewer = Viewer(self._authorizer, principal)
        if call.type == "GET_FLAGS" and not viewer.flags:
            return messages.forbidden()
        answer: dict[str, Any] = {"type": call.type}
        content = self._calls[call.type](self._runner.core, viewer)
        if content is not None:
            answer[call.type.lower()] = content
        return messages.api_json(answer)

    def _subscribe(self, principal: str | None) -> EventStream:
        runner, stream_id = self._runner, str(uuid.uuid4())
        ended = events.OperatorUnsubscribed(stream_id=stream_id)
        stream = EventStream(
            heartbeat=_HEARTBEAT,
            heartbeat_interval=HEARTBEAT_SECONDS,
            on_closed=lambda: runner.stream_closed(stream_id, ended),
        )
        runner.open_stream(stream_id, stream)
        runner.feed(events.OperatorSubscribed(stream_id=stream_id, principal=principal))
        return stream

    async def _write(self, call: Call, type_: str, principal: str | None) -> Response:
        """Have the core deal with a call that changes something."""
        body = getattr(call, type_.lower())
        if body is None:
            return _SENTENCES.missing(type_.lower())
        try:
            asked = _WRITES[type_](body, principal)
        except ProtocolError as error:
            return _SENTENCES.invalid(str(error))
        return answered(await self._runner.ask(asked))

    def _show_master(self) -> dict[str, Any]:
        return {
            "master_info": msgspec.to_builtins(self._runner.info),
            "start_time": self._runner.started,
            "elected_time": self._runner.elected,
        }
