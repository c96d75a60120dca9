"""What mesos-local hands to its daemons."""

import os
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from pocket_mesos.cli import mesos_local
from pocket_mesos.flags.local import LocalFlags


def test_ports_that_are_left_to_us_cannot_be_taken_meanwhile() -> None:
    """Agents take theirs when they listen; the master's is none that connections are given."""
    master, *agents = mesos_local._ports(LocalFlags.load(["--port=0", "--num_slaves=2"], {}))
    first_for_connections = 32768
    assert 1024 < master < first_for_connections
    assert agents == [0, 0]


def test_ports_that_are_given_follow_each_other() -> None:
    """The master's first."""
    flags = LocalFlags.load(["--port=6050", "--num_slaves=2"], {})
    assert mesos_local._ports(flags) == [6050, 6051, 6052]


def local(folder: Path, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "pocket_mesos.cli.mesos_local", "--port=0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("MESOS_")}
        | {"TMPDIR": str(folder)}
        | environment,
    )


@pytest.mark.integration
def test_a_secured_cluster_comes_up_too(tmp_path: Path) -> None:
    """The flags that secure it come in by the environment, as the other ones of its daemons."""
    known, own = tmp_path / "known", tmp_path / "own"
    known.write_text("operator tell\nagent me\n")
    own.write_text("agent me\n")
    process = local(
        tmp_path,
        MESOS_CREDENTIALS=str(known),
        MESOS_HTTP_CREDENTIALS=str(known),
        MESOS_CREDENTIAL=str(own),
        MESOS_AUTHENTICATE_AGENTS="true",
        MESOS_AUTHENTICATE_HTTP_READONLY="true",
    )
    try:
        assert process.stdout is not None
        ready = next(line for line in process.stdout if "Mesos is ready at" in line)
        url = ready.split(" at ")[1].split(" ")[0]
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(f"{url}/state", timeout=60)
        assert error.value.code == 401
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.integration
def test_credentials_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """Rather than waited for."""
    process = local(tmp_path, MESOS_CREDENTIALS=str(tmp_path / "none"))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert f"Failed to read credentials file '{tmp_path}/none'" in output
