"""Agents whose declared resources or attributes changed come back with them, one by one.

After the upgrade: masters of the older release do not take more resources from an agent they know.
"""

import json

from cluster_load import load
from support import cluster, inventory, playbook
from support.inventory import Node

DECLARED = {"mesos_agent_resources": "cpus:2;mem:1024;disk:5120;ports:[31000-32000]"}
MORE = {"mesos_agent_resources": "cpus:3;mem:1024;disk:5120;ports:[31000-32000]"}
LESS = {"mesos_agent_resources": "cpus:2;mem:768;disk:5120;ports:[31000-32000]"}


def change(declared: dict[str, str], *options: str) -> playbook.Run:
    """Run the playbook with other resources, on the release that runs."""
    extra = "--extra-vars=" + json.dumps(
        {**declared, "mesos_engine_wheelhouse": "{{ lab_wheelhouse }}"}
    )
    return playbook.run("playbooks/change_resources.yml", extra, *options)


def ids(leader: Node) -> dict[str, str]:
    """Return the agents' ids by address."""
    return {name: agent["id"] for name, agent in cluster.active_agents(leader).items()}


def offers_of(leader: Node, name: str) -> set[float]:
    """Return what the agents have of a resource."""
    return {agent["resources"][name] for agent in cluster.active_agents(leader).values()}


def test_check_mode_says_which_case_each_agent_is(leader):
    """In check mode it says so and changes nothing."""
    before = ids(leader)
    for declared, case in ((DECLARED, "nothing to do"), (MORE, "additive"), (LESS, "incompatible")):
        run = change(declared, "--check")
        assert run.output.count(f": {case}") >= 1, run.output
        assert not run.changed
    assert ids(leader) == before
    assert offers_of(leader, "cpus") == {2.0}


def test_additive_change_keeps_tasks_and_an_incompatible_one_renews_agents(leader):
    """More resources come with the agents' ids and tasks, less of them with new agents."""
    before = ids(leader)
    with load() as log:
        change(MORE)
        assert not log.moved, "a task was ended by an additive change"
    assert ids(leader) == before
    assert offers_of(leader, "cpus") == {3.0}

    with load():
        change(LESS)
    renewed = ids(cluster.leader())
    assert set(renewed) == set(before)
    assert set(renewed.values()).isdisjoint(before.values())
    assert offers_of(leader, "mem") == {768.0}

    # Back to what the inventory declares, for those who come after.
    change(DECLARED)
    agents = inventory.group("mesos_agents")
    assert offers_of(leader, "mem") == {1024.0}
    assert not any(node.host.file("/var/lib/mesos-agent.drained").exists for node in agents)
