"""Several masters: who leads, what the others answer, and what a leader's death does.

Needs more than one master: those in MESOS_MASTER that do not lead, or a cluster of the
suite's own with a real ZooKeeper.
"""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from . import ha, pymesos_run, transcripts, zookeeper
from .cluster import Cluster, NoClusterError, eventually
from .conftest import GIVEN
from .custom_executor import RUNNING, executor_info, executor_task
from .expect import from_executor, reconciled
from .pocket import HOST, PocketCluster
from .scheduler import Scheduler, command_task
from .test_draining import decide, drained_problems, is_drained, listed
from .wire import JSON_HEADERS, Address, Response, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .pocket import Daemon
    from .scheduler import Json

FOLLOWER = "ha/non_leader_responses.json"
LEADERLESS = "ha/no_leader_503.json"
FAILOVER = "ha/scheduler_during_leader_failover.json"
SESSION = "8secs"  # a shorter session than Mesos' 10 s, so that a death is noticed sooner
LATEST = reconciled("TASK_RUNNING", "Latest task state")


class HighlyAvailable:
    """Three masters, one agent, and the ZooKeeper that they elect their leader by."""

    def __init__(self) -> None:
        self.processes = PocketCluster()
        self.zookeeper = zookeeper.ZooKeeper(self.processes.run)
        for _ in range(3):
            self.start_master(self.zookeeper.url)
        self.processes.start_agent(self.zookeeper.url)
        self.cluster = self.processes.cluster()

    def start_master(self, url: str) -> Address:
        """Start a master that asks this ZooKeeper."""
        flags = {"zk": url, "quorum": "2", "zk_session_timeout": SESSION}
        return self.processes.start_master(**flags).address

    def followers(self) -> list[Address]:
        """The masters that do not lead."""
        found = [daemon.address for daemon in self.processes.masters]
        return [address for address in found if address != self.cluster.master]

    def leader(self) -> Daemon:
        """The process of the leader."""
        found = (item for item in self.processes.masters if item.address == self.cluster.master)
        return next(found)

    def close(self) -> None:
        """End everything."""
        self.processes.close()
        self.zookeeper.close()


@pytest.fixture(scope="module")
def highly_available() -> Iterator[HighlyAvailable]:
    """A cluster of several masters of the suite's own."""
    if GIVEN:
        pytest.skip("kills masters; the cluster given by MESOS_MASTER is not the suite's to harm")
    if reason := zookeeper.missing():
        pytest.skip(f"no ZooKeeper server to run: {reason}")
    cluster = None
    try:
        cluster = HighlyAvailable()
        yield cluster
    except NoClusterError as error:
        pytest.fail(str(error))
    finally:
        if cluster:
            cluster.close()


@pytest.fixture(scope="module")
def follower(request: pytest.FixtureRequest) -> Address:
    """A master that does not lead."""
    if not GIVEN:
        found: HighlyAvailable = request.getfixturevalue("highly_available")
        return found.followers()[0]
    cluster: Cluster = request.getfixturevalue("anywhere")
    others = [address for address in cluster.given if is_follower(address)]
    if not others:
        pytest.skip("MESOS_MASTER names no master that does not lead")
    return others[0]


def is_follower(address: Address) -> bool:
    return request(address, "GET", "/state").status == 307


def ask(address: Address, wanted: ha.Request) -> Response:
    headers = JSON_HEADERS if wanted.body is not None else None
    return request(address, wanted.method, wanted.path, wanted.body, headers)


@pytest.mark.transcript(FOLLOWER)
@pytest.mark.parametrize("wanted", ha.REQUESTS, ids=str)
def test_follower(follower: Address, wanted: ha.Request) -> None:
    """A master that does not lead redirects to the one that does, path and query kept."""
    told = request(follower, "GET", "/redirect").header("Location") or ""
    names = {"LEADER": told.removeprefix("//")}
    assert names["LEADER"]
    assert wanted.follower.problems(ask(follower, wanted), names) == []


@pytest.mark.transcript("ha/leader_responses.json")
def test_all_masters_name_one_leader(highly_available: HighlyAvailable) -> None:
    """Leader and followers redirect to the same place, which leads."""
    masters = [daemon.address for daemon in highly_available.processes.masters]
    told = {request(master, "GET", "/redirect").header("Location") for master in masters}
    assert told == {f"//{highly_available.cluster.master}"}
    leading = [master for master in masters if request(master, "GET", "/state").status == 200]
    assert leading == [highly_available.cluster.master]


RAW = "ha/redirect_raw.txt"
REDIRECT_HEADERS = [("Date", None), ("Location", "//$LEADER/master/state"), ("Content-Length", "0")]


