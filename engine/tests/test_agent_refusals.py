"""What a machine can't give stops an agent's start: a clear sentence, and nothing half-made."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from container_lab import CGROUPS, UNIFIED, namespaces, new_root, subsystem

pytestmark = [pytest.mark.integration, pytest.mark.root]

LACKING, LACKS, LAST, MISSED = (
    ("cgroups/blkio", "Pocket Mesos lacks the isolator 'cgroups/blkio'", CGROUPS, "freezer")
    if UNIFIED
    else ("cgroups/io", "The isolator 'cgroups/io' needs cgroup v2", CGROUPS / "pids", "pids")
)
"""What this version of cgroups lacks, the hierarchy that an agent with cgroups/pids looks at last,
and what it misses where that is not there.
"""


@pytest.fixture
def root() -> Iterator[str]:
    """A name of cgroups that nothing else uses; whatever gets it is removed."""
    name = new_root()
    yield name
    for folder in cgroups(name):
        folder.rmdir()


def cgroups(root: str) -> list[Path]:
    return [*CGROUPS.glob(root), *CGROUPS.glob(f"*/{root}")]


def refused(folder: Path, root: str, *before: str, **flags: object) -> str:
    """Start an agent that must refuse, after some commands in a mount namespace of its own.

    Returns:
        What it said.
    """
    chosen = {
        "ip": "127.0.0.1",
        "port": 0,
        "master": "127.0.0.1:9",
        "launcher": "linux",
        "isolation": "cgroups/cpu,cgroups/mem",
        "cgroups_root": root,
        "work_dir": folder / "work",
        "runtime_dir": folder / "run",
        **flags,
    }
    agent = [sys.executable, "-m", "pocket_mesos.cli.mesos_agent"]
    agent += [f"--{name}={value}" for name, value in chosen.items()]
    script = " && ".join([*before, f"exec {shlex.join(agent)}"])
    inside = ["unshare", "--mount"] if before else []
    done = subprocess.run(
        [*inside, "sh", "-c", script], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@subsystem("cpu", "memory")
@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"work_dir": "/proc/nope"}, "Failed to write to work_dir '/proc/nope'"),
        ({"runtime_dir": "/proc/nope"}, "Failed to write to runtime_dir '/proc/nope'"),
        ({"master": "no.such.host.invalid:5050"}, "Failed to resolve --master=no.such.host"),
        ({"isolation": f"cgroups/cpu,{LACKING}"}, LACKS),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_refused_leaves_nothing(
    tmp_path: Path, root: str, flags: dict[str, object], sentence: str
) -> None:
    """Whatever is looked at last: no folder and no cgroup of an agent that does not start."""
    assert sentence in refused(tmp_path, root, **flags)
    assert cgroups(root) == []
    assert list(tmp_path.iterdir()) == []


@namespaces
@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        (
            f"umount {LAST}",
            f"The cgroup subsystem '{MISSED}' is not mounted below '{CGROUPS}' or elsewhere",
        ),
        (
            f"mount -o remount,bind,ro {LAST}",
            f"'{LAST}' is not writable for this process",
        ),
    ],
    ids=["missing", "read-only"],
)
def test_a_hierarchy_that_cannot_be_used_leaves_the_others_alone(
    tmp_path: Path, root: str, before: str, sentence: str
) -> None:
    """Those before it in the list get no cgroup."""
    said = refused(tmp_path, root, before, isolation="cgroups/cpu,cgroups/mem,cgroups/pids")
    assert sentence in said
    assert cgroups(root) == []
    assert list(tmp_path.iterdir()) == []
