"""A cluster on another distribution is as good as one on Debian 12."""

import os

import pytest
from support import inventory, playbook, wordcount
from support.tasks import TERMINAL
from support.wordcount import Count

WANTED = os.environ.get("MESOS_LAB_DISTRO") or "debian12"


@pytest.fixture(scope="module")
def node() -> inventory.Node:
    """Return the one machine."""
    return inventory.group("mesos_masters")[0]


def test_node_runs_the_distribution_that_was_chosen(node):
    """What is tested is what was asked for."""
    found = node.run('. /etc/os-release; echo "$ID$VERSION_ID"').replace(".", "")
    assert found == WANTED or (WANTED == "el9" and node.run("rpm --eval %rhel") == "9")


@pytest.mark.parametrize("unit", ["zookeeper", "mesos-master", "mesos-agent"])
def test_services_run_and_start_with_the_machine(node, unit):
    """Each service runs under systemd, in the version that the distribution has."""
    assert node.run(f"systemctl is-active {unit}") == "active"
    assert node.run(f"systemctl is-enabled {unit}") == "enabled"


def test_nothing_else_failed(node):
    """No unit of the machine has failed."""
    assert node.run("systemctl list-units --failed --plain --no-legend") == ""


def test_counts_are_exact(node):
    """The word count gives what collections.Counter gives."""
    assert Count(inventory.group("clients")[0], 1).result() == wordcount.answer(1)


def test_default_text_is_there(node):
    """The text that is counted where no other is named has words."""
    lines = node.run("wc --words /srv/mapreduce/*.txt").splitlines()
    assert int(lines[0].split()[0]) > 50_000


def test_isolation_holds(tasks, node):
    """A task that takes more memory than it was given is ended, one that does not finishes."""
    hog = tasks.launch(
        "python3 -c 'import time; x = b\"x\" * 200_000_000; time.sleep(300)'",
        cpus=0.1, mem=64, hostname=node.address,
    )  # fmt: skip
    modest = tasks.launch("true", cpus=0.1, mem=32, hostname=node.address)
    assert tasks.wait(modest, TERMINAL)["state"] == "TASK_FINISHED"
    assert tasks.wait(hog, TERMINAL)["reason"] == "REASON_CONTAINER_LIMITATION_MEMORY"


def test_a_package_that_is_gone_comes_back(node):
    """What the roles installed they find missing and install again."""
    manager = "dpkg --force-depends --purge" if node.host.exists("dpkg") else "rpm --erase --nodeps"
    package = "iproute2" if node.host.exists("dpkg") else "iproute"
    node.run(f"{manager} {package}")
    assert playbook.run("playbooks/nodes.yml").changed
    assert node.run("command -v ss")
