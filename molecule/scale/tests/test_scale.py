"""A cluster grows and shrinks under a task that goes on, and keeps what ZooKeeper holds."""

import os
import subprocess
from pathlib import Path

import docker
import pytest
from kazoo.client import KazooClient
from support import cluster, inventory, playbook, processes
from support.waiting import wait_for

SCENARIO = Path(__file__).parents[1]
GROWN = f"--inventory={playbook.ROOT}/inventory/docker"
FEWER = f"--inventory={SCENARIO}/fewer"
SUBNET = "172.28.21."
CONTROLS = [f"{SUBNET}{number}" for number in (11, 12, 13)]
AGENTS = [f"{SUBNET}{number}" for number in (21, 22)]
LIMIT = 900
"""Seconds that a run may take on a machine that is busy with more than this."""


def scale(target, *options):
    """Start playbooks/scale.yml on another inventory than the scenario's own."""
    others = [one for one in playbook.target() if not one.startswith("--inventory")]
    program = [playbook.PROGRAMS / "ansible-playbook", target, *others, *options]
    return subprocess.Popen(
        [*program, str(playbook.ROOT / "playbooks/scale.yml")],
        env=os.environ | {"ANSIBLE_CONFIG": str(playbook.ROOT / "ansible.cfg")},
        cwd=playbook.ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(run):
    """Return what a run said; it must have succeeded."""
    output, _ = run.communicate(timeout=LIMIT)
    assert run.returncode == 0, output[-8000:]
    return output


def node(address):
    """Return a node that the scenario's own inventory need not name."""
    kind, members = ("control", CONTROLS) if address in CONTROLS else ("agent", AGENTS)
    name = f"{kind}{members.index(address) + 1}"
    return inventory.Node(
        name=name,
        address=address,
        container=f"mesos-lab-scaling-{name}",
        groups=frozenset(),
        lab=inventory.group("mesos_masters")[0].lab,
        variables={},
    )


def modes():
    """Return what the servers of the grown ensemble say that they are."""
    answers = [cluster.four_letter_word(node(address), "srvr") for address in CONTROLS]
    return sorted(answer.partition("Mode: ")[2].split("\n")[0] for answer in answers)


def leading_master():
    """Return the master that answers for the grown cluster."""
    masters = [node(address) for address in CONTROLS]
    answering = [one for one in masters if cluster.ask(one, "/state").status_code == 200]
    return answering[0] if len(answering) == 1 else None


def registered():
    """Return the addresses of the agents that the leading master calls active."""
    master = leading_master()
    return sorted(cluster.active_agents(master)) if master else None


@pytest.fixture
def zookeeper():
    """Return a client of the only server that there is from beginning to end."""
    client = KazooClient(hosts=f"{CONTROLS[0]}:2181", timeout=20)
    client.start(timeout=60)
    yield client
    client.stop()
    client.close()


def test_grows_and_shrinks_under_a_task(tasks, zookeeper):
    """Nodes are lost and come back, servers and masters grow to three; task and data stay."""
    first = inventory.group("mesos_agents")[0]
    task = tasks.launch("sleep 100000", cpus=0.1, mem=32, hostname=first.address)
    process = processes.of_task(first, task)
    data = os.urandom(100_000)
    zookeeper.create("/kept", data)

    # A new node is lost as soon as ZooKeeper serves on the other one.
    run = scale(GROWN)
    wait_for(
        "the new server to follow",
        lambda: run.poll() is not None or "follower" in _answer(CONTROLS[1]),
        seconds=LIMIT,
    )
    docker.from_env().containers.get("mesos-lab-scaling-control3").kill()
    output, _ = run.communicate(timeout=LIMIT)
    assert run.returncode != 0, f"a node was lost and the run went well:\n{output[-4000:]}"

    finish(scale(GROWN))
    assert modes() == ["follower", "follower", "leader"]
    assert wait_for("both agents", lambda: registered() == AGENTS and registered()) == AGENTS
    assert {flags(address)["quorum"] for address in CONTROLS} == {"2"}
    assert "nothing to do" in finish(scale(GROWN, "--check"))

    finish(scale(FEWER))
    assert wait_for("one agent", lambda: registered() == AGENTS[:1] and registered()) == AGENTS[:1]
    names = {one.name for one in docker.from_env().containers.list(all=True)}
    assert "mesos-lab-scaling-agent2" not in names

    assert zookeeper.retry(zookeeper.get, "/kept")[0] == data
    assert process.is_alive()
    assert set(task.states) <= {"TASK_STARTING", "TASK_RUNNING"}


def flags(address):
    """Return the flags that a master runs with."""
    return cluster.ask(node(address), "/flags").json()["flags"]


def _answer(address):
    try:
        return cluster.four_letter_word(node(address), "srvr")
    except OSError:
        return ""


def test_site_does_not_change_the_servers_of_an_ensemble():
    """With another list, servers without data could outvote the others: it is refused."""
    refusal = playbook.refusal("site.yml")
    assert "playbooks/scale.yml" in refusal
