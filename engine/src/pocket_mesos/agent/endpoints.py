"""The agent's HTTP endpoints over its core, with and without the prefix ``/slave(1)``."""

import os
import time
from collections.abc import Callable
from typing import Any

from pocket_mesos.agent import model
from pocket_mesos.agent.core import Agent
from pocket_mesos.agent.disk import GarbageCollector
from pocket_mesos.agent.state import Executor
from pocket_mesos.authorization import OPEN, Viewer, user_of_executor
from pocket_mesos.containerizer.containerizer import Containerizer
from pocket_mesos.http import toggle
from pocket_mesos.http.authentication import Realm
from pocket_mesos.http.files import Files
from pocket_mesos.http.messages import Request, Response, endpoint_json, ok
from pocket_mesos.http.router import Router
from pocket_mesos.version import build_info

PREFIXES = ("", "/slave(1)")

_LOG = "/slave/log"


class Endpoints:
    """What operators GET."""

    def __init__(
        self,
        agent: Agent,
        containerizer: Containerizer,
        collector: GarbageCollector,
        flags: dict[str, str],
        log_file: Callable[[], str | None],
        start_time: float,
    ) -> None:
        """Show what these know.

        Args:
            agent: the core.
            containerizer: measures containers.
            collector: counts folders.
            flags: as /flags prints them.
            log_file: returns the daemon's log file, if it has one.
            start_time: of the daemon.
        """
        self._agent = agent
        self._authorizer = agent.settings.authorizer
        self._containerizer = containerizer
        self._collector = collector
        self._flags = flags
        self._log_file = log_file
        self._start_time = start_time
        self.recovery_seconds = 0.0
        self.files = Files(self._attached, self._may_read)

    def register(self, router: Router) -> None:
        """Serve everything."""
        permit = self._authorizer.endpoint_permit
        methods = ("GET",) if self._authorizer.enabled else None
        router.add("/version", version)
        router.add("/health", lambda _: ok(), prefixes=PREFIXES)
        router.add("/state", self._state, prefixes=PREFIXES, realm=Realm.READONLY)
        router.add(
            "/flags",
            lambda request: endpoint_json({"flags": self._flags}, request),
            prefixes=PREFIXES,
            realm=Realm.READONLY,
            methods=methods,
            permit=lambda principal: self.viewer(principal).flags,
        )
        for path, handler in (
            ("/containers", self._containers),
            ("/monitor/statistics", self._statistics),
            ("/containerizer/debug", lambda request: endpoint_json({"pending": []}, request)),
        ):
            router.add(
                path,
                handler,
                prefixes=PREFIXES,
                realm=Realm.READONLY,
                methods=methods,
                permit=permit(path),
            )
        router.add(
            "/metrics/snapshot",
            self._metrics,
            realm=Realm.READONLY,
            permit=permit("/metrics/snapshot"),
        )
        self.files.register(router, permit("/files/debug"))
        toggle.register(router, permit)

    def viewer(self, principal: str | None) -> Viewer:
        """Return the eyes of somebody who asks."""
        return Viewer(self._authorizer, principal)

    def containers(self, viewer: Viewer) -> list[dict[str, Any]]:
        """Describe and measure all containers that somebody may see."""
        return [
            self._container(one)
            for one in self._agent.containers.values()
            if one.pid is not None and viewer.container(one.framework.info, one.info)
        ]

    def metrics(self) -> dict[str, float]:
        """Return all metrics."""
        values = model.metrics(self._agent)
        values["slave/uptime_secs"] = time.time() - self._start_time
        values["slave/recovery_time_secs"] = self.recovery_seconds
        values["slave/executor_directory_max_allowed_age_secs"] = self._collector.max_allowed_age()
        values["gc/path_removals_failed"] = float(self._collector.failed)
        values["gc/path_removals_pending"] = float(self._collector.pending)
        values["gc/path_removals_succeeded"] = float(self._collector.removed)
        values |= self._containerizer.metrics
        return dict(sorted({**values, **system_metrics()}.items()))

    def _attached(self) -> dict[str, str]:
        shown = {name: one.directory for name, one in model.sandboxes(self._agent).items()}
        log_file = self._log_file()
        if log_file is not None:
            shown[_LOG] = log_file
        return shown

    def _may_read(self, name: str, principal: str | None) -> bool:
        """Whether somebody may read what is attached under a name: the log or a sandbox."""
        if not self._authorizer.enabled:
            return True
        if name == _LOG:
            return self._authorizer.approver("access_mesos_logs", principal).approves()
        executor = model.sandboxes(self._agent)[name]
        framework = executor.framework
        user = None  # of a framework that is over Mesos knows no user
        if self._agent.frameworks.get(framework.id) is framework:
            alive = executor.id in framework.executors
            user = (
                user_of_executor(framework.info, framework.executors[executor.id].info)
                if alive
                else framework.info.user
            )
        return self._authorizer.approver("access_sandboxes", principal).approves(user)

    def _state(self, request: Request) -> Response:
        body = model.state(
            self._agent,
            self.viewer(request.principal),
            self._start_time,
            self._flags,
            self._flags.get("log_dir"),
        )
        return endpoint_json(body, request)

    def _containers(self, request: Request) -> Response:
        return endpoint_json(self.containers(self.viewer(request.principal)), request)

    def _statistics(self, request: Request) -> Response:
        without = ("container_id", "status")
        shown = [
            {name: value for name, value in one.items() if name not in without}
            for one in self.containers(Viewer(OPEN, None))
        ]
        return endpoint_json(shown, request)

    def _metrics(self, request: Request) -> Response:
        return endpoint_json(self.metrics(), request)

    def _container(self, executor: Executor) -> dict[str, Any]:
        usage = self._containerizer.usage(executor.container_id)
        return {
            "container_id": executor.container_id,
            "executor_id": executor.id,
            "executor_name": executor.info.name or "",
            "framework_id": executor.framework.id,
            "source": executor.info.source or "",
            "statistics": dict(sorted({**usage, "timestamp": time.time()}.items())),
            "status": {
                "container_id": {"value": executor.container_id},
                "executor_pid": executor.pid,
            },
        }


def version(request: Request) -> Response:
    """Answer /version."""
    return endpoint_json(build_info(), request)


def system_metrics() -> dict[str, float]:
    """Return what the machine itself is doing."""
    page = os.sysconf("SC_PAGE_SIZE")
    one, five, fifteen = os.getloadavg()
    return {
        "system/cpus_total": float(os.cpu_count() or 1),
        "system/load_1min": one,
        "system/load_5min": five,
        "system/load_15min": fifteen,
        "system/mem_free_bytes": float(os.sysconf("SC_AVPHYS_PAGES") * page),
        "system/mem_total_bytes": float(os.sysconf("SC_PHYS_PAGES") * page),
    }
