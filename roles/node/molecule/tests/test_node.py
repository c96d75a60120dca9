"""A node, as the role leaves it, and what the role refuses to work with."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from support import inventory, playbook
from support.inventory import Node
from support.waiting import wait_for

PLAYBOOK = "playbooks/nodes.yml"
PACKAGES = ["ca-certificates", "curl", "iproute2", "procps", "python3", "python3-venv"]

PACKAGE = "bsdextrautils"
"""One that nothing here needs."""


@pytest.fixture
def node() -> Node:
    """Return the node."""
    return inventory.group("nodes")[0]


def test_packages_are_installed(node):
    """Every declared package is wholly installed."""
    for package in node.variables.get("node_packages", PACKAGES):
        assert node.host.package(package).is_installed, package


def test_virtual_environments_can_be_made(node):
    """The interpreter for programs of their own is new enough, and makes environments."""
    python = node.variables.get("node_python", "python3")
    node.run(f"{python} -c 'import sys, venv, ensurepip; assert sys.version_info >= (3, 11)'")


def test_the_node_knows_itself_by_the_address_of_the_others(node):
    """The node's name leads to the address at which other nodes reach it."""
    assert node.run(f"getent ahostsv4 {node.name}").split()[0] == node.address


def test_a_clock_that_is_off_is_refused(node):
    """The role says by how much, and which variable allows more."""
    node.run(
        'printf \'#!/bin/sh\\nexec /usr/bin/date --date="1 hour ago" "$@"\\n\' >/usr/local/bin/date'
        " && chmod +x /usr/local/bin/date"
    )
    try:
        message = playbook.refusal(PLAYBOOK)
    finally:
        node.run("rm /usr/local/bin/date")
    assert f"The clock of {node.name} differs" in message
    assert "node_clock_tolerance" in message
    assert playbook.run(PLAYBOOK).changed == set()


def test_a_full_disk_is_refused(node):
    """The role names the file system, what is free, and what it wants."""
    node.run("mount --types tmpfs --options size=1m tmpfs /opt")
    try:
        message = playbook.refusal(PLAYBOOK)
    finally:
        node.run("umount /opt")
    assert "/opt" in message
    assert "node_minimum_free_mb" in message
    assert playbook.run(PLAYBOOK).changed == set()


def with_package() -> str:
    """Return the option by which the role has one package more to install."""
    return f"--extra-vars={json.dumps({'node_packages': [*PACKAGES, PACKAGE]})}"


def test_a_half_installed_package_is_completed(node):
    """A package that an interrupted installation left unpacked is found and installed."""
    node.run(
        f"apt-get -q -y purge {PACKAGE} && cd /root && apt-get -q update"
        f" && apt-get -q download {PACKAGE} && dpkg --unpack {PACKAGE}_*.deb && rm {PACKAGE}_*.deb"
    )
    assert not node.host.package(PACKAGE).is_installed
    playbook.run(PLAYBOOK, with_package())
    assert node.host.package(PACKAGE).is_installed


def test_a_node_lost_in_the_middle_is_named_and_found_again(node):
    """A node that dies while a role is at work is unreachable, by name; then it gets the rest."""
    node.run(f"apt-get -q -y purge {PACKAGE}")
    hold = "import fcntl, time; file = open('/var/lib/dpkg/lock-frontend', 'w');"
    hold += " fcntl.lockf(file, fcntl.LOCK_EX); time.sleep(3600)"
    node.run(f'systemd-run --unit=holder --collect python3 -c "{hold}"')
    waits = "pgrep --full ' /var/lib/dpkg/lock-fronten[d] ' || true"
    with ThreadPoolExecutor(1) as pool:
        message = pool.submit(playbook.refusal, PLAYBOOK, with_package())
        wait_for("the role to wait for the package manager", lambda: node.run(waits), seconds=600)
        subprocess.run(["docker", "kill", node.container], check=True)
        assert message.result().startswith(f"{node.name}: ")
    playbook.run("playbooks/lab_up.yml")
    playbook.run(PLAYBOOK, with_package())
    assert node.host.package(PACKAGE).is_installed
