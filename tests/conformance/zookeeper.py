"""A real ZooKeeper server for tests, which can kill it, start it again and freeze it.

Runs the server classes of the distribution's package (Debian: libzookeeper-java) on a
free port of the loopback, with a short tick so that short session timeouts are granted, and
long ones too. It does not wait for the disk: that of a busy machine may take longer than a
short session lasts.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from pathlib import Path

from .cluster import eventually
from .pocket import HOST, daemon_environment, free_port

JARS = Path("/usr/share/java")
SERVER = "org.apache.zookeeper.server.ZooKeeperServerMain"
TICK_MS = 500  # the server grants sessions of two ticks and more
LONGEST_SESSION_MS = 600_000


def missing() -> str | None:
    """Say what a ZooKeeper server needs and this machine lacks."""
    if shutil.which("java") is None:
        return "no java on PATH"
    if not (JARS / "zookeeper.jar").exists():
        return f"no {JARS}/zookeeper.jar (Debian: libzookeeper-java)"
    return None


class ZooKeeper:
    """One standalone server that runs; its data, in a run's folder, outlive it."""

    def __init__(self, run: Path) -> None:
        self.port = free_port()
        self.address = f"{HOST}:{self.port}"
        self.url = f"zk://{self.address}/mesos"
        self._run = run
        self._log = run / "zookeeper.log"
        self._config = run / "zoo.cfg"
        lines = {
            "tickTime": TICK_MS,
            "maxSessionTimeout": LONGEST_SESSION_MS,
            "forceSync": "no",
            "dataDir": run / "zookeeper",
            "clientPort": self.port,
            "clientPortAddress": HOST,
            "admin.enableServer": "false",
            "4lw.commands.whitelist": "ruok",
        }
        self._config.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        self.start()

    def start(self) -> None:
        """Start, or start again with the data of before, and wait until it serves."""
        jars = f"{JARS}/zookeeper.jar:{JARS}/*"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["java", "-Xmx128m", "-XX:+UseSerialGC", "-cp", jars, SERVER, str(self._config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=daemon_environment(self._run),
                start_new_session=True,
            )
        eventually(self._serving, f"ZooKeeper serving on port {self.port}")

    def _serving(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(f"ZooKeeper exited:\n{self._log.read_text()[-2000:]}")
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(b"ruok")
                return connection.recv(4) == b"imok"
        except OSError:
            return False

    def close(self) -> None:
        """Die without a word."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Answer nothing more, as across a network that broke."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        self._process.send_signal(signal.SIGCONT)
