"""The command, as a process of its own: bad input ends it within seconds, with a clear message."""

import http.server
import os
import socket
import subprocess
import sys
import threading
import time

import pytest

TEXT = "to be or not to be\n"


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def nobody():
    """Return an address at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def mapreduce(*arguments, **environment):
    began = time.monotonic()
    clean = {key: value for key, value in os.environ.items() if "MAPREDUCE" not in key}
    done = subprocess.run(
        [sys.executable, "-c", "from mapreduce.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**clean, **environment},
    )
    assert time.monotonic() - began < 10
    return done


def refused(done, message, status):
    """Assert a message of one line, free of traces, on standard error alone."""
    assert done.returncode == status, done.stderr
    assert message in done.stderr
    assert done.stderr.startswith("mapreduce: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_a_missing_input(text, nobody):
    """Before the cluster is asked for."""
    done = mapreduce("run", "wordcount", text, "/no/such.txt", "--master", nobody)
    refused(done, "'/no/such.txt' cannot be read: No such file", 2)


def test_a_wrong_job_name(text, nobody):
    """With the names that there are."""
    done = mapreduce("run", "wordcuont", text, "--master", nobody)
    refused(done, "no job 'wordcuont'. Built in: wordcount", 2)


def test_a_bad_output(text, nobody):
    """Before any work is done."""
    done = mapreduce("run", "wordcount", text, "--master", nobody, "--output", "/no/x.tsv")
    refused(done, "does not exist", 2)


def test_no_address_at_all(text):
    """The message names the option and the variable."""
    refused(mapreduce("run", "wordcount", text), "--master or set MAPREDUCE_MASTER", 2)


def test_a_malformed_address(text):
    """Both forms are in the message."""
    refused(mapreduce("run", "wordcount", text, "--master", "here"), "zk://", 2)


def test_nobody_at_the_address(text, nobody):
    """A refused connection is not waited out; the variable serves as well as the option."""
    done = mapreduce("run", "wordcount", text, MAPREDUCE_MASTER=nobody)
    refused(done, f"No Mesos master answers at {nobody}: Connection refused", 1)


def test_no_zookeeper_at_the_address(text, nobody):
    """ZooKeeper gets some seconds, no more."""
    done = mapreduce("run", "wordcount", text, "--master", f"zk://{nobody}/mesos")
    refused(done, f"No ZooKeeper answers at {nobody}", 1)


class Refusing(http.server.BaseHTTPRequestHandler):
    """A leading master that takes no framework: by status, or by an ERROR event."""

    protocol_version = "HTTP/1.1"
    event = b""

    def do_GET(self):
        port = self.server.server_address[1]
        self.send_response(307 if self.path == "/redirect" else 200)
        self.send_header("Location", f"//127.0.0.1:{port}")
        body = b'{"version": "1.12.0"}'
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if not self.event:
            # One write, as a master answers: in two, PyMesos may trip over the half it has got.
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 11\r\n\r\nnot allowed")
            return
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        record = b"%d\n%s" % (len(self.event), self.event)
        self.wfile.write(b"%x\r\n%s\r\n" % (len(record), record))
        self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (b"", "ended: RuntimeError: Failed with HTTP 403: b'not allowed'"),
        (b'{"type":"ERROR","error":{"message":"role gone"}}', "ended the framework: role gone"),
    ],
)
def test_a_master_that_refuses_the_framework(text, event, message):
    """PyMesos ends its thread, or goes on for ever; the command says what the master said."""
    handler = type("Handler", (Refusing,), {"event": event})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        address = f"127.0.0.1:{server.server_address[1]}"
        refused(mapreduce("run", "wordcount", text, "--master", address), message, 1)
        server.shutdown()


def test_wrong_usage_is_two_like_everywhere(nobody):
    """Argparse's own status, with its usage line."""
    done = mapreduce("run", "wordcount", "--master", nobody)
    assert done.returncode == 2
    assert "INPUT" in done.stderr


def test_help_needs_no_cluster_and_little_time():
    """Nothing heavy is imported for it."""
    began = time.monotonic()
    assert "--master" in mapreduce("run", "--help").stdout
    assert time.monotonic() - began < 3


def test_the_command_alone_imports_nothing_heavy():
    """PyMesos takes SIGINT when imported; kazoo, fsspec and rich cost time at every start."""
    code = (
        "import sys, mapreduce.cli\n"
        "heavy = {'pymesos', 'kazoo', 'fsspec', 'rich', 'asyncio', 'http_parser'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


def test_an_executor_started_by_hand_says_who_starts_it():
    """Rather than a KeyError about its environment."""
    done = subprocess.run(
        [sys.executable, "-c", "from mapreduce.executor import main; main()"],
        capture_output=True,
        text=True,
        timeout=30,
        env={key: value for key, value in os.environ.items() if not key.startswith("MESOS_")},
    )
    assert done.returncode == 1
    assert "started by a Mesos agent" in done.stderr
