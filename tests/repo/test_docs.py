"""What the documents say is whole: no placeholder left, no link into nothing."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=ROOT, capture_output=True, text=True, check=True,
).stdout.split()  # fmt: skip


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_placeholder_is_left(name):
    """A figure that was to be filled in would reach readers as it is."""
    assert re.findall(r"@@\w+@@", (ROOT / name).read_text()) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name):
    """Every relative link names a file or folder of the repository."""
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", (ROOT / name).read_text())
    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []
