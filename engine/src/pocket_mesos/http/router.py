"""Which endpoint serves a path: the longest registered prefix of whole components.

libprocess routes so: ``/state/nosuch`` reaches ``/state``, ``/stateX`` reaches nobody. A trailing
slash is ignored. Who may come in is settled here too, before the endpoint hears of a request:
first who it is (401), then the method (405), then the right to the endpoint itself (403).
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from pocket_mesos.http.authentication import BasicAuthenticator, Realm
from pocket_mesos.http.messages import (
    Request,
    Response,
    forbidden,
    method_not_allowed,
    not_found,
)
from pocket_mesos.http.stream import EventStream

Reply: TypeAlias = "Response | EventStream"
Handler = Callable[[Request], "Reply | Awaitable[Reply]"]
Permit = Callable[[str | None], bool]
"""Whether a principal, None for somebody unknown, may use an endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An endpoint."""

    handler: Handler
    methods: Sequence[str] | None = None
    """Allowed methods, in the order that a 405 lists them; None means any."""
    exact: bool = False
    """Whether deeper paths are not served."""
    realm: Realm | None = None
    """Where one authenticates for it; None: nowhere."""
    permit: Permit | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """The right to one request: who makes it, and what answers it."""

    handler: Handler
    principal: str | None

    async def answer(self, head: Request, body: bytes) -> Reply:
        """Answer the request, whose body has been read by now."""
        reply = self.handler(replace(head, body=body, principal=self.principal))
        if isinstance(reply, Response | EventStream):
            return reply
        return await reply


class Router:
    """Routes by path."""

    def __init__(self, authenticators: Mapping[Realm, BasicAuthenticator] | None = None) -> None:
        """Start without routes; realms that ``authenticators`` lacks are open to all."""
        self._routes: dict[str, Route] = {}
        self._authenticators = authenticators or {}

    def add(
        self,
        path: str,
        handler: Handler,
        *,
        methods: Sequence[str] | None = None,
        exact: bool = False,
        prefixes: Sequence[str] = ("",),
        realm: Realm | None = None,
        permit: Permit | None = None,
    ) -> None:
        """Serve ``path`` below each of ``prefixes``, such as ``""`` and ``"/master"``."""
        route = Route(handler=handler, methods=methods, exact=exact, realm=realm, permit=permit)
        for prefix in prefixes:
            self._routes[_normal(prefix + path)] = route

    def find(self, path: str) -> Route | None:
        """Return the endpoint that serves ``path``."""
        normal = _normal(path)
        candidate = normal
        while True:
            route = self._routes.get(candidate)
            if route is not None and (candidate == normal or not route.exact):
                return route
            if not candidate:
                return None
            candidate = candidate.rpartition("/")[0]

    def admit(self, request: Request) -> Admission | Response:
        """Look at a request's head alone, so that nobody's body is read who may not come in."""
        route = self.find(request.path)
        if route is None:
            return not_found()
        principal = None
        authenticator = None if route.realm is None else self._authenticators.get(route.realm)
        if authenticator is not None:
            known = authenticator.authenticate(request)
            if isinstance(known, Response):
                return known
            principal = known
        if route.methods is not None and request.method not in route.methods:
            return method_not_allowed(route.methods, request.method)
        if route.permit is not None and not route.permit(principal):
            return forbidden()
        return Admission(route.handler, principal)


def _normal(path: str) -> str:
    return path.rstrip("/")
