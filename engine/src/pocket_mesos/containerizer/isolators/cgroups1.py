"""cgroups/cpu and cgroups/mem on version 1: a cgroup a container in each subsystem's hierarchy."""

import asyncio
import os
from pathlib import Path

from pocket_mesos.containerizer.cgroups import files, v1
from pocket_mesos.containerizer.config import ContainerConfig, LaunchInfo, Limitation, Limits
from pocket_mesos.containerizer.errors import IsolationError
from pocket_mesos.containerizer.isolators import memory
from pocket_mesos.containerizer.isolators.base import Isolator, Watcher

SHARES_PER_CPU = 1024
MIN_SHARES = 2
CFS_PERIOD_MICROSECONDS = 100_000
MIN_CFS_QUOTA_MICROSECONDS = 1_000
_TICKS = os.sysconf("SC_CLK_TCK")


class Subsystem(Isolator):
    """A container's cgroup in the hierarchies of some subsystems; the first holds the limits."""

    def __init__(self, base: Path, cgroups_root: str, subsystems: tuple[str, ...]) -> None:
        hierarchies = [v1.hierarchy(base, subsystem) for subsystem in subsystems]
        # Subsystems that are mounted together share their hierarchy.
        self._roots = list(dict.fromkeys(hierarchy / cgroups_root for hierarchy in hierarchies))
        for root in self._roots:
            files.create(root)

    def cgroup(self, container_id: str) -> Path:
        return self._roots[0] / container_id

    def prepare(self, config: ContainerConfig) -> LaunchInfo:
        for root in self._roots:
            files.create(root / config.container_id)
        self.update(config.container_id, config.limits)
        return LaunchInfo()

    def isolate(self, container_id: str, pid: int) -> None:
        for root in self._roots:
            files.write(root / container_id, "cgroup.procs", pid)

    async def cleanup(self, container_id: str) -> None:
        for root in self._roots:
            cgroup = root / container_id

            def kill_all(cgroup: Path = cgroup) -> None:
                for folder in files.nested(cgroup):
                    files.kill(files.processes(folder))

            await files.remove(cgroup, kill_all, seconds=60)

    def containers(self) -> set[str]:
        return {entry.name for root in self._roots for entry in root.iterdir() if entry.is_dir()}


class Cpu(Subsystem):
    """Shares by weight; with ``cgroups_enable_cfs`` also a hard ceiling."""

    name = "cgroups/cpu"

    def __init__(
        self, base: Path, cgroups_root: str, enable_cfs: bool, count_processes: bool
    ) -> None:
        super().__init__(base, cgroups_root, ("cpu", "cpuacct"))
        self._enable_cfs = enable_cfs
        self._count_processes = count_processes

    def update(self, container_id: str, limits: Limits) -> None:
        cgroup = self.cgroup(container_id)
        files.write(cgroup, "cpu.shares", max(int(SHARES_PER_CPU * limits.cpus), MIN_SHARES))
        if self._enable_cfs:
            quota = int(CFS_PERIOD_MICROSECONDS * limits.cpus)
            files.write(cgroup, "cpu.cfs_period_us", CFS_PERIOD_MICROSECONDS)
            files.write(cgroup, "cpu.cfs_quota_us", max(quota, MIN_CFS_QUOTA_MICROSECONDS))

    def usage(self, container_id: str, pids: list[int]) -> dict[str, float]:
        accounting = files.table(self._roots[-1] / container_id, "cpuacct.stat")
        values = {
            "cpus_user_time_secs": accounting["user"] / _TICKS,
            "cpus_system_time_secs": accounting["system"] / _TICKS,
        }
        if self._enable_cfs:
            throttled = files.table(self.cgroup(container_id), "cpu.stat")
            values["cpus_nr_periods"] = throttled["nr_periods"]
            values["cpus_nr_throttled"] = throttled["nr_throttled"]
            values["cpus_throttled_time_secs"] = throttled["throttled_time"] / 1e9
        if self._count_processes:
            group = self._roots[-1] / container_id
            values["processes"] = len(files.read(group, "cgroup.procs").split())
            values["threads"] = len(files.read(group, "tasks").split())
        return values


