"""A real ZooKeeper server that tests can kill, start again and freeze."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HOST = "127.0.0.1"
JARS = Path("/usr/share/java")
SERVER = "org.apache.zookeeper.server.ZooKeeperServerMain"
TICK_MS = 500
"""The server grants sessions of 2 to 20 ticks: tests of lost sessions need short ones."""

_START_SECONDS = 20.0


class ZooKeeperServer:
    """A standalone server whose data outlives it."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self.address = f"{HOST}:{self.port}"
        self._folder = folder
        self._config = folder / "zoo.cfg"
        self._config.write_text(
            f"tickTime={TICK_MS}\ndataDir={folder}/data\nclientPort={self.port}\n"
            f"clientPortAddress={HOST}\nadmin.enableServer=false\n4lw.commands.whitelist=ruok\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, or start again with the data of before, and wait until it serves."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["java", "-Xmx128m", "-cp", f"{JARS}/zookeeper.jar:{JARS}/*", SERVER, self._config],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self._serving():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    def kill(self) -> None:
        """Die without a word."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Answer nothing more, as across a network that broke."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def _serving(self) -> bool:
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(b"ruok")
                return connection.recv(4) == b"imok"
        except OSError:
            return False


@pytest.fixture
def zookeeper(tmp_path: Path) -> Iterator[ZooKeeperServer]:
    """A running server."""
    lacking = _lacking()
    if lacking is not None:
        if os.environ.get("MESOS_LAB_REQUIRE_ZK"):
            pytest.fail(f"{lacking}, and MESOS_LAB_REQUIRE_ZK is set")
        pytest.skip(lacking)
    folder = tmp_path / "zookeeper"
    folder.mkdir()
    server = ZooKeeperServer(folder)
    server.start()
    yield server
    server.kill()


def _lacking() -> str | None:
    if shutil.which("java") is None:
        return "no java (Debian: default-jre-headless)"
    if not (JARS / "zookeeper.jar").exists():
        return f"no {JARS}/zookeeper.jar (Debian: libzookeeper-java)"
    return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
