"""The documents of variables, playbooks and flags are current and whole."""

from pathlib import Path

import pytest
from labkit import reference, specs

from pocket_mesos.flags import reference as flags

ROOT = Path(__file__).parents[2]
LIFECYCLE = {
    *(
        "backup",
        "change_resources",
        "failover_drill",
        "reset",
        "restore",
        "rolling_upgrade",
        "scale",
    ),
}
"""Playbooks that do more than run roles, and change something: they say what check mode does."""


@pytest.mark.parametrize(
    ("document", "text"), reference.documents().items(), ids=lambda one: getattr(one, "name", "")
)
def test_documents_are_current(document, text):
    """What is written is what roles and playbooks say now."""
    assert document.read_text() == text, "run scripts/role-docs"


def test_flags_are_current():
    """The reference of flags is what the engine's flags say now."""
    written = (ROOT / "docs" / "flags.md").read_text()
    assert written == flags.document(), "run scripts/flag-docs"


@pytest.mark.parametrize("file", reference.playbooks(), ids=lambda file: file.stem)
def test_every_playbook_begins_with_what_it_does(file):
    """A reader learns from the playbook's first lines what it does, and what in check mode."""
    said = reference.comment(file)
    assert len(said) > 40, f"{file.name} has to begin with a comment"
    assert file.stem not in LIFECYCLE or "check mode" in said.lower()


def test_variables_of_playbooks_belong_to_playbooks():
    """The specs of playbooks name playbooks that there are."""
    assert set(specs.playbook_variables()) <= {file.stem for file in reference.playbooks()}


@pytest.mark.parametrize("role", specs.roles(), ids=lambda role: role.name)
def test_readmes_lead_to_the_variables(role):
    """A role's README does not repeat its variables; it leads to their table."""
    assert f"docs/variables.md#{role.name}" in (role / "README.md").read_text()
