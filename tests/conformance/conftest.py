"""Fixtures: the cluster under test, and frameworks that are gone when their test is over."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from .cluster import Cluster, NoCluster
from .pocket import PocketCluster
from .wire import Address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cluster import Agent
    from .scheduler import Json, Scheduler

GIVEN = os.environ.get("MESOS_MASTER", "")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "transcript(name): the recording that backs this test")


@pytest.fixture(scope="session")
def anywhere() -> Iterator[Cluster]:
    """The cluster that MESOS_MASTER names, else one of Pocket Mesos, started for this run."""
    own = None
    try:
        if GIVEN:
            masters = tuple(Address.parse(item) for item in GIVEN.split(","))
            agent = os.environ.get("MESOS_AGENT")
            yield Cluster.at(masters, Address.parse(agent) if agent else None)
        else:
            own = PocketCluster()
            master = own.start_master()
            own.start_agent(str(master.address))
            yield own.cluster()
    except NoCluster as error:
        pytest.exit(f"no cluster to test: {error}", returncode=2)
    finally:
        if own:
            own.close()


@pytest.fixture
def cluster(anywhere: Cluster) -> Iterator[Cluster]:
    """The cluster, whose frameworks of this test are torn down after it."""
    yield anywhere
    assert anywhere.teardown() == [], "events that no v1 message describes"


@pytest.fixture
def agent(anywhere: Cluster) -> Agent:
    """The agent that tests launch on."""
    return anywhere.agent


@pytest.fixture
def scheduler(cluster: Cluster) -> Scheduler:
    """A subscribed framework of its own role."""
    return cluster.subscribe()


@pytest.fixture
def own_cluster() -> Iterator[PocketCluster]:
    """An empty run whose daemons a test may start, kill and restart."""
    if GIVEN:
        pytest.skip("kills daemons; the cluster given by MESOS_MASTER is not the suite's to harm")
    run = PocketCluster()
    try:
        yield run
    finally:
        run.close()


@pytest.fixture(scope="module")
def module_schedulers(anywhere: Cluster) -> Iterator[list[Scheduler]]:
    """Frameworks that the tests of one module share."""
    before = list(anywhere.schedulers)
    anywhere.schedulers.clear()
    shared: list[Scheduler] = []
    yield shared
    anywhere.schedulers[:] = shared
    assert anywhere.teardown() == [], "events that no v1 message describes"
    anywhere.schedulers[:] = before


@pytest.fixture
def offer(scheduler: Scheduler) -> Json:
    """An offer of the agent under test to `scheduler`."""
    return scheduler.offer()
