"""The registrar and the stores that need no server: what is safe when, and what is refused."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from pocket_mesos.election import master_info
from pocket_mesos.protocol.mesos import AgentID, AgentInfo, MasterInfo
from pocket_mesos.protocol.sharing import WeightInfo
from pocket_mesos.registry import records
from pocket_mesos.registry.disk import NAME, DiskStore
from pocket_mesos.registry.errors import CorruptRecordError, RegistryError
from pocket_mesos.registry.memory import MemoryStore
from pocket_mesos.registry.records import AdmittedAgent, Capability, Change, Key, Registry
from pocket_mesos.registry.registrar import Registrar
from pocket_mesos.registry.store import Store, Write

INFO = master_info(id_="m1", ip="127.0.0.1", port=5050, hostname="127.0.0.1")
FOREVER = 3600.0


def registrar(store: Store, *, fetch: float = FOREVER, store_: float = FOREVER) -> Registrar:
    return Registrar(store, fetch_timeout=fetch, store_timeout=store_)


def weight(role: str, value: float | None) -> Change:
    record = None if value is None else WeightInfo(role=role, weight=value)
    return Change(kind=records.WEIGHTS, key=role, record=record)


def weights(registry: Registry) -> dict[str, float]:
    return {role: one.weight for role, one in registry.of(records.WEIGHTS, WeightInfo).items()}


async def written(registry: Registrar, *operations: list[Change]) -> None:
    """Have operations written, and wait until all are."""
    done = [asyncio.Event() for _ in operations]
    work = asyncio.ensure_future(registry.run(lambda _: None))
    for changes, safe in zip(operations, done, strict=True):
        registry.apply(changes, safe.set)
    await asyncio.gather(*(one.wait() for one in done))
    work.cancel()


class SlowStore(MemoryStore):
    """Writes when it is told to."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        """How many operations each write had, from the leader's own on."""
        self.begun = asyncio.Event()
        self.release = asyncio.Event()
        self.release.set()

    async def write(self, operations: Sequence[Sequence[Write]]) -> None:
        self.batches.append(len(operations))
        self.begun.set()
        await self.release.wait()


class HungStore(MemoryStore):
    """Answers nothing."""

    async def fetch(self) -> dict[Key, bytes]:
        return await asyncio.Future()


# --- registrar ----------------------------------------------------------------------------------


async def test_what_comes_during_a_write_is_written_together() -> None:
    """A hundred agents that register at once cost two writes, and each is told in its turn."""
    store = SlowStore()
    one = registrar(store)
    await one.recover(INFO)
    work = asyncio.ensure_future(one.run(lambda _: None))
    store.release.clear()
    store.begun.clear()
    told: list[int] = []
    all_told = asyncio.Event()
    one.apply([weight("r0", 1.0)], lambda: told.append(0))
    await store.begun.wait()
    for number in range(1, 100):
        one.apply([weight(f"r{number}", 1.0)], lambda number=number: told.append(number))
    one.apply([], all_told.set)
    assert (told, one.queued) == ([], 100)
    store.release.set()
    await all_told.wait()
    assert store.batches == [1, 1, 100]
    assert told == list(range(100))
    work.cancel()


async def test_a_flood_is_written_in_pieces() -> None:
    """registry_store_timeout is for a write, however many agents come at once."""
    store = SlowStore()
    one = registrar(store)
    await one.recover(INFO)
    await written(one, *([weight(f"r{number}", 1.0)] for number in range(2500)))
    assert store.batches == [1, 1000, 1000, 500]
    assert len(weights(one.registry)) == 2500


async def test_a_registry_that_cannot_be_read_in_time_is_an_error() -> None:
    """registry_fetch_timeout; the message is Mesos'."""
    with pytest.raises(RegistryError, match=r"^Failed to perform fetch within 10ms$"):
        await registrar(HungStore(), fetch=0.01).recover(INFO)


async def test_a_write_that_takes_too_long_is_an_error_and_not_done() -> None:
    """registry_store_timeout; nobody is told that it was safe."""
    store = SlowStore()
    one = registrar(store, store_=0.01)
    await one.recover(INFO)
    store.release.clear()
    told: list[str] = []
    one.apply([weight("dev", 2.0)], lambda: told.append("safe"))
    with pytest.raises(
        RegistryError, match=r"^Failed to update registry: Failed to perform store within 10ms$"
    ):
        await one.run(lambda _: None)
    assert (told, weights(one.registry)) == ([], {})


async def test_size_follows_the_records() -> None:
    """registrar/registry_size_bytes: what is there, not what ever was."""
    one = registrar(MemoryStore())
    await one.recover(INFO)
    empty = one.bytes
    assert empty > 0, "the leader's own record"
    await written(one, [weight("dev", 2.0), weight("ops", 2.0)])
    both = one.bytes
    await written(one, [weight("dev", 3.0), weight("ops", None)])
    assert empty < one.bytes < both
    await written(one, [weight("dev", None)])
    assert one.bytes == empty


