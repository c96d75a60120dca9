"""The registry in a real ZooKeeper: what survives leaders and masters, and who may not write."""

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
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
from pocket_mesos.registry import records
from pocket_mesos.registry.errors import CorruptRecordError, FencedError
from pocket_mesos.registry.records import Key
from pocket_mesos.registry.registrar import Registrar
from pocket_mesos.registry.zookeeper import ZooKeeperStore

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the conformance suite's harness
from conformance.pocket import HOST, free_port
from conformance.zookeeper import ZooKeeper

pytestmark = pytest.mark.integration

WAIT = 240.0
"""Until what is awaited counts as missing, on a busy machine too."""
SHORT_SECONDS = 10.0
"""For sessions that are to be lost soon, and not because the machine is busy."""
LONG_SECONDS = 2 * WAIT
ROOT = "/lab/mesos/log_replicas/registry"


@contextmanager
def visitor(zookeeper: ZooKeeper) -> Iterator[KazooClient]:
    """Somebody without account."""
    client = KazooClient(hosts=zookeeper.address)
    client.start()
    try:
        yield client
    finally:
        client.stop()
        client.close()


@asynccontextmanager
async def leader(
    zookeeper: ZooKeeper, name: str = "m1", auth: str = "", session: float = LONG_SECONDS
) -> AsyncIterator[ZooKeeperSession]:
    """A session that stands for election; the first one leads."""
    address = parse_zookeeper(f"zk://{auth}{zookeeper.address}/lab/mesos")
    made = ZooKeeperSession(address, session)
    info = master_info(id_=name, ip="127.0.0.1", port=5050, hostname=name)
    ZooKeeperContender(made, info)
    detector = ZooKeeperDetector(made)
    made.start()
    try:
        assert await asyncio.wait_for(detector.detect(None), WAIT) is not None
        yield made
    finally:
        detector.stop()
        await made.stop()


def registrar(session: ZooKeeperSession) -> Registrar:
    return Registrar(ZooKeeperStore(session), fetch_timeout=WAIT, store_timeout=WAIT)


def weight(role: str, data: bytes | None) -> tuple[Key, bytes | None]:
    return (records.WEIGHTS, role), data


def kept(fetched: dict[Key, bytes]) -> dict[str, bytes]:
    return {name: data for (kind, name), data in fetched.items() if kind == records.WEIGHTS}


def eventually(probe: Callable[[], Any]) -> Any:
    """Return what ``probe`` gives as soon as it gives something."""
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        found = probe()
        if found:
            return found
        time.sleep(0.05)
    raise TimeoutError(f"{probe} gave nothing within {WAIT:g} seconds")


# --- the store ----------------------------------------------------------------------------------


async def test_one_znode_for_each_record(zookeeper: ZooKeeper) -> None:
    """Written, changed and deleted; names that are no names of znodes are written differently."""
    async with leader(zookeeper) as session:
        store = ZooKeeperStore(session)
        assert await store.fetch() == {}
        await store.write([[weight("eng/web", b"1"), weight("*", b"2")], [weight("dev", b"3")]])
        await store.write([[weight("dev", b"4")], [weight("*", None), weight("nobody", None)]])
    with visitor(zookeeper) as client:
        assert sorted(client.get_children(f"{ROOT}/weights")) == ["dev", "eng%2Fweb"]
        assert client.get(f"{ROOT}/weights/dev")[0] == b"4"
        assert client.get_children("/lab/mesos") == ["log_replicas"], "PyMesos passes that by"
    async with leader(zookeeper, "m2") as session:
        assert kept(await ZooKeeperStore(session).fetch()) == {"eng/web": b"1", "dev": b"4"}


async def test_more_than_one_transaction_holds(zookeeper: ZooKeeper) -> None:
    """Many records, and large ones: a server refuses a request of more than 1 MB."""
    many = [[weight(f"r{number}", b"x" * 1000)] for number in range(3000)]
    large = [[weight(f"l{number}", b"y" * records.MAX_BYTES)] for number in range(3)]
    one_operation = [[weight(f"o{number}", b"z" * 2000) for number in range(1500)]]
    async with leader(zookeeper) as session:
        store = ZooKeeperStore(session)
        await store.fetch()
        await store.write([*many, *large, *one_operation])
    async with leader(zookeeper, "m2") as session:
        found = kept(await ZooKeeperStore(session).fetch())
    assert len(found) == 4503
    assert set(map(len, found.values())) == {1000, 2000, records.MAX_BYTES}


