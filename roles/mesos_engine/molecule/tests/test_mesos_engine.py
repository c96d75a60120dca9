"""The programs of a Mesos cluster on a node."""

import pytest
from support import inventory, playbook
from support.inventory import Node

PLAYBOOK = "roles/mesos_engine/molecule/converge.yml"


@pytest.fixture
def node() -> Node:
    """Return the node."""
    return inventory.group("mesos_masters")[0]


@pytest.fixture
def prefix(node) -> str:
    """Return the link to the release in use."""
    return node.variables.get("mesos_engine_prefix", "/opt/mesos")


@pytest.mark.parametrize("program", ["mesos-master", "mesos-agent"])
def test_daemons_tell_their_version(node, prefix, program):
    """Each daemon is found below the prefix and starts."""
    assert node.run(f"{prefix}/sbin/{program} --version").startswith("mesos ")


def test_the_executor_is_where_agents_look(node, prefix):
    """What agents start for command tasks lies in the prefix's libexec."""
    node.run(f"test -x {prefix}/libexec/mesos/mesos-executor")


def test_the_prefix_leads_to_a_release(node, prefix):
    """Releases lie beside the prefix, which is a link to one."""
    assert node.run(f"readlink -f {prefix}").startswith(f"{prefix}-")


@pytest.mark.parametrize("folder", ["mesos", "mesos-master", "mesos-agent", "mesos-slave"])
def test_configuration_of_others_is_refused(node, folder):
    """A stray file that a packaged Mesos would take for a flag is named; without it all is well."""
    node.run(f"mkdir -p /etc/{folder} && echo zk://elsewhere:2181/mesos >/etc/{folder}/zk")
    try:
        message = playbook.refusal(PLAYBOOK)
    finally:
        node.run(f"rm -r /etc/{folder}")
    assert f"/etc/{folder}/zk" in message
    assert playbook.run(PLAYBOOK).changed == set()


def test_an_engine_that_the_controller_lacks_is_refused():
    """The role says how to make the wheels, and which variable names them."""
    message = playbook.refusal(PLAYBOOK, "--extra-vars=mesos_engine_wheelhouse=/nowhere")
    assert '"/nowhere"' in message
    assert "mesos_engine_wheelhouse" in message


def test_an_interrupted_installation_is_done_again(node, prefix):
    """A run that was killed while it installed leaves no half release in use; the next is whole."""
    release = node.run(f"readlink -f {prefix}")
    node.run(f"rm -r {prefix} {release}")
    begun = f"ls -d {release}* 2>/dev/null || true"
    playbook.interrupt(PLAYBOOK, when=lambda: node.run(begun))
    assert not node.host.file(prefix).exists
    playbook.run(PLAYBOOK)
    assert node.run(f"readlink -f {prefix}") == release
    assert node.run(f"{prefix}/sbin/mesos-master --version").startswith("mesos ")
    assert playbook.run(PLAYBOOK).changed == set()
