"""Requests and responses as values, in the shapes that Mesos' HTTP server gives them.

Header order is part of the shape: JSON answers of GET endpoints show Content-Length before
Content-Type, everything else the other way round.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, BinaryIO
from urllib.parse import parse_qsl

from pocket_mesos.protocol import codec

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"

_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request whose body has been read."""

    method: str
    path: str
    """As matched: without a trailing slash, percent escapes decoded."""
    query_string: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Lookup ignores case."""
    body: bytes = b""
    principal: str | None = None
    """Who sends it, as far as authentication has found out."""

    @property
    def query(self) -> dict[str, str]:
        """Query parameters; the last of a repeated one counts."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        """Parameters of a form-encoded body."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer with its whole body; the server adds Date in front."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    """In order; Content-Length included."""
    body: bytes = b""
    file: BinaryIO | None = None
    """Sent in place of the body, as much of it as Content-Length says, then closed."""

    @property
    def reason(self) -> str:
        """Reason phrase of the status line."""
        return _REASONS.get(self.status, "")


def ok() -> Response:
    """200 with nothing in it."""
    return empty(200)


def accepted() -> Response:
    """202 with nothing in it."""
    return empty(202)


def empty(status: int) -> Response:
    """Answer with a status alone."""
    return Response(status=status, headers=(("Content-Length", "0"),))


def endpoint_json(value: Any, request: Request) -> Response:
    """Answer a GET endpoint; wrapped into a call of the client's function for JSONP."""
    body = codec.encode(value)
    content_type = JSON
    function = request.query.get("jsonp")
    if function is not None:
        body = function.encode() + b"(" + body + b")"
        content_type = "text/javascript"
    headers = (("Content-Length", str(len(body))), ("Content-Type", content_type))
    return Response(status=200, headers=headers, body=body)


def api_json(value: Any) -> Response:
    """Answer a v1 call."""
    return _typed(200, JSON, codec.encode(value))


def text(status: int, body: str) -> Response:
    """Answer with a sentence."""
    return _typed(status, TEXT, body.encode())


def bad_request(body: str) -> Response:
    """400 with a sentence."""
    return text(400, body)


def unauthorized(realm: str) -> Response:
    """401 that tells where to authenticate."""
    answer = text(401, "401 Unauthorized.")
    return Response(
        status=401,
        headers=(("WWW-Authenticate", f'Basic realm="{realm}"'), *answer.headers),
        body=answer.body,
    )


def forbidden() -> Response:
    """403 for somebody who lacks the right."""
    return text(403, "403 Forbidden.")


def not_found() -> Response:
    """404 as for a path that nobody serves."""
    return text(404, "404 Not Found.")


def not_implemented() -> Response:
    """501 as for a call that Mesos knows and does not answer."""
    return text(501, "501 Not Implemented.")


def method_not_allowed(allowed: Sequence[str], received: str) -> Response:
    """405 that lists what is allowed."""
    listed = ", ".join(f"'{method}'" for method in allowed)
    sentence = f"Expecting one of {{ {listed} }}, but received '{received}'."
    answer = text(405, f"405 Method Not Allowed. {sentence}")
    return Response(
        status=405,
        headers=(("Allow", ", ".join(allowed)), *answer.headers),
        body=answer.body,
    )


def temporary_redirect(location: str) -> Response:
    """307 to another address."""
    return Response(status=307, headers=(("Location", location), ("Content-Length", "0")))


def content(body: bytes, content_type: str, *extra: tuple[str, str]) -> Response:
    """Answer with bytes of a kind."""
    headers = (*extra, ("Content-Length", str(len(body))), ("Content-Type", content_type))
    return Response(status=200, headers=headers, body=body)


def download(file: BinaryIO, size: int, name: str) -> Response:
    """Answer with a file that a browser keeps under a name."""
    headers = (
        ("Content-Disposition", f"attachment; filename={name}"),
        ("Content-Length", str(size)),
        ("Content-Type", "application/octet-stream"),
    )
    return Response(status=200, headers=headers, file=file)


def _typed(status: int, content_type: str, body: bytes) -> Response:
    headers = (("Content-Type", content_type), ("Content-Length", str(len(body))))
    return Response(status=status, headers=headers, body=body)
