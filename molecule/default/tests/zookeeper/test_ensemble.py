"""The ZooKeeper ensemble."""

import re

import pytest
from kazoo.client import KazooClient
from support import cluster, inventory
from support.waiting import wait_for


def modes() -> list[str]:
    """Return what each server says it is, in alphabetical order."""
    answers = [cluster.four_letter_word(node, "srvr") for node in inventory.group("zookeeper")]
    return sorted(
        mode for answer in answers for mode in re.findall(r"^Mode: (\w+)$", answer, re.MULTILINE)
    )


def test_one_server_leads_and_the_rest_follow():
    """Of n ZooKeeper servers exactly one leads and n - 1 follow."""
    expected = ["follower"] * (len(inventory.group("zookeeper")) - 1) + ["leader"]
    wait_for(f"servers being {expected}", lambda: modes() == expected)


@pytest.mark.parametrize("name", [node.name for node in inventory.group("zookeeper")])
def test_server_is_started_by_systemd_and_at_boot(name):
    """Each server runs as a unit of systemd, also after a start of the machine, not as root."""
    node = inventory.nodes()[name]
    service = node.host.service("zookeeper")
    assert service.is_running
    assert service.is_enabled
    pid = node.run("systemctl show --property=MainPID --value zookeeper")
    assert node.run(f"stat --format=%U /proc/{pid}") == "zookeeper"


def test_a_write_to_one_server_is_read_from_another():
    """What a client of one server writes, a client of every other server reads."""
    first, *others = [
        f"{node.address}:{cluster.ZOOKEEPER_PORT}" for node in inventory.group("zookeeper")
    ]
    writer = KazooClient(hosts=first)
    writer.start(timeout=60)
    try:
        path = writer.create("/test-", b"written", ephemeral=True, sequence=True)
        for address in others:
            reader = KazooClient(hosts=address)
            reader.start(timeout=60)
            try:
                reader.sync(path)
                assert reader.get(path)[0] == b"written", address
            finally:
                reader.stop()
                reader.close()
    finally:
        writer.stop()
        writer.close()