async def test_a_deposed_leader_writes_nothing(zookeeper: ZooKeeper) -> None:
    """Its own znode of the election is gone, though its session lives and it knows nothing yet."""
    async with leader(zookeeper) as first:
        store = ZooKeeperStore(first)
        await store.fetch()
        await store.write([[weight("dev", b"1")]])
        with visitor(zookeeper) as client:
            (seat,) = [n for n in client.get_children("/lab/mesos") if n.startswith("json.info_")]
            client.delete(f"/lab/mesos/{seat}")
        async with leader(zookeeper, "m2") as second:
            successor = ZooKeeperStore(second)
            assert kept(await successor.fetch()) == {"dev": b"1"}
            assert first.state is SessionState.CONNECTED
            for writes in ([weight("dev", b"2")], [weight("dev", None)], [weight("ops", b"2")]):
                with pytest.raises(FencedError, match=seat):
                    await store.write([writes])
            await successor.write([[weight("ops", b"3")]])
            assert kept(await successor.fetch()) == {"dev": b"1", "ops": b"3"}


async def test_who_does_not_lead_cannot_take_the_registry_over(
    zookeeper: ZooKeeper, caplog: pytest.LogCaptureFixture
) -> None:
    """It waits for its turn: a follower that believes to lead for a moment deposes nobody."""
    caplog.set_level(logging.INFO)
    async with leader(zookeeper) as first:
        store = ZooKeeperStore(first)
        await store.fetch()
        async with leader(zookeeper, "m2") as second:
            taking = asyncio.ensure_future(ZooKeeperStore(second).fetch())
            async with asyncio.timeout(WAIT):
                while not taking.done() and "another session's" not in caplog.text:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert not taking.done()
            await store.write([[weight("dev", b"1")]])
            await first.stop()
            assert kept(await asyncio.wait_for(taking, WAIT)) == {"dev": b"1"}


async def test_a_write_outlives_a_lost_connection(zookeeper: ZooKeeper) -> None:
    """Whether it came through or not, afterwards it is there once, and later ones too."""
    async with leader(zookeeper) as session:
        store = ZooKeeperStore(session)
        await store.fetch()
        await store.write([[weight("dev", b"1")]])
        zookeeper.freeze()
        # Sent, and not answered: the server does it when it is awake, to no one.
        writing = asyncio.ensure_future(
            store.write([[weight("dev", None)], [weight("ops", b"2")], [weight("new", b"3")]])
        )
        await asyncio.sleep(0.2)
        session.client._connection._socket.shutdown(socket.SHUT_RDWR)
        zookeeper.thaw()
        await asyncio.wait_for(writing, WAIT)
        await store.write([[weight("ops", b"4")]])
        assert kept(await store.fetch()) == {"ops": b"4", "new": b"3"}


async def test_a_server_that_restarts_is_waited_for(zookeeper: ZooKeeper) -> None:
    """A write during the break is done after it, in the same session."""
    # A client that reaches a server which is just starting waits for a third of the session.
    async with leader(zookeeper, session=WAIT / 4) as session:
        store = ZooKeeperStore(session)
        await store.fetch()
        await asyncio.to_thread(zookeeper.close)
        writing = asyncio.ensure_future(store.write([[weight("dev", b"1")]]))
        await asyncio.to_thread(zookeeper.start)
        await asyncio.wait_for(writing, WAIT)
        assert kept(await store.fetch()) == {"dev": b"1"}


async def test_what_somebody_deleted_by_hand_is_written_again(zookeeper: ZooKeeper) -> None:
    """The store notices that a record is not as it left it."""
    async with leader(zookeeper) as session:
        store = ZooKeeperStore(session)
        await store.fetch()
        await store.write([[weight("dev", b"1"), weight("ops", b"1")]])
        with visitor(zookeeper) as client:
            client.delete(f"{ROOT}/weights/dev")
            client.create(f"{ROOT}/weights/new", b"9")
        await store.write([[weight("dev", b"2"), weight("ops", None), weight("new", b"2")]])
        assert kept(await store.fetch()) == {"dev": b"2", "new": b"2"}


async def test_only_masters_may_write_where_there_are_accounts(zookeeper: ZooKeeper) -> None:
    """Records have the election's ACL; folders too, so that nobody else can add one."""
    async with leader(zookeeper, auth="user:secret@") as session:
        store = ZooKeeperStore(session)
        await store.fetch()
        await store.write([[weight("dev", b"1")]])
        with visitor(zookeeper) as client:
            assert client.get(f"{ROOT}/weights/dev")[0] == b"1"
            for act in (
                lambda: client.set(f"{ROOT}/weights/dev", b"2"),
                lambda: client.delete(f"{ROOT}/weights/dev"),
                lambda: client.create(f"{ROOT}/gone/agent", b"{}"),
                lambda: client.create(f"{ROOT}/other", b"{}"),
                lambda: client.create("/lab/mesos/log_replicas/other", b"{}"),
            ):
                with pytest.raises(NoAuthError):
                    act()


