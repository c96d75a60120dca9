"""Election through a real ZooKeeper: Mesos' znodes, one leader, and what a lost session means."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError

from pocket_mesos.election import (
    SessionState,
    ZooKeeperContender,
    ZooKeeperDetector,
    ZooKeeperSession,
    master_info,
    parse_zookeeper,
)
from pocket_mesos.protocol.mesos import MasterInfo

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the conformance suite's harness
from conformance.pocket import HOST, free_port
from conformance.zookeeper import ZooKeeper

pytestmark = pytest.mark.integration

WAIT = 60.0
"""Until what is awaited counts as missing, on a busy machine too."""
SHORT_SECONDS = 5.0
"""For sessions that are to be lost soon, and not because the machine is busy."""
LONG_SECONDS = 5 * WAIT
"""For sessions that outlive everything: what comes about within WAIT has not waited for them."""


class Candidate:
    """One master's part in the election, in this process."""

    def __init__(self, zookeeper: ZooKeeper, name: str, auth: str, session: float) -> None:
        self.info = master_info(id_=name, ip="127.0.0.1", port=5050, hostname=name)
        address = parse_zookeeper(f"zk://{auth}{zookeeper.address}/lab/mesos")
        self.session = ZooKeeperSession(address, session)
        self.states: list[SessionState] = []
        self.session.listen(self.states.append)
        ZooKeeperContender(self.session, self.info)
        self.detector = ZooKeeperDetector(self.session)
        self.session.start()

    async def leader(self, previous: MasterInfo | None) -> str | None:
        """Return the name of the next leader that is seen."""
        found = await asyncio.wait_for(self.detector.detect(previous), WAIT)
        return None if found is None else found.id

    async def agrees(self, other: "Candidate") -> None:
        """Wait until both see the same leader; meanwhile each may see what is about to go."""
        async with asyncio.timeout(WAIT):
            while await self.leader(None) != await other.leader(None):  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def reached(self, state: SessionState) -> None:
        """Wait until the session has been in a state."""
        arrived = asyncio.Event()
        self.session.listen(lambda new: arrived.set() if new is state else None)
        if state not in self.states:
            await asyncio.wait_for(arrived.wait(), WAIT)

    async def stop(self) -> None:
        self.detector.stop()
        await self.session.stop()


@asynccontextmanager
async def candidates(
    zookeeper: ZooKeeper, *names: str, auth: str = "", session: float = LONG_SECONDS
) -> AsyncIterator[list[Candidate]]:
    """Candidates in the order in which they entered."""
    made: list[Candidate] = []
    try:
        for name in names:
            made.append(Candidate(zookeeper, name, auth, session))
            await made[-1].leader(None)
            await _children(zookeeper, lambda found: len(found) == len(made))
        yield made
    finally:
        for one in made:
            await one.stop()


async def _children(zookeeper: ZooKeeper, wanted: Callable[[list[str]], bool]) -> list[str]:
    """Wait until the election's znodes are as wanted."""

    def look() -> list[str]:
        client = KazooClient(hosts=zookeeper.address)
        client.start()
        try:
            deadline = time.monotonic() + WAIT
            while time.monotonic() < deadline:
                found = sorted(client.get_children("/lab/mesos"))
                if wanted(found):
                    return found
                time.sleep(0.02)
            raise TimeoutError(found)
        finally:
            client.stop()
            client.close()

    return await asyncio.to_thread(look)


async def test_lowest_number_leads_and_the_next_one_follows(zookeeper: ZooKeeper) -> None:
    """All see the first as leader; when it ends, all see the second, at once."""
    names = ("first", "second", "third")
    async with candidates(zookeeper, *names) as (first, second, third):
        for one in (first, second, third):
            assert await one.leader(None) == "first"
        names = await _children(zookeeper, lambda found: len(found) == 3)
        assert all(re.fullmatch(r"json\.info_\d{10}", name) for name in names)
        await first.stop()
        for one in (second, third):
            assert await one.leader(first.info) == "second", "a clean end needs no timeout"