async def test_a_registry_of_an_abler_master_is_refused() -> None:
    """minimum_capabilities: an older master must not lead by what it does not understand."""
    store = SlowStore()

    async def fetch() -> dict[Key, bytes]:
        return {(records.CAPABILITIES, "WISDOM"): b'{"capability":"WISDOM"}'}

    store.fetch = fetch  # type: ignore[method-assign]
    with pytest.raises(RegistryError, match="missing the following minimum capabilities: WISDOM"):
        await registrar(store).recover(INFO)
    assert store.batches == [], "nothing was written"


# --- disk ---------------------------------------------------------------------------------------


async def test_records_survive_on_disk(tmp_path: Path) -> None:
    """Written, changed and deleted; the next master finds what is left, and who led before."""
    first = registrar(DiskStore(tmp_path))
    await first.recover(INFO)
    agent = AdmittedAgent(info=AgentInfo(hostname="h", id=AgentID(value="a/b")))
    await written(
        first,
        [weight("dev", 2.0), weight("a/b", 3.0)],
        [weight("dev", 4.0), Change(kind=records.AGENTS, key="x", record=agent)],
        [weight("a/b", None)],
    )
    await first.close()
    second = registrar(DiskStore(tmp_path))
    registry = await second.recover(INFO)
    assert weights(registry) == {"dev": 4.0}
    assert registry.of(records.AGENTS, AdmittedAgent) == {"x": agent}
    assert registry.of(records.MASTER, MasterInfo) == {records.LEADER: INFO}
    assert second.bytes == first.bytes
    await second.close()


async def test_two_masters_cannot_have_one_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The second would overwrite what the first decides; it waits for the first one's end."""
    first, second = DiskStore(tmp_path), DiskStore(tmp_path)
    await first.fetch()
    waiting = asyncio.ensure_future(second.fetch())
    while "database is locked" not in caplog.text and not waiting.done():  # noqa: ASYNC110 - a log
        await asyncio.sleep(0.01)
    assert not waiting.done()
    await first.write([[((records.WEIGHTS, "dev"), b"1")]])
    await first.close()
    assert await waiting == {(records.WEIGHTS, "dev"): b"1"}
    await second.close()


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"role": "dev"}', b"\xff\xfe"])
async def test_a_corrupt_record_is_named(tmp_path: Path, data: bytes) -> None:
    """So that somebody can look, and mend or delete it."""
    store = DiskStore(tmp_path)
    await store.fetch()
    await store.write([[((records.WEIGHTS, "dev"), data)]])
    await store.close()
    again = DiskStore(tmp_path)
    with pytest.raises(CorruptRecordError, match=f"weights/dev in .*{NAME} is unreadable: "):
        await registrar(again).recover(INFO)
    await again.close()


async def test_a_file_that_is_no_registry_is_named(tmp_path: Path) -> None:
    """Garbage, or a part of the file: nothing is overwritten."""
    (tmp_path / NAME).write_bytes(b"no database at all" * 1000)
    store = DiskStore(tmp_path)
    with pytest.raises(RegistryError, match=f"{NAME}: file is not a database"):
        await store.fetch()
    await store.close()
    assert (tmp_path / NAME).read_bytes() == b"no database at all" * 1000


async def test_a_write_that_fails_leaves_what_was(tmp_path: Path) -> None:
    """A disk that is full, say: the error names the file, and an operation is whole or not."""
    store = DiskStore(tmp_path)
    await store.fetch()
    await store.write([[((records.WEIGHTS, "dev"), b"1")]])
    assert store._connection is not None
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(RegistryError, match=f"{NAME}: database or disk is full"):
        await store.write(
            [[((records.WEIGHTS, "dev"), b"2"), ((records.WEIGHTS, "ops"), b"x" * 1_000_000)]]
        )
    await store.close()
    with sqlite3.connect(tmp_path / NAME) as connection:
        assert connection.execute("SELECT kind, key, data FROM records").fetchall() == [
            (records.WEIGHTS, "dev", b"1")
        ]
    connection.close()


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """An error of the start, not a trace."""
    store = DiskStore(tmp_path / "missing")
    with pytest.raises(RegistryError, match=f"missing/{NAME}: unable to open database file"):
        await store.fetch()


async def test_an_operation_without_a_record_of_its_own_is_no_error() -> None:
    """Capabilities are one record each, too."""
    one = registrar(MemoryStore())
    await one.recover(INFO)
    needed = Change(
        kind=records.CAPABILITIES, key="QUOTA_V2", record=Capability(capability="QUOTA_V2")
    )
    await written(one, [needed], [needed], [])
    assert list(one.registry.of(records.CAPABILITIES, Capability)) == ["QUOTA_V2"]
