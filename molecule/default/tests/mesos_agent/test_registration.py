"""Agents are registered as the inventory declares them."""

import re

import pytest
from support import cluster, inventory


def parse(text: str) -> dict[str, float | str]:
    """Return Mesos' `name:value;name:value` as a dict; numbers and ranges in one form."""
    pairs = (pair.split(":", 1) for pair in text.split(";") if pair)
    return {name.strip(): normal(value) for name, value in pairs}


def normal(value: object) -> float | str:
    """Return a number as a float, and text without blanks."""
    text = re.sub(r"\s", "", str(value))
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else text


@pytest.mark.parametrize("name", [node.name for node in inventory.group("mesos_agents")])
class TestAgent:
    """For each agent of the inventory."""

    def test_is_started_by_systemd_and_at_boot(self, name):
        """The agent runs as a unit of systemd that is started with the machine."""
        service = inventory.nodes()[name].host.service("mesos-agent")
        assert service.is_running
        assert service.is_enabled

    def test_offers_the_declared_resources(self, name, leader):
        """The leader knows the agent with the resources that the inventory declares."""
        node = inventory.nodes()[name]
        declared = parse(node.variables["mesos_agent_resources"])
        known = cluster.active_agents(leader)[node.address]["resources"]
        assert {key: normal(known[key]) for key in declared} == declared

    def test_has_the_declared_attributes(self, name, leader):
        """The leader knows the agent with exactly the attributes that the inventory declares."""
        node = inventory.nodes()[name]
        known = cluster.active_agents(leader)[node.address]["attributes"]
        assert {key: normal(value) for key, value in known.items()} == parse(
            node.variables["mesos_agent_attributes"]
        )

    def test_answers_at_its_declared_address(self, name, leader):
        """The leader knows the agent at the inventory's address, and the agent answers there."""
        node = inventory.nodes()[name]
        agent = cluster.active_agents(leader)[node.address]
        assert agent["pid"] == f"slave(1)@{node.address}:{cluster.AGENT_PORT}"
        answer = cluster.ask(node, "/state", port=cluster.AGENT_PORT)
        assert answer.json()["id"] == agent["id"]
