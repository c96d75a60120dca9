"""PUT /weights, POST and DELETE /quota: what UPDATE_WEIGHTS, SET_QUOTA and REMOVE_QUOTA do too."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

from pocket_mesos.http import messages
from pocket_mesos.http.messages import Request, Response
from pocket_mesos.http.router import Reply
from pocket_mesos.master import events
from pocket_mesos.master.runner import Runner, answered
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.errors import ProtocolError
from pocket_mesos.protocol.sharing import QuotaRequest, WeightInfo

_QUOTA_TOKENS = 3
"""Of a path that names a role: /master/quota/<role>."""

_ANSWERED_BY_ANY_STATE = ("GET", "DELETE")
"""They do not wait for the registry, as in Mesos: before that there is nothing to delete."""

Decision = Callable[[Request], "events.Event | Response"]
"""Reads a request: what the core is to decide, or what is wrong with the request."""


def by_method(
    runner: Runner, handlers: Mapping[str, Decision | Callable[[Request], Awaitable[Reply]]]
) -> Callable[[Request], Awaitable[Reply]]:
    """Make the handler of an endpoint that does something else for each method."""

    async def handle(request: Request) -> Reply:
        reads = request.method in _ANSWERED_BY_ANY_STATE
        if not reads:
            await runner.recovered()
        refusal = await runner.gate(request, reads=reads)
        if refusal is not None:
            return refusal
        handler = handlers.get(request.method)
        if handler is None:
            return messages.method_not_allowed(tuple(handlers), request.method)
        found = handler(request)
        if isinstance(found, Response):
            return found
        if isinstance(found, events.Event):
            return answered(await runner.ask(found))
        return await found

    return handle


def weights_put(request: Request) -> events.Event | Response:
    """Read weights: a JSON array of WeightInfo."""
    what = "update weights"
    given = _parsed(request, what)
    if isinstance(given, Response):
        return given
    if not isinstance(given, list):
        return _refused(what, request, "expecting an array")
    try:
        infos = [codec.convert(one, WeightInfo, "WeightInfo") for one in given]
    except ProtocolError as error:
        return messages.bad_request(str(error))
    return events.WeightsRequested(infos=infos, principal=request.principal)


def quota_post(request: Request) -> events.Event | Response:
    """Read a guarantee."""
    given = _parsed(request, "set quota")
    if isinstance(given, Response):
        return given
    try:
        asked = codec.convert(given, QuotaRequest, "QuotaRequest")
    except ProtocolError as error:
        return messages.bad_request(str(error))
    return events.GuaranteeRequested(request=asked, principal=request.principal)


def quota_delete(request: Request) -> events.Event | Response:
    """Read a role from the path; whatever the path's prefix, Mesos speaks of the full one."""
    path = "/master" + request.path.removeprefix("/master").rstrip("/")
    tokens = path.strip("/").split("/", _QUOTA_TOKENS - 1)
    if len(tokens) < _QUOTA_TOKENS:
        return messages.bad_request(
            f"Failed to parse remove quota request for path '{path}': "
            f"expected {_QUOTA_TOKENS} tokens, found {len(tokens)} tokens"
        )
    role = unquote(tokens[-1])
    where = f" for path '{path}'"
    return events.QuotaRemovalRequested(role=role, where=where, principal=request.principal)


def _parsed(request: Request, what: str) -> Any:
    try:
        return codec.parse(request.body)
    except ProtocolError as error:
        return _refused(what, request, str(error).removeprefix("Failed to parse body into JSON: "))


def _refused(what: str, request: Request, error: str) -> Response:
    body = request.body.decode("utf-8", "replace")
    return messages.bad_request(f"Failed to parse {what} request JSON '{body}': {error}")
