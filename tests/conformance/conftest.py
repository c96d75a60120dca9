"""Fixtures: the cluster under test, and frameworks that are gone when their test is over."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .cluster import Cluster, NoClusterError
from .pocket import PocketCluster
from .wire import Address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .scheduler import Json, Scheduler

GIVEN = os.environ.get("MESOS_MASTER", "")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "transcript(name): the recording that backs this test")
    config.addinivalue_line("markers", "documented(page): where Mesos' own documents back it")


def credential() -> tuple[str, str] | None:
    """Read the file that MESOS_CREDENTIAL names: as whom the suite comes to a secured cluster."""
    path = os.environ.get("MESOS_CREDENTIAL")
    if not path:
        return None
    given = json.loads(Path(path).read_text())
    return given["principal"], given["secret"]


@pytest.fixture(scope="session")
def anywhere() -> Iterator[Cluster]:
    """The cluster that MESOS_MASTER names, else one of Pocket Mesos, started for this run."""
    own = None
    try:
        if GIVEN:
            own_name = credential()
            masters = tuple(Address.parse(item).known_as(own_name) for item in GIVEN.split(","))
            agent = os.environ.get("MESOS_AGENT")
            yield Cluster.at(masters, Address.parse(agent).known_as(own_name) if agent else None)
        else:
            own = PocketCluster()
            master = own.start_master()
            own.start_agent(str(master.address))
            yield own.cluster()
    except NoClusterError as error:
        pytest.exit(f"no cluster to test: {error}", returncode=2)
    finally:
        if own:
            own.close()


def frameworks_of(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with frameworks of its own, which are torn down in the end."""
    view = dataclasses.replace(cluster, schedulers=[])
    yield view
    assert view.teardown() == [], "events that no v1 message describes"


@pytest.fixture
def cluster(anywhere: Cluster) -> Iterator[Cluster]:
    """The cluster, for one test."""
    yield from frameworks_of(anywhere)


@pytest.fixture(scope="module")
def shared_cluster(anywhere: Cluster) -> Iterator[Cluster]:
    """The cluster, for frameworks that the tests of one module share."""
    yield from frameworks_of(anywhere)


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


@pytest.fixture
def offer(scheduler: Scheduler) -> Json:
    """An offer of the agent under test to `scheduler`."""
    return scheduler.offer()
