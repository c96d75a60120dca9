"""A stream of short tasks on a cluster that is being changed, and how long nothing was offered.

Speaks to the masters over plain HTTP and connects again at once: what it measures is the
cluster's doing and not that of a client library which waits before it tries again.
"""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import requests

AT_ONCE = 4
COMMAND = "sleep 3"
CPUS, MEM = 0.1, 32
EXECUTOR_CPUS, EXECUTOR_MEM = 0.1, 32
"""What a command task's executor takes beside it."""
SILENCE = 45
"""Seconds without even a heartbeat, of which there is one in 15, after which a stream is dead."""
LAST_ONES = 180
"""Seconds that the last tasks may take to end, on a busy machine too."""

GOOD_ENDS = {"TASK_FINISHED"}
BAD_ENDS = {
    "TASK_FAILED", "TASK_LOST", "TASK_ERROR", "TASK_DROPPED", "TASK_GONE", "TASK_GONE_BY_OPERATOR",
    "TASK_UNREACHABLE", "TASK_UNKNOWN",
}  # fmt: skip


@dataclass(slots=True)
class Log:
    """What the stream saw."""

    offered: list[float] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    """Tasks that were ended because their agent was drained."""
    unstarted: list[dict[str, Any]] = field(default_factory=list)
    """Launches that nothing came of: their offer had been taken back, or their master had gone."""
    lost: list[dict[str, Any]] = field(default_factory=list)
    """The status of every task that had started and ended in any other way."""

    @property
    def longest_gap(self) -> float:
        """The longest time without an offer, in seconds."""
        pairs = zip(self.offered, self.offered[1:], strict=False)
        return max((later - earlier for earlier, later in pairs), default=0.0)