class Mem(Subsystem):
    """A hard and a soft limit; the kernel's out-of-memory notice ends the container."""

    name = "cgroups/mem"

    def __init__(self, base: Path, cgroups_root: str) -> None:
        super().__init__(base, cgroups_root, ("memory",))
        self._notices: dict[str, tuple[int, int]] = {}
        try:
            files.write(self._roots[0], "memory.use_hierarchy", 1)
        except IsolationError:
            # Newer kernels know nothing else and refuse to be told.
            if files.read(self._roots[0], "memory.use_hierarchy").strip() != "1":
                raise

    def update(self, container_id: str, limits: Limits) -> None:
        cgroup = self.cgroup(container_id)
        limit = max(limits.mem, memory.MIN_BYTES)
        files.write(cgroup, "memory.soft_limit_in_bytes", limit)
        # The hard limit only grows: what a finished task leaves behind must not kill the others.
        current = int(files.read(cgroup, "memory.limit_in_bytes"))
        if limit > current or current >= _UNLIMITED:
            files.write(cgroup, "memory.limit_in_bytes", limit)

    def watch(self, container_id: str, directory: Path, limits: Limits, watcher: Watcher) -> None:
        cgroup = self.cgroup(container_id)
        notice = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        control = os.open(cgroup / "memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        files.write(cgroup, "cgroup.event_control", f"{notice} {control}")
        self._notices[container_id] = (notice, control)
        # The kernel also writes to the eventfd when the cgroup is removed: then there is no one
        # left to tell, and check() finds nothing.
        asyncio.get_running_loop().add_reader(notice, self._noticed, container_id, watcher)

    def _noticed(self, container_id: str, watcher: Watcher) -> None:
        self._forget(container_id)
        if self.cgroup(container_id).is_dir():
            watcher(container_id, self._limitation(container_id))

    def _limitation(self, container_id: str) -> Limitation:
        cgroup = self.cgroup(container_id)
        return memory.limitation(
            int(files.read(cgroup, "memory.limit_in_bytes")),
            int(files.read(cgroup, "memory.max_usage_in_bytes")),
            files.read(cgroup, "memory.stat"),
        )

    def check(self, container_id: str) -> Limitation | None:
        try:
            kills = files.table(self.cgroup(container_id), "memory.oom_control").get("oom_kill", 0)
            return self._limitation(container_id) if kills else None
        except IsolationError:
            return None  # the container is gone

    def usage(self, container_id: str, pids: list[int]) -> dict[str, float]:
        cgroup = self.cgroup(container_id)
        found = files.table(cgroup, "memory.stat")
        values: dict[str, float] = {
            "mem_total_bytes": int(files.read(cgroup, "memory.usage_in_bytes")),
            "mem_limit_bytes": int(files.read(cgroup, "memory.limit_in_bytes")),
            "mem_soft_limit_bytes": int(files.read(cgroup, "memory.soft_limit_in_bytes")),
        }
        for name, key in _STATISTICS.items():
            if key in found:
                values[name] = found[key]
        return values

    async def cleanup(self, container_id: str) -> None:
        self._forget(container_id)
        await super().cleanup(container_id)

    def _forget(self, container_id: str) -> None:
        for descriptor in self._notices.pop(container_id, ()):
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)


_UNLIMITED = 1 << 62
"""What a cgroup without limit shows is the largest number of pages, somewhat below 2**63."""

_STATISTICS = {
    "mem_file_bytes": "total_cache",
    "mem_cache_bytes": "total_cache",
    "mem_anon_bytes": "total_rss",
    "mem_rss_bytes": "total_rss",
    "mem_mapped_file_bytes": "total_mapped_file",
    "mem_swap_bytes": "total_swap",
    "mem_unevictable_bytes": "total_unevictable",
}
