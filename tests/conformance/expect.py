"""Expectations as data: an HTTP answer, a task's status.

Each is a pure check, so that it can judge a recorded answer of a real Mesos as well as
a live one.
"""

from __future__ import annotations

import http
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .wire import Response

TEXT_TYPE = "text/plain; charset=utf-8"
JSON_TYPE = "application/json"
RFC_1123 = r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT"


def fill(template: Any, names: dict[str, str]) -> Any:
    """Replace `$NAME` in every text of a JSON value."""
    if isinstance(template, str):
        for name, value in names.items():
            template = template.replace(f"${name}", value)
        return template
    if isinstance(template, dict):
        return {key: fill(value, names) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(item, names) for item in template]
    return template


@dataclass(frozen=True)
class Reply:
    """What an HTTP answer must be.

    `body` is exact text (None: not looked at); `headers` are exact values, None meaning
    that the header must be absent.
    """

    status: int
    body: str | None = None
    content_type: str | None = None
    location: str | None = None
    allow: str | None = None

    def problems(self, found: Response, names: dict[str, str] | None = None) -> list[str]:
        """Say what differs; `names` fill the expected texts."""
        wanted: dict[str, Any] = {
            "status": self.status,
            "reason": http.HTTPStatus(self.status).phrase,
            "Content-Type": self.content_type,
            "Location": fill(self.location, names or {}),
            "Allow": self.allow,
        }
        actual = {"status": found.status, "reason": found.reason}
        actual |= {name: found.header(name) for name in ("Content-Type", "Location", "Allow")}
        if self.body is not None:
            wanted["body"], actual["body"] = fill(self.body, names or {}), found.body
        differences = [
            f"{key}: expected {value!r}, found {actual[key]!r:.300}"
            for key, value in wanted.items()
            if actual[key] != value
        ]
        if not re.fullmatch(RFC_1123, found.header("Date") or ""):
            differences.append(f"Date: {found.header('Date')!r} is no HTTP date")
        return differences


def accepted() -> Reply:
    """A call that was taken: 202 without a body."""
    return Reply(202, "")


def refused(status: int, body: str) -> Reply:
    """A request that was not, and the text that says why."""
    return Reply(status, body, TEXT_TYPE)


def not_allowed(method: str, *allowed: str) -> Reply:
    """A method that the endpoint does not take."""
    names = ", ".join(f"'{name}'" for name in allowed)
    text = f"405 Method Not Allowed. Expecting one of {{ {names} }}, but received '{method}'."
    return Reply(405, text, TEXT_TYPE, allow=", ".join(allowed))


NOT_FOUND = refused(404, "404 Not Found.")


@dataclass(frozen=True)
class Status:
    """What a task's status must be.

    `message` is exact when it is text, a pattern when it is compiled, and must be absent
    when it is None. A status with no `reason` or `source` given must not have one.
    """

    state: str
    source: str
    reason: str | None = None
    message: str | re.Pattern[str] | None = None
    acknowledged: bool = True  # it has a uuid, so that it wants an acknowledgement

    def problems(self, status: dict[str, Any], names: dict[str, str] | None = None) -> list[str]:
        """Say what differs; `names` fill an exact message."""
        wanted = {"state": self.state, "source": self.source, "reason": self.reason}
        differences = [
            f"{key}: expected {value!r}, found {status.get(key)!r}"
            for key, value in wanted.items()
            if status.get(key) != value
        ]
        if not self._message_fits(status.get("message"), names or {}):
            differences.append(
                f"message: expected {self.message!r}, found {status.get('message')!r}"
            )
        if ("uuid" in status) != self.acknowledged:
            differences.append("uuid: " + ("missing" if self.acknowledged else "unexpected"))
        return differences

    def _message_fits(self, found: str | None, names: dict[str, str]) -> bool:
        if isinstance(self.message, re.Pattern):
            return found is not None and self.message.fullmatch(found) is not None
        return bool(found == fill(self.message, names))


def from_executor(state: str, message: str | None = None) -> Status:
    """A status that an executor sent."""
    return Status(state, "SOURCE_EXECUTOR", message=message)


def reconciled(state: str, text: str) -> Status:
    """A status that the master made up to answer a question."""
    reason = "REASON_RECONCILIATION"
    return Status(state, "SOURCE_MASTER", reason, f"Reconciliation: {text}", acknowledged=False)
