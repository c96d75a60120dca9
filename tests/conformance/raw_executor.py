"""A custom executor of nothing but the standard library, sent inside its own command.

It does what it is told: a task's data, a framework message and the variable
CONFORMANCE_ACTIONS (before SUBSCRIBE) hold a JSON list of actions. Other data is echoed.

    {"do": "update", "state": S, "message": M, "data": D}   status of the current task
    {"do": "post", "name": N, "method", "headers", "body"}  any request; the answer is kept
    {"do": "report"}         send environment, events and answers as a framework message
    {"do": "exit", "status": N}

And what no good executor does:

    {"do": "flood", "kind": "UPDATE" or "MESSAGE", "count": N, "size": bytes}
    {"do": "print", "size": bytes}      as much on standard output
    {"do": "half"}                      half of a request's head, and half of another's body
    {"do": "deaf"}                      never read an event again
    {"do": "stay"}                      when told to shut down
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import sys
import time
import uuid
from typing import Any

ENV = os.environ
FRAMEWORK_ID = ENV["MESOS_FRAMEWORK_ID"]
EXECUTOR_ID = ENV["MESOS_EXECUTOR_ID"]
ENDPOINT = ENV["MESOS_AGENT_ENDPOINT"]
PATH = "/" + ENV["MESOS_SLAVE_PID"].split("@")[0] + "/api/v1/executor"
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}


class Executor:
    def __init__(self) -> None:
        self.events: list[Any] = []
        self.answers: dict[str, Any] = {}
        self.task: Any = None  # the task whose data is being obeyed
        self.unacknowledged: dict[str, Any] = {}  # update by its uuid
        self.tasks: dict[str, Any] = {}  # launched and not yet acknowledged, by id
        self.staying = False
        self.halves: list[socket.socket] = []

    def post(
        self, body: Any, headers: dict[str, str] = HEADERS, method: str = "POST"
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(ENDPOINT, timeout=30)
        connection.putrequest(method, PATH, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        payload = (body if isinstance(body, str) else json.dumps(body)).encode()
        connection.putheader("Content-Length", str(len(payload)))
        connection.endheaders(payload)
        return connection.getresponse()

    def call(self, kind: str, **fields: Any) -> http.client.HTTPResponse:
        ids = {"framework_id": {"value": FRAMEWORK_ID}, "executor_id": {"value": EXECUTOR_ID}}
        return self.post({"type": kind, **ids, **fields})

    def obey(self, actions: list[Any]) -> None:
        for action in actions:
            getattr(self, "do_" + action.pop("do"))(**action)

    def do_update(self, state: str, message: str | None = None, data: str | None = None) -> None:
        status: dict[str, Any] = {
            "task_id": self.task,
            "state": state,
            "source": "SOURCE_EXECUTOR",
            "uuid": base64.b64encode(uuid.uuid4().bytes).decode(),
            "timestamp": time.time(),
        }
        if message is not None:
            status["message"] = message
        if data is not None:
            status["data"] = base64.b64encode(data.encode()).decode()
        self.unacknowledged[status["uuid"]] = {"status": status}
        self.call("UPDATE", update={"status": status}).read()

    def do_post(
        self, name: str, body: Any, headers: dict[str, str] = HEADERS, method: str = "POST"
    ) -> None:
        text = body if isinstance(body, str) else json.dumps(body)
        fresh = base64.b64encode(uuid.uuid4().bytes).decode()
        for mark, value in (
            ("$FRAMEWORK", FRAMEWORK_ID),
            ("$EXECUTOR", EXECUTOR_ID),
            ("$UUID", fresh),
        ):
            text = text.replace(mark, value)
        answer = self.post(text, headers, method)
        self.answers[name] = {
            "status": answer.status,
            "reason": answer.reason,
            "headers": answer.getheaders(),
            "body": answer.read().decode(),
        }

    def do_report(self) -> None:
        report = {"environment": dict(ENV), "events": self.events, "answers": self.answers}
        self.send(json.dumps(report).encode())

    def do_exit(self, status: int) -> None:
        os._exit(status)

    def do_flood(self, kind: str, count: int, size: int) -> None:
        for _ in range(count):
            if kind == "UPDATE":
                self.do_update("TASK_RUNNING", data="x" * size)
            else:
                self.send(b"x" * size)

    def do_print(self, size: int) -> None:
        for _ in range(size // 65536):
            os.write(1, b"x" * 65536)

    def do_half(self) -> None:
        host, _, port = ENDPOINT.rpartition(":")
        head = f"POST {PATH} HTTP/1.1\r\nHost: {ENDPOINT}\r\nContent-Type: application/json\r\n"
        for half in (head, head + "Content-Length: 1000000\r\n\r\n" + "{" * 500000):
            self.halves.append(socket.create_connection((host, int(port))))
            self.halves[-1].sendall(half.encode())

    def do_deaf(self) -> None:
        time.sleep(10**6)

    def do_stay(self) -> None:
        self.staying = True

    def send(self, data: bytes) -> None:
        self.call("MESSAGE", message={"data": base64.b64encode(data).decode()}).read()

    def take(self, event: Any) -> None:
        self.events.append(event)
        handler = getattr(self, "on_" + event["type"].lower(), None)
        if handler:
            handler(event.get(event["type"].lower()))

    def on_launch(self, launch: Any) -> None:
        self.task = launch["task"]["task_id"]
        self.tasks[self.task["value"]] = launch["task"]
        self.obey(json.loads(base64.b64decode(launch["task"].get("data", "")) or "[]"))

    def on_acknowledged(self, acknowledged: Any) -> None:
        self.unacknowledged.pop(acknowledged["uuid"], None)
        self.tasks.pop(acknowledged["task_id"]["value"], None)

    def on_message(self, message: Any) -> None:
        data = base64.b64decode(message["data"])
        if data.startswith(b"["):
            self.obey(json.loads(data))
        else:
            self.send(b"echo:" + data)

    def on_kill(self, kill: Any) -> None:
        self.task = kill["task_id"]
        self.do_update("TASK_KILLED", "killed by the executor")

    def on_shutdown(self, _: None) -> None:
        if not self.staying:
            os._exit(0)

    def subscribe(self) -> http.client.HTTPResponse:
        pending = {
            "unacknowledged_tasks": list(self.tasks.values()),
            "unacknowledged_updates": list(self.unacknowledged.values()),
        }
        return self.call("SUBSCRIBE", subscribe=pending)

    def follow(self, stream: http.client.HTTPResponse) -> None:
        """Take events until the stream ends."""
        try:
            while line := stream.readline():
                self.take(json.loads(stream.read(int(line))))
        except (OSError, http.client.HTTPException, ValueError):
            pass  # the agent went away in the middle of a record

    def run(self) -> None:
        self.obey(json.loads(ENV.get("CONFORMANCE_ACTIONS", "[]")))
        self.follow(self.subscribe())
        deadline = time.monotonic() + 60
        while ENV.get("MESOS_CHECKPOINT") == "1" and time.monotonic() < deadline:
            time.sleep(0.2)
            try:
                stream = self.subscribe()
            except OSError:
                continue  # the agent is still away
            if stream.status == 200:
                self.follow(stream)
                deadline = time.monotonic() + 60


if __name__ == "__main__":
    Executor().run()
    sys.exit(0)
