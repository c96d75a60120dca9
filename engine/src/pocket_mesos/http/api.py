"""What the v1 APIs of master and agent check alike before they look at a call."""

from typing import TypeVar

import msgspec

from pocket_mesos.http.messages import JSON, Request, Response, bad_request, text
from pocket_mesos.protocol import codec
from pocket_mesos.protocol.errors import ProtocolError

T = TypeVar("T", bound=msgspec.Struct)

PROTOBUF = "application/x-protobuf"

_ACCEPTABLE = frozenset({JSON, PROTOBUF, "application/*", "*/*"})


def read_call(request: Request, type_: type[T]) -> T | Response:
    """Read the call in a request's body, or say what is wrong as Mesos does."""
    refusal = check_content_type(request)
    if refusal is not None:
        return refusal
    try:
        return codec.decode(request.body, type_)
    except ProtocolError as error:
        return bad_request(str(error))


def check_content_type(request: Request) -> Response | None:
    """Return the refusal of a body that is not JSON."""
    content_type = request.headers.get("Content-Type")
    if content_type is None:
        return bad_request("Expecting 'Content-Type' to be present")
    if content_type == PROTOBUF:
        return text(501, "Pocket Mesos reads application/json; the protobuf encoding is absent")
    if content_type != JSON:
        return text(415, f"Expecting 'Content-Type' of {JSON} or {PROTOBUF}")
    return None


def check_accept(request: Request) -> Response | None:
    """Return the refusal for a client that takes no encoding of the API."""
    accept = request.headers.get("Accept")
    if accept is None:
        return None
    kinds = {part.partition(";")[0].strip() for part in accept.split(",")}
    if not kinds & _ACCEPTABLE:
        return text(406, f"Expecting 'Accept' to allow '{PROTOBUF}' or '{JSON}'")
    if kinds & _ACCEPTABLE == {PROTOBUF}:
        return text(406, f"Pocket Mesos answers {JSON}; the protobuf encoding is absent")
    return None