def redirect_problems(found: Response, leader: str) -> list[str]:
    """Hold a redirect's headers, their order included, against what they must be."""
    wanted = [
        (name, value and value.replace("$LEADER", leader)) for name, value in REDIRECT_HEADERS
    ]
    seen = [(name, None if name == "Date" else value) for name, value in found.headers]
    return [] if (found.status, seen, found.body) == (307, wanted, "") else [f"{found}"]


@pytest.mark.transcript(RAW)
def test_redirect_on_the_wire(follower: Address) -> None:
    """Date, Location, Content-Length, and no body: some clients read no further."""
    leader = (request(follower, "GET", "/redirect").header("Location") or "").removeprefix("//")
    assert redirect_problems(request(follower, "GET", "/master/state"), leader) == []


@transcripts.recorded
@pytest.mark.transcript(RAW)
def test_real_mesos_redirects_so_on_the_wire() -> None:
    """The recorded bytes are those asserted here."""
    lines = (transcripts.ROOT / RAW).read_text().replace("\\r\\n", "").splitlines()
    headers = tuple(tuple(line.split(": ", 1)) for line in lines[1:] if line)
    found = Response(int(lines[0].split()[1]), "Temporary Redirect", headers, "")
    assert redirect_problems(found, "127.0.0.1:5052") == []


@pytest.fixture(scope="module")
def leaderless(highly_available: HighlyAvailable) -> Iterator[Address]:
    """A master whose ZooKeeper is not there."""
    lonely = PocketCluster()
    with socket.socket() as held:
        held.bind((HOST, 0))  # and never listens: whoever connects is refused
        url = f"zk://{HOST}:{held.getsockname()[1]}/mesos"
        try:
            yield lonely.start_master(zk=url, quorum="2").address
        finally:
            lonely.close()


@pytest.mark.transcript(LEADERLESS)
@pytest.mark.parametrize("wanted", ha.REQUESTS, ids=str)
def test_master_without_leader(leaderless: Address, wanted: ha.Request) -> None:
    """A master that knows no leader says so with 503, and still serves what is its own."""
    assert wanted.leaderless.problems(ask(leaderless, wanted)) == []


@pytest.mark.transcript("ha/znodes.json")
def test_pymesos_finds_the_leader(highly_available: HighlyAvailable) -> None:
    """Unmodified PyMesos finds the leader by the zk:// address, and runs its tasks there."""
    result = pymesos_run.run(highly_available.cluster, highly_available.zookeeper.url)
    assert pymesos_run.problems(result) == []


ALLOWED_MEANWHILE = {
    (307, ""),
    (503, "No leader elected"),
    (503, "Master has not finished recovery"),
}


def resubscribe(masters: list[Address], info: Json) -> tuple[Scheduler, set[tuple[int, str]]]:
    """Subscribe wherever it works; return the other answers that came before."""
    refusals: set[tuple[int, str]] = set()

    def attempt() -> Scheduler | None:
        for master in masters:
            try:
                scheduler = Scheduler(master, info)
            except OSError:
                continue
            if scheduler.head.status == 200:
                return scheduler
            refusals.add((scheduler.head.status, scheduler.head.body))
        return None

    found: Scheduler = eventually(attempt, "a new leader", patience=90)
    return found, refusals


@pytest.mark.documented("docs/maintenance")
def test_the_next_leader_leaves_a_drained_agent_alone(highly_available: HighlyAvailable) -> None:
    """What operators decided about an agent outlives the leader that they told."""
    cluster = highly_available.cluster
    agent_id = cluster.agent.agent_id
    decide(cluster.master, "DRAIN_AGENT", agent_id, max_grace_period={"seconds": 3})
    eventually(lambda: is_drained(cluster.master, agent_id), "the agent drained")
    followers = highly_available.followers()
    killed = highly_available.leader()
    killed.kill()
    scheduler, _ = resubscribe(followers, cluster.framework_info("next"))
    cluster.master = scheduler.master
    cluster.schedulers.append(scheduler)

    def returned() -> Json | None:
        found = cluster.get("/slaves").json()["slaves"]
        return next((item for item in found if item["id"] == agent_id), None)

    shown = eventually(returned, "the agent re-registered")
    assert drained_problems(listed(cluster.master, agent_id), shown) == []
    decide(cluster.master, "REACTIVATE_AGENT", agent_id)
    scheduler.agent_id = agent_id
    scheduler.offer()
    assert [event.kind for event in scheduler.events].count("OFFERS") == 1
    assert cluster.teardown() == []
    killed.start()
    killed.wait_serving()


