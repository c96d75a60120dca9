"""The master's GET endpoints, with and without the /master prefix."""

from collections.abc import Callable
from typing import Any

from pocket_mesos.authorization import Authorizer, Viewer
from pocket_mesos.http import messages, toggle
from pocket_mesos.http.authentication import Realm
from pocket_mesos.http.messages import Request, Response
from pocket_mesos.http.router import Reply, Router
from pocket_mesos.master import absent, metrics, role_views, sharing_endpoints, views
from pocket_mesos.master.core import Core
from pocket_mesos.master.events import TeardownRequested
from pocket_mesos.master.runner import Runner, answered, leader_base
from pocket_mesos.registry import records
from pocket_mesos.version import build_info

PREFIXES = ("", "/master")


class Endpoints:
    """Answers from the master's state."""

    def __init__(
        self,
        runner: Runner,
        authorizer: Authorizer,
        flags: dict[str, str],
        cluster: str | None,
        log_dir: str | None,
    ) -> None:
        self._runner = runner
        self._authorizer = authorizer
        self._flags = flags
        self._cluster = cluster
        self._log_dir = log_dir

    def add_to(self, router: Router) -> None:
        """Register all endpoints."""
        router.add("/version", lambda r: messages.endpoint_json(build_info(), r), exact=True)
        router.add("/health", lambda _: messages.ok(), prefixes=PREFIXES)
        router.add("/redirect", self._redirect, prefixes=PREFIXES)
        router.add(
            "/flags",
            self._show_flags,
            prefixes=PREFIXES,
            realm=Realm.READONLY,
            methods=("GET",) if self._authorizer.enabled else None,
            permit=lambda principal: self._viewer(principal).flags,
        )
        router.add(
            "/metrics/snapshot",
            self._snapshot,
            realm=Realm.READONLY,
            permit=self._authorizer.endpoint_permit("/metrics/snapshot"),
        )
        router.add("/registrar(1)/registry", self._registry, realm=Realm.READONLY)
        router.add("/teardown", self._teardown, prefixes=PREFIXES, realm=Realm.READWRITE)
        toggle.register(router, self._authorizer.endpoint_permit)
        self._add_views(router)

    def _add_views(self, router: Router) -> None:
        """Register what only the leading master can answer."""
        for path, view in (
            ("/state", self._state),
            ("/state-summary", self._state_summary),
            ("/slaves", lambda core, v, r: views.slaves(core.state, v, r.query.get("slave_id"))),
            ("/frameworks", _frameworks),
            ("/tasks", lambda core, v, r: views.tasks(core.state, v, **_page(r))),
            ("/roles", lambda core, v, _: role_views.roles(core.state, v)),
        ):
            router.add(path, self._leading(view), prefixes=PREFIXES, realm=Realm.READONLY)
        weights = self._leading(lambda core, v, _: role_views.weights(core.state, v))
        quota = self._leading(lambda core, v, _: role_views.quota(core.state, v))
        decided = sharing_endpoints.by_method(
            self._runner, {"GET": weights, "PUT": sharing_endpoints.weights_put}
        )
        router.add("/weights", decided, prefixes=PREFIXES, realm=Realm.READWRITE)
        decided = sharing_endpoints.by_method(
            self._runner,
            {
                "GET": quota,
                "POST": sharing_endpoints.quota_post,
                "DELETE": sharing_endpoints.quota_delete,
            },
        )
        router.add("/quota", decided, prefixes=PREFIXES, realm=Realm.READWRITE)
        nothing = self._leading(lambda *_: {}, ("GET",))
        router.add("/maintenance/status", nothing, prefixes=PREFIXES, realm=Realm.READONLY)
        decided = sharing_endpoints.by_method(self._runner, {"GET": nothing, "POST": absent.refuse})
        router.add("/maintenance/schedule", decided, prefixes=PREFIXES, realm=Realm.READWRITE)
        refused = sharing_endpoints.by_method(self._runner, {"POST": absent.refuse})
        for path in absent.PATHS:
            router.add(path, refused, prefixes=PREFIXES, realm=Realm.READWRITE)

    def _viewer(self, principal: str | None) -> Viewer:
        return Viewer(self._authorizer, principal)

    def _leading(
        self,
        view: Callable[[Core, Viewer, Request], Any],
        methods: tuple[str, ...] | None = None,
    ) -> Callable[[Request], Any]:
        """Make a handler of a view that only the leading master has."""

        async def handle(request: Request) -> Reply:
            refusal = await self._runner.gate(request, reads=True)
            if refusal is not None:
                return refusal
            if methods is not None and request.method not in methods:
                return messages.method_not_allowed(methods, request.method)
            assert self._runner.core is not None
            viewer = self._viewer(request.principal)
            return messages.endpoint_json(view(self._runner.core, viewer, request), request)

        return handle

    def _show_flags(self, request: Request) -> Response:
        return messages.endpoint_json({"flags": self._flags}, request)

    def _redirect(self, _request: Request) -> Response:
        leader = self._runner.leader
        if leader is None:
            return messages.text(503, "No leader elected")
        return messages.temporary_redirect(leader_base(leader))

    def _registry(self, request: Request) -> Response:
        shown = records.shown(self._runner.registrar.registry)
        return messages.endpoint_json(shown, request)

    def _snapshot(self, request: Request) -> Response:
        timeout = request.query.get("timeout")
        error = metrics.validate_timeout(timeout) if timeout is not None else None
        if error is not None:
            return messages.bad_request(error)
        return messages.endpoint_json(metrics.snapshot(self._runner), request)

    async def _teardown(self, request: Request) -> Reply:
        refusal = await self._runner.gate(request, reads=True)
        if refusal is not None:
            return refusal
        if request.method != "POST":
            return messages.method_not_allowed(("POST",), request.method)
        framework_id = request.form.get("frameworkId")
        if framework_id is None:
            return messages.bad_request("Missing 'frameworkId' query parameter in the request body")
        asked = TeardownRequested(framework_id=framework_id, principal=request.principal)
        return answered(self._runner.feed(asked))

    def master_json(self) -> dict[str, Any]:
        """Show what identifies this master, as /state does."""
        info = self._runner.info
        return {
            "start_time": self._runner.started,
            "elected_time": self._runner.elected,
            "id": info.id,
            "pid": info.pid,
            "hostname": info.hostname,
        }

    def _state(self, core: Core, viewer: Viewer, _request: Request) -> dict[str, Any]:
        leader = self._runner.leader or self._runner.info
        return views.state(
            core.state,
            viewer,
            build=build_info(),
            flags=self._flags,
            cluster=self._cluster,
            master=self.master_json(),
            leader=leader,
            log_dir=self._log_dir,
        )

    def _state_summary(self, core: Core, viewer: Viewer, _request: Request) -> dict[str, Any]:
        return views.state_summary(core.state, viewer, self._runner.info.hostname or "")


def _frameworks(core: Core, viewer: Viewer, request: Request) -> dict[str, Any]:
    shown = views.frameworks(core.state, viewer, request.query.get("framework_id"))
    return shown | {"unregistered_frameworks": []}


def _page(request: Request) -> dict[str, Any]:
    query = request.query
    return {
        "limit": _number(query.get("limit"), views.DEFAULT_TASK_LIMIT),
        "offset": _number(query.get("offset"), 0),
        "ascending": query.get("order") == "asc",
        "framework_id": query.get("framework_id"),
        "task_id": query.get("task_id"),
    }


def _number(text: str | None, default: int) -> int:
    """Read a count; like Mesos, take the default for what is none."""
    return int(text) if text is not None and text.isdecimal() else default
