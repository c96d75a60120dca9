"""POST /api/v1: the operator API's calls that read, and TEARDOWN."""

import logging
import os
from typing import TYPE_CHECKING, Any

import msgspec

from pocket_mesos.http import api, messages
from pocket_mesos.http.files import Files, FilesError, NoFileError, group_name, user_name
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


class _ListFiles(Message, frozen=True, kw_only=True):
    path: str


class _ReadFile(Message, frozen=True, kw_only=True):
    path: str
    offset: int
    length: int | None = None


class Call(Message, frozen=True, kw_only=True):
    """A call to the master's operator API; calls that are absent here stay opaque."""

    type: str | None = None
    get_metrics: _GetMetrics | None = None
    teardown: _Teardown | None = None
    set_logging_level: Opaque | None = None
    list_files: _ListFiles | None = None
    read_file: _ReadFile | None = None


_ABSENT = frozenset(
    {
        "SET_LOGGING_LEVEL",
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

    def __init__(self, runner: Runner, flags: dict[str, str], files: Files) -> None:
        self._runner = runner
        self._flags = flags
        self._files = files
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
        if call.type in ("LIST_FILES", "READ_FILE"):
            return self._show_files(call)
        if call.type is None or call.type not in self._calls:
            return _missing("type")
        if call.type == "GET_METRICS" and call.get_metrics is None:
            return _missing("get_metrics")
        assert self._runner.core is not None
        answer: dict[str, Any] = {"type": call.type}
        content = self._calls[call.type](self._runner.core)
        if content is not None:
            answer[call.type.lower()] = content
        return messages.api_json(answer)

    def _teardown(self, call: Call) -> Response:
        if call.teardown is None:
            return _missing("teardown")
        framework_id = call.teardown.framework_id.value
        answer = self._runner.feed(TeardownRequested(framework_id=framework_id))
        return messages.ok() if answer is None else messages.text(answer.status, answer.body)

    def _show_files(self, call: Call) -> Response:
        try:
            if call.type == "LIST_FILES":
                return self._list_files(call.list_files)
            return self._read_file(call.read_file)
        except NoFileError:
            return messages.text(404, "")
        except FilesError as error:
            return messages.bad_request(str(error))

    def _list_files(self, call: _ListFiles | None) -> Response:
        if call is None:
            return _missing("list_files")
        infos = [_file_info(*one) for one in self._files.browse(call.path)]
        listed = {"file_infos": infos} if infos else {}
        return messages.api_json({"type": "LIST_FILES", "list_files": listed})

    def _read_file(self, call: _ReadFile | None) -> Response:
        if call is None:
            return _missing("read_file")
        data, _, size = self._files.read(call.path, call.offset, call.length)
        return messages.api_json({"type": "READ_FILE", "read_file": {"size": size, "data": data}})

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


def _file_info(path: str, found: os.stat_result) -> dict[str, Any]:
    return {
        "path": path,
        "nlink": found.st_nlink,
        "size": found.st_size,
        "mtime": {"nanoseconds": int(found.st_mtime) * 1_000_000_000},
        "mode": found.st_mode,
        "uid": user_name(found.st_uid),
        "gid": group_name(found.st_gid),
    }


def _missing(field: str) -> Response:
    return messages.bad_request(f"{_PREFIX}Expecting '{field}' to be present")


def _logging_level() -> int:
    """Return glog's verbosity: 0 unless debug lines are on."""
    return 1 if logging.getLogger().isEnabledFor(logging.DEBUG) else 0