@pytest.mark.transcript(FAILOVER)
def test_leader_failover(highly_available: HighlyAvailable) -> None:
    """When the leader dies a follower takes over; frameworks and agents return, tasks run on."""
    cluster = highly_available.cluster
    agent_id = cluster.agent.agent_id
    before = cluster.subscribe("ha", checkpoint=True, failover_timeout=600.0)
    executor = executor_info("ha-executor", before.framework_id)
    before.launch(
        before.offer(cpus=0.3, mem=96),
        command_task("ha-task", agent_id, "sleep 1000"),
        executor_task("ha-own", agent_id, executor, RUNNING),
    )
    for task_id in ("ha-task", "ha-own"):
        before.wait_status(task_id, "TASK_RUNNING")
    followers = highly_available.followers()
    killed = highly_available.leader()
    killed.kill()
    assert before.wait_ended() == "connection closed"

    after, refusals = resubscribe(followers, before.info_with_id())
    cluster.master = after.master
    cluster.schedulers[:] = [after]
    assert refusals <= ALLOWED_MEANWHILE
    assert after.framework_id == before.framework_id
    leader, former = (item.wait_kind("SUBSCRIBED")["master_info"] for item in (after, before))
    assert leader["id"] != former["id"]
    assert leader["port"] == after.master.port

    def agent_back() -> Json | None:
        found = cluster.get("/slaves").json()["slaves"]
        return next((item for item in found if item["id"] == agent_id and item["active"]), None)

    assert eventually(agent_back, "the agent re-registered")["reregistered_time"] > 0
    known = [{"task_id": {"value": name}, "agent_id": {"value": agent_id}} for name in TASKS]
    after.reconcile(*known)
    for task_id in TASKS:
        assert LATEST.problems(after.wait_answer(task_id)) == []
    after.send(agent_id, "ha-executor", b"still there")
    assert after.wait_kind("MESSAGE")["executor_id"]["value"] == "ha-executor"
    after.kill("ha-task")
    end = from_executor("TASK_KILLED", "Command terminated with signal Terminated")
    told = after.wait_status("ha-task", "TASK_KILLED")
    assert end.problems(told) == []
    assert cluster.teardown() == []

    killed.start()
    killed.wait_serving()
    new_leader = f"//{cluster.master}"
    redirected = eventually(
        lambda: request(killed.address, "GET", "/redirect").header("Location"), "a redirection"
    )
    assert redirected == new_leader, "who comes back does not lead again"


TASKS = ("ha-task", "ha-own")


# The same expectations, held against recordings.


def recorded_answer(name: str, wanted: ha.Request) -> Response:
    for entry in transcripts.load(name)["requests"]:
        asked: Any = (entry["method"], entry["path"], entry.get("body_sent"))
        if asked == (wanted.method, wanted.path, wanted.body):
            return transcripts.response(entry)
    raise LookupError(f"{name} has no {wanted}")


@transcripts.recorded
@pytest.mark.transcript(FOLLOWER)
@pytest.mark.parametrize("wanted", ha.REQUESTS, ids=str)
def test_real_mesos_redirects_so(wanted: ha.Request) -> None:
    """A real follower gave the expected answer to this very request."""
    found = recorded_answer(FOLLOWER, wanted)
    assert wanted.follower.problems(found, {"LEADER": "127.0.0.1:5052"}) == []


@transcripts.recorded
@pytest.mark.transcript(LEADERLESS)
@pytest.mark.parametrize("wanted", ha.REQUESTS, ids=str)
def test_real_mesos_without_leader(wanted: ha.Request) -> None:
    """A real master without a leader gave the expected answer to this very request."""
    assert wanted.leaderless.problems(recorded_answer(LEADERLESS, wanted)) == []


@transcripts.recorded
@pytest.mark.transcript(FAILOVER)
def test_real_mesos_survives_its_leader_so() -> None:
    """The recorded failover shows the ends, answers and statuses asserted here."""
    whole = transcripts.load(FAILOVER)["steps"]
    (closed,) = (step["closed"] for step in whole if "closed" in step)
    assert "connection closed" in closed
    answers = [step["response"] for step in whole if "subscribe_to" in step]
    refusals = {(item["status"], item["body"]) for item in answers if item["status"] != 200}
    assert refusals <= ALLOWED_MEANWHILE
    told = [item for item in transcripts.updates(FAILOVER, "ha-task") if "uuid" not in item]
    assert told
    assert [LATEST.problems(item) for item in told] == [[] for _ in told]
    assert json.dumps(whole).count('"reregistered_time"') >= 1
