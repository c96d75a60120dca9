"""The leader is found by either form of address, and every way to fail is named."""

import http.server
import socket
import threading

import pytest

from mapreduce.errors import ClusterError, UsageError
from mapreduce.scheduler import leader
from mapreduce.scheduler.leader import Address, Leader


class Master:
    """A server that answers /redirect as a master would; counts the questions."""

    def __init__(self, *answers):
        self.answers = list(answers)
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                status, location = (
                    owner.answers.pop(0) if len(owner.answers) > 1 else owner.answers[0]
                )
                self.send_response(status)
                if location:
                    self.send_header("Location", location.format(port=owner.port))
                self.end_headers()

            def log_message(self, *args):
                pass

        self.http = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()


@pytest.fixture
def master():
    running = []

    def start(*answers):
        running.append(Master(*answers))
        return running[-1]

    yield start
    for server in running:
        server.http.shutdown()
        server.http.server_close()


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find(text, wait=0.0):
    said = []
    return leader.find(Address(text), wait, said.append), said


def test_a_leading_master_names_itself(master):
    """Under the address that is known to work, whatever its own name is."""
    running = master((307, "//localhost:{port}"))
    assert find(f"127.0.0.1:{running.port}") == (Leader("127.0.0.1", running.port), [])


def test_another_master_names_the_leader(master):
    """PyMesos is then sent there."""
    running = master((307, "//192.0.2.7:5050"))
    assert find(f"127.0.0.1:{running.port}")[0] == Leader("192.0.2.7", 5050)


def test_an_election_is_waited_for(master):
    """Somebody is told why it takes a while."""
    running = master((503, ""), (503, ""), (307, "//127.0.0.1:{port}"))
    found, said = find(f"127.0.0.1:{running.port}", wait=5.0)
    assert found.port == running.port
    assert len(said) == 1
    assert "knows of no leader" in said[0]


def test_an_election_is_not_waited_for_too_long(master):
    """The message says what there was and how long."""
    running = master((503, ""))
    with pytest.raises(ClusterError, match=r"knows of no leader\. Waited 0 seconds"):
        find(f"127.0.0.1:{running.port}")


def test_nobody_at_the_address(free_port):
    """A refused connection is an answer; no waiting."""
    with pytest.raises(ClusterError, match=f"No Mesos master answers at 127.0.0.1:{free_port}"):
        find(f"127.0.0.1:{free_port}", wait=60)


@pytest.mark.parametrize("answer", [(200, ""), (404, ""), (307, "/elsewhere")])
def test_something_else_at_the_address(master, answer):
    """A web server is no master."""
    with pytest.raises(ClusterError, match="no Mesos master"):
        find(f"127.0.0.1:{master(answer).port}")


def test_no_zookeeper_at_the_address(free_port, monkeypatch):
    """Nobody waits for an election there."""
    monkeypatch.setattr(leader, "CONNECT_TIMEOUT", 0.5)
    with pytest.raises(ClusterError, match=f"No ZooKeeper answers at 127.0.0.1:{free_port}"):
        find(f"zk://127.0.0.1:{free_port}/mesos", wait=60)


@pytest.mark.parametrize(
    "text",
    ["", "host", "host:", ":5050", "host:port", "host:99999", "http://h:1", "zk://", "zk://h:1",
     "zk://h:1/", "zk:///mesos"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text):
    """With both forms in the message."""
    with pytest.raises(UsageError, match=r"host:port, or zk://"):
        Address(text).check()


@pytest.mark.parametrize(
    ("text", "for_pymesos"),
    [
        ("h:5050", "h:5050"),
        ("zk://a:2181,b:2181/mesos", "zk://a:2181,b:2181/mesos"),
        ("zk://user:pass@a:2181/x/y/", "zk://a:2181/x/y"),
    ],
)
def test_pymesos_gets_the_form_that_it_takes(text, for_pymesos):
    """It would take credentials for a part of the host's name."""
    address = Address(text)
    address.check()
    assert address.for_pymesos == for_pymesos


def test_the_own_address_is_that_of_the_route():
    """Agents beside the leader reach this machine there."""
    assert leader.own_address(Leader("127.0.0.1", 5050)) == "127.0.0.1"
    assert leader.is_local(Leader("localhost", 5050))