async def test_znodes_are_those_of_real_mesos(zookeeper: ZooKeeper) -> None:
    """Data, flags and ACL as a real master leaves them, nothing else under the path."""
    async with candidates(zookeeper, "m1"):
        (name,) = await _children(zookeeper, lambda found: len(found) == 1)
        client = KazooClient(hosts=zookeeper.address)
        client.start()
        try:
            data, stat = client.get(f"/lab/mesos/{name}")
            (acl,) = client.get_acls(f"/lab/mesos/{name}")[0]
        finally:
            client.stop()
            client.close()
    info = json.loads(data)
    assert list(info) == sorted(info)
    assert info["address"] == {"hostname": "m1", "ip": "127.0.0.1", "port": 5050}
    assert info["ip"] == 16777343
    assert stat.ephemeralOwner != 0
    assert (acl.perms, acl.id.scheme, acl.id.id) == (31, "world", "anyone")


async def test_credentials_keep_strangers_from_the_election(zookeeper: ZooKeeper) -> None:
    """With user:password@ everybody may read and only the masters may write."""
    async with candidates(zookeeper, "m1", auth="user:secret@"):
        await _children(zookeeper, lambda found: len(found) == 1)
        client = KazooClient(hosts=zookeeper.address)
        client.start()
        try:
            (name,) = client.get_children("/lab/mesos")
            assert client.get(f"/lab/mesos/{name}")[0]
            with pytest.raises(NoAuthError):
                client.delete(f"/lab/mesos/{name}")
            with pytest.raises(NoAuthError):
                client.create("/lab/mesos/json.info_", b"{}", ephemeral=True, sequence=True)
        finally:
            client.stop()
            client.close()


async def test_short_break_leaves_leadership_alone(zookeeper: ZooKeeper) -> None:
    """A server that dies and is back within the session's time: suspended, then as before."""
    async with candidates(zookeeper, "first", "second") as (first, second):
        before = await _children(zookeeper, lambda found: len(found) == 2)
        await asyncio.to_thread(zookeeper.close)
        await first.reached(SessionState.SUSPENDED)
        first.states.clear()  # before the server is back: the client is quick to find it
        await asyncio.to_thread(zookeeper.start)
        await first.reached(SessionState.CONNECTED)
        after = await _children(zookeeper, lambda found: len(found) == 2)
        assert after == before, "the same znodes, not new ones"
        assert SessionState.LOST not in first.states + second.states
        assert await first.leader(None) == "first"


async def test_long_break_means_nobody_leads_until_the_next_election(
    zookeeper: ZooKeeper,
) -> None:
    """Without word for a whole session, each takes its session for lost, and contends again."""
    async with candidates(zookeeper, "first", "second", session=SHORT_SECONDS) as (first, second):
        for one in (first, second):
            leader = await one.detector.detect(None)
            assert leader is not None
        zookeeper.freeze()
        for one in (first, second):
            await one.reached(SessionState.LOST)
            assert await one.leader(leader) is None
        zookeeper.thaw()
        await first.agrees(second)
        await _children(zookeeper, lambda found: len(found) == 2)


async def test_garbage_among_the_znodes_is_no_leader(zookeeper: ZooKeeper) -> None:
    """Unreadable data is an error in the log; other names are not looked at."""
    client = KazooClient(hosts=zookeeper.address)
    client.start()
    client.create("/lab/mesos/log_replicas", b"", makepath=True)
    client.create("/lab/mesos/json.info_", b"no json", ephemeral=True, sequence=True)
    candidate = Candidate(zookeeper, "m1", "", LONG_SECONDS)
    try:
        await _children(zookeeper, lambda found: len(found) == 3)
        await asyncio.sleep(0.2)
        assert candidate.session.state is SessionState.CONNECTED
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(candidate.detector.detect(None), 0.3)
        client.stop()
        assert await candidate.leader(None) == "m1"
    finally:
        await candidate.stop()
        client.stop()
        client.close()


# --- whole masters ---------------------------------------------------------------------------


