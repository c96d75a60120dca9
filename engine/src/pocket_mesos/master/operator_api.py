"""POST /api/v1: the operator API's calls that read, and TEARDOWN."""

import logging
from typing import TYPE_CHECKING, Any

import msgspec

from pocket_mesos.http import api, messages
from pocket_mesos.http.messages import Request, Response
from pocket_mesos.http.router import Reply
from pocket_mesos.master import metrics, operator_views
from pocket_mesos.master.events import TeardownRequested
from pocket_mesos.master.runner import Runner
from pocket_mesos.protocol.base import Message
from pocket_mesos.protocol.mesos import DurationInfo, FrameworkID, Opaque
from pocket_mesos.version import build_info

if TYPE_CHECKING:
    from collections.abc import Callable

    from pocket_mesos.master.core import Core

_PREFIX = "Failed to validate master::Call: "


class _GetMetrics(Message, frozen=True, kw_only=True):
    timeout: DurationInfo | None = None


class _Teardown(Message, frozen=True, kw_only=True):
    framework_id: FrameworkID


class Call(Message, frozen=True, kw_only=True):
    """A call to the master's operator API; calls that are absent here stay opaque."""

    type: str | None = None
    get_metrics: _GetMetrics | None = None
    teardown: _Teardown | None = None
    set_logging_level: Opaque | None = None
    list_files: Opaque | None = None
    read_file: Opaque | None = None


_ABSENT = frozenset(
    {
        "SET_LOGGING_LEVEL",
        "LIST_FILES",
        "READ_FILE",
        "UPDATE_WEIGHTS",
        "RESERVE_RESOURCES",
        "UNRESERVE_RESOURCES",
        "CREATE_VOLUMES",
        "DESTROY_VOLUMES",
        "GROW_VOLUME",
        "SHRINK_VOLUME",
        "UPDATE_MAINTENANCE_SCHEDULE",
        "START_MAINTENANCE",
        "STOP_MAINTENANCE",
        "DRAIN_AGENT",
        "DEACTIVATE_AGENT",
        "REACTIVATE_AGENT",
        "UPDATE_QUOTA",
        "SET_QUOTA",
        "REMOVE_QUOTA",
        "MARK_AGENT_GONE",
        "SUBSCRIBE",
    }
)
"""Known to Mesos, absent here."""


class OperatorAPI:
    """The operator API of a master."""

    def __init__(self, runner: Runner, flags: dict[str, str]) -> None:
        self._runner = runner
        self._flags = flags
        self._calls: dict[str, Callable[[Core], Any]] = {
            "GET_HEALTH": lambda _: {"healthy": True},
            "GET_FLAGS": lambda _: {"flags": self._show_flags()},
            "GET_VERSION": lambda _: {"version_info": build_info()},
            "GET_LOGGING_LEVEL": lambda _: {"level": _logging_level()},
            "GET_MASTER": lambda _: self._show_master(),
            "GET_AGENTS": lambda core: operator_views.agents(core.state),
            "GET_FRAMEWORKS": lambda core: operator_views.frameworks(core.state),
            "GET_EXECUTORS": lambda core: operator_views.executors(core.state),
            "GET_TASKS": lambda core: operator_views.tasks(core.state),
            "GET_ROLES": lambda core: operator_views.roles(core.state),
            "GET_STATE": lambda core: operator_views.state(core.state),
            "GET_OPERATIONS": lambda _: {},
            "GET_QUOTA": lambda _: {"status": {}},
            "GET_WEIGHTS": lambda core: operator_views.weights(core.state),
            "GET_MAINTENANCE_STATUS": lambda _: {"status": {}},
            "GET_MAINTENANCE_SCHEDULE": lambda _: {"schedule": {}},
            "GET_METRICS": lambda _: self._show_metrics(),
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
        return api.check_accept(request) or self._answer(call)

    def _answer(self, call: Call) -> Response:
        if call.type == "UNKNOWN":
            return messages.not_implemented()
        if call.type in _ABSENT:
            return messages.text(501, f"Pocket Mesos does not support the call {call.type}")
        if call.type == "TEARDOWN":
            return self._teardown(call)
        if call.type is None or call.type not in self._calls:
            return messages.bad_request(_PREFIX + "Expecting 'type' to be present")
        if call.type == "GET_METRICS" and call.get_metrics is None:
            return messages.bad_request(_PREFIX + "Expecting 'get_metrics' to be present")
        assert self._runner.core is not None
        answer: dict[str, Any] = {"type": call.type}
        content = self._calls[call.type](self._runner.core)
        if content is not None:
            answer[call.type.lower()] = content
        return messages.api_json(answer)

    def _teardown(self, call: Call) -> Response:
        if call.teardown is None:
            return messages.bad_request(_PREFIX + "Expecting 'teardown' to be present")
        framework_id = call.teardown.framework_id.value
        answer = self._runner.feed(TeardownRequested(framework_id=framework_id))
        return messages.ok() if answer is None else messages.text(answer.status, answer.body)

    def _show_flags(self) -> list[dict[str, str]]:
        return [{"name": name, "value": value} for name, value in self._flags.items()]

    def _show_master(self) -> dict[str, Any]:
        return {
            "master_info": msgspec.to_builtins(self._runner.info),
            "start_time": self._runner.started,
            "elected_time": self._runner.elected,
        }

    def _show_metrics(self) -> dict[str, Any]:
        shown = metrics.snapshot(self._runner)
        return {"metrics": [{"name": name, "value": value} for name, value in shown.items()]}


def _logging_level() -> int:
    """Return glog's verbosity: 0 unless debug lines are on."""
    return 1 if logging.getLogger().isEnabledFor(logging.DEBUG) else 0
