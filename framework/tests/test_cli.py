"""The command, as a process of its own: bad input ends it within seconds, with a clear message."""

import http.server
import os
import signal
import socket
import subprocess
import sys
import threading

import pytest

TEXT = "to be or not to be\n"

COMMAND = [sys.executable, "-c", "from mapreduce.cli import main; main()"]


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


@pytest.fixture
def nobody():
    """An address at which nobody listens, for as long as the test takes."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{holder.getsockname()[1]}"


def mapreduce(*arguments, **environment):
    clean = {key: value for key, value in os.environ.items() if "MAPREDUCE" not in key}
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**clean, **environment},
    )


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
    refused(done, "no job 'wordcuont'. Is 'wordcount' meant?", 2)


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


def test_help_needs_no_cluster():
    """It lists the options."""
    assert "--master" in mapreduce("run", "--help").stdout


HEAVY = {
    "pymesos", "kazoo", "fsspec", "rich", "asyncio", "http_parser",
    "numba", "numpy", "pyarrow", "matplotlib", "cloudpickle",
}  # fmt: skip


def imported(code):
    """Return the modules that are there after the code."""
    code += "; import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    return set(done.stdout.split())


def test_the_command_alone_imports_nothing_heavy():
    """What costs time at every start, and PyMesos, which takes SIGINT, are imported when needed."""
    assert not HEAVY & imported("import mapreduce.client.command")


def test_the_package_alone_imports_next_to_nothing():
    """Executors start by the dozen, and a signal should meet the command's own handler early."""
    assert not {"mapreduce.job", "typing", "logging"} & imported("import mapreduce.cli")


def test_the_package_offers_what_jobs_and_notebooks_need():
    """And says so, without importing it."""
    code = "import mapreduce; assert set(mapreduce.__all__) <= set(dir(mapreduce)); mapreduce."
    assert "mapreduce.client.api" not in imported(code + "Job")
    assert "mapreduce.client.api" in imported(code + "run")
    with pytest.raises(subprocess.CalledProcessError):
        imported(code + "nothing_of_that_name")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rnu", "wordcount"], "did you mean run?"),
        (["run", "wordcount", "x", "--outptu", "c.tsv"], "did you mean --output?"),
        (["run", "wordcount", "x", "--top=1", "y"], "all inputs stand together"),
        (["run", "wordcount", "x", "--top", "ten"], "'ten' is no number of rows"),
        (["run", "wordcount", "x", "--top=-1"], "'-1' is no number of rows"),
        (["run", "wordcount", "x", "--wait", "soon"], "'soon' is no time: give seconds, or 500ms"),
        (["run", "wordcount", "x", "--set", "tokens"], "'tokens' is not of the form NAME=VALUE"),
        ([], "the command is missing: run, new or jobs"),
    ],
)
def test_wrong_words_are_answered_with_a_hint(arguments, message):
    """Status 2, a usage line and what was probably meant."""
    done = mapreduce(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_setting_is_given_once(text, nobody):
    """Which of two would count is anybody's guess."""
    done = mapreduce("run", "wordcount", text, "--master", nobody, "--set", "a=1", "--set", "a=2")
    refused(done, "--set a=... is given twice", 2)


def test_an_empty_folder_is_no_input(tmp_path, nobody):
    """Rather than a result of nothing."""
    done = mapreduce("run", "wordcount", tmp_path, "--master", nobody)
    refused(done, f"no file is in '{tmp_path}'", 2)


def test_the_jobs_are_listed():
    """Each with a line of what it does."""
    done = mapreduce("jobs")
    assert done.returncode == 0, done.stderr
    assert "wordcount: " in done.stdout


def test_the_version_is_known():
    """As installed."""
    assert mapreduce("--version").stdout.startswith("mapreduce 0.")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_during_the_imports_ends_the_command_cleanly(number):
    """Without a traceback, though nothing is there yet."""
    code = (
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *rest):\n"
        f"        if name == 'mapreduce.client.command': os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from mapreduce.cli import main; main()\n"
    )
    command = [sys.executable, "-c", code, "jobs"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 128 + number
    assert done.stderr == "mapreduce: interrupted; nothing is left running\n"


def test_an_executor_started_by_hand_says_who_starts_it():
    """Rather than a KeyError about its environment."""
    done = subprocess.run(
        [sys.executable, "-c", "from mapreduce.executor.executor import main; main()"],
        capture_output=True,
        text=True,
        timeout=120,
        env={key: value for key, value in os.environ.items() if not key.startswith("MESOS_")},
    )
    assert done.returncode == 1
    assert "started by a Mesos agent" in done.stderr
