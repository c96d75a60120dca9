"""The MapReduce framework on a node: a client, an agent, or both."""

import pytest
from support import inventory, playbook
from support.inventory import Node

PLAYBOOK = "playbooks/clients.yml"
COMMAND = "/usr/local/bin/mapreduce"
TEXT = "/srv/mapreduce/bible.txt"


@pytest.fixture
def node() -> Node:
    """Return the node."""
    return inventory.group("clients")[0]


@pytest.fixture
def prefix(node) -> str:
    """Return the link to the release in use."""
    return node.variables.get("mapreduce_prefix", "/opt/mapreduce")


def test_a_client_has_the_command_and_a_text(node):
    """A client has both, a mere agent neither."""
    client = node.variables.get("mapreduce_client", True)
    assert node.host.file(COMMAND).exists == client
    if client:
        assert "wordcount" in node.run(f"{COMMAND} run --help; {COMMAND} jobs 2>&1 || true")
        assert int(node.run(f"wc -w <{TEXT}")) > 500_000


def test_tasks_user_can_count(node, prefix):
    """The user of the tasks, who owns nothing, can run the executor's programs and their kernel."""
    user = node.variables.get("mapreduce_user", "mapreduce")
    program = "from mapreduce import kernel; print(kernel.__name__)"
    assert node.run(
        f"setpriv --reuid={user} --regid={user} --clear-groups {prefix}/bin/python -c '{program}'"
    ) == "mapreduce.kernel"  # fmt: skip
    node.run(f"test -x {prefix}/bin/mapreduce-executor")


def test_extras_are_those_declared(node, prefix):
    """What was not asked for is not installed."""
    declared = node.variables.get("mapreduce_extras", ["zstd", "parquet", "plot"])
    module = f"{prefix}/bin/python -c 'import pyarrow' 2>/dev/null && echo there || echo missing"
    assert node.run(module) == ("there" if "parquet" in declared else "missing")


def test_a_framework_that_the_controller_lacks_is_refused():
    """The role says how to make the wheels, and which variable names them."""
    message = playbook.refusal(PLAYBOOK, "--extra-vars=mapreduce_wheelhouse=/nowhere")
    assert '"/nowhere"' in message
    assert "mapreduce_wheelhouse" in message


def test_an_interrupted_installation_is_done_again(node, prefix):
    """A run that was killed while it installed leaves no half release in use; the next is whole."""
    release = node.run(f"readlink -f {prefix}")
    node.run(f"rm -r {prefix} {release}")
    playbook.interrupt(PLAYBOOK, when=lambda: node.run(f"ls -d {release}* 2>/dev/null || true"))
    assert not node.host.file(prefix).exists
    playbook.run(PLAYBOOK)
    assert node.run(f"readlink -f {prefix}") == release
    assert playbook.run(PLAYBOOK).changed == set()
