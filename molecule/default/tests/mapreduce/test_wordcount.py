"""The word count on a client, through the masters' zk:// address, in good times and bad."""

import uuid

import pytest
from support import cluster, inventory, processes, wordcount
from support.inventory import Node
from support.waiting import wait_for
from support.wordcount import Count

HELD = """
import pathlib, time
from collections import Counter
from mapreduce import Job

class Held(Job):
    def map(self, block):
        while not pathlib.Path("{sign}").exists():
            time.sleep(0.1)
        return Counter(block.decode(errors="surrogateescape").split())

    def combine(self, left, right):
        return left + right

    def order(self, row):
        return -row[1], row[0]
"""
"""A word count whose tasks wait for a sign on their agent."""


@pytest.fixture
def client() -> Node:
    """Return a node that has the command."""
    return inventory.group("clients")[0]


def tasks_run(leader: Node) -> bool:
    """Tell whether the leader knows of a task that runs."""
    frameworks = cluster.state(leader)["frameworks"]
    tasks = [task for framework in frameworks for task in framework["tasks"]]
    return any(task["state"] == "TASK_RUNNING" for task in tasks)


def test_counts_are_exact(client, leader):
    """On a cluster that is whole, the output is byte for byte what collections.Counter gives."""
    assert Count(client, 1).result() == wordcount.answer(1)


def test_counts_are_exact_when_the_leader_dies_under_the_job(client, leader):
    """A job whose leading master is killed half way is exact all the same, and so is the next."""
    sign = f"{wordcount.FOLDER}/{uuid.uuid4().hex}"
    wordcount.put(client, "held.py", HELD.format(sign=sign).encode())
    killed = processes.main_process(leader, "mesos-master")
    count = Count(client, 20, job=f"{wordcount.FOLDER}/held.py:Held")
    wait_for("tasks of the job", lambda: count.is_over() or tasks_run(leader))
    leader.run(f"kill -9 {killed.pid}")
    assert not count.is_over(), count.result()
    for agent in inventory.group("mesos_agents"):
        agent.run(f"touch {sign}")

    assert count.result() == wordcount.answer(20)

    assert cluster.leader() != leader
    assert Count(client, 1).result() == wordcount.answer(1)
