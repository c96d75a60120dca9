"""Running the fetcher for containers, around the cache or through it."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pocket_mesos.containerizer import fork, process
from pocket_mesos.containerizer.cache import Cache, Item
from pocket_mesos.containerizer.config import ContainerConfig
from pocket_mesos.containerizer.errors import LaunchError


@dataclass(frozen=True, slots=True, kw_only=True)
class FetcherSettings:
    """How files get into sandboxes."""

    program: Path
    stall_timeout: float
    """Seconds without a byte after which a download fails."""
    frameworks_home: str = ""
    cache_dir: Path = Path("/tmp/mesos/fetch")
    cache_size: int = 0
    """Bytes."""


class Fetching:
    """Fetches what containers need, and counts how that went."""

    def __init__(self, settings: FetcherSettings) -> None:
        """Begin with an empty cache."""
        self._settings = settings
        self._cache = Cache(settings.cache_size, settings.frameworks_home, settings.stall_timeout)
        self._succeeded = 0
        self._failed = 0

    @property
    def metrics(self) -> dict[str, float]:
        """Return the values of metrics, by their names below ``containerizer/fetcher``."""
        return {
            "cache_size_total_bytes": float(self._cache.size),
            "cache_size_used_bytes": float(self._cache.used),
            "task_fetches_succeeded": float(self._succeeded),
            "task_fetches_failed": float(self._failed),
        }

    async def fetch(
        self, config: ContainerConfig, started: Callable[[subprocess.Popen[bytes]], bool]
    ) -> None:
        """Bring a container's files into its sandbox.

        Args:
            config: the container's.
            started: told the process, to be able to end it; returns whether to go on.

        Raises:
            LaunchError: not all of them are there.
        """
        cache = self._settings.cache_dir / "slaves" / config.agent_id
        claim = self._cache.claim(cache, config.user, config.uris)
        fetched = False
        try:
            info = self._info(config, await claim.items(), cache / (config.user or "default"))
            with self._start(config, info) as fetcher:
                if not started(fetcher):
                    fetcher.kill()
                await process.wait_exit(process.own_child(fetcher.pid))
                status = fetcher.wait()
            fetched = status == 0
        finally:
            claim.release(fetched)
            self._succeeded += fetched
            self._failed += not fetched
        if not fetched:
            how = f"exited with status {status}" if status > 0 else f"killed by signal {-status}"
            raise LaunchError(
                "Failed to launch container: Failed to fetch all URIs for container "
                f"'{config.container_id}': {how}"
            )

    def _start(self, config: ContainerConfig, info: str) -> subprocess.Popen[bytes]:
        user, group, groups = fork.credentials(config.user)
        with (
            (config.directory / "stdout").open("ab") as stdout,
            (config.directory / "stderr").open("ab") as stderr,
        ):
            try:
                return subprocess.Popen(
                    [self._settings.program],
                    # It ends when this pipe does: no later agent would know of it.
                    stdin=subprocess.PIPE,
                    stdout=stdout,
                    stderr=stderr,
                    cwd=config.directory,
                    env=config.environment | {"MESOS_FETCHER_INFO": info},
                    start_new_session=True,
                    user=user,
                    group=group,
                    extra_groups=groups,
                )
            except OSError as error:
                raise LaunchError(
                    f"Failed to launch container: Failed to run '{self._settings.program}': {error}"
                ) from error

    def _info(self, config: ContainerConfig, items: list[Item], cache: Path) -> str:
        info = {
            "items": items,
            "sandbox_directory": str(config.directory),
            "cache_directory": str(cache),
            "stall_timeout": {"nanoseconds": int(self._settings.stall_timeout * 1e9)},
            "frameworks_home": self._settings.frameworks_home,
        }
        return json.dumps(info, separators=(",", ":"))