async def test_a_corrupt_znode_is_named(zookeeper: ZooKeeper) -> None:
    """So that somebody can look, and mend or delete it."""
    async with leader(zookeeper) as session:
        await ZooKeeperStore(session).fetch()
        with visitor(zookeeper) as client:
            client.create(f"{ROOT}/gone/m1-S0", b"{}")
        with pytest.raises(CorruptRecordError, match=f"{ROOT}/gone/m1-S0 is unreadable"):
            await registrar(session).recover(master_info(id_="m1", ip=HOST, port=1, hostname="h"))


SLEEPER = """
import asyncio, sys
from pocket_mesos.election import (
    ZooKeeperContender, ZooKeeperDetector, ZooKeeperSession, master_info, parse_zookeeper
)
from pocket_mesos.registry.zookeeper import ZooKeeperStore

async def main():
    session = ZooKeeperSession(parse_zookeeper(sys.argv[1]), float(sys.argv[2]))
    ZooKeeperContender(session, master_info(id_="late", ip="127.0.0.1", port=1, hostname="h"))
    detector = ZooKeeperDetector(session)
    session.start()
    await detector.detect(None)
    store = ZooKeeperStore(session)
    await store.fetch()
    await store.write([[(("weights", "dev"), b"early")]])
    print("leads", flush=True)
    sys.stdin.readline()
    try:
        await store.write([[(("weights", "dev"), b"late")]])
        print("wrote", flush=True)
    except Exception as error:
        print(type(error).__name__, flush=True)

asyncio.run(main())
"""


