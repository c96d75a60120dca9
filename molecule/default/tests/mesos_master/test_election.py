"""One master leads, the others lead to it, also after the leader's death."""

from urllib.parse import urlsplit

import pytest
import requests
from support import cluster, inventory, processes
from support.inventory import Node
from support.waiting import wait_for


def assert_others_redirect_to(leader: Node) -> None:
    """Check that every other master answers 307 and names the same endpoint of the leader."""
    for master in inventory.group("mesos_masters"):
        if master == leader:
            continue
        # A master that has just started, or found ZooKeeper again, knows of no leader yet: 503.
        answer = wait_for(f"a leader known to {master.name}", lambda m=master: knowing(m))
        assert answer.status_code == requests.codes.temporary_redirect, master.name
        location = urlsplit(answer.headers["Location"])
        found = (location.hostname, location.port, location.path)
        assert found == (leader.address, cluster.MASTER_PORT, "/master/state"), master.name


def knowing(master: Node) -> requests.Response | None:
    """Return a master's answer, None while it is that no leader is known."""
    answer = cluster.ask(master, "/state")
    return None if answer.status_code == requests.codes.service_unavailable else answer


@pytest.mark.parametrize("name", [node.name for node in inventory.group("mesos_masters")])
def test_master_is_started_by_systemd_and_at_boot(name):
    """Each master runs as a unit of systemd that is started with the machine."""
    service = inventory.nodes()[name].host.service("mesos-master")
    assert service.is_running
    assert service.is_enabled


def test_exactly_one_master_leads_and_the_others_redirect_to_it(leader):
    """One master answers for the cluster; a client that asks another is sent to that one."""
    assert cluster.leaders() == [leader]
    assert_others_redirect_to(leader)


def test_a_killed_leader_is_replaced_and_restarted(leader):
    """After kill -9 of the leader another leads; the killed one is restarted and redirects."""
    killed = processes.main_process(leader, "mesos-master")
    leader.run(f"kill -9 {killed.pid}")

    successor = cluster.leader()

    assert successor != leader
    wait_for(
        "the killed master running again", lambda: leader.host.service("mesos-master").is_running
    )
    assert processes.main_process(leader, "mesos-master").pid != killed.pid
    wait_for("the killed master answering", lambda: cluster.ask(leader, "/health").ok)
    assert cluster.leaders() == [successor]
    assert_others_redirect_to(successor)
