"""What masters answer that do not lead, by request: from ha/ of the transcripts.

`$LEADER` stands for the leader's host and port.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .endpoints import EMPTY, JSON
from .expect import NOT_FOUND, Reply, refused

SUBSCRIBE = {
    "type": "SUBSCRIBE",
    "subscribe": {"framework_info": {"user": "root", "name": "x"}},
}
REVIVE = {"type": "REVIVE", "framework_id": {"value": "x"}}
NO_LEADER = refused(503, "No leader elected")


def to_leader(path: str) -> Reply:
    """A redirection to a path of the leader."""
    return Reply(307, "", location=f"//$LEADER{path}")


@dataclass(frozen=True)
class Request:
    """A request and the answers of a follower, and of a master that knows no leader."""

    method: str
    path: str
    follower: Reply
    leaderless: Reply = NO_LEADER
    body: Any = None

    def __str__(self) -> str:
        kind = f" {self.body.get('type')}" if self.body is not None else ""
        return f"{self.method} {self.path}{kind}"


def always(path: str, reply: Reply) -> Request:
    """An endpoint that any master serves by itself."""
    return Request("GET", path, reply, reply)


def led(path: str, target: str | None = None) -> Request:
    """An endpoint of the leader, which has the prefix in redirections."""
    return Request("GET", path, to_leader(target or f"/master{path}"))


REQUESTS = (
    always("/health", EMPTY),
    always("/version", JSON),
    always("/metrics/snapshot", JSON),
    always("/flags", JSON),
    always("/files/debug", JSON),
    always("/nosuch", NOT_FOUND),
    Request("GET", "/redirect", to_leader("")),
    Request("GET", "/master/redirect", to_leader("")),
    led("/state"),
    led("/master/state", "/master/state"),
    led("/state?jsonp=cb"),
    led("/slaves"),
    led("/frameworks"),
    led("/tasks"),
    led("/api/v1/scheduler"),
    *(
        Request("POST", path, to_leader("/master/api/v1/scheduler"), body=body)
        for path, body in (
            ("/api/v1/scheduler", SUBSCRIBE),
            ("/master/api/v1/scheduler", SUBSCRIBE),
            ("/api/v1/scheduler", REVIVE),
            ("/api/v1/scheduler", {}),
        )
    ),
)
