"""Executors read events however the network cuts them."""

import json
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pocket_mesos.executors import transport
from pocket_mesos.executors.base import duration
from pocket_mesos.executors.task import describe
from pocket_mesos.executors.transport import Agent, Chunks, LostError, Records
from pocket_mesos.flags.types import DURATION

messages = st.lists(
    st.dictionaries(st.text(max_size=5), st.text(max_size=30), max_size=3), max_size=5
)


@given(events=messages, sizes=st.lists(st.integers(1, 40), min_size=1), chunk=st.integers(1, 50))
def test_events_survive_any_cut(events: list[dict[str, str]], sizes: list[int], chunk: int) -> None:
    """Chunks of the server and pieces of the network fall anywhere."""
    content = b"".join(b"%d\n%b" % (len(r), r) for r in (json.dumps(e).encode() for e in events))
    wire = b"".join(
        b"%x\r\n%b\r\n" % (len(piece), piece)
        for piece in (content[i : i + chunk] for i in range(0, len(content), chunk))
    )
    wire += b"0\r\n\r\n"
    chunks, records = Chunks(), Records()
    found = []
    position = turn = 0
    while position < len(wire):
        size = sizes[turn % len(sizes)]
        found += records.feed(chunks.feed(wire[position : position + size]))
        position += size
        turn += 1
    assert found == events
    assert chunks.ended


@given(st.floats(0.001, 1e6))
def test_durations_are_read_as_the_agent_prints_them(seconds: float) -> None:
    """What goes into the environment comes out again."""
    assert abs(duration(DURATION.show(seconds)) - seconds) < 1e-6 * max(1.0, seconds)


def test_wait_statuses_in_words() -> None:
    """Those that frameworks read."""
    assert describe(3 << 8) == "exited with status 3"
    assert describe(15) == "terminated with signal Terminated"
    assert describe(11 | 0x80) == "terminated with signal Segmentation fault (core dumped)"


@pytest.mark.parametrize(
    "answer",
    [
        b"POST /api/v1/executor HTTP/1.1\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
    ],
)
def test_who_answers_otherwise_than_an_agent_is_none(answer: bytes) -> None:
    """The executor lives on, and tries again while its agent may come back."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(LostError):
            Agent(f"127.0.0.1:{listener.getsockname()[1]}").subscribe({})
        thread.join()


def test_a_port_that_was_connected_to_itself_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel may do that where no agent listens; only its choice is made here."""
    own = socket.socket()
    own.bind(("127.0.0.1", 0))
    own.connect(own.getsockname())
    monkeypatch.setattr(transport, "connect", lambda *_: own)
    with pytest.raises(LostError, match="nobody listens"):
        Agent("127.0.0.1:1").subscribe({})
    assert own.fileno() == -1
