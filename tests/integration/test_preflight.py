"""Bad input stops `ansible-playbook site.yml` before any host is touched, naming what to change."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml

ROOT = Path(__file__).parents[2]
TOPOLOGY = yaml.safe_load((ROOT / "inventory" / "topology.yml").read_text())
# Reserved for documentation: a play that touched such a host would report it unreachable.
NOWHERE = "192.0.2."
TAKEN_SUBNET = "172.28.96.0/24"
TAKEN_NAME = "mesos-lab-preflight"

Inventory = dict[str, Any]


def inventory(**groups: list[str]) -> Inventory:
    """Return the lab's topology on hosts that don't exist, some of its groups replaced."""
    topology = copy.deepcopy(TOPOLOGY)
    for number, host in enumerate(topology["all"]["children"]["nodes"]["hosts"].values(), start=1):
        host |= {"ansible_host": f"{NOWHERE}{number}", "node_address": f"{NOWHERE}{number}"}
    for name, hosts in groups.items():
        topology["all"]["children"][name] = {"hosts": dict.fromkeys(hosts)}
    return topology


def run_site(*arguments: str) -> tuple[int, str, set[str]]:
    """Run site.yml; return its status, the failures' messages and the plays that came after."""
    return run_playbook("site.yml", *arguments)


