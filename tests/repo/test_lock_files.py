"""Lock files name packages, versions and hashes, and nothing of where they came from."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
OWN = {"http-parser", "pocket-mesos", "mesos-mapreduce"}

ENTRY = re.compile(r"[a-z0-9-]+==[a-z0-9.+]+( ; [^\\]+)?")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


def entries(lock: Path) -> list[str]:
    """Return the lock file's entries, each on one line."""
    text = lock.read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_lock_files_hold_names_versions_and_hashes_only(lock):
    """A lock file says nothing of an index, a path or an option, so that it serves everybody."""
    assert entries(lock)
    for entry in entries(lock):
        name, *hashes = (part.strip() for part in re.split(r" {2,}(?=--)| (?=--)", entry))
        assert ENTRY.fullmatch(name), entry
        assert hashes and all(HASH.fullmatch(value) for value in hashes), entry


@pytest.mark.parametrize("project", ["engine", "framework", "compat/http-parser"])
def test_the_lock_satisfies_what_the_distributions_declare(project):
    """scripts/lock was run since the last change of a dependency."""
    declared = tomllib.loads((ROOT / project / "pyproject.toml").read_text())["project"]
    locked = {
        canonicalize_name(requirement.name): next(iter(requirement.specifier)).version
        for requirement in map(
            Requirement,
            (entry.split(" --")[0] for entry in entries(ROOT / "requirements/node.txt")),
        )
    }
    for requirement in map(Requirement, declared["dependencies"]):
        name = canonicalize_name(requirement.name)
        if name not in OWN:
            assert name in locked, f"{name} is not locked: run scripts/lock"
            assert requirement.specifier.contains(locked[name]), str(requirement)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_conditions_hold_for_a_python_that_is_a_release_candidate(lock):
    """Ubuntu 22.04's is 3.11.0rc1, which old pips find neither below nor above a full version."""
    assert "python_full_version" not in lock.read_text()
