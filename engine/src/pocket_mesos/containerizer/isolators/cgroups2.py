"""cgroups/cpu and cgroups/mem on version 2: controllers of one cgroup a container."""

import asyncio
import contextlib
from pathlib import Path

from pocket_mesos.containerizer.cgroups import files, v2
from pocket_mesos.containerizer.config import ContainerConfig, LaunchInfo, Limitation, Limits
from pocket_mesos.containerizer.errors import IsolationError
from pocket_mesos.containerizer.isolators import memory
from pocket_mesos.containerizer.isolators.base import Isolator, Watcher

WEIGHT_PER_CPU = 100
"""cpu.weight's default, so that one CPU weighs what an unlimited cgroup does."""

MAX_WEIGHT = 10_000
PERIOD_MICROSECONDS = 100_000
MIN_QUOTA_MICROSECONDS = 1_000
_WATCH_SECONDS = 0.2


class Controller(Isolator):
    """Controls in the container's cgroup, which the launcher fills and removes."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def cgroup(self, container_id: str) -> Path:
        return self._root / container_id

    def prepare(self, config: ContainerConfig) -> LaunchInfo:
        files.create(self.cgroup(config.container_id))
        self.update(config.container_id, config.limits)
        return LaunchInfo()


class Cpu(Controller):
    """Shares by weight; with ``cgroups_enable_cfs`` also a hard ceiling."""

    name = "cgroups/cpu"

    def __init__(self, root: Path, enable_cfs: bool, count_processes: bool) -> None:
        super().__init__(root)
        self._enable_cfs = enable_cfs
        self._count_processes = count_processes

    def update(self, container_id: str, limits: Limits) -> None:
        cgroup = self.cgroup(container_id)
        weight = min(max(int(WEIGHT_PER_CPU * limits.cpus), 1), MAX_WEIGHT)
        files.write(cgroup, "cpu.weight", weight)
        if self._enable_cfs:
            quota = max(int(PERIOD_MICROSECONDS * limits.cpus), MIN_QUOTA_MICROSECONDS)
            files.write(cgroup, "cpu.max", f"{quota} {PERIOD_MICROSECONDS}")

    def usage(self, container_id: str, pids: list[int]) -> dict[str, float]:
        found = files.table(self.cgroup(container_id), "cpu.stat")
        values = {
            "cpus_user_time_secs": found["user_usec"] / 1e6,
            "cpus_system_time_secs": found["system_usec"] / 1e6,
        }
        if self._enable_cfs:
            values["cpus_nr_periods"] = found["nr_periods"]
            values["cpus_nr_throttled"] = found["nr_throttled"]
            values["cpus_throttled_time_secs"] = found["throttled_usec"] / 1e6
        if self._count_processes:
            leaf = self.cgroup(container_id) / v2.LEAF
            values["processes"] = len(files.read(leaf, "cgroup.procs").split())
            values["threads"] = len(files.read(leaf, "cgroup.threads").split())
        return values


class Mem(Controller):
    """A hard limit and protected memory; the kernel's count of kills ends the container."""

    name = "cgroups/mem"

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._watches: dict[str, asyncio.Task[None]] = {}

    def update(self, container_id: str, limits: Limits) -> None:
        cgroup = self.cgroup(container_id)
        limit = max(limits.mem, memory.MIN_BYTES)
        files.write(cgroup, "memory.low", limit)
        # The hard limit only grows: what a finished task leaves behind must not kill the others.
        current = files.read(cgroup, "memory.max").strip()
        if current == "max" or limit > int(current):
            files.write(cgroup, "memory.max", limit)

    def watch(self, container_id: str, directory: Path, limits: Limits, watcher: Watcher) -> None:
        self._watches[container_id] = asyncio.create_task(self._watch(container_id, watcher))

    async def _watch(self, container_id: str, watcher: Watcher) -> None:
        while self.cgroup(container_id).is_dir():
            if limitation := self.check(container_id):
                watcher(container_id, limitation)
                return
            await asyncio.sleep(_WATCH_SECONDS)

    def check(self, container_id: str) -> Limitation | None:
        cgroup = self.cgroup(container_id)
        try:
            if not files.table(cgroup, "memory.events").get("oom_kill", 0):
                return None
            limit = int(files.read(cgroup, "memory.max"))
            return memory.limitation(limit, self._peak(cgroup), files.read(cgroup, "memory.stat"))
        except IsolationError:
            return None  # the container is gone

    @staticmethod
    def _peak(cgroup: Path) -> int:
        # memory.peak came with kernel 5.19.
        control = "memory.peak" if (cgroup / "memory.peak").exists() else "memory.current"
        return int(files.read(cgroup, control))

    def usage(self, container_id: str, pids: list[int]) -> dict[str, float]:
        cgroup = self.cgroup(container_id)
        found = files.table(cgroup, "memory.stat")
        limit = files.read(cgroup, "memory.max").strip()
        values: dict[str, float] = {"mem_total_bytes": int(files.read(cgroup, "memory.current"))}
        if limit != "max":
            values["mem_limit_bytes"] = int(limit)
        for name, key in _STATISTICS.items():
            if key in found:
                values[name] = found[key]
        return values

    async def cleanup(self, container_id: str) -> None:
        if watch := self._watches.pop(container_id, None):
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch


_STATISTICS = {
    "mem_file_bytes": "file",
    "mem_cache_bytes": "file",
    "mem_anon_bytes": "anon",
    "mem_rss_bytes": "anon",
    "mem_mapped_file_bytes": "file_mapped",
    "mem_unevictable_bytes": "unevictable",
}
