"""What Prometheus knows of the cluster is true, and the dashboard's questions have answers."""

import json
import urllib.parse
from pathlib import Path

import pytest
from support import inventory
from support.waiting import wait_for

ROOT = Path(__file__).parents[3]
DASHBOARD = json.loads((ROOT / "roles" / "grafana" / "files" / "mesos.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.fixture
def node():
    return inventory.group("monitoring")[0]


def ask(node, path, **parameters):
    """Return what Prometheus' API answers, asked on the node itself."""
    query = urllib.parse.urlencode(parameters)
    answer = node.run(f"curl -sf 'http://{node.address}:9090/api/v1/{path}?{query}'")
    return json.loads(answer)["data"]


def values(node, expression):
    return [float(one["value"][1]) for one in ask(node, "query", query=expression)["result"]]


def firing(node):
    alerts = ask(node, "alerts")["alerts"]
    return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}


def test_every_node_and_daemon_is_watched(node):
    """Each exporter answers, and each daemon that the inventory puts on a node answers it."""
    expected = {
        (name, kind)
        for group, kind in (
            ("mesos_masters", "master"),
            ("mesos_agents", "agent"),
            ("zookeeper",) * 2,
        )
        for name in (member.name for member in inventory.group(group))
    }

    def seen():
        up = ask(node, "query", query="mesos_exporter_source_up == 1")["result"]
        return {(one["metric"]["node"], one["metric"]["source"]) for one in up} == expected

    wait_for("every daemon up", seen)


def test_numbers_are_the_clusters(node):
    """One master leads, the agents are those of the inventory, and offer what it gives them."""
    agents = inventory.group("mesos_agents")
    wait_for("a leader", lambda: values(node, "sum(mesos_master_elected)") == [1.0])
    wait_for("agents", lambda: values(node, "sum(mesos_master_slaves_active)") == [len(agents)])
    declared = [agent.variables["mesos_agent_resources"] for agent in agents]
    cpus = sum(float(text.split("cpus:")[1].split(";")[0]) for text in declared)
    wait_for("cpus", lambda: values(node, "sum(mesos_master_cpus_total)") == [cpus])


def test_dashboard_has_answers(node, tasks):
    """Each question of the dashboard has an answer while a framework is there."""
    for expression in EXPRESSIONS:
        wait_for(expression, lambda asked=expression: values(node, asked))


def test_alerts_tell_what_is_wrong(node, leader):
    """Nothing fires on a cluster that is whole; an agent that stops is noticed, and its return."""
    wait_for("no alert", lambda: not firing(node))
    agent = inventory.group("mesos_agents")[0]
    agent.run("systemctl stop mesos-agent")
    try:
        wait_for("alerts", lambda: {"DaemonDown", "AgentsMissing"} <= firing(node))
    finally:
        agent.run("systemctl start mesos-agent")
    wait_for("no alert", lambda: not firing(node))


def test_account_is_nobody_elses(node):
    """The read-only account is in no process' arguments, and no file that others may read."""
    secret = node.run("cut -d ' ' -f 2 /etc/mesos-exporter.account").strip()
    assert len(secret) >= 16
    assert node.host.file("/etc/mesos-exporter.account").mode == 0o400
    assert secret not in node.run("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert secret not in node.run(f"curl -sf http://{node.address}:9110/metrics")
