"""The registry of a master: how it is shown, and what a leader answers that has not read it."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from . import transcripts
from .cluster import eventually
from .conftest import GIVEN
from .likeness import Likeness
from .pocket import PocketCluster
from .test_draining import decide
from .wire import JSON_HEADERS, Response, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .pocket import Daemon

OWN_WAY = Likeness(optional=re.compile(r"\.git_\w+$|/master/log$"))
"""Built from a repository; with a log file that is shown."""
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
SHOWN = "master/http/registry_endpoint.json"
RECOVERING = "ha/elected_but_recovering_503.json"
REGISTRY_FILE = "registry.sqlite"
WEIGHTS = [{"role": "dev", "weight": 2.0}, {"role": "ops", "weight": 0.5}]


@transcripts.recorded
@pytest.mark.transcript(SHOWN)
def test_registry_is_shown_as_recorded(own_cluster: PocketCluster) -> None:
    """Two agents drained and gone, two weights: the fields, and their values, of real Mesos."""
    master = own_cluster.start_master().address
    for _ in range(2):
        own_cluster.start_agent(str(master))

    def registered() -> list[str]:
        found = request(master, "GET", "/slaves").json()["slaves"]
        return [one["id"] for one in found]

    eventually(lambda: len(registered()) == 2, "both agents registered")
    for agent_id in sorted(registered(), reverse=True):
        decide(master, "DEACTIVATE_AGENT", agent_id)
        decide(master, "MARK_AGENT_GONE", agent_id)
    for agent in own_cluster.agents:
        agent.wait_ended()
    weights = request(master, "PUT", "/weights", WEIGHTS, JSON_HEADERS)
    assert (weights.status, weights.body) == (200, "")
    found = request(master, "GET", "/registrar(1)/registry")
    recorded = transcripts.load(SHOWN)["response"]
    assert found.status == recorded["status"]
    assert found.header("Content-Type") == "application/json"
    assert Likeness().differences(recorded["body"], found.json()) == []


@pytest.fixture(scope="module")
def own_master() -> Iterator[PocketCluster]:
    """A run whose master is the tests' to hinder."""
    if GIVEN:
        pytest.skip("hinders a master; the one given by MESOS_MASTER is not the suite's to harm")
    run = PocketCluster()
    try:
        yield run
    finally:
        run.close()


@pytest.fixture(scope="module")
def recovering(own_master: PocketCluster) -> Iterator[Daemon]:
    """A master that leads and can't read its registry, because somebody else has the file."""
    master = own_master.start_master()
    master.kill()
    with closing(sqlite3.connect(own_master.run / master.name / REGISTRY_FILE)) as hindrance:
        hindrance.execute("PRAGMA locking_mode = EXCLUSIVE")
        hindrance.execute("BEGIN EXCLUSIVE")
        master.start()
        eventually(lambda: leads(master), "the master elected")
        yield master
    eventually(lambda: request(master.address, "GET", "/api/v1").status == 405, "it has recovered")


def leads(master: Daemon) -> bool:
    """Say whether it answers at all, and as a leader."""
    try:
        return request(master.address, "GET", "/state").status == 200
    except OSError:
        return False


def recordings() -> list[dict[str, Any]]:
    """What was recorded and answered; one request got no answer before it was given up."""
    if not (transcripts.ROOT / RECOVERING).is_file():
        return []
    return [one for one in transcripts.load(RECOVERING)["requests"] if one["status"] is not None]


def title(entry: dict[str, Any]) -> str:
    body = entry.get("body_sent")
    kind = f" {body.get('type')}" if isinstance(body, dict) else ""
    return f"{entry['method']} {entry['path']}{kind}"


@transcripts.recorded
@pytest.mark.transcript(RECOVERING)
@pytest.mark.parametrize("entry", recordings(), ids=title)
def test_leader_that_has_not_recovered(recovering: Daemon, entry: dict[str, Any]) -> None:
    """It shows that nothing is there, and takes no calls: status and body are the recorded ones."""
    sent = entry.get("body_sent")
    headers = JSON_HEADERS if not isinstance(sent, str) else FORM
    found = request(recovering.address, entry["method"], entry["path"], sent, headers)
    assert found.status == entry["status"]
    assert body_differences(entry, found, str(recovering.address)) == []
    assert (found.header("Location") or "") == location(entry, str(recovering.address))


def location(entry: dict[str, Any], address: str) -> str:
    told = dict(entry["headers"]).get("Location", "") if entry["headers"] else ""
    return str(told).replace("127.0.0.1:5050", address)


def body_differences(entry: dict[str, Any], found: Response, address: str) -> list[str]:
    recorded = entry["body"]
    if isinstance(recorded, str) and recorded.startswith("(omitted"):
        return []
    if isinstance(recorded, str):
        return [] if found.body == recorded else [f"recorded {recorded!r}, found {found.body!r}"]
    text = json.dumps(recorded).replace("127.0.0.1:5050", address)
    return OWN_WAY.differences(json.loads(text), found.json())
