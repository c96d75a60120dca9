"""Prometheus, as its variables declare it."""

import pytest
import requests
from support import inventory, playbook
from support.inventory import Node
from support.waiting import wait_for

PLAYBOOK = "roles/prometheus/molecule/converge.yml"


@pytest.fixture
def node() -> Node:
    """Return the node."""
    return inventory.group("monitoring")[0]


@pytest.fixture
def port(node) -> int:
    """Return the port that Prometheus listens on."""
    return node.variables.get("prometheus_port", 9090)


def ask(node: Node, port: int, path: str):
    """Return what Prometheus' API answers."""
    answer = requests.get(f"http://{node.address}:{port}/api/v1/{path}", timeout=15)
    answer.raise_for_status()
    return answer.json()["data"]


def test_watches_the_declared_exporters(node, port):
    """Every node of the groups is a target, on the exporter's port; so are itself and additions."""
    exporter = node.variables.get("prometheus_exporter_port", 9110)
    more = node.variables.get("prometheus_scrape_configs", [])
    wanted = {f"{node.address}:{exporter}", f"{node.address}:{port}"} | {
        target for job in more for listed in job["static_configs"] for target in listed["targets"]
    }

    def watched():
        targets = ask(node, port, "targets")["activeTargets"]
        return {one["discoveredLabels"]["__address__"] for one in targets} == wanted

    wait_for(f"the targets {wanted}", watched)


def test_keeps_what_it_was_told_to(node, port):
    """How long data is kept is what was declared."""
    kept = ask(node, port, "status/flags")["storage.tsdb.retention.time"]
    assert kept == node.variables.get("prometheus_retention", "15d")


def test_knows_the_alerts(node, port):
    """The alerts about a cluster are loaded."""
    groups = ask(node, port, "rules")["groups"]
    assert [rule for group in groups for rule in group["rules"] if rule["type"] == "alerting"]


def test_a_scrape_configuration_that_is_wrong_is_refused(node, port):
    """What Prometheus would not start with is not installed; it runs on as it was."""
    wrong = '{"prometheus_scrape_configs": [{"job_nam": "x"}]}'
    message = playbook.refusal(PLAYBOOK, f"--extra-vars={wrong}")
    assert "job_nam" in message
    assert playbook.run(PLAYBOOK).changed == set()
    assert ask(node, port, "status/buildinfo")["version"]
