"""Nodes reach the archives as the machine does that makes them."""

import pytest
from labkit import host_config
from labkit.distributions import KNOWN


@pytest.fixture
def etc(tmp_path):
    """Return an /etc of a Debian release newer than the nodes'."""
    (tmp_path / "os-release").write_text('ID=debian\nVERSION_CODENAME=trixie\nNAME="Debian"\n')
    (tmp_path / "apt" / "sources.list.d").mkdir(parents=True)
    return tmp_path


def test_sources_become_those_of_the_nodes_release(etc):
    """Both notations are read; what is no Debian archive is left out."""
    (etc / "apt" / "sources.list").write_text(
        "# deb http://off.test/debian trixie main\n"
        "deb [arch=amd64] http://one.test/debian trixie main contrib # mirror\n"
        "deb http://tool.test/apt trixie stable\n"
        "deb-src http://one.test/debian trixie main\n"
    )
    (etc / "apt" / "sources.list.d" / "two.sources").write_text(
        "Types: deb deb-src\n# a comment\nURIs: http://two.test/security\n"
        "Suites: trixie-security\n  trixie-updates\nComponents: main\n\n"
        "Types: deb\nURIs: http://off.test/\nSuites: trixie\nComponents: main\nEnabled: no\n"
    )
    stanzas = host_config.apt_sources(etc, KNOWN["debian12"])
    fields = [line for stanza in stanzas for line in stanza.splitlines() if "i" in line[:3]]
    assert [stanza.splitlines()[1:3] for stanza in stanzas] == [
        ["URIs: http://two.test/security", "Suites: bookworm-security bookworm-updates"],
        ["URIs: http://one.test/debian", "Suites: bookworm"],
    ]
    assert not any("off.test" in line or "tool.test" in line for line in fields)


def test_other_distributions_have_no_debian_archive(etc):
    """Nodes then keep the archives that their base image names."""
    (etc / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    (etc / "apt" / "sources.list").write_text("deb http://one.test/ubuntu noble main\n")
    assert host_config.apt_sources(etc, KNOWN["debian12"]) == []


def test_nodes_of_ubuntu_use_the_archives_of_a_machine_with_ubuntu(etc):
    """The release's name changes, and universe is asked for, which has Java's libraries."""
    (etc / "os-release").write_text("ID=ubuntu\nVERSION_CODENAME=noble\n")
    (etc / "apt" / "sources.list").write_text("deb http://one.test/ubuntu noble-updates main\n")
    (stanza,) = host_config.apt_sources(etc, KNOWN["ubuntu2204"])
    assert "URIs: http://one.test/ubuntu\nSuites: jammy-updates\n" in stanza
    assert "Components: main universe\n" in stanza
    assert "ubuntu-archive-keyring" in stanza


def test_folders_that_pip_reads_are_found(tmp_path):
    """Folders of wheels as they are, indexes with what lies beside their pages."""
    wheels, index = tmp_path / "wheels", tmp_path / "mirror" / "simple"
    wheels.mkdir()
    index.mkdir(parents=True)
    environment = {
        "PIP_FIND_LINKS": f"{wheels} https://wheels.test/ {tmp_path}/absent",
        "PIP_EXTRA_INDEX_URL": f"file://{index}",
        "PIP_TIMEOUT": "180",
    }
    assert host_config.local_folders(environment) == [str(tmp_path / "mirror"), str(wheels)]
