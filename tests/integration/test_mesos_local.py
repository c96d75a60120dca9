"""mesos-local: a cluster of plain processes that comes up, serves, and leaves nothing behind."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

PATIENCE = 60.0
"""Seconds until what is awaited counts as missing, on a busy machine too."""
READY = re.compile(r"Mesos is ready at (http://\S+) with 2 agents; its files are in (\S+)")


class Local:
    """A running mesos-local."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MESOS_")}
        self.process = subprocess.Popen(
            [str(Path(sys.executable).with_name("mesos-local")), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment | {"TMPDIR": str(folder)},
        )

    def wait_ready(self) -> tuple[str, Path]:
        """Return the master's URL and the folder of the files."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = READY.search(line)
            if found:
                return found[1], Path(found[2])
        raise RuntimeError("mesos-local ended")


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    made = Local(tmp_path, "--num_slaves=2", "--port=0")
    yield made
    made.process.terminate()  # not kill: its daemons would live on
    made.process.wait(PATIENCE)


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that work below a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def test_cluster_comes_up_divides_the_machine_and_goes_away(local: Local) -> None:
    """Two agents share the CPUs; after SIGTERM no process and no file is left, status 0."""
    url, folder = local.wait_ready()
    with urllib.request.urlopen(f"{url}/slaves", timeout=PATIENCE) as answer:
        agents = json.load(answer)["slaves"]
    assert [agent["active"] for agent in agents] == [True, True]
    assert sum(a["resources"]["cpus"] for a in agents) == pytest.approx(os.cpu_count(), abs=0.01)
    assert len({agent["resources"]["ports"] for agent in agents}) == 2
    assert len(processes_of(folder)) >= 3
    local.process.send_signal(signal.SIGTERM)
    assert local.process.wait(PATIENCE) == 0
    assert processes_of(folder) == []
    assert not folder.exists()


def test_a_daemon_that_dies_ends_the_whole_with_an_error(local: Local) -> None:
    """Half a cluster is none: the rest is stopped and the status says so."""
    _, folder = local.wait_ready()
    listing = subprocess.run(
        ["ps", "-ww", "-o", "pid=,args=", "--ppid", str(local.process.pid)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    (agent,) = [line.split()[0] for line in listing.splitlines() if f"{folder}/agent2" in line]
    os.kill(int(agent), signal.SIGKILL)
    assert local.process.wait(PATIENCE) == 1
    assert local.process.stdout is not None
    assert "agent 2 ended" in local.process.stdout.read()
    assert processes_of(folder) == []


def test_a_port_that_is_taken_is_named(local: Local, tmp_path: Path) -> None:
    """The second cluster on one port says which address it could not have, and ends."""
    url, _ = local.wait_ready()
    port = url.rpartition(":")[2]
    second = Local(Path(tempfile.mkdtemp(dir=tmp_path)), "--num_slaves=1", f"--port={port}")
    output, _ = second.process.communicate(timeout=PATIENCE)
    assert second.process.returncode == 1
    assert f"Failed to bind on 127.0.0.1:{port}" in output
