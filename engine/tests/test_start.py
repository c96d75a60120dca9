"""What stops a daemon's start: said on standard error, exit status 1, nothing left standing."""

import subprocess
import sys
from pathlib import Path

import pytest

MASTER = [sys.executable, "-m", "pocket_mesos.cli.mesos_master", "--ip=127.0.0.1", "--port=0"]
AGENT = [
    sys.executable,
    "-m",
    "pocket_mesos.cli.mesos_agent",
    "--ip=127.0.0.1",
    "--port=0",
    "--master=127.0.0.1:9",
    "--launcher=posix",
]


def refused(command: list[str], *flags: str) -> str:
    """Start a daemon that must refuse, and return what it said."""
    done = subprocess.run([*command, *flags], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.parametrize("weights", ["a=x", "a", "a=0", "a=nan"])
def test_bad_weights_stop_a_master(tmp_path: Path, weights: str) -> None:
    """A master must not stand for election with settings that it can't lead with."""
    said = refused(MASTER, f"--work_dir={tmp_path}", f"--weights={weights}")
    assert "Invalid --weights" in said


@pytest.mark.parametrize("timeout", ["10ms", "16mins"])
def test_a_ping_timeout_has_mesos_bounds(tmp_path: Path, timeout: str) -> None:
    """Shorter ones lose agents to hiccups, longer ones lose tasks from sight."""
    said = refused(MASTER, f"--work_dir={tmp_path}", f"--agent_ping_timeout={timeout}")
    assert "between 1secs and 15mins" in said


def test_a_work_dir_that_cannot_be_made_stops_a_master() -> None:
    """The message names the flag and its value."""
    assert "work_dir '/proc/nope'" in refused(MASTER, "--work_dir=/proc/nope")


def test_a_runtime_dir_that_cannot_be_made_stops_an_agent(tmp_path: Path) -> None:
    """Better no agent than one that fails every launch."""
    said = refused(AGENT, f"--work_dir={tmp_path}", "--runtime_dir=/proc/nope")
    assert "runtime_dir '/proc/nope'" in said


@pytest.mark.parametrize(
    "flags", [["--resources=cpus(ads):1;mem:64"], ["--resources=cpus:1", "--default_role=ads"]]
)
def test_reserved_resources_stop_an_agent(tmp_path: Path, flags: list[str]) -> None:
    """Reservations are absent; what was promised to one role is not offered to all."""
    said = refused(AGENT, f"--work_dir={tmp_path / 'w'}", f"--runtime_dir={tmp_path / 'r'}", *flags)
    assert "reserved for a role" in said


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            ["--credentials={tmp}/none"],
            (
                "Failed to read credentials file '{tmp}/none': No such file or directory "
                "(see --credentials flag)"
            ),
        ),
        (
            ["--credentials={tmp}/empty"],
            "Credentials file must contain at least one credential (see --credentials flag)",
        ),
        (
            ["--authenticate_http_readonly"],
            (
                "Failed to create HTTP authenticator module 'basic': No credentials provided for "
                "the default 'basic' HTTP authenticator for realm 'mesos-master-readonly'"
            ),
        ),
        (
            ["--authenticate_http_frameworks", "--credentials={tmp}/good"],
            (
                "Missing `--http_framework_authenticators` flag. This must be used in conjunction "
                "with `--authenticate_http_frameworks`"
            ),
        ),
    ],
)
def test_bad_credentials_stop_a_master(tmp_path: Path, flags: list[str], sentence: str) -> None:
    """Better no master than one that lets everybody in, or nobody."""
    (tmp_path / "empty").touch()
    (tmp_path / "good").write_text("a b")
    given = [one.replace("{tmp}", str(tmp_path)) for one in flags]
    said = refused(MASTER, f"--work_dir={tmp_path / 'w'}", *given)
    assert sentence.replace("{tmp}", str(tmp_path)) in said
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            ["--credential={tmp}/none"],
            (
                "Failed to read credential file '{tmp}/none': No such file or directory "
                "(see --credential flag)"
            ),
        ),
        (["--credential={tmp}/empty"], "Empty credential file '{tmp}/empty'"),
        (
            ["--http_credentials={tmp}/empty"],
            "Credentials file must contain at least one credential (see --http_credentials flag)",
        ),
        (["--authenticate_http_readwrite"], "for realm 'mesos-agent-readwrite'"),
    ],
)
def test_bad_credentials_stop_an_agent(tmp_path: Path, flags: list[str], sentence: str) -> None:
    """Before anything is touched."""
    (tmp_path / "empty").touch()
    given = [one.replace("{tmp}", str(tmp_path)) for one in flags]
    folders = [f"--work_dir={tmp_path / 'w'}", f"--runtime_dir={tmp_path / 'r'}"]
    said = refused(AGENT, *folders, *given)
    assert sentence.replace("{tmp}", str(tmp_path)) in said
    assert not (tmp_path / "w").exists()
