"""The path of the election: everybody reads it, the masters write it."""

from collections.abc import Iterator

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.security import OPEN_ACL_UNSAFE
from support import cluster, inventory, playbook

PATH = "/mesos"


def client(*login: str) -> KazooClient:
    """Return a session of a stranger, or of a user with a secret."""
    hosts = ",".join(f"{node.address}:2181" for node in inventory.group("zookeeper"))
    auth = [("digest", ":".join(login))] if login else None
    made = KazooClient(hosts, auth_data=auth)
    made.start(timeout=60)
    return made


@pytest.fixture
def stranger() -> Iterator[KazooClient]:
    """Return a client that knows no secret."""
    made = client()
    yield made
    made.stop()
    made.close()


@pytest.fixture
def superuser(leader) -> Iterator[KazooClient]:
    """Return a client that may do everything."""
    secret = inventory.secret("zookeeper_super")
    made = client("super", secret)
    yield made
    made.stop()
    made.close()


def seat(one: KazooClient) -> str:
    """Return the only master's node of the election; Pocket's registry is beside it."""
    (name,) = (name for name in one.get_children(PATH) if name.startswith("json.info_"))
    return f"{PATH}/{name}"


@pytest.mark.parametrize(
    "attempt",
    [
        lambda one, master: one.create(f"{PATH}/json.info_0000000000", b"{}"),
        lambda one, master: one.create(f"{PATH}/json.info_", b"{}", ephemeral=True, sequence=True),
        lambda one, master: one.set(master, b"{}"),
        lambda one, master: one.delete(master),
        lambda one, master: one.set_acls(PATH, OPEN_ACL_UNSAFE),
        lambda one, master: one.set_acls(master, OPEN_ACL_UNSAFE),
        lambda one, master: one.create(f"{PATH}/log_replicas/registry/gone/S0", b"{}"),
    ],
    ids=["create", "contend", "change", "remove", "open-path", "open-master", "registry"],
)
def test_a_stranger_does_not_meddle_with_the_election(leader, stranger, attempt):
    """Nobody without the masters' secret becomes leader, or takes the leader away."""
    with pytest.raises(NoAuthError):
        attempt(stranger, seat(stranger))


def test_everybody_finds_the_leader(leader, stranger):
    """Agents and frameworks need no secret to look."""
    assert leader.address.encode() in stranger.get(seat(stranger))[0]


def test_a_path_from_before_is_taken(leader, superuser, stranger):
    """What was anybody's, from the time before there were secrets, is the masters' again."""
    superuser.set_acls(PATH, OPEN_ACL_UNSAFE)
    stranger.create(f"{PATH}/zzz", b"")

    run = playbook.run("playbooks/mesos_masters.yml")

    assert run.changed, "the path was left as it was"
    with pytest.raises(NoAuthError):
        stranger.create(f"{PATH}/yyy", b"")
    with pytest.raises(NoAuthError):
        stranger.delete(f"{PATH}/zzz")
    superuser.delete(f"{PATH}/zzz")
    assert cluster.leader() == leader


def test_secrets_that_the_ensemble_does_not_know_are_named(leader):
    """Masters whose secret nobody can give rights to are not started, and it says how to go on."""
    told = playbook.refusal(
        "playbooks/mesos_masters.yml",
        "--extra-vars=mesos_security_zookeeper_secret=another-secret-1",
        "--extra-vars=mesos_security_zookeeper_super_secret=another-secret-2",
    )
    assert "mesos_security_zookeeper_super_secret" in told
    assert "site.yml" in told
    playbook.run("playbooks/mesos_masters.yml")
    assert cluster.leader() == leader