class Master:
    """A mesos-master process."""

    def __init__(self, zookeeper: ZooKeeper, folder: Path, session: float = SHORT_SECONDS) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.log = folder / f"{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("mesos-master")),
                    f"--ip={HOST}",
                    f"--hostname={HOST}",
                    f"--port={self.port}",
                    f"--work_dir={folder / str(self.port)}",
                    f"--zk=zk://{zookeeper.address}/mesos",
                    "--quorum=2",
                    f"--zk_session_timeout={session:g}secs",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={k: v for k, v in os.environ.items() if not k.startswith("MESOS_")},
            )

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and JSON body; redirects are followed."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, None

    def sees_leader(self) -> str | None:
        """Return the leader's PID as this master knows it."""
        status, state = self.get("/state")
        return state["leader"] if status == 200 else None


@pytest.fixture
def masters(
    zookeeper: ZooKeeper, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[list[Master]]:
    """Three masters that agree on a leader, which comes first; the session is the parameter."""
    session = getattr(request, "param", SHORT_SECONDS)
    made = [Master(zookeeper, tmp_path, session) for _ in range(3)]
    try:
        leader = eventually(lambda: common_leader(made))
        yield sorted(made, key=lambda one: leader != f"master@{HOST}:{one.port}")
    finally:
        for one in made:
            one.process.kill()
            one.process.wait()


def common_leader(masters: list[Master]) -> str | None:
    """Return the leader's PID if all these masters see the same one."""
    seen = {one.sees_leader() for one in masters}
    return seen.pop() if len(seen) == 1 else None


def is_replaced(leader: Master, others: list[Master]) -> bool:
    """Say whether all the others see one leader, another than before."""
    return common_leader(others) not in (None, f"master@{HOST}:{leader.port}")


def eventually(probe: Callable[[], Any]) -> Any:
    """Return what ``probe`` gives as soon as it gives something."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"{probe} gave nothing within {WAIT:g} seconds")


def test_masters_go_on_after_their_leader_was_killed(masters: list[Master]) -> None:
    """kill -9: another leads once the session is over, and all the others say so."""
    leader, *others = masters
    leader.process.kill()
    eventually(lambda: is_replaced(leader, others))


@pytest.mark.parametrize("masters", [LONG_SECONDS], indirect=True)
def test_leader_that_ends_hands_over_at_once(masters: list[Master]) -> None:
    """SIGTERM: a clean end, status 0, and no waiting for a timeout."""
    leader, *others = masters
    leader.process.send_signal(signal.SIGTERM)
    assert leader.process.wait(WAIT) == 0
    eventually(lambda: is_replaced(leader, others))


def test_leader_that_lost_its_session_exits_and_followers_wait(
    masters: list[Master], zookeeper: ZooKeeper
) -> None:
    """Without ZooKeeper nobody can know who leads: the leader ends itself, the others say 503."""
    leader, *others = masters
    zookeeper.freeze()
    try:
        assert leader.process.wait(WAIT) == 1
        assert "Lost leadership" in leader.log.read_text()
        for one in others:
            eventually(lambda one=one: one.get("/state") == (503, "No leader elected"))
            assert one.process.poll() is None
    finally:
        zookeeper.thaw()
    eventually(lambda: common_leader(others))


def test_suspended_leader_decides_nothing_until_it_knows(
    zookeeper: ZooKeeper, tmp_path: Path
) -> None:
    """Requests wait while the session may be lost, and are answered when it is not."""
    leader = Master(zookeeper, tmp_path, session=LONG_SECONDS)
    try:
        own = eventually(leader.sees_leader)
        zookeeper.close()
        eventually(lambda: "SUSPENDED" in leader.log.read_text())
        with pytest.raises(TimeoutError):
            urllib.request.urlopen(f"{leader.url}/state", timeout=0.3)
        zookeeper.start()
        assert eventually(leader.sees_leader) == own, leader.log.read_text()
        assert "Lost leadership" not in leader.log.read_text()
    finally:
        leader.process.kill()
        leader.process.wait()


def test_stopped_leader_that_wakes_up_late_does_not_lead(masters: list[Master]) -> None:
    """A leader that slept through its session exits when it wakes; there is one leader."""
    leader, *others = masters
    leader.process.send_signal(signal.SIGSTOP)
    try:
        eventually(lambda: is_replaced(leader, others))
    finally:
        leader.process.send_signal(signal.SIGCONT)
    assert leader.process.wait(WAIT) == 1
