"""PyMesos' driver reports into a queue, and its end interrupts nobody."""

import json
import queue
import signal
import socket
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

handler = signal.getsignal(signal.SIGINT)
from mapreduce.scheduler.driver import Driver, Listener  # noqa: E402 PyMesos takes SIGINT when imported

signal.signal(signal.SIGINT, handler)

PATIENCE = 60


@pytest.fixture
def master():
    """A server that refuses every framework."""

    class Refusing(BaseHTTPRequestHandler):
        def do_GET(self):
            self.answer(404)

        def do_POST(self):
            asked.append(self.headers.get("Authorization"))
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(403)

        def answer(self, status):
            # In one piece, as masters do: PyMesos trips over an answer that comes in several.
            self.wfile.write(b"HTTP/1.1 %d No\r\nContent-Length: 2\r\n\r\nno" % status)

        def log_message(self, *_):
            pass

    asked = []
    server = HTTPServer(("127.0.0.1", 0), Refusing)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()


def ended(messages):
    while True:
        kind, content = messages.get(timeout=PATIENCE)
        if kind == "ended":
            return content


@pytest.mark.parametrize("attempt", [1, 2])
def test_the_end_of_pymesos_thread_is_a_message(master, attempt):
    """No SIGINT, which would hit whoever embeds us; and nothing is left over for the next run."""
    messages = queue.SimpleQueue()
    interrupts = []
    before = signal.signal(signal.SIGINT, lambda *_: interrupts.append(1))
    try:
        driver = Driver(Listener(messages), {"name": "x", "user": "y"}, master[0])
        driver.start()
        assert "403" in ended(messages)
        driver.join()
    finally:
        signal.signal(signal.SIGINT, before)
    assert interrupts == []
    assert not driver.try_call("reviveOffers")


def test_a_credential_goes_with_the_subscription(master):
    """As the master's basic authentication wants it."""
    messages = queue.SimpleQueue()
    driver = Driver(Listener(messages), {"name": "x"}, master[0], ("me", "secret"))
    driver.start()
    ended(messages)
    assert master[1] == ["Basic bWU6c2VjcmV0"]


@pytest.fixture
def silent_master():
    """A master that the network has lost: connections stay open, and nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_master_that_does_not_answer_is_not_waited_for_for_ever(silent_master, monkeypatch):
    """A call to one ends and is told not to have been sent; the next leader can be followed."""
    monkeypatch.setattr("mapreduce.scheduler.driver.ANSWER_TIMEOUT", 0.1)
    driver = Driver(Listener(queue.SimpleQueue()), {"name": "x", "user": "y"}, silent_master)
    following = Thread(target=driver.change_master, args=(silent_master,), daemon=True)
    following.start()
    following.join(PATIENCE)
    assert not following.is_alive()

    driver._master, driver.stream_id, driver.framework_id = silent_master, "stream", "framework"
    sent = []
    calling = Thread(target=lambda: sent.append(driver.try_call("reviveOffers")), daemon=True)
    calling.start()
    calling.join(PATIENCE)
    assert sent == [False]


def test_a_new_leader_is_not_kept_waiting_by_a_call_to_the_former(silent_master, monkeypatch):
    """The call ends, though its master is still to answer; it is told not to have been sent."""
    monkeypatch.setattr("mapreduce.scheduler.driver.ANSWER_TIMEOUT", 10 * PATIENCE)
    driver = Driver(Listener(queue.SimpleQueue()), {"name": "x", "user": "y"}, silent_master)
    driver._master, driver.stream_id, driver.framework_id = silent_master, "stream", "framework"
    sent = []
    calling = Thread(target=lambda: sent.append(driver.try_call("reviveOffers")), daemon=True)
    calling.start()
    deadline = time.monotonic() + PATIENCE
    while not (driver._conn and driver._conn.sock) and time.monotonic() < deadline:
        time.sleep(0.01)

    following = Thread(target=driver.change_master, args=(None,), daemon=True)
    following.start()
    following.join(PATIENCE)
    calling.join(PATIENCE)
    assert not following.is_alive()
    assert sent == [False]


@pytest.fixture
def late_master(silent_master):
    """A master that was elected and hears of it late: at first it names its predecessor."""
    event = b'{"type":"HEARTBEAT"}'
    stream = b"%d\n%s" % (len(event), event)
    answers = iter(
        [
            b"HTTP/1.1 307 Elsewhere\r\nLocation: //%s\r\nContent-Length: 0\r\n\r\n"
            % silent_master.encode(),
            b"HTTP/1.1 200 OK\r\nMesos-Stream-Id: late\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"%x\r\n%s\r\n" % (len(stream), stream),
        ]
    )

    class Late(BaseHTTPRequestHandler):
        def do_GET(self):
            self.wfile.write(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.wfile.write(next(answers))

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Late)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address
    server.shutdown()
    server.server_close()


class Elected:
    """In place of PyMesos' detector: ZooKeeper names one master, once."""

    def __init__(self, uri, driver):
        self.uri, self.driver = uri, driver

    def start(self):
        host, port = self.uri.split("/")[0].split(":")
        named = {"address": {"ip": host, "port": int(port)}}
        self.driver.onNewMasterDetectedMessage(json.dumps(named))

    def stop(self):
        pass


def test_a_late_master_sends_nobody_to_its_predecessor(late_master, monkeypatch):
    """ZooKeeper knows better; who went there would be alone with one that is cut off."""
    monkeypatch.setattr("pymesos.detector.MasterDetector", Elected)
    uri = f"zk://{late_master[0]}:{late_master[1]}/mesos"
    driver = Driver(Listener(queue.SimpleQueue()), {"name": "x", "user": "y"}, uri)
    driver.start()
    deadline = time.monotonic() + PATIENCE
    while not driver.connected and time.monotonic() < deadline:
        time.sleep(0.01)
    assert driver.stream_id == "late"
    driver.stop(failover=True)
    driver.join()