class Stream:
    """A framework that always has a few short tasks running; its tasks outlive their agent."""

    def __init__(self, masters: list[str], account: tuple[str, str] | None) -> None:
        self.log = Log()
        self._masters = masters
        self._account = account
        self._session = requests.Session()
        self._session.auth = account
        self._framework: dict[str, Any] = {
            "user": "root",
            "name": f"stream-{uuid.uuid4().hex[:8]}",
            "checkpoint": True,
            "failover_timeout": 600.0,
            "capabilities": [{"type": "PARTITION_AWARE"}],
            **({"principal": account[0]} if account else {}),
        }
        self._live: dict[str, str] = {}
        self._started: set[str] = set()
        self._leader = ""
        self._stream_id = ""
        self._launching = True
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Start; return once tasks have finished, so that whatever comes then meets tasks."""
        self._thread.start()
        self.wait_finished(AT_ONCE)
        return self

    def wait_finished(self, more: int, seconds: float = 180) -> None:
        """Return once so many more tasks have finished."""
        wanted, end = len(self.log.finished) + more, time.monotonic() + seconds
        while len(self.log.finished) < wanted:
            assert time.monotonic() < end, f"no {more} tasks finished in {seconds} s: {self.log}"
            time.sleep(0.1)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let the last tasks end, and leave the cluster."""
        self._launching = False
        end = time.monotonic() + LAST_ONES
        while self._live and time.monotonic() < end:
            time.sleep(0.1)
        self._over.set()
        self._call("TEARDOWN")
        self._thread.join(SILENCE)
        assert kind or not self._live, f"tasks that never ended: {self._live}"

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._follow(self._subscribe())
            except (requests.RequestException, ValueError):
                # The master went away, or does not lead any more.
                time.sleep(0.1)

    def _subscribe(self) -> requests.Response:
        self._leader = self._find_leader()
        body: dict[str, Any] = {
            "type": "SUBSCRIBE",
            "subscribe": {"framework_info": self._framework},
        }
        if "id" in self._framework:
            body["framework_id"] = self._framework["id"]
        # A connection of its own: the calls' are for one request each.
        answer = requests.post(
            f"{self._leader}/api/v1/scheduler", json=body, auth=self._account,
            headers={"Accept": "application/json"}, stream=True, timeout=(5, SILENCE),
        )  # fmt: skip
        answer.raise_for_status()
        self._stream_id = answer.headers["Mesos-Stream-Id"]
        return answer

    def _find_leader(self) -> str:
        for master in self._masters:
            try:
                answer = requests.get(f"http://{master}/redirect", timeout=5, allow_redirects=False)
            except requests.RequestException:
                continue
            if "Location" in answer.headers:
                return f"http:{answer.headers['Location']}"
        raise ValueError("nobody knows a leader")

    def _follow(self, answer: requests.Response) -> None:
        with answer:
            for event in _events(answer):
                self._handle(event)

    def _handle(self, event: dict[str, Any]) -> None:
        if event["type"] == "SUBSCRIBED":
            self._framework["id"] = event["subscribed"]["framework_id"]
            self._reconcile()
        elif event["type"] == "OFFERS":
            self.log.offered.append(time.monotonic())
            for offer in event["offers"]["offers"]:
                self._use(offer)
        elif event["type"] == "UPDATE":
            self._update(event["update"]["status"])

    def _reconcile(self) -> None:
        tasks = [
            {"task_id": {"value": task}, "agent_id": {"value": agent}}
            for task, agent in self._live.items()
        ]
        if tasks:
            self._call("RECONCILE", {"tasks": tasks})

    def _use(self, offer: dict[str, Any]) -> None:
        ids = [offer["id"]]
        filters = {"refuse_seconds": 0.5}
        if not (self._launching and len(self._live) < AT_ONCE and _fits(offer)):
            self._call("DECLINE", {"offer_ids": ids, "filters": filters})
            return
        task = uuid.uuid4().hex[:12]
        self._live[task] = offer["agent_id"]["value"]
        info = {
            "name": task,
            "task_id": {"value": task},
            "agent_id": offer["agent_id"],
            "command": {"value": COMMAND},
            "resources": [_scalar("cpus", CPUS), _scalar("mem", MEM)],
        }
        launch = {"type": "LAUNCH", "launch": {"task_infos": [info]}}
        accept = {"offer_ids": ids, "operations": [launch], "filters": filters}
        if not self._call("ACCEPT", accept):
            # Nobody heard it: it was never launched.
            del self._live[task]

    def _update(self, status: dict[str, Any]) -> None:
        task, state = status["task_id"]["value"], status["state"]
        if "uuid" in status:
            names = ("agent_id", "task_id", "uuid")
            self._call("ACKNOWLEDGE", {name: status[name] for name in names})
        if task not in self._live:
            return
        if state in GOOD_ENDS:
            self.log.finished.append(task)
        elif state == "TASK_KILLED" and status.get("reason") == "REASON_AGENT_DRAINING":
            self.log.moved.append(task)
        elif state in BAD_ENDS | {"TASK_KILLED"}:
            (self.log.lost if task in self._started else self.log.unstarted).append(status)
        else:
            self._started.add(task)
            return
        del self._live[task]

    def _call(self, kind: str, content: dict[str, Any] | None = None) -> bool:
        body = {"type": kind, "framework_id": self._framework.get("id")}
        if content:
            body[kind.lower()] = content
        try:
            answer = self._session.post(
                f"{self._leader}/api/v1/scheduler", json=body, timeout=10,
                headers={"Mesos-Stream-Id": self._stream_id},
            )  # fmt: skip
        except requests.RequestException:
            return False
        return answer.status_code == requests.codes.accepted


def _scalar(name: str, value: float) -> dict[str, Any]:
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}}


def _fits(offer: dict[str, Any]) -> bool:
    free = {one["name"]: one["scalar"]["value"] for one in offer["resources"] if "scalar" in one}
    return bool(
        free.get("cpus", 0) >= CPUS + EXECUTOR_CPUS and free.get("mem", 0) >= MEM + EXECUTOR_MEM
    )


def _events(answer: requests.Response) -> Iterator[dict[str, Any]]:
    """Return the records of a RecordIO stream as they come."""
    pending = b""
    for chunk in answer.iter_content(chunk_size=None):
        pending += chunk
        while b"\n" in pending:
            length, rest = pending.split(b"\n", 1)
            if len(rest) < int(length):
                break
            yield json.loads(rest[: int(length)])
            pending = rest[int(length) :]