async def test_a_leader_that_slept_writes_nothing_when_it_wakes(zookeeper: ZooKeeper) -> None:
    """Stopped between its decision and the write, and awake again when another leads."""
    url = f"zk://{zookeeper.address}/lab/mesos"
    sleeper = await asyncio.to_thread(
        subprocess.Popen,
        [sys.executable, "-c", SLEEPER, url, str(SHORT_SECONDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sleeper.stdin is not None and sleeper.stdout is not None
    try:
        assert await asyncio.to_thread(sleeper.stdout.readline) == "leads\n"
        sleeper.send_signal(signal.SIGSTOP)
        sleeper.stdin.write("write\n")
        sleeper.stdin.flush()
        async with leader(zookeeper, "m2") as session:
            store = ZooKeeperStore(session)
            assert kept(await asyncio.wait_for(store.fetch(), WAIT)) == {"dev": b"early"}
            await store.write([[weight("dev", b"new")]])
            sleeper.send_signal(signal.SIGCONT)
            assert await asyncio.to_thread(sleeper.stdout.readline) == "FencedError\n"
            assert kept(await store.fetch()) == {"dev": b"new"}
    finally:
        sleeper.kill()
        sleeper.wait()
        sleeper.stdin.close()
        sleeper.stdout.close()


# --- whole masters ------------------------------------------------------------------------------


class Daemon:
    """A daemon's process, started and killed as often as wanted."""

    log: Path
    process: subprocess.Popen[bytes]
    _command: list[str]

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={k: v for k, v in os.environ.items() if not k.startswith("MESOS_")},
            )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Master(Daemon):
    """A mesos-master process that can be started again."""

    def __init__(self, folder: Path, zk: str | None, **flags: str) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        self.log = folder / f"{self.port}.log"
        election = {"zk": zk, "quorum": "2", "zk_session_timeout": f"{SHORT_SECONDS:g}secs"}
        given = {
            "ip": HOST,
            "hostname": HOST,
            "port": str(self.port),
            "work_dir": str(folder / str(self.port)),
            **(election if zk else {}),
            **flags,
        }
        self._command = [
            str(Path(sys.executable).with_name("mesos-master")),
            *(f"--{name}={value}" for name, value in given.items()),
        ]
        self.start()

    def get(self, path: str) -> Any:
        """Return a JSON body as this master serves it; None when it does not."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", timeout=15) as answer:
                return json.load(answer)
        except (OSError, urllib.error.HTTPError):
            return None

    def call(self, type_: str, **fields: Any) -> int:
        """Make a call of the operator API; return the status."""
        body = json.dumps({"type": type_, type_.lower(): fields}).encode()
        asked = urllib.request.Request(
            f"{self.url}/api/v1", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(asked, timeout=WAIT) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def leads(self) -> bool:
        if self.process.poll() is not None:
            return False
        shown = self.get("/metrics/snapshot") or {}
        if shown.get("registrar/log/recovered") != 1.0:
            return False  # nor is it asked for more: it would lead to one that may be stopped
        state = self.get("/state")
        return bool(state and state["pid"] == state["leader"] == f"master@{HOST}:{self.port}")


class Agent(Daemon):
    """A mesos-agent process."""

    def __init__(self, folder: Path, name: str, master: str) -> None:
        self.log = folder / f"{name}.log"
        self._command = [
            str(Path(sys.executable).with_name("mesos-agent")),
            f"--ip={HOST}",
            f"--hostname={name}",
            f"--port={free_port()}",
            f"--work_dir={folder / name}",
            f"--runtime_dir={folder / name}-run",
            f"--master={master}",
            "--launcher=posix",
            "--isolation=posix/cpu,posix/mem",
            "--no-systemd_enable_support",
            "--resources=cpus:2;mem:512",
            "--registration_backoff_factor=100ms",
        ]
        self.start()


class Cluster:
    """Masters and agents."""

    def __init__(self, zookeeper: ZooKeeper | None, folder: Path, masters: int) -> None:
        self.zk = None if zookeeper is None else f"zk://{zookeeper.address}/mesos"
        self.folder = folder
        self.agents: list[Agent] = []
        self.masters = [
            Master(folder, self.zk, agent_ping_timeout="1secs", max_agent_ping_timeouts="6")
            for _ in range(masters)
        ]

    def leader(self) -> Master:
        """Return the master that leads, as soon as there is one that is ready."""
        found: Master = eventually(lambda: next((m for m in self.masters if m.leads()), None))
        return found

    def add_agent(self, name: str) -> str:
        """Start an agent; return its id when it is registered."""
        address = self.zk or f"{HOST}:{self.masters[0].port}"
        self.agents.append(Agent(self.folder, name, address))
        return str(eventually(lambda: self.active().get(name)))

    def active(self) -> dict[str, str]:
        """Return ids of active agents by host name."""
        found = self.leader().get("/slaves") or {"slaves": []}
        return {one["hostname"]: one["id"] for one in found["slaves"] if one["active"]}

    def registry(self) -> dict[str, Any]:
        return self.leader().get("/registrar(1)/registry") or {}

    def close(self) -> None:
        for one in (*self.agents, *self.masters):
            one.kill()


@pytest.fixture
def cluster(zookeeper: ZooKeeper, tmp_path: Path) -> Iterator[Cluster]:
    """Three masters."""
    made = Cluster(zookeeper, tmp_path, masters=3)
    try:
        yield made
    finally:
        made.close()


def ids(registry: dict[str, Any], where: str) -> list[str]:
    listed = registry[where].get("slaves", [])
    return sorted(
        one["id"]["value"] if "id" in one else one["info"]["id"]["value"] for one in listed
    )


def decide(cluster: Cluster) -> tuple[str, str, str]:
    """Have one agent stay, one gone and one lost, and give weights and quota."""
    stays, goes, lost = [cluster.add_agent(name) for name in ("stays", "goes", "lost")]
    leader = cluster.leader()
    cluster.agents[1].kill()  # before it hears that it is gone, so that it comes back
    assert leader.call("MARK_AGENT_GONE", agent_id={"value": goes}) == 200
    infos = [{"role": "dev", "weight": 2.5}]
    assert leader.call("UPDATE_WEIGHTS", weight_infos=infos) == 200
    config = {"role": "dev", "guarantees": {"cpus": {"value": 1.0}}}
    assert leader.call("UPDATE_QUOTA", force=True, quota_configs=[config]) == 200
    cluster.agents[2].kill()
    eventually(lambda: ids(cluster.registry(), "unreachable") == [lost])
    return stays, goes, lost


def check(cluster: Cluster, stays: str, goes: str, lost: str, since: Any) -> None:
    """Find all of it under the present leader."""
    eventually(lambda: cluster.active() == {"stays": stays})
    leader, registry = cluster.leader(), cluster.registry()
    assert ids(registry, "slaves") == [stays]
    assert ids(registry, "gone") == [goes]
    assert ids(registry, "unreachable") == [lost]
    assert registry["unreachable"]["slaves"][0]["timestamp"] == since
    assert registry["master"]["info"]["port"] == leader.port
    assert leader.get("/state")["unreachable_slaves"] == 1
    assert leader.get("/weights") == [{"role": "dev", "weight": 2.5}]
    (config,) = leader.get("/quota")["configs"]
    assert config == {"role": "dev", "guarantees": {"cpus": {"value": 1.0}}}
    gone = cluster.agents[1]
    gone.start()
    assert gone.process.wait(WAIT) == 0
    assert "has been marked gone" in gone.log.read_text()
    cluster.agents[2].start()
    eventually(lambda: cluster.active().get("lost") == lost)
    assert ids(cluster.registry(), "unreachable") == []


def unreachable_since(cluster: Cluster) -> Any:
    return cluster.registry()["unreachable"]["slaves"][0]["timestamp"]


def test_the_next_leader_knows_what_the_killed_one_knew(cluster: Cluster) -> None:
    """kill -9: gone agents stay gone, unreachable ones unreachable, weights and quota hold."""
    known = decide(cluster)
    since = unreachable_since(cluster)
    killed = cluster.leader()
    killed.kill()
    cluster.masters.remove(killed)
    check(cluster, *known, since)


def test_all_masters_may_restart(cluster: Cluster) -> None:
    """Nobody was left who knew, but for ZooKeeper."""
    known = decide(cluster)
    since = unreachable_since(cluster)
    for one in cluster.masters:
        one.kill()
    for one in cluster.masters:
        one.start()
    check(cluster, *known, since)


def test_a_master_that_stands_alone_may_restart(tmp_path: Path) -> None:
    """Its work folder knows."""
    cluster = Cluster(None, tmp_path, masters=1)
    try:
        known = decide(cluster)
        since = unreachable_since(cluster)
        cluster.masters[0].kill()
        cluster.masters[0].start()
        check(cluster, *known, since)
    finally:
        cluster.close()


def test_a_stopped_leader_that_is_asked_and_wakes_late_changes_nothing(cluster: Cluster) -> None:
    """What it was asked while it was stopped it refuses, or never answers; then it exits."""
    late = cluster.leader()
    assert late.call("UPDATE_WEIGHTS", weight_infos=[{"role": "dev", "weight": 2.0}]) == 200
    body = json.dumps(
        {
            "type": "UPDATE_WEIGHTS",
            "update_weights": {"weight_infos": [{"role": "dev", "weight": 9}]},
        }
    )
    late.process.send_signal(signal.SIGSTOP)
    try:
        with socket.create_connection((HOST, late.port), timeout=WAIT) as connection:
            connection.sendall(
                f"POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
            )
            cluster.masters.remove(late)
            leader = cluster.leader()
            asked = [{"role": "ops", "weight": 3.0}]
            assert leader.call("UPDATE_WEIGHTS", weight_infos=asked) == 200
            late.process.send_signal(signal.SIGCONT)
            answer = b""
            with suppress(ConnectionError):
                answer = connection.recv(1000)
            assert b" 200 " not in answer
        assert late.process.wait(WAIT) == 1
    finally:
        late.kill()
    weights = [{"role": "dev", "weight": 2.0}, {"role": "ops", "weight": 3.0}]
    assert leader.get("/weights") == weights
    for one in cluster.masters:
        one.kill()
    for one in cluster.masters:
        one.start()
    assert cluster.leader().get("/weights") == weights


def test_a_corrupt_record_stops_the_master_that_would_lead(
    zookeeper: ZooKeeper, tmp_path: Path
) -> None:
    """It names the znode; once that is gone, a master leads."""
    path = "/mesos/log_replicas/registry/agents/broken"
    with visitor(zookeeper) as client:
        client.create(path, b"no json", makepath=True)
        master = Master(tmp_path, f"zk://{zookeeper.address}/mesos")
        try:
            assert master.process.wait(WAIT) == 1
            told = master.log.read_text()
            assert "Recovery failed: Failed to recover registrar: Registry record " + path in told
            client.delete(path)
            master.start()
            eventually(master.leads)
        finally:
            master.kill()


def test_a_registry_in_memory_is_forgotten(tmp_path: Path) -> None:
    """--registry=in_memory, and no --quorum needed."""
    master = Master(tmp_path, None, registry="in_memory")
    try:
        eventually(master.leads)
        assert master.call("UPDATE_WEIGHTS", weight_infos=[{"role": "dev", "weight": 2.0}]) == 200
        assert master.get("/weights") == [{"role": "dev", "weight": 2.0}]
        master.kill()
        master.start()
        eventually(master.leads)
        assert master.get("/weights") == []
        assert not (tmp_path / str(master.port) / "registry.sqlite").exists()
    finally:
        master.kill()
