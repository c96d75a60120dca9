"""The command, as a process of its own: bad input ends it within seconds, with a clear message."""

import os
import socket
import subprocess
import sys
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
