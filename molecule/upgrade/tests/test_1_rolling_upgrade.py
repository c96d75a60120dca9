"""The older release to this one and back, a host at a time, while the cluster works."""

import json
import re

import pytest
from cluster_load import load
from support import cluster, inventory, playbook, processes
from support.inventory import Node

PLAYBOOK = "playbooks/rolling_upgrade.yml"
THIS_RELEASE = "--extra-vars=mesos_engine_wheelhouse={{ lab_wheelhouse }}"
MARK = "/var/lib/mesos-agent.drained"


def members() -> list[tuple[Node, str]]:
    """Return every node that runs the engine, with the unit that does."""
    return [(node, "mesos-master") for node in inventory.group("mesos_masters")] + [
        (node, "mesos-agent") for node in inventory.group("mesos_agents")
    ]


def releases() -> dict[str, str]:
    """Return the release that each node's unit was started with."""
    return {
        node.name: node.run(
            f"sed -n 's/^# Release of the engine: //p' /etc/systemd/system/{unit}.service"
        )
        for node, unit in members()
    }


def running() -> dict[str, processes.Process]:
    """Return the daemons' processes by node."""
    return {node.name: processes.main_process(node, unit) for node, unit in members()}


def plan(output: str) -> str:
    """Return what the playbook said it would do."""
    report = json.loads(output[output.index("{") :])
    (told,) = (
        host["msg"]
        for play in report["plays"]
        for task in play["tasks"]
        if task["task"]["name"] == "Show what is to be done"
        for host in task["hosts"].values()
    )
    return str(told)


@pytest.fixture(scope="module")
def older() -> str:
    """Return the release that all nodes begin with."""
    (release,) = set(releases().values())
    return release


def test_check_mode_says_the_order_and_changes_nothing(leader, older):
    """The plan has the leading master after the others and then the agents; nothing moves."""
    before = running()

    told = plan(playbook.run(PLAYBOOK, THIS_RELEASE, "--check").output)

    masters = re.findall(r"(\w+): master", told)
    assert sorted(masters) == sorted(node.name for node in inventory.group("mesos_masters"))
    assert masters[-1] == leader.name
    agents = re.findall(r"(\w+): agent", told)
    assert agents == [node.name for node in inventory.group("mesos_agents")]
    assert told.index(": agent") > told.rindex(": master")
    assert set(releases().values()) == {older}
    assert running() == before


def test_a_master_that_does_not_start_stops_it(leader, older):
    """The first host that fails ends the run, which says how to go on; the others stay."""
    before = running()
    broken = {
        "mesos_master_flags": {"allocation_interval": "soon"},
        "mesos_master_ready_timeout": 20,
    }

    told = playbook.refusal(PLAYBOOK, f"--extra-vars={json.dumps(broken)}")

    assert "run the same command again" in told
    after = running_or_none()
    assert after[leader.name] == before[leader.name]
    assert sum(after[name] != process for name, process in before.items()) == 1
    assert cluster.leader() == leader

    playbook.run(PLAYBOOK)
    assert set(releases().values()) == {older}
    assert cluster.leader() == leader


def running_or_none() -> dict[str, processes.Process | None]:
    """Return the daemons' processes by node; None where one does not stay up."""
    found: dict[str, processes.Process | None] = {}
    for node, unit in members():
        try:
            found[node.name] = processes.main_process(node, unit)
        except AssertionError:
            found[node.name] = None
    return found


def test_upgrade_loses_no_task(leader, older):
    """Under load every host comes to this release, and every task and count comes through."""
    with load():
        playbook.run(PLAYBOOK, THIS_RELEASE)

    (release,) = set(releases().values())
    assert release != older
    cluster.leader()

    before = running()
    again = playbook.run(PLAYBOOK, THIS_RELEASE)
    assert "Every host is as declared" in plan(again.output)
    assert running() == before


def test_rollback_by_variable_goes_on_after_an_interruption(leader, older):
    """Killed while an agent is drained it goes on at the next run; undrained, tasks run on."""
    back = f"--extra-vars=mesos_engine_release={older}"
    first = inventory.group("mesos_agents")[0]
    with load():
        playbook.interrupt(PLAYBOOK, back, when=lambda: first.host.file(MARK).exists)
        playbook.run(PLAYBOOK, back)

    assert set(releases().values()) == {older}
    assert not first.host.file(MARK).exists
    cluster.leader()

    with load() as log:
        playbook.run(PLAYBOOK, THIS_RELEASE, '--extra-vars={"rolling_upgrade_drain": false}')
    assert not log.moved
    assert older not in releases().values()
