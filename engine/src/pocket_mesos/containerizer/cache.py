"""The fetcher's cache: files that tasks of one user share, fetched once.

What is cached goes by user and URI, so that nobody gets what another put there. Files lie in a
folder of the user's, for the fetcher runs as the user. The agent only counts: which files are
there or on their way, how large they are, and which to remove for others. A new agent starts
with an empty cache. Whatever goes wrong with it, the file is fetched around it.
"""

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pocket_mesos.containerizer import fetcher, sandbox
from pocket_mesos.containerizer.config import URI
from pocket_mesos.containerizer.errors import ContainerizerError

log = logging.getLogger(__name__)

Key = tuple[str | None, str]
"""User and URI."""

Item = dict[str, object]
"""What the fetcher is told of one file."""

_NAME_LENGTH = 100
"""Of a URI's own name that a file's name keeps."""


@dataclass(slots=True, eq=False)
class _Entry:
    key: Key
    name: str
    folder: Path
    done: "asyncio.Future[bool]"
    """Whether it is there, once that is known."""
    size: int = 0
    """Bytes that are reserved for it."""
    users: int = 0
    """Fetches that need it now: it can't be removed."""

    @property
    def path(self) -> Path:
        return self.folder / self.name


class Cache:
    """Files below one folder, at most ``size`` bytes of them."""

    def __init__(self, size: int, home: str, timeout: float) -> None:
        """Prepare.

        Args:
            size: bytes; 0: nothing is cached.
            home: folder below which relative paths are looked up.
            timeout: seconds to wait for a server that is asked for a file's size.
        """
        self.size = size
        self.used = 0
        self._home = home
        self._timeout = timeout
        self._entries: dict[Key, _Entry] = {}
        """Least recently used first."""
        self._folders: set[Path] = set()
        self._count = 0

    def claim(self, folder: Path, user: str | None, uris: Sequence[URI]) -> "Claim":
        """Register what a fetch needs; nothing of it is removed until the claim is released.

        Nothing waits here: of two fetches the earlier never waits for the later.
        """
        claim = Claim(self)
        for uri in uris:
            entry = self._entry(folder, user, uri, claim) if uri.cache and self.size else None
            claim.plan.append((uri, entry))
        return claim

    def _entry(self, folder: Path, user: str | None, uri: URI, claim: "Claim") -> _Entry:
        key = (user, uri.value)
        entry = self._entries.pop(key, None)
        if entry is None:
            self._count += 1
            # What the fetcher does with a file depends on how its name ends.
            name = f"c{self._count}-{fetcher.name_of(uri.value)[-_NAME_LENGTH:]}"
            done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            entry = _Entry((user, uri.value), name, self._folder(folder, user), done)
            claim.own.add(entry)
        self._entries[key] = entry
        entry.users += 1
        return entry

    def _folder(self, folder: Path, user: str | None) -> Path:
        return folder / (user or "default")

    async def reserve(self, entry: _Entry) -> bool:
        """Make room for a file; return False when there can be none."""
        size = await asyncio.to_thread(fetcher.size, entry.key[1], self._home, self._timeout)
        if size is None or size <= 0:
            log.warning("Not caching '%s': its size is not known", entry.key[1])
        elif not self._make_room(size):
            log.warning("Not caching '%s': no room for %d bytes", entry.key[1], size)
        elif self._open(entry):
            entry.size = size
            self.used += size
            return True
        self.drop(entry)
        return False

    def _make_room(self, size: int) -> bool:
        for entry in list(self._entries.values()):
            if self.used + size <= self.size or size > self.size:
                break
            if entry.users == 0:
                self.drop(entry)
        return self.used + size <= self.size

    def _open(self, entry: _Entry) -> bool:
        base = entry.folder.parent
        try:
            if base not in self._folders:
                shutil.rmtree(base, ignore_errors=True)
                base.mkdir(parents=True)
                self._folders.add(base)
            if not entry.folder.exists():
                entry.folder.mkdir(mode=0o700)
                sandbox.chown(entry.folder, entry.key[0])
        except (OSError, ContainerizerError) as error:
            log.warning("Not caching '%s': %s", entry.key[1], error)
            return False
        return True

    def drop(self, entry: _Entry) -> None:
        """Forget and remove a file, or what there is of it."""
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]
        self.used -= entry.size
        entry.size = 0
        with contextlib.suppress(OSError):
            entry.path.unlink(missing_ok=True)
        if not entry.done.done():
            entry.done.set_result(False)

    def settle(self, entry: _Entry) -> None:
        """Count a file that has been fetched by what it really takes."""
        try:
            size = entry.path.lstat().st_size
        except OSError:
            size = entry.size + 1
        if size > entry.size:
            # Nobody made room for so much.
            self.drop(entry)
            return
        self.used += size - entry.size
        entry.size = size
        entry.done.set_result(True)


@dataclass(slots=True, eq=False)
class Claim:
    """What one fetch needs of the cache."""

    cache: Cache
    plan: list[tuple[URI, _Entry | None]] = field(default_factory=list)
    own: set[_Entry] = field(default_factory=set)
    """Files that this fetch brings into the cache."""

    async def items(self) -> list[Item]:
        """Return what the fetcher has to do, once files on their way for others are there."""
        items: list[Item] = []
        fresh: set[_Entry] = set()
        for uri, entry in self.plan:
            action = "BYPASS_CACHE"
            if entry in fresh:
                action = "RETRIEVE_FROM_CACHE"
            elif entry is not None and entry in self.own:
                if await self.cache.reserve(entry):
                    fresh.add(entry)
                    action = "DOWNLOAD_AND_CACHE"
                else:
                    self.own.discard(entry)
            elif entry is not None and await asyncio.shield(entry.done):
                action = "RETRIEVE_FROM_CACHE"
            items.append(_item(uri, action, entry))
        return items

    def release(self, fetched: bool) -> None:
        """Let others go on: with what was fetched, or around the cache."""
        for entry in self.own:
            if fetched:
                self.cache.settle(entry)
            else:
                self.cache.drop(entry)
        for _, used in self.plan:
            if used is not None:
                used.users -= 1


def _item(uri: URI, action: str, entry: _Entry | None) -> Item:
    value: Item = {"value": uri.value, "extract": uri.extract}
    if uri.executable:
        value["executable"] = True
    if uri.cache:
        value["cache"] = True
    if uri.output_file is not None:
        value["output_file"] = uri.output_file
    item: Item = {"action": action, "uri": value}
    if entry is not None and action != "BYPASS_CACHE":
        item["cache_filename"] = entry.name
    return item
