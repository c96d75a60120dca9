"""A lab whose name or subnet is wrong or in use is refused, with the variable to change."""

import pytest
from labkit.preflight import Host, Lab, Network, problem

NODES = {"control1": 11, "agent1": 21}
OWN = {"mesos-lab.name": "mesos-lab", "mesos-lab.root": "/checkout"}
BRIDGE = Network(name="bridge", subnets=("172.17.0.0/16",), bridge="docker0")
RUNNING = Network(name="mesos-lab", subnets=("172.28.10.0/24",), labels=OWN, bridge="br-1")


def lab(**changes):
    """Return the default lab, changed."""
    wanted = {"name": "mesos-lab", "subnet": "172.28.10.0/24", "root": "/checkout", "nodes": NODES}
    return Lab(**{**wanted, "distribution": "debian12", **changes})


def test_a_free_name_and_subnet_are_fine():
    """Nothing is refused on a machine with Docker and a default route."""
    assert problem(lab(), Host(networks=(BRIDGE,), routes=(("192.0.2.0/24", "eth0"),))) is None


def test_the_lab_itself_is_no_obstacle():
    """A second run meets its own network, containers and route."""
    host = Host(
        networks=(BRIDGE, RUNNING),
        containers={"mesos-lab-control1": OWN},
        routes=(("172.28.10.0/24", "br-1"),),
    )
    assert problem(lab(), host) is None


@pytest.mark.parametrize("name", ["", "Lab", "-lab", "lab-", "my lab", "x" * 33, "lab_1"])
def test_names_that_docker_would_not_take(name):
    """The message names the variable."""
    assert "Set lab_name" in problem(lab(name=name), Host())


@pytest.mark.parametrize(
    "subnet", ["172.28.10.1/24", "172.28.10.0/25", "10.0.0.0/8", "lab", "8.8.8.0/24", "fd00::/64"]
)
def test_subnets_that_hold_no_lab(subnet):
    """The message names the variable."""
    assert "Set lab_subnet" in problem(lab(subnet=subnet), Host())


@pytest.mark.parametrize("number", [0, 1, 255])
def test_numbers_that_give_no_address(number):
    """The node is named."""
    assert "of agent1" in problem(lab(nodes={"agent1": number}), Host())


def test_two_nodes_with_one_number():
    """Both nodes are named."""
    trouble = problem(lab(nodes={"agent1": 21, "agent2": 21}), Host())
    assert "agent1" in trouble
    assert "agent2" in trouble


@pytest.mark.parametrize(
    "host",
    [
        Host(networks=(Network(name="other", subnets=("172.28.0.0/16",)),)),
        Host(routes=(("172.28.10.128/25", "tun0"),)),
        Host(networks=(Network(name="second", subnets=("172.28.10.0/24",), labels={}),)),
    ],
    ids=["network around it", "route inside it", "same network"],
)
def test_a_subnet_in_use(host):
    """Whoever has the subnet is named; so is the variable."""
    assert "Set another lab_subnet" in problem(lab(), host)


def test_another_labs_subnet_names_that_lab():
    """A second lab on the first one's subnet learns whose it is."""
    host = Host(networks=(RUNNING,))
    assert "lab mesos-lab has 172.28.10.0/24" in problem(lab(name="second"), host)


def test_a_running_lab_keeps_its_subnet():
    """A lab can't move while it runs."""
    trouble = problem(lab(subnet="172.28.20.0/24"), Host(networks=(RUNNING,)))
    assert "runs on subnet 172.28.10.0/24" in trouble


def test_a_lab_keeps_its_distribution():
    """Nodes that run another one are named, and the variable that goes on with them."""
    host = Host(
        networks=(RUNNING,),
        containers={"mesos-lab-agent1": {**OWN, "mesos-lab.distribution": "el9"}},
    )
    trouble = problem(lab(), host)
    assert "agent1 of lab mesos-lab runs el9, not debian12" in trouble
    assert "MESOS_LAB_DISTRO=el9" in trouble
    assert problem(lab(distribution="el9"), host) is None


def test_names_that_others_use():
    """Networks and containers that no lab made are left alone."""
    network = Network(name="mesos-lab", subnets=("172.28.10.0/24",))
    assert "Set another lab_name" in problem(lab(), Host(networks=(network,)))
    assert "Set another lab_name" in problem(lab(), Host(containers={"mesos-lab-agent1": {}}))


def test_a_lab_of_another_checkout(tmp_path):
    """Two checkouts with the default name don't take over each other's lab, unless one is gone."""
    labels = {**OWN, "mesos-lab.root": str(tmp_path)}
    host = Host(containers={"mesos-lab-agent1": labels})
    assert problem(lab(), host) is None
    (tmp_path / ".lab" / "mesos-lab").mkdir(parents=True)
    assert f"belongs to the lab of {tmp_path}" in problem(lab(), host)
