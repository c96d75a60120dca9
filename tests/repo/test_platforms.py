"""The distributions are the same everywhere they are named, and what nodes are asked works."""

import fcntl
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from labkit import distributions, engine
from labkit.distributions import KNOWN

ROOT = Path(__file__).parents[2]
NODE = ROOT / "roles" / "node"
LOCK = NODE / "files" / "package_lock.py"
PACK = NODE / "files" / "pack_wheels.py"
VARIABLES = yaml.safe_load((NODE / "vars" / "main.yml").read_text())


def test_roles_images_workflow_and_document_name_the_same_distributions():
    """Whoever adds a distribution adds it everywhere."""
    assert VARIABLES["__node_distributions"] == list(KNOWN)
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
    matrix = workflow["jobs"]["distribution"]["strategy"]["matrix"]
    assert matrix["distribution"] == list(KNOWN)
    document = (ROOT / "docs" / "platforms.md").read_text()
    assert [name for name in KNOWN if f"`{name}`" not in document] == []


@pytest.mark.parametrize("distribution", KNOWN.values(), ids=lambda one: one.name)
def test_the_image_has_the_python_that_the_roles_use(distribution):
    """The wheels are made by the interpreter that later installs them."""
    named = VARIABLES["__node_packages_of_pythons"].get(distribution.name, ["python3-venv"])
    assert list(distribution.python_packages) == named
    interpreter = VARIABLES["__node_pythons"].get(distribution.name, "python3")
    assert interpreter in ("python3", distribution.interpreter)


def test_an_unknown_distribution_is_refused(monkeypatch):
    """The message names the variable and what it may be."""
    monkeypatch.setenv("MESOS_LAB_DISTRO", "debian11")
    with pytest.raises(engine.CommandError, match=r"MESOS_LAB_DISTRO is 'debian11'.*debian13"):
        distributions.chosen()


def wait_for_locks(*files: Path) -> subprocess.CompletedProcess[str]:
    """Ask, as the role does on a node, but without patience."""
    command = [sys.executable, str(LOCK), "0", *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_free_locks_are_free(tmp_path):
    """Files that are not there, not locked, or left by a process that is gone hold nobody up."""
    unlocked, left = tmp_path / "lock", tmp_path / "left.pid"
    unlocked.touch()
    gone = subprocess.Popen(["true"])
    gone.wait()
    left.write_text(f"{gone.pid}\n")
    assert wait_for_locks(unlocked, left, tmp_path / "absent").returncode == 0


def test_the_holder_of_a_lock_is_named(tmp_path):
    """The process that locks a file is named with its number and command line."""
    file = tmp_path / "lock"
    with file.open("w") as held:
        fcntl.lockf(held, fcntl.LOCK_EX)
        answer = wait_for_locks(file)
    assert answer.returncode == 1
    assert f"{file} is held by process {os.getpid()} (" in answer.stdout
    assert "pytest" in answer.stdout


def test_the_process_in_a_file_is_named(tmp_path):
    """So is the one whose number a file holds."""
    file = tmp_path / "lock.pid"
    file.write_text(str(os.getpid()))
    assert f"{file} is held by process {os.getpid()} (" in wait_for_locks(file).stdout


def wheel(folder: Path, name: str, *requirements: str) -> None:
    """Make a wheel that needs others."""
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1", "Provides-Extra: more"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requirements]
    with zipfile.ZipFile(folder / f"{name}-1-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}-1.dist-info/METADATA", "\n".join([*lines, "", ""]))


def packed(folder: Path, *wanted: str) -> set[str]:
    """Return the names of the wheels that are packed for Python 3.12."""
    target = folder.with_suffix(".tar")
    subprocess.run([sys.executable, str(PACK), folder, "cp312-x86_64", target, *wanted], check=True)
    with tarfile.open(target) as archive:
        return {name.split("-")[0] for name in archive.getnames()}


def test_only_what_is_needed_is_packed(tmp_path):
    """Requirements of requirements are packed, for the node's Python and the extras asked for."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel(folder, "top", "middle", "extra ; extra == 'more'", "old ; python_version < '3.12'")
    wheel(folder, "middle", "new ; python_version >= '3.12'", "top")
    for name in ("extra", "old", "new", "foreign"):
        wheel(folder, name)
    assert packed(folder, "top") == {"top", "middle", "new"}
    assert packed(folder, "top[more]") == {"top", "middle", "new", "extra"}
