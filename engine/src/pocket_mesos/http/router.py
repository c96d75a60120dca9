"""Which endpoint serves a path: the longest registered prefix of whole components.

libprocess routes so: ``/state/nosuch`` reaches ``/state``, ``/stateX`` reaches nobody. A trailing
slash is ignored.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from pocket_mesos.http.messages import Request, Response, method_not_allowed, not_found
from pocket_mesos.http.stream import EventStream

Reply: TypeAlias = "Response | EventStream"
Handler = Callable[[Request], "Reply | Awaitable[Reply]"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """An endpoint."""

    handler: Handler
    methods: Sequence[str] | None = None
    """Allowed methods, in the order that a 405 lists them; None means any."""
    exact: bool = False
    """Whether deeper paths are not served."""


class Router:
    """Routes by path."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}

    def add(
        self,
        path: str,
        handler: Handler,
        *,
        methods: Sequence[str] | None = None,
        exact: bool = False,
        prefixes: Sequence[str] = ("",),
    ) -> None:
        """Serve ``path`` below each of ``prefixes``, such as ``""`` and ``"/master"``."""
        route = Route(handler=handler, methods=methods, exact=exact)
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

    async def handle(self, request: Request) -> Reply:
        """Answer a request."""
        route = self.find(request.path)
        if route is None:
            return not_found()
        if route.methods is not None and request.method not in route.methods:
            return method_not_allowed(route.methods, request.method)
        reply = route.handler(request)
        if isinstance(reply, Response | EventStream):
            return reply
        return await reply


def _normal(path: str) -> str:
    return path.rstrip("/")
