"""A plugin of pytest: fixtures of the cluster tests, and what a failed test prints of the nodes."""

from collections.abc import Generator, Iterator

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

JOURNAL_LINES = 60


@pytest.fixture
def leader() -> Node:
    """Return the leading master of a cluster that is whole: each test starts from one."""
    return cluster.leader()


@pytest.fixture
def tasks(leader: Node) -> Iterator[Launcher]:
    """Return a framework that is registered through ZooKeeper; its tasks end with the test."""
    with launcher(cluster.zookeeper_address(), inventory.account("operator")) as framework:
        yield framework


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add each service's state, and its journal since the test began, to a failed test's report."""
    report = yield
    if report.failed:
        for group, unit in SERVICES.items():
            for node in inventory.group(group):
                report.sections.append(
                    (f"{unit} on {node.name}", _service_report(node, unit, call.start))
                )
    return report


def _service_report(node: Node, unit: str, since: float) -> str:
    # A node may be what has failed: it must not hide the test's own message.
    journal = f"journalctl --unit={unit} --since=@{since:.0f} --lines={JOURNAL_LINES} --no-pager"
    try:
        result = node.host.run(f"systemctl is-active {unit}; {journal}")
    except Exception as error:
        return f"no answer from the node: {error}"
    return str(result.stdout + result.stderr)
