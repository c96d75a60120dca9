"""A plugin of pytest: fixtures of the cluster tests, and what a failed test prints of the nodes."""

from collections.abc import Iterator

import pytest

from support import cluster, inventory
from support.inventory import Node
from support.tasks import Launcher, launcher

SERVICES = {
    "zookeeper": "zookeeper",
    "mesos_masters": "mesos-master",
    "mesos_agents": "mesos-agent",
}
"""Group of the inventory: unit of systemd that its hosts run."""

JOURNAL_LINES = 30


@pytest.fixture
def leader() -> Node:
    """Return the leading master of a cluster that is whole: each test starts from one."""
    return cluster.leader()


@pytest.fixture
def tasks(leader: Node) -> Iterator[Launcher]:
    """Return a framework that is registered through ZooKeeper; its tasks end with the test."""
    with launcher(cluster.zookeeper_address()) as framework:
        yield framework


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Add every service's state and the end of its journal to the report of a failed test."""
    report = yield
    if report.failed:
        for group, unit in SERVICES.items():
            for node in inventory.group(group):
                report.sections.append((f"{unit} on {node.name}", _service_report(node, unit)))
    return report


def _service_report(node: Node, unit: str) -> str:
    # A node may be what has failed: it must not hide the test's own message.
    command = (
        f"systemctl is-active {unit}; journalctl --unit={unit} --no-pager --lines={JOURNAL_LINES}"
    )
    try:
        result = node.host.run(command)
    except Exception as error:
        return f"no answer from the node: {error}"
    return str(result.stdout + result.stderr)
