"""The command executor as a process, with an agent whose answers get lost."""

import contextlib
import json
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 120.0
PROGRAM = "import sys; from pocket_mesos.executors.command import main; sys.exit(main())"
TASK = {
    "name": "t",
    "task_id": {"value": "t"},
    "agent_id": {"value": "m-S0"},
    "command": {"value": "sleep 1000"},
}


class FakeAgent:
    """Takes calls on plain sockets; cuts the connection of the first so many updates."""

    def __init__(self, cut: int) -> None:
        self.calls: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._cut = cut
        self._greeted = False
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                break  # closed
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
        # Here, where no further connection can come in between.
        for connection in self._connections:
            with contextlib.suppress(OSError):  # the other side was first
                connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as file:
            while call := _read(file):
                if call["type"] == "UPDATE" and self._cut > 0:
                    self._cut -= 1
                    self.calls.put(("cut", call))
                    connection.shutdown(socket.SHUT_RDWR)
                    return
                self.calls.put(("taken", call))
                if call["type"] != "SUBSCRIBE":
                    connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")
                    continue
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                for event in self._greeting():
                    record = json.dumps(event).encode()
                    chunk = b"%d\n%b" % (len(record), record)
                    connection.sendall(b"%x\r\n%b\r\n" % (len(chunk), chunk))

    def _greeting(self) -> list[dict[str, Any]]:
        subscribed = {
            "framework_info": {"capabilities": []},
            "agent_info": {"hostname": "h"},
            "container_id": {"value": "c"},
        }
        launch = [] if self._greeted else [{"type": "LAUNCH", "launch": {"task": TASK}}]
        self._greeted = True
        return [{"type": "SUBSCRIBED", "subscribed": subscribed}, *launch]

    def next(self) -> tuple[str, Any]:
        found: tuple[str, Any] = self.calls.get(timeout=PATIENCE)
        return found

    def close(self) -> None:
        # Closing alone would not wake the thread that accepts.
        with contextlib.suppress(OSError):  # closed already
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def _read(file: Any) -> Any:
    """Read a request's body; None at the end of the connection."""
    length = 0
    while (line := file.readline().strip()) or length == 0:
        if not line:
            return None
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return json.loads(file.read(length))


@pytest.fixture
def agent() -> Iterator[FakeAgent]:
    made = FakeAgent(cut=1)
    yield made
    made.close()


@pytest.fixture
def executor(agent: FakeAgent, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "MESOS_FRAMEWORK_ID": "m-f",
        "MESOS_EXECUTOR_ID": "t",
        "MESOS_SANDBOX": str(tmp_path),
        "MESOS_AGENT_ENDPOINT": agent.endpoint,
    }
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], env=environment, stderr=subprocess.DEVNULL
    )
    yield process
    # The agent is gone for good now: an executor that does not checkpoint ends its task and itself.
    agent.close()
    try:
        process.wait(PATIENCE)
    finally:
        process.kill()


def test_an_update_that_got_lost_is_told_again(
    agent: FakeAgent, executor: subprocess.Popen[bytes]
) -> None:
    """The executor subscribes again with what nobody has acknowledged, in order."""
    assert agent.next()[1]["type"] == "SUBSCRIBE"
    how, call = agent.next()
    assert (how, call["update"]["status"]["state"]) == ("cut", "TASK_STARTING")
    how, call = agent.next()
    assert (how, call["type"]) == ("taken", "SUBSCRIBE")
    updates = [one["status"]["state"] for one in call["subscribe"]["unacknowledged_updates"]]
    assert updates == ["TASK_STARTING", "TASK_RUNNING"]
    assert [one["task_id"]["value"] for one in call["subscribe"]["unacknowledged_tasks"]] == ["t"]
    assert executor.poll() is None
