"""The agent's HTTP endpoints over its core, with and without the prefix ``/slave(1)``."""

import os
import time
from collections.abc import Callable
from typing import Any

from pocket_mesos.agent import model
from pocket_mesos.agent.core import Agent
from pocket_mesos.agent.disk import GarbageCollector
from pocket_mesos.agent.state import Executor
from pocket_mesos.containerizer.containerizer import Containerizer
from pocket_mesos.http.files import Files
from pocket_mesos.http.messages import Request, Response, endpoint_json, ok
from pocket_mesos.http.router import Router
from pocket_mesos.version import build_info

PREFIXES = ("", "/slave(1)")


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
        self._containerizer = containerizer
        self._collector = collector
        self._flags = flags
        self._log_file = log_file
        self._start_time = start_time
        self.recovery_seconds = 0.0
        self.files = Files(self._attached)

    def register(self, router: Router) -> None:
        """Serve everything."""
        for path, handler in (
            ("/state", self._state),
            ("/flags", lambda request: endpoint_json({"flags": self._flags}, request)),
            ("/health", lambda _: ok()),
            ("/containers", self._containers),
            ("/monitor/statistics", self._statistics),
            ("/containerizer/debug", lambda request: endpoint_json({"pending": []}, request)),
        ):
            router.add(path, handler, prefixes=PREFIXES)
        router.add("/version", version)
        router.add("/metrics/snapshot", self._metrics)
        self.files.register(router)

    def state(self) -> Any:
        """Return the body of /state."""
        return model.state(self._agent, self._start_time, self._flags, self._flags.get("log_dir"))

    def containers(self) -> list[dict[str, Any]]:
        """Describe and measure all containers."""
        return [
            self._container(one) for one in self._agent.containers.values() if one.pid is not None
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
        return dict(sorted({**values, **system_metrics()}.items()))

    def _attached(self) -> dict[str, str]:
        shown = model.virtual_paths(self._agent)
        log_file = self._log_file()
        if log_file is not None:
            shown["/slave/log"] = log_file
        return shown

    def _state(self, request: Request) -> Response:
        return endpoint_json(self.state(), request)

    def _containers(self, request: Request) -> Response:
        return endpoint_json(self.containers(), request)

    def _statistics(self, request: Request) -> Response:
        without = ("container_id", "status")
        shown = [
            {name: value for name, value in one.items() if name not in without}
            for one in self.containers()
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
