"""A cluster's credential is found by its address, and shown to no other."""

import sys

import pytest

from mapreduce.client import accounts
from mapreduce.errors import UsageError
from mapreduce.scheduler.leader import Address

CONTENT = """
[one]
masters = zk://10.0.0.1:2181,10.0.0.2:2181/mesos 10.0.0.1:5050
principal = me
secret = 100%hidden

[two]
masters =
    10.1.0.1:5050
    10.1.0.2:5050
principal = you
secret = other
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A function that makes the file and has it named."""

    def make(content, mode=0o600):
        path = tmp_path / "mapreduce.ini"
        path.write_text(content)
        path.chmod(mode)
        monkeypatch.setenv(accounts.VARIABLE, str(path))
        return path

    return make


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("zk://10.0.0.1:2181,10.0.0.2:2181/mesos", ("me", "100%hidden")),
        ("zk://a:b@10.0.0.2:2181,10.0.0.1:2181/mesos/", ("me", "100%hidden")),
        ("10.0.0.1:5050", ("me", "100%hidden")),
        ("10.1.0.2:5050", ("you", "other")),
        ("zk://10.0.0.1:2181/mesos", None),
        ("zk://10.0.0.1:2181,10.0.0.2:2181/other", None),
        ("10.0.0.1:5051", None),
        ("10.0.0.3:5050", None),
    ],
)
def test_a_credential_belongs_to_the_addresses_of_its_section(config, address, expected):
    """However the same address is written, and no other."""
    config(CONTENT)
    assert accounts.find(Address(address)) == expected


def test_the_file_is_the_environments_own(tmp_path, monkeypatch):
    """Without one that is named; and there need not be any."""
    monkeypatch.delenv(accounts.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert accounts.find(Address("10.0.0.1:5050")) is None
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc" / "mapreduce.ini"
    path.write_text(CONTENT)
    path.chmod(0o600)
    assert accounts.find(Address("10.0.0.1:5050")) == ("me", "100%hidden")


def test_a_named_file_that_is_not_there_is_a_mistake(config):
    """Its name and the variable's are told."""
    config(CONTENT).unlink()
    with pytest.raises(UsageError, match="MAPREDUCE_CONFIG"):
        accounts.find(Address("10.0.0.1:5050"))


def test_a_file_that_others_can_read_is_refused(config):
    """Secrets that are none."""
    config(CONTENT, 0o640)
    with pytest.raises(UsageError, match="chmod 600"):
        accounts.find(Address("10.0.0.1:5050"))


@pytest.mark.parametrize(
    "content", ["secret = s3cret\n", "[one]\nprincipal = a\nsecret = s3cret\n"]
)
def test_a_file_of_another_form_is_refused(config, content):
    """Without repeating what is in it."""
    config(content)
    with pytest.raises(UsageError, match="settings") as caught:
        accounts.find(Address("10.0.0.1:5050"))
    assert "s3cret" not in str(caught.value)
