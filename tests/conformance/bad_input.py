"""Requests as no client should make them: good calls with something in them spoiled.

A spoiled call has one part removed, doubled, renamed or replaced by another JSON value; a
spoiled body has bytes cut off, changed or put in.
"""

from __future__ import annotations

import copy
import http.client
import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from .wire import JSON_HEADERS, TIMEOUT, Address, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .scheduler import Json

NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([2**31, 2**32, 2**53, 2**63, -(2**63), 2**64, 10**30, 10**400]),
    st.sampled_from([0.5, -1.0, 1e-300, 1e300, 1e15, float("inf"), float("-inf"), float("nan")]),
)
TEXTS = st.one_of(
    st.sampled_from(
        ["", " ", ".", "..", "/", "../../etc", "a/b", "*", "-", "\0", "\n", "\ud800", "\u202e"]
    ),
    st.sampled_from(["NOSUCH", "SUBSCRIBE", "TASK_LOST", "SCALAR", "x" * 300, "y" * 70_000]),
    st.sampled_from(["NaN", "1e9", "-1", "1_0", " 5", "0x10", "AAAA", "A=", "%s", "${HOME}"]),
    st.text(max_size=20),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["value", "type", "id", "name", "scalar", "ranges", "x", ""]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of everything inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        yield (*path, key)
        if isinstance(item, dict | list):
            yield from places(item, (*path, key))


@st.composite
def spoiled(draw: st.DrawFn, calls: list[Json]) -> Any:
    """Take one of the calls and spoil one to three places of it."""
    call: Any = copy.deepcopy(draw(st.sampled_from(calls)))
    for _ in range(draw(st.integers(1, 3))):
        known = list(places(call))
        if not known:
            break
        *above, key = draw(st.sampled_from(known))
        holder = call
        for step in above:
            holder = holder[step]
        _spoil(draw, holder, key)
    return call


def _spoil(draw: st.DrawFn, holder: Any, key: Any) -> None:
    match draw(st.sampled_from(["replace", "remove", "double", "rename"])):
        case "replace":
            holder[key] = draw(VALUES)
        case "remove":
            del holder[key]
        case "double" if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        case _:
            moved = holder[key]
            if isinstance(holder, dict):
                holder[draw(TEXTS)] = moved
            else:
                holder[key] = {"value": moved}


@st.composite
def spoiled_bytes(draw: st.DrawFn, calls: list[Json]) -> bytes:
    """Take one of the calls as bytes, and cut, change or stuff them."""
    body = json.dumps(draw(st.sampled_from(calls))).encode()
    at = draw(st.integers(0, len(body) - 1))
    match draw(st.sampled_from(["cut", "change", "stuff", "head"])):
        case "cut":
            return body[:at]
        case "change":
            return body[:at] + bytes([draw(st.integers(0, 255))]) + body[at + 1 :]
        case "stuff":
            return body[:at] + draw(st.binary(max_size=20)) + body[at:]
        case _:
            return draw(st.sampled_from([b"\xef\xbb\xbf", b"\0", b"[", b'"', b"{", b"NaN"])) + body


def encode(call: Any) -> bytes:
    """Write a JSON value down, with what is no JSON in it too."""
    return json.dumps(call).encode()


def answer(address: Address, path: str, body: bytes, **headers: str) -> Response:
    """POST a body; of an event stream only the head is read."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=TIMEOUT)
    try:
        fields = {**JSON_HEADERS, **{name.replace("_", "-"): it for name, it in headers.items()}}
        connection.request("POST", path, body, fields)
        found = connection.getresponse()
        streaming = found.getheader("Transfer-Encoding") == "chunked"
        text = "" if streaming else found.read().decode()
        return Response(found.status, found.reason, tuple(found.getheaders()), text)
    finally:
        connection.close()
