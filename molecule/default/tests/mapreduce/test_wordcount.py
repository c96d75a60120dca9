"""The word count on a client, through the masters' zk:// address, in good times and bad."""

import pytest
from support import cluster, inventory, processes, wordcount
from support.inventory import Node
from support.waiting import wait_for
from support.wordcount import Count

COPIES = 60
"""How often the large input repeats the text: some 40 MB, seconds of counting."""


@pytest.fixture
def client() -> Node:
    """Return a node that has the command."""
    return inventory.group("clients")[0]


def tasks_are_out(leader: Node) -> bool:
    """Tell whether the leader has seen tasks of a framework that is still there."""
    frameworks = cluster.state(leader)["frameworks"]
    return any(framework["tasks"] or framework["completed_tasks"] for framework in frameworks)


def test_counts_are_exact(client, leader):
    """On a cluster that is whole, the output is byte for byte what collections.Counter gives."""
    assert Count(client, 1).result() == wordcount.answer(1)


def test_counts_are_exact_when_the_leader_dies_under_the_job(client, leader):
    """A job whose leading master is killed half way is exact all the same, and so is the next."""
    killed = processes.main_process(leader, "mesos-master")
    count = Count(client, COPIES)
    wait_for("tasks of the job", lambda: count.is_over() or tasks_are_out(leader), pause=0.02)
    leader.run(f"kill -9 {killed.pid}")
    assert not count.is_over(), f"the job was over before the leader was killed: {count.result()}"

    assert count.result() == wordcount.answer(COPIES)

    assert cluster.leader() != leader
    assert Count(client, 1).result() == wordcount.answer(1)
