"""The fetcher's cache, with the real fetcher and a real server that counts."""

import asyncio
import functools
import gzip
import http.server
import io
import os
import subprocess
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from agent_process import SYSTEM_PYTHON, launcher_dir_for_all

from pocket_mesos import libexec
from pocket_mesos.containerizer import sandbox
from pocket_mesos.containerizer.config import URI, ContainerConfig, Limits
from pocket_mesos.containerizer.errors import LaunchError
from pocket_mesos.containerizer.fetching import FetcherSettings, Fetching

pytestmark = pytest.mark.component
PATIENCE = 60.0


class Server:
    """Serves a folder, counts who gets what, and holds answers back while told to."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.got: Counter[str] = Counter()
        self.open = threading.Event()
        self.open.set()
        self.sized = True
        outer = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def send_header(self, keyword: str, value: str) -> None:
                if outer.sized or keyword != "Content-Length":
                    super().send_header(keyword, value)

            def do_GET(self) -> None:
                outer.got[self.path.lstrip("/")] += 1
                outer.open.wait(PATIENCE)
                super().do_GET()

        handler = functools.partial(Handler, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def put(self, name: str, data: bytes) -> str:
        (self.folder / name).write_bytes(data)
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    def close(self) -> None:
        self.open.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "served")
    yield made
    made.close()


class Lab:
    """Fetches into one sandbox after the other."""

    def __init__(self, folder: Path, size: int, programs: Path | None = None) -> None:
        # Users other than root must reach their sandboxes.
        for one in (folder, *folder.parents[:2]):
            one.chmod(0o755)
        self.folder = folder
        self.cache = folder / "cache"
        self.count = 0
        if programs is None:
            programs = folder / "libexec"
            libexec.install(programs)
        self.fetching = Fetching(
            FetcherSettings(
                program=programs / "mesos-fetcher",
                stall_timeout=PATIENCE,
                cache_dir=self.cache,
                cache_size=size,
            )
        )

    async def fetch(self, *uris: URI, user: str | None = None) -> Path:
        """Return the sandbox with what was fetched."""
        self.count += 1
        directory = self.folder / f"sandbox{self.count}"
        config = ContainerConfig(
            container_id=f"c{self.count}",
            agent_id="m-S0",
            argv=("true",),
            environment={"PATH": os.environ["PATH"]},
            directory=directory,
            user=user,
            limits=Limits(),
            uris=uris,
        )
        sandbox.create(directory, user)
        await self.fetching.fetch(config, self.started)
        return directory

    def started(self, _: subprocess.Popen[bytes]) -> bool:
        return True

    @property
    def metrics(self) -> dict[str, float]:
        return self.fetching.metrics

    def files(self) -> list[str]:
        """Names of cached files, without the number that makes them unique."""
        found = [one for one in self.cache.rglob("*") if one.is_file()]
        return sorted(one.name.partition("-")[2] for one in found)


def cached(value: str, **fields: Any) -> URI:
    return URI(value=value, cache=True, **fields)


async def until(condition: Any) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 (the server's threads set no event of this loop)
            await asyncio.sleep(0.01)


async def test_what_is_cached_is_fetched_once(tmp_path: Path, server: Server) -> None:
    """Each sandbox has a copy of its own, executable where that was wanted."""
    lab = Lab(tmp_path, 1000)
    uri = server.put("tool", b"#!/bin/sh\n")
    first = await lab.fetch(cached(uri))
    (first / "tool").write_text("changed")
    second = await lab.fetch(cached(uri, executable=True, output_file="bin/run"))
    assert (second / "bin/run").read_bytes() == b"#!/bin/sh\n"
    assert (second / "bin/run").stat().st_mode & 0o111 == 0o111
    assert server.got == {"tool": 1}
    assert lab.files() == ["tool"]
    assert lab.metrics == {
        "cache_size_total_bytes": 1000.0,
        "cache_size_used_bytes": 10.0,
        "task_fetches_succeeded": 2.0,
        "task_fetches_failed": 0.0,
    }


@pytest.mark.parametrize("size", [0, 1000])
async def test_the_cache_is_for_those_who_ask(tmp_path: Path, server: Server, size: int) -> None:
    """Not for others, and for nobody when it has no size."""
    lab = Lab(tmp_path, size)
    uri = server.put("tool", b"data")
    for _ in range(2):
        await lab.fetch(URI(value=uri))
    assert server.got == {"tool": 2}
    for _ in range(2):
        await lab.fetch(cached(uri))
    assert server.got == {"tool": 3 if size else 4}


async def test_of_packed_files_only_the_contents_reach_the_sandbox(
    tmp_path: Path, server: Server
) -> None:
    """Unlike around the cache; a single packed file keeps its name."""
    lab = Lab(tmp_path, 100_000)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        info = tarfile.TarInfo("inside")
        tar.addfile(info, io.BytesIO())
    uris = (
        cached(server.put("some.tar.gz", packed.getvalue())),
        cached(server.put("one.txt.gz", gzip.compress(b"text"))),
        cached(server.put("raw.gz", gzip.compress(b"text")), extract=False),
    )
    for _ in range(2):
        folder = await lab.fetch(*uris)
        names = {one.name for one in folder.iterdir()} - {"stdout", "stderr"}
        assert names == {"inside", "one.txt", "raw.gz"}
        assert (folder / "one.txt").read_text() == "text"
    assert set(server.got.values()) == {1}


async def test_who_comes_while_it_is_on_its_way_waits(tmp_path: Path, server: Server) -> None:
    """And then copies; so does a fetch that wants it twice."""
    lab = Lab(tmp_path, 1000)
    uri = server.put("tool", b"data")
    server.open.clear()
    first = asyncio.create_task(lab.fetch(cached(uri), cached(uri, output_file="again")))
    await until(lambda: server.got["tool"])
    second = asyncio.create_task(lab.fetch(cached(uri)))
    await asyncio.sleep(0)
    server.open.set()
    folders = await asyncio.wait_for(asyncio.gather(first, second), PATIENCE)
    assert (folders[0] / "again").read_bytes() == b"data"
    assert (folders[1] / "tool").read_bytes() == b"data"
    assert server.got == {"tool": 1}


async def test_least_recently_used_files_make_room(tmp_path: Path, server: Server) -> None:
    """Only as many as needed; what is larger than all the cache goes around it."""
    lab = Lab(tmp_path, 100)
    a, b, c = (server.put(name, b"x" * 40) for name in "abc")
    await lab.fetch(cached(a))
    await lab.fetch(cached(b))
    await lab.fetch(cached(a))
    await lab.fetch(cached(c))
    assert lab.files() == ["a", "c"]
    large = await lab.fetch(cached(server.put("large", b"x" * 101)))
    assert (large / "large").stat().st_size == 101
    assert lab.files() == ["a", "c"]
    assert lab.metrics["cache_size_used_bytes"] == 80.0


async def test_what_is_in_use_is_not_removed(tmp_path: Path, server: Server) -> None:
    """Others then go around the cache."""
    lab = Lab(tmp_path, 100)
    a, b = server.put("a", b"x" * 60), server.put("b", b"x" * 60)
    server.open.clear()
    first = asyncio.create_task(lab.fetch(cached(a)))
    await until(lambda: server.got["a"])
    second = asyncio.create_task(lab.fetch(cached(b)))
    await until(lambda: server.got["b"])
    server.open.set()
    await asyncio.wait_for(asyncio.gather(first, second), PATIENCE)
    assert lab.files() == ["a"]


async def test_files_of_unknown_size_go_around_the_cache(tmp_path: Path, server: Server) -> None:
    """So do empty ones, as in Mesos."""
    lab = Lab(tmp_path, 100)
    uri, empty = server.put("a", b"data"), server.put("empty", b"")
    await lab.fetch(cached(empty))
    server.sized = False
    for _ in range(2):
        folder = await lab.fetch(cached(uri))
        assert (folder / "a").read_bytes() == b"data"
    assert server.got["a"] == 2
    assert lab.files() == []


async def test_what_is_larger_than_it_said_is_not_kept(tmp_path: Path, server: Server) -> None:
    """No room was made for it; the fetch itself has what it wanted."""
    lab = Lab(tmp_path, 100)
    uri = server.put("grows", b"x" * 10)
    server.open.clear()
    fetching = asyncio.create_task(lab.fetch(cached(uri)))
    await until(lambda: server.got["grows"])
    server.put("grows", b"x" * 90)
    server.open.set()
    folder = await asyncio.wait_for(fetching, PATIENCE)
    assert (folder / "grows").stat().st_size == 90
    assert lab.files() == []
    assert lab.metrics["cache_size_used_bytes"] == 0.0


async def test_a_failed_fetch_leaves_nothing_and_lets_others_go_on(
    tmp_path: Path, server: Server
) -> None:
    """Those that waited for its file fetch around the cache."""
    lab = Lab(tmp_path, 1000)
    good = server.put("good", b"data")
    missing = good.replace("good", "missing")
    server.open.clear()
    failing = asyncio.create_task(lab.fetch(cached(good), URI(value=missing)))
    await until(lambda: server.got["good"])
    waiting = asyncio.create_task(lab.fetch(cached(good)))
    await asyncio.sleep(0)
    server.open.set()
    with pytest.raises(LaunchError, match="exited with status 1"):
        await asyncio.wait_for(failing, PATIENCE)
    folder = await asyncio.wait_for(waiting, PATIENCE)
    assert (folder / "good").read_bytes() == b"data"
    assert lab.files() == []
    assert lab.metrics["cache_size_used_bytes"] == 0.0
    assert lab.metrics["task_fetches_failed"] == 1.0


async def test_a_container_that_ends_meanwhile_ends_its_fetcher(
    tmp_path: Path, server: Server
) -> None:
    """And gives back what it had reserved."""
    lab = Lab(tmp_path, 1000)
    lab.started = lambda _: False  # type: ignore[method-assign]
    uri = server.put("a", b"data")
    server.open.clear()
    with pytest.raises(LaunchError, match="killed by signal 9"):
        await asyncio.wait_for(lab.fetch(cached(uri)), PATIENCE)
    assert lab.metrics["cache_size_used_bytes"] == 0.0
    assert lab.files() == []


async def test_a_new_agent_begins_with_an_empty_cache(tmp_path: Path, server: Server) -> None:
    """It does not know what the files of the former one are; another agent's are let alone."""
    uri = server.put("a", b"data")
    await Lab(tmp_path, 1000).fetch(cached(uri))
    other = tmp_path / "cache/slaves/m-S1"
    other.mkdir()
    successor = Lab(tmp_path, 1000)
    successor.count = 10
    await successor.fetch(cached(uri))
    assert server.got == {"a": 2}
    assert successor.files() == ["a"]
    assert other.is_dir()


@pytest.mark.skipif(os.geteuid() != 0, reason="other users need root")
@pytest.mark.skipif(not Path(SYSTEM_PYTHON).exists(), reason="needs Python for all users")
async def test_users_do_not_share(tmp_path: Path, server: Server) -> None:
    """Nobody gets a file that another could have put there."""
    lab = Lab(tmp_path, 1000, launcher_dir_for_all(tmp_path))
    uri = server.put("a", b"data")
    for user in (None, "nobody", "nobody"):
        await lab.fetch(cached(uri), user=user)
    assert server.got == {"a": 2}
    (folder,) = lab.cache.rglob("nobody")
    assert (folder.owner(), folder.stat().st_mode & 0o777) == ("nobody", 0o700)


async def test_local_files_are_cached_too(tmp_path: Path) -> None:
    """What is gone since then is still there for tasks."""
    lab = Lab(tmp_path, 1000)
    source = tmp_path / "tool"
    source.write_text("data")
    await lab.fetch(cached(f"file://{source}"))
    source.unlink()
    folder = await lab.fetch(cached(f"file://{source}"))
    assert (folder / "tool").read_text() == "data"
