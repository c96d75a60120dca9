"""posix/cpu and posix/mem: measure, but limit nothing."""

import os

from pocket_mesos.containerizer import procfs
from pocket_mesos.containerizer.isolators.base import Isolator

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class PosixCpu(Isolator):
    """Adds up the CPU time of the container's live processes."""

    name = "posix/cpu"

    def usage(self, container_id: str, pids: list[int]) -> dict[str, float]:
        found = [stat for pid in pids if (stat := procfs.stat(pid))]
        return {
            "cpus_user_time_secs": sum(stat.user_ticks for stat in found) / _TICKS,
            "cpus_system_time_secs": sum(stat.system_ticks for stat in found) / _TICKS,
        }


class PosixMem(Isolator):
    """Adds up the resident memory of the container's live processes."""

    name = "posix/mem"

    def usage(self, container_id: str, pids: list[int]) -> dict[str, float]:
        found = [stat for pid in pids if (stat := procfs.stat(pid))]
        return {"mem_rss_bytes": sum(stat.rss_pages for stat in found) * _PAGE}
