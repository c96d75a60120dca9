"""Upgrades come beside what runs, take the place of it at once, and can be taken back."""

import hashlib
from pathlib import Path

import pytest
from support import inventory, playbook, processes
from support.full import takes_minutes

pytestmark = takes_minutes

ENGINE = "molecule/archive/engine.yml"
KEPT = "--extra-vars=mesos_engine_keep_releases=0"


def release_of(archive: Path) -> str:
    """Return the name of the release that an archive becomes."""
    return hashlib.sha256(archive.read_bytes()).hexdigest()[:12]


@pytest.fixture(scope="module")
def earlier() -> str:
    """Return the release that the scenario converges to."""
    return release_of(Path(inventory.group("mesos_masters")[0].variables["mesos_engine_archive"]))


@pytest.fixture(scope="module")
def later_archive() -> Path:
    """Return the archive of a later release."""
    archive = Path(inventory.group("mesos_masters")[0].variables["mesos_engine_archive"])
    return archive.with_name("pocket-archive-later.tar.gz")


@pytest.fixture(scope="module")
def later(later_archive) -> str:
    """Return the release that it becomes."""
    return release_of(later_archive)


@pytest.fixture
def node():
    """Return the node, with the earlier release in use again afterwards."""
    node = inventory.group("mesos_masters")[0]
    yield node
    playbook.run(ENGINE)


def current(node) -> str:
    """Return the release that the prefix leads to."""
    return node.run("readlink /opt/mesos").removeprefix("/opt/mesos-")


def installed(node) -> set[str]:
    """Return the releases whose folders are there."""
    return set(node.run("ls -d /opt/mesos-* | sed 's,.*-,,'").split())


def test_upgrade_leaves_tasks_alone(node, leader, tasks, earlier, later, later_archive):
    """Daemons run the later release, a task of before runs on, and the earlier release stays."""
    task = tasks.launch("sleep 1000", cpus=0.1, mem=32, hostname=node.address)
    tasks.wait(task, {"TASK_RUNNING"})
    agent = processes.main_process(node, "mesos-agent")

    playbook.run(
        "molecule/archive/upgrade.yml", f"--extra-vars=mesos_engine_archive={later_archive}"
    )
    assert current(node) == later
    assert node.host.file("/opt/mesos/share/mesos/LATER").exists
    assert processes.main_process(node, "mesos-agent") != agent
    assert {earlier, later} <= installed(node)
    assert task.states[-1] == "TASK_RUNNING"
    # The loader looks into both, the one in use first.
    folders = node.run("cat /etc/ld.so.conf.d/mesos.conf").split()
    assert folders == [f"/opt/mesos-{later}/lib", f"/opt/mesos-{earlier}/lib"]

    playbook.run("molecule/archive/upgrade.yml", f"--extra-vars=mesos_engine_release={earlier}")
    assert current(node) == earlier
    assert task.states[-1] == "TASK_RUNNING"


def test_release_that_is_not_there_is_refused(node, earlier):
    """The message names those that are."""
    message = playbook.refusal(ENGINE, "--extra-vars=mesos_engine_release=0123456789ab")
    assert "0123456789ab" in message
    assert earlier in message
    assert "mesos_engine_release" in message
    assert current(node) == earlier


def test_interrupted_upgrade_goes_on(node, earlier, later, later_archive):
    """A run that was killed leaves the earlier release in use; the next one finishes."""
    archive = f"--extra-vars=mesos_engine_archive={later_archive}"
    node.run(f"rm -rf /opt/mesos-{later}")
    begun = f"test -d /opt/mesos-{later} && echo begun || true"
    playbook.interrupt(ENGINE, archive, when=lambda: node.run(begun))
    # What was under way on the node ends by itself.
    node.run("while pgrep -x tar; do sleep 0.2; done >/dev/null")
    assert current(node) == earlier
    # As if the kill had come amid a file.
    node.run(f"mkdir -p /opt/mesos-{later}/sbin && echo half >/opt/mesos-{later}/sbin/mesos-agent")
    node.run(f"rm -f /opt/mesos-{later}/.complete")

    playbook.run(ENGINE, archive)
    assert current(node) == later
    assert node.run("/opt/mesos/sbin/mesos-agent --version").startswith("mesos ")


def test_only_releases_that_nobody_needs_are_removed(node, earlier, later, later_archive):
    """What is neither wanted, in use nor among the last ones goes with the next switch."""
    abandoned, running = "000000000000", "111111111111"
    for name in (abandoned, running):
        node.run(f"mkdir -p /opt/mesos-{name} && touch -d 2020-01-01 /opt/mesos-{name}/.complete")
    node.run(f"cp /bin/sleep /opt/mesos-{running}/")
    node.run(f"systemd-run --unit=executor /opt/mesos-{running}/sleep 1000")
    try:
        playbook.run(ENGINE, KEPT, f"--extra-vars=mesos_engine_archive={later_archive}")
        assert installed(node) == {earlier, later, running}
    finally:
        node.run(f"systemctl stop executor; rm -r /opt/mesos-{running}")
