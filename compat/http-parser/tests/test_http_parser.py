"""The parser gives PyMesos the same bytes whatever the pieces in which they arrive."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from http_parser.http import HttpParser

BODY = b"121\n" + bytes(range(256)) * 40 + b"\r\n0\r\n\r\n"


def chunked(body: bytes, size: int = 700) -> bytes:
    """`body` as a complete chunked response."""
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    head = b"HTTP/1.1 200 OK\r\nMesos-Stream-Id: 12-ab\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + framed + b"0\r\n\r\n"


def with_length(body: bytes) -> bytes:
    """`body` as a complete response with Content-Length."""
    return b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


def feed(parser: HttpParser, pieces: list[bytes]) -> bytes:
    """Feed as PyMesos does: ask for the body whenever there is some."""
    body = b""
    for piece in pieces:
        assert parser.execute(piece, len(piece)) == len(piece)
        if parser.is_partial_body():
            body += parser.recv_body()
    return body


def pieces_of(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 3, 4096])
@pytest.mark.parametrize("respond", [chunked, with_length])
def test_body_is_byte_exact_in_pieces_of_any_size(respond, size):
    """Neither the framing nor the size of the pieces shows in the body."""
    parser = HttpParser()
    assert feed(parser, pieces_of(respond(BODY), size)) == BODY
    assert parser.is_message_complete()
    assert not parser.is_partial_body()
    assert parser.get_errno() == 0


@given(body=st.binary(max_size=2000), size=st.integers(1, 500), data=st.data())
def test_any_chunking_and_any_pieces_give_the_same_body(body, size, data):
    """Chunk borders and read borders may fall anywhere."""
    wire = chunked(body, size)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(wire) - 1), max_size=30)))
    borders = [0, *cuts, len(wire)]
    parser = HttpParser()
    pieces = [wire[a:b] for a, b in itertools.pairwise(borders)]
    assert feed(parser, pieces) == body
    assert parser.is_message_complete()


def test_status_headers_and_chunking_are_known_with_the_headers():
    """PyMesos decides by status and headers before any body has arrived."""
    head = chunked(b"x")[: chunked(b"x").index(b"\r\n\r\n") + 4]
    parser = HttpParser()
    parser.execute(head[:-1], len(head) - 1)
    assert not parser.is_headers_complete()
    assert parser.get_status_code() == 0
    parser.execute(head[-1:], 1)
    assert parser.is_headers_complete()
    assert parser.get_status_code() == 200
    assert parser.get_headers()["Mesos-Stream-Id"] == "12-ab"
    assert parser.is_chunked()
    assert not parser.is_message_complete()
    assert not parser.is_partial_body()


def test_a_redirect_shows_its_location():
    """A non-leading master's 307 is followed by its Location header."""
    wire = (
        b"HTTP/1.1 307 Temporary Redirect\r\n"
        b"Location: //10.0.0.1:5050/x\r\nContent-Length: 0\r\n\r\n"
    )
    parser = HttpParser()
    feed(parser, [wire])
    assert parser.get_status_code() == 307
    assert parser.get_headers() == {"Location": "//10.0.0.1:5050/x", "Content-Length": "0"}
    assert not parser.is_chunked()
    assert parser.is_message_complete()


def test_repeated_headers_are_joined():
    """No value of a repeated header is lost, however it is spelled."""
    parser = HttpParser()
    feed(parser, [b"HTTP/1.1 200 OK\r\nVia: a\r\nvia: b\r\n\r\n"])
    assert parser.get_headers() == {"Via": "a, b"}


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        with_length(b"ab") + with_length(b"c"),
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    ],
    ids=["not http", "bad chunk size", "a second response", "upgrade"],
)
def test_malformed_input_is_a_short_parse_with_an_error_number(wire):
    """PyMesos raises on a short parse and prints `get_errno`."""
    parser = HttpParser()
    assert parser.execute(wire, len(wire)) < len(wire)
    assert parser.get_errno() != 0
    assert parser.execute(b"HTTP/1.1 200 OK\r\n", 17) == 0


def test_body_ahead_of_a_fault_is_kept():
    """What arrived intact before a fault can still be read."""
    wire = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n"
    parser = HttpParser()
    parser.execute(wire, len(wire))
    assert parser.recv_body() == b"ab"


def test_only_the_announced_length_is_parsed():
    """`execute` must not look beyond the length it is given."""
    wire = with_length(b"ab")
    parser = HttpParser()
    assert parser.execute(wire + b"junk", len(wire)) == len(wire)
    assert parser.recv_body() == b"ab"


def test_there_is_no_attribute_errno():
    """With one, PyMesos would import a module that this distribution lacks."""
    assert not hasattr(HttpParser(), "errno")