def run_playbook(name: str, *arguments: str) -> tuple[int, str, set[str]]:
    """Run a playbook; return what run_site does."""
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_TIMEOUT": "3",
    }
    program = Path(sys.executable).parent / "ansible-playbook"
    result = subprocess.run(
        [program, *arguments, ROOT / name],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    report = json.loads(result.stdout[result.stdout.index("{") :])
    outcomes = [
        outcome
        for play in report["plays"]
        for task in play["tasks"]
        for outcome in task["hosts"].values()
    ]
    messages = [str(outcome.get("msg")) for outcome in outcomes if outcome.get("failed")]
    # Preflight itself runs on the controller in the name of the first host.
    plays = [play["play"]["name"] for play in report["plays"]]
    return result.returncode, "\n".join(messages), set(plays) - {"Preflight"}


CASES = {
    "even ensemble": (
        inventory(zookeeper=["control1", "control2"]), [], ["zookeeper", "odd number"],
    ),
    "no ensemble": (inventory(zookeeper=[]), [], ["zookeeper"]),
    "no masters": (inventory(mesos_masters=[]), [], ["mesos_masters"]),
    "no agents": (inventory(mesos_agents=[]), [], ["mesos_agents"]),
    "no clients": (inventory(clients=[]), [], ["clients"]),
    "unknown engine": (
        inventory(), ["mesos_engine_kind=marathon"], ["mesos_engine_kind", "marathon", "pocket"],
    ),
    "isolator that the engine lacks": (
        inventory(), ["mesos_agent_isolation=disk/xfs"], ["mesos_agent_isolation", "disk/xfs"],
    ),
    "duplicate id": (inventory(), ["zookeeper_id=2"], ["zookeeper_id"]),
    "no wheels of the engine": (
        inventory(), ["mesos_engine_wheelhouse=/nowhere"],
        ["mesos_engine_wheelhouse", "/nowhere", "scripts/wheelhouse"],
    ),
    "no wheels of the framework": (
        inventory(), ["mapreduce_wheelhouse=/nowhere"],
        ["mapreduce_wheelhouse", "/nowhere", "scripts/wheelhouse"],
    ),
    "small quorum": (inventory(), ["mesos_master_quorum=1"], ["mesos_master_quorum", "3"]),
    "great quorum": (inventory(), ["mesos_master_quorum=4"], ["mesos_master_quorum", "3"]),
}  # fmt: skip


@pytest.mark.integration
@pytest.mark.parametrize(("hosts", "variables", "words"), CASES.values(), ids=CASES.keys())
def test_bad_inventory_stops_the_run(hosts, variables, words, tmp_path):
    """Each mistake in the inventory fails on the controller alone, in words that name it."""
    path = tmp_path / "hosts.yml"
    path.write_text(yaml.safe_dump(hosts))
    options = [f"--extra-vars={variable}" for variable in variables]

    status, message, later = run_site(f"--inventory={path}", *options)

    assert status != 0
    assert [word for word in words if word not in message] == [], message
    assert later == set()


@pytest.mark.integration
@pytest.mark.parametrize("name", ["docker", "single", "vagrant", "vagrant-small", "example"])
def test_the_inventories_of_the_repository_pass(name, tmp_path):
    """What the project itself declares is right, on any machine that has made its wheels."""
    program = Path(sys.executable).parent / "ansible-playbook"
    for distribution in ("pocket_mesos", "mesos_mapreduce"):
        (tmp_path / f"{distribution}-1.0-py3-none-any.whl").touch()
    folders = dict.fromkeys(["mesos_engine_wheelhouse", "mapreduce_wheelhouse"], str(tmp_path))
    result = subprocess.run(
        [
            *(program, "--inventory", f"inventory/{name}", "playbooks/preflight.yml"),
            *("--extra-vars", json.dumps(folders)),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.integration
def test_hosts_that_do_not_answer_stop_the_run(tmp_path):
    """All are named, with what to look at and how to go on, before any host is changed."""
    lost = {"ansible_host": "127.0.0.1", "ansible_port": 1, "node_address": f"{NOWHERE}1"}
    hosts = {"control1": lost, "control2": lost}
    group = dict.fromkeys(hosts)
    names = ("zookeeper", "mesos_masters", "mesos_agents", "clients")
    path = tmp_path / "hosts.yml"
    path.write_text(
        yaml.safe_dump({"all": {"hosts": hosts, "children": {n: {"hosts": group} for n in names}}})
    )

    status, message, later = run_playbook("playbooks/nodes.yml", f"--inventory={path}")

    assert status != 0
    wanted = ["control1 (127.0.0.1)", "control2 (127.0.0.1)", "all:!control1:!control2"]
    assert [word for word in [*wanted, "ansible_user"] if word not in message] == [], message
    assert later == {"Reach the nodes"}


@pytest.fixture
def taken() -> Iterator[None]:
    """Have a Docker network, no lab's, that holds a name and a subnet."""
    client = docker.from_env()
    pool = docker.types.IPAMPool(subnet=TAKEN_SUBNET)
    remove_network(client)
    client.networks.create(TAKEN_NAME, ipam=docker.types.IPAMConfig(pool_configs=[pool]))
    yield
    remove_network(client)


def remove_network(client: docker.DockerClient) -> None:
    """Remove the network, should it be there."""
    for network in client.networks.list(names=[f"^{TAKEN_NAME}$"]):
        network.remove()


@pytest.mark.integration
@pytest.mark.parametrize(
    ("name", "subnet", "words"),
    [
        (TAKEN_NAME, "172.28.97.0/24", ["lab_name", TAKEN_NAME]),
        ("mesos-lab-other", TAKEN_SUBNET, ["lab_subnet", TAKEN_SUBNET]),
        ("mesos-lab-other", "172.28.96.0/20", ["lab_subnet", TAKEN_SUBNET]),
        ("mesos-lab-other", "172.28.97.1/24", ["lab_subnet", "172.28.97.1/24"]),
        ("mesos-lab-other", "300.28.0.0/16", ["lab_subnet", "300.28.0.0/16"]),
        ("Not A Name", "172.28.97.0/24", ["lab_name", "Not A Name"]),
    ],
)
def test_name_or_subnet_in_use_stops_the_run(name, subnet, words, taken):
    """A lab whose name or subnet is taken or wrong is refused before a container is made."""
    variables = json.dumps({"lab_name": name, "lab_subnet": subnet})

    status, message, _ = run_site("--inventory=inventory/docker", f"--extra-vars={variables}")

    assert status != 0
    assert [word for word in words if word not in message] == [], message
    containers = docker.from_env().containers.list(all=True, filters={"name": f"^{name}-"})
    assert containers == []
