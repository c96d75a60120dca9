"""Nothing of the machine that somebody worked on stays in the repository."""

import re
import subprocess
from pathlib import Path

from labkit import distributions, host_config

ROOT = Path(__file__).parents[2]


def tracked() -> list[Path]:
    """Return the files that git knows or would take, those that are text."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [ROOT / line for line in listing.splitlines() if (ROOT / line).is_file()]


def traces() -> set[str]:
    """Return what would give this machine away: its archives, indexes, folders."""
    stanzas = [host_config.apt_sources(Path("/etc"), one) for one in distributions.KNOWN.values()]
    sources = "".join(stanza for found in stanzas for stanza in found)
    settings = " ".join(host_config.pip_environment().values())
    hosts = set(re.findall(r"https?://(?:[^/@\s]*@)?([^/:\s]+)", f"{sources} {settings}"))
    folders = set(host_config.local_folders(host_config.pip_environment()))
    return hosts | {path for path in folders if not path.startswith("/etc/")} | {f"{ROOT}/"}


def test_no_file_names_this_machine_or_its_archives():
    """Archives, indexes and paths are taken from whatever machine it runs on, when it runs."""
    marks = sorted(mark.encode() for mark in traces())
    found = {
        f"{path.relative_to(ROOT)}: {mark.decode()}"
        for path in tracked()
        for mark in marks
        if mark in path.read_bytes()
    }
    assert found == set()
