"""POST /api/v1: the calls of the agent's operator API that read."""

import logging
from typing import TYPE_CHECKING, Any

from pocket_mesos.agent import operator_views
from pocket_mesos.agent.core import Agent
from pocket_mesos.agent.endpoints import PREFIXES, Endpoints
from pocket_mesos.http import api, messages
from pocket_mesos.http.files import FilesError, NoFileError, file_info
from pocket_mesos.http.messages import JSON, Request, Response
from pocket_mesos.http.router import Router
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.base import Message
from pocket_mesos.protocol.errors import ProtocolError
from pocket_mesos.protocol.mesos import DurationInfo
from pocket_mesos.version import build_info

if TYPE_CHECKING:
    from collections.abc import Callable

_PREFIX = "Failed to validate agent::Call: "
_KINDS = f"{JSON} or {api.PROTOBUF} or application/recordio"


class _GetMetrics(Message, frozen=True, kw_only=True):
    timeout: DurationInfo | None = None


class _ListFiles(Message, frozen=True, kw_only=True):
    path: str


class _ReadFile(Message, frozen=True, kw_only=True):
    path: str
    offset: int
    length: int | None = None


class Call(Message, frozen=True, kw_only=True):
    """A call to the agent's operator API."""

    type: str | None = None
    get_metrics: _GetMetrics | None = None
    list_files: _ListFiles | None = None
    read_file: _ReadFile | None = None


ABSENT = frozenset(
    {
        "SET_LOGGING_LEVEL",
        "LAUNCH_NESTED_CONTAINER",
        "WAIT_NESTED_CONTAINER",
        "KILL_NESTED_CONTAINER",
        "REMOVE_NESTED_CONTAINER",
        "LAUNCH_NESTED_CONTAINER_SESSION",
        "ATTACH_CONTAINER_INPUT",
        "ATTACH_CONTAINER_OUTPUT",
        "LAUNCH_CONTAINER",
        "WAIT_CONTAINER",
        "KILL_CONTAINER",
        "REMOVE_CONTAINER",
        "ADD_RESOURCE_PROVIDER_CONFIG",
        "UPDATE_RESOURCE_PROVIDER_CONFIG",
        "REMOVE_RESOURCE_PROVIDER_CONFIG",
        "MARK_RESOURCE_PROVIDER_GONE",
        "PRUNE_IMAGES",
    }
)
"""Known to Mesos, absent here."""


class OperatorAPI:
    """The operator API of an agent."""

    def __init__(self, agent: Agent, endpoints: Endpoints, flags: dict[str, str]) -> None:
        """Answer from what these know."""
        self._agent = agent
        self._endpoints = endpoints
        self._flags = flags
        self._calls: dict[str, Callable[[], Any]] = {
            "GET_HEALTH": lambda: {"healthy": True},
            "GET_FLAGS": lambda: {"flags": _pairs(self._flags)},
            "GET_VERSION": lambda: {"version_info": build_info()},
            "GET_METRICS": lambda: {"metrics": _pairs(self._endpoints.metrics())},
            "GET_LOGGING_LEVEL": lambda: {"level": int(logging.root.isEnabledFor(logging.DEBUG))},
            "GET_STATE": lambda: operator_views.state(agent),
            "GET_AGENT": lambda: {"agent_info": codec.to_builtins(agent.info)},
            "GET_FRAMEWORKS": lambda: operator_views.frameworks(agent),
            "GET_EXECUTORS": lambda: operator_views.executors(agent),
            "GET_TASKS": lambda: operator_views.tasks(agent),
            "GET_CONTAINERS": self._containers,
            "GET_OPERATIONS": dict,
            "GET_RESOURCE_PROVIDERS": dict,
        }

    def register(self, router: Router) -> None:
        """Serve the API."""
        router.add("/api/v1", self.handle, methods=("POST",), prefixes=PREFIXES)

    def handle(self, request: Request) -> Response:
        """Answer a call."""
        refusal = _refusal(request)
        if refusal is not None:
            return refusal
        try:
            call = codec.decode(request.body, Call)
        except ProtocolError as error:
            return messages.bad_request(str(error))
        if call.type in ("LIST_FILES", "READ_FILE"):
            return self._files(call)
        if call.type in ABSENT:
            return messages.text(501, f"Pocket Mesos does not support the call {call.type}")
        if call.type is None or call.type not in self._calls:
            return _missing("type")
        if call.type == "GET_METRICS" and call.get_metrics is None:
            return _missing("get_metrics")
        answer: dict[str, Any] = {"type": call.type}
        body = self._calls[call.type]()
        if body is not None:
            answer[call.type.lower()] = body
        return messages.api_json(answer)

    def _containers(self) -> dict[str, Any] | None:
        shown = [
            {
                "framework_id": {"value": one["framework_id"]},
                "executor_id": {"value": one["executor_id"]},
                "executor_name": one["executor_name"],
                "container_id": {"value": one["container_id"]},
                "container_status": one["status"],
                "resource_statistics": one["statistics"],
            }
            for one in self._endpoints.containers()
        ]
        return {"containers": shown} if shown else None

    def _files(self, call: Call) -> Response:
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
        infos = [file_info(*one) for one in self._endpoints.files.browse(call.path)]
        listed = {"file_infos": infos} if infos else {}
        return messages.api_json({"type": "LIST_FILES", "list_files": listed})

    def _read_file(self, call: _ReadFile | None) -> Response:
        if call is None:
            return _missing("read_file")
        data, _, size = self._endpoints.files.read(call.path, call.offset, call.length)
        return messages.api_json({"type": "READ_FILE", "read_file": {"size": size, "data": data}})


def _pairs(values: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"name": name, "value": value} for name, value in values.items()]


def _missing(field: str) -> Response:
    return messages.bad_request(f"{_PREFIX}Expecting '{field}' to be present")


def _refusal(request: Request) -> Response | None:
    """Return the refusal of what is not JSON; an agent's sentences differ from a master's."""
    refusal = api.check_content_type(request)
    if refusal is not None and refusal.status == 415:
        return messages.text(415, f"Expecting 'Content-Type' of {_KINDS}")
    if refusal is None:
        refusal = api.check_accept(request)
        if refusal is not None and refusal.body.startswith(b"Expecting"):
            return messages.text(406, f"Expecting 'Accept' to allow {_KINDS}")
    return refusal
