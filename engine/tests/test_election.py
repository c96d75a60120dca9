"""Election without ZooKeeper: addresses, what masters tell about themselves, standing leaders."""

import asyncio

import pytest

from pocket_mesos.election import (
    AddressError,
    StandaloneDetector,
    endpoint,
    master_info,
    parse_host,
    parse_zookeeper,
)
from pocket_mesos.election import info as infos
from pocket_mesos.protocol.errors import ProtocolError

ZNODE = (
    b'{"address":{"hostname":"127.0.0.1","ip":"127.0.0.1","port":5052},"capabilities":'
    b'[{"type":"AGENT_UPDATE"},{"type":"AGENT_DRAINING"},{"type":"QUOTA_V2"}],'
    b'"hostname":"127.0.0.1","id":"8034af35-26a0-46dc-9bad-7c3f46443180","ip":16777343,'
    b'"pid":"master@127.0.0.1:5052","port":5052,"version":"1.12.0"}'
)
"""Data of a real master's znode."""


def test_znode_data_is_byte_for_byte_that_of_real_mesos() -> None:
    """Clients such as PyMesos read the leader's address out of it."""
    info = master_info(
        id_="8034af35-26a0-46dc-9bad-7c3f46443180", ip="127.0.0.1", port=5052, hostname="127.0.0.1"
    )
    assert infos.encode(info) == ZNODE
    assert infos.decode(ZNODE) == info
    assert endpoint(info) == ("127.0.0.1", 5052)


def test_garbage_in_a_znode_is_an_error_not_a_leader() -> None:
    """Whatever else writes there can't crash a detector."""
    for data in (b"", b"{}", b"[]", b"\xff", b'{"id": 1}'):
        with pytest.raises(ProtocolError):
            infos.decode(data)


def test_zookeeper_address_forms() -> None:
    """Servers, path and credentials are told apart."""
    plain = parse_zookeeper("zk://h1:2181,h2:2181/mesos/")
    assert (plain.servers, plain.path, plain.credentials) == ("h1:2181,h2:2181", "/mesos", None)
    secret = parse_zookeeper("zk://user:pass%40word@h1:2181/a/b")
    assert (secret.path, secret.credentials) == ("/a/b", ("user", "pass@word"))


@pytest.mark.parametrize(
    "text", ["zk://h:2181", "zk://h:2181/", "h:2181/mesos", "zk://user@h/mesos", "zk:///mesos"]
)
def test_what_is_no_zookeeper_address_is_refused(text: str) -> None:
    """A path is needed: without one, two clusters would share an election."""
    with pytest.raises(AddressError):
        parse_zookeeper(text)


def test_host_address_forms() -> None:
    """host, host:port and a PID."""
    assert parse_host("a.example") == ("a.example", 5050)
    assert parse_host("10.0.0.1:5060") == ("10.0.0.1", 5060)
    assert parse_host("master@10.0.0.1:5060") == ("10.0.0.1", 5060)
    for bad in ("", ":1", "h:x"):
        with pytest.raises(AddressError):
            parse_host(bad)


async def test_detector_waits_for_the_next_change() -> None:
    """detect() returns at once what differs from before, and waits otherwise."""
    leader = master_info(id_="m", ip="127.0.0.1", port=1, hostname="h")
    detector = StandaloneDetector()
    waiting = asyncio.ensure_future(detector.detect(None))
    await asyncio.sleep(0)
    assert not waiting.done()
    detector.appoint(leader)
    assert await waiting == leader
    detector.appoint(None)
    assert await detector.detect(leader) is None
