"""POST /api/v1: the agent's operator API: calls that read, and the logging level."""

from typing import TYPE_CHECKING, Any

from pocket_mesos.agent import operator_views
from pocket_mesos.agent.core import Agent
from pocket_mesos.agent.endpoints import PREFIXES, Endpoints
from pocket_mesos.authorization import Viewer
from pocket_mesos.http import api, messages
from pocket_mesos.http.authentication import Realm
from pocket_mesos.http.messages import JSON, Request, Response
from pocket_mesos.http.operator import (
    FILE_CALLS,
    OperatorCall,
    Sentences,
    answer_files,
    pairs,
    set_logging_level,
)
from pocket_mesos.http.router import Router
from pocket_mesos.http.verbosity import VERBOSITY
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.errors import ProtocolError
from pocket_mesos.version import build_info

if TYPE_CHECKING:
    from collections.abc import Callable

_SENTENCES = Sentences("agent::Call")
_KINDS = f"{JSON} or {api.PROTOBUF} or application/recordio"


ABSENT = frozenset(
    {
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
        self._calls: dict[str, Callable[[Viewer], Any]] = {
            "GET_HEALTH": lambda _: {"healthy": True},
            "GET_FLAGS": lambda _: {"flags": pairs(self._flags)},
            "GET_VERSION": lambda _: {"version_info": build_info()},
            "GET_METRICS": lambda _: {"metrics": pairs(self._endpoints.metrics())},
            "GET_LOGGING_LEVEL": lambda _: {"level": VERBOSITY.level},
            "GET_STATE": lambda v: operator_views.state(agent, v),
            "GET_AGENT": lambda _: operator_views.agent(agent),
            "GET_FRAMEWORKS": lambda v: operator_views.frameworks(agent, v),
            "GET_EXECUTORS": lambda v: operator_views.executors(agent, v),
            "GET_TASKS": lambda v: operator_views.tasks(agent, v),
            "GET_CONTAINERS": self._containers,
            "GET_OPERATIONS": lambda _: {},
            "GET_RESOURCE_PROVIDERS": lambda _: {},
        }

    def register(self, router: Router) -> None:
        """Serve the API."""
        router.add(
            "/api/v1", self.handle, methods=("POST",), prefixes=PREFIXES, realm=Realm.READWRITE
        )

    def handle(self, request: Request) -> Response:
        """Answer a call."""
        refusal = _refusal(request)
        if refusal is not None:
            return refusal
        try:
            call = codec.decode(request.body, OperatorCall)
        except ProtocolError as error:
            return messages.bad_request(str(error))
        if call.type in FILE_CALLS:
            return answer_files(call, self._endpoints.files, _SENTENCES, request.principal)
        if call.type == "SET_LOGGING_LEVEL":
            authorizer = self._agent.settings.authorizer
            permitted = authorizer.approver("set_log_level", request.principal).approves()
            return set_logging_level(call, _SENTENCES, permitted=permitted)
        if call.type in ABSENT:
            return _SENTENCES.absent(call.type)
        if call.type is None or call.type not in self._calls:
            return _SENTENCES.missing("type")
        if call.type == "GET_METRICS" and call.get_metrics is None:
            return _SENTENCES.missing("get_metrics")
        viewer = self._endpoints.viewer(request.principal)
        if call.type == "GET_FLAGS" and not viewer.flags:
            return messages.forbidden()
        answer: dict[str, Any] = {"type": call.type}
        body = self._calls[call.type](viewer)
        if body is not None:
            answer[call.type.lower()] = body
        return messages.api_json(answer)

    def _containers(self, viewer: Viewer) -> dict[str, Any] | None:
        shown = [
            {
                "framework_id": {"value": one["framework_id"]},
                "executor_id": {"value": one["executor_id"]},
                "executor_name": one["executor_name"],
                "container_id": {"value": one["container_id"]},
                "container_status": one["status"],
                "resource_statistics": one["statistics"],
            }
            for one in self._endpoints.containers(viewer)
        ]
        return {"containers": shown} if shown else None


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
