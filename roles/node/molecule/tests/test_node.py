"""A node, as the role leaves it, and what the role refuses to work with."""

import json
import subprocess

import pytest
from support import inventory, playbook
from support.inventory import Node

PLAYBOOK = "playbooks/nodes.yml"
PACKAGES = ["ca-certificates", "curl", "iproute2", "procps", "python3", "python3-venv"]


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


def test_a_half_installed_package_is_completed(node):
    """A package that an interrupted installation left unpacked is found and installed."""
    name = "bsdextrautils"
    node.run(
        f"apt-get -q -y purge {name} && cd /root && apt-get -q update && apt-get -q download {name}"
        f" && dpkg --unpack {name}_*.deb && rm {name}_*.deb"
    )
    assert not node.host.package(name).is_installed
    wanted = [*node.variables.get("node_packages", PACKAGES), name]
    playbook.run(PLAYBOOK, f"--extra-vars={json.dumps({'node_packages': wanted})}")
    assert node.host.package(name).is_installed


def test_a_lost_node_is_named_and_found_again(node):
    """A node without power is unreachable, by name; started, it is as before."""
    subprocess.run(["docker", "kill", node.container], check=True)
    message = playbook.refusal(PLAYBOOK)
    assert message.startswith(f"{node.name}: ")
    playbook.run("playbooks/lab_up.yml")
    playbook.run(PLAYBOOK)
    assert playbook.run(PLAYBOOK).changed == set()
