"""The exporter of a node, as its variables declare it."""

import pytest
import requests
from support import inventory, playbook
from support.inventory import Node
from support.waiting import wait_for

PLAYBOOK = "roles/mesos_exporter/molecule/converge.yml"


@pytest.fixture
def node() -> Node:
    """Return the node."""
    return inventory.group("zookeeper")[0]


@pytest.fixture
def port(node) -> int:
    """Return the port that the exporter listens on."""
    return node.variables.get("mesos_exporter_port", 9110)


def up(node: Node, port: int) -> list[str]:
    """Return what the exporter says of its sources."""
    answer = requests.get(f"http://{node.address}:{port}/metrics", timeout=15)
    return [line for line in answer.text.splitlines() if line.startswith("mesos_exporter_source")]


def test_shows_whether_its_source_answers(node, port):
    """A source that stops is down within a question, and up again when it is back."""
    wait_for("ZooKeeper up", lambda: [one for one in up(node, port) if one.endswith(" 1.0")])
    node.run("systemctl stop zookeeper")
    wait_for("ZooKeeper down", lambda: [one for one in up(node, port) if one.endswith(" 0.0")])
    node.run("systemctl start zookeeper")
    wait_for("ZooKeeper up", lambda: [one for one in up(node, port) if one.endswith(" 1.0")])


def test_runs_as_its_user(node):
    """The exporter has the declared user, who may do nothing else."""
    pid = node.run("systemctl show --property=MainPID --value mesos-exporter")
    user = node.variables.get("mesos_exporter_user", "mesos-exporter")
    assert node.run(f"stat --format=%U /proc/{pid}") == user


def test_a_port_that_another_holds_is_refused(node, port):
    """The role names who holds the port and the variable to set; then it goes on where it was."""
    node.run("systemctl stop mesos-exporter")
    node.run(f"systemd-run --unit=intruder --collect python3 -m http.server {port}")
    try:
        wait_for("the intruder", lambda: node.run(f"ss -Hltn sport = :{port}"))
        message = playbook.refusal(PLAYBOOK)
    finally:
        node.run("systemctl stop intruder")
    assert f"port {port}" in message
    assert "mesos_exporter_port" in message
    assert playbook.run(PLAYBOOK).changed == {(node.name, "mesos-exporter.service")}
