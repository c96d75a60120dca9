"""Questions to masters and agents for the sake of messages: answered well, or not at all."""

import json
import re
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from mapreduce.scheduler import diagnosis

FOLDER = "/var/lib/mesos/slaves/S/frameworks/F/executors/mapreduce-1/runs/latest"


class Mesos:
    """Answers what it is told to, and /files/read from `files`."""

    def __init__(self):
        self.answers, self.files, self.asked = {}, {}, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append(self.headers.get("Authorization"))
                body = outer.answer(urlsplit(self.path))
                self.send_response(404 if body is None else 200)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, url):
        if url.path != "/files/read":
            return self.answers.get(url.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        text = self.files.get(query["path"])
        if text is None:
            return None
        offset = int(query["offset"])
        if offset < 0:
            return {"offset": len(text), "data": ""}
        return {"offset": offset, "data": text[offset:][: int(query["length"])]}

    def runs(self, text, key="completed_executors"):
        executor = {"id": "mapreduce-1", "directory": FOLDER}
        self.answers["/state"] = {"frameworks": [{"id": "F", key: [executor]}]}
        self.files[f"{FOLDER}/stderr"] = text


@pytest.fixture
def mesos():
    running = Mesos()
    yield running
    running.server.shutdown()
    running.server.server_close()


@pytest.mark.parametrize("key", ["executors", "completed_executors"])
def test_the_end_of_an_executors_output_is_found(mesos, key):
    """Whether it still runs or not."""
    mesos.runs("one\ntwo\n", key)
    assert diagnosis.stderr_tail(mesos.address, "F", "mapreduce-1") == "one\ntwo"


def test_the_end_of_a_long_output_begins_with_a_whole_line(mesos):
    """Half a line would mislead."""
    lines = [f"line {number} of many" for number in range(1000)]
    mesos.runs("\n".join(lines))
    shown = diagnosis.stderr_tail(mesos.address, "F", "mapreduce-1").split("\n")
    assert 1 < len(shown) < 1000
    assert shown == lines[-len(shown) :]


@pytest.mark.parametrize("about", [("G", "mapreduce-1"), ("F", "mapreduce-2")])
def test_another_executors_output_is_not_shown(mesos, about):
    """Nor is there an error."""
    mesos.runs("one\n")
    assert diagnosis.stderr_tail(mesos.address, *about) == ""


def test_a_cluster_that_does_not_answer_is_no_error(mesos):
    """The message is just shorter."""
    assert diagnosis.stderr_tail(mesos.address, "F", "mapreduce-1") == ""
    assert diagnosis.stderr_tail("127.0.0.1:1", "F", "mapreduce-1") == ""
    assert diagnosis.why_no_offers("127.0.0.1:1", 9) == (
        False,
        "No usable offer for 9 seconds, and the master says nothing.",
    )


@pytest.mark.parametrize(
    ("agents", "vain", "why"),
    [
        ([], True, "has no agents"),
        ([{"active": False, "resources": {"cpus": 4, "mem": 4096}}], True, "has no agents"),
        ([{"active": True, "resources": {"cpus": 4, "mem": 64}}], True, "is large enough"),
        ([{"active": True, "resources": {"cpus": 4, "mem": 4096}}], False, "others use the 1"),
    ],
)
def test_missing_offers_are_explained(mesos, agents, vain, why):
    """Whether it makes sense to wait for them."""
    mesos.answers["/slaves"] = {"slaves": agents}
    found = diagnosis.why_no_offers(mesos.address, 5)
    assert found[0] is vain
    assert why in found[1]


@pytest.mark.parametrize(
    ("said", "credential", "why"),
    [
        ("RuntimeError: Failed with HTTP 401: b''", None, "--credential or MAPREDUCE_CREDENTIAL"),
        ("RuntimeError: Failed with HTTP 401: b''", ("ann", "x"), "refuses .* principal 'ann'"),
        ("RuntimeError: Failed with HTTP 403: b'no'", ("ann", "x"), "ended: .* HTTP 403: b'no'"),
    ],
)
def test_a_master_that_wants_to_know_who_comes_is_understood(said, credential, why):
    """What was given decides what is to be done."""
    assert re.search(why, diagnosis.why_ended("m:5050", said, credential))


def test_questions_carry_the_credential(mesos):
    """A cluster that wants one for its frameworks wants it for questions, too."""
    mesos.answers["/slaves"] = {"slaves": []}
    diagnosis.why_no_offers(mesos.address, 5, ("me", "secret"))
    diagnosis.why_no_offers(mesos.address, 5)
    assert mesos.asked == ["Basic bWU6c2VjcmV0", None]
