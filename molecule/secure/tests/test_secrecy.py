"""Nothing that is secret shows where somebody else could look."""

import json
from pathlib import Path

import pytest
from support import cluster, inventory, playbook
from support.full import takes_minutes
from support.waiting import wait_for
from support.wordcount import Count

FOLDER = "/etc/mesos-security"
SECRETS = ["operator", "readonly", "agent", "framework", "zookeeper", "zookeeper_super"]
SERVICES = ["zookeeper", "mesos-master", "mesos-agent"]


@pytest.fixture
def secrets() -> list[str]:
    """Return every secret of the lab."""
    return [inventory.secret(name) for name in SECRETS]


def shown(secrets: list[str], text: str) -> list[str]:
    """Return the names of the secrets that a text shows."""
    return [name for name, secret in zip(SECRETS, secrets, strict=True) if secret in text]


def test_secrets_differ(secrets):
    """Who learns one knows no other."""
    assert len(set(secrets)) == len(SECRETS)
    assert min(map(len, secrets)) >= 32


def test_files_are_roots_alone(leader):
    """The folder and all in it, and ZooKeeper's settings its own user's."""
    listing = leader.run(f"stat --format='%n %U %a' {FOLDER} {FOLDER}/* /etc/zookeeper.cfg")
    modes = {name: (user, mode) for name, user, mode in map(str.split, listing.splitlines())}
    assert modes.pop(FOLDER) == ("root", "700")
    assert modes.pop("/etc/zookeeper.cfg") == ("zookeeper", "600")
    assert {Path(name).name for name in modes} >= {"zk", "credentials", "credential", "framework"}
    assert set(modes.values()) == {("root", "600")}


def test_no_other_file_holds_a_secret(leader, secrets):
    """Neither flags and units nor logs, and nothing that any user could read."""
    found = leader.run(
        "printf '%s\\n' "
        + " ".join(secrets)
        + " | grep --recursive --files-with-matches --fixed-strings --file=- "
        + f"--exclude-dir={Path(FOLDER).name} /etc /var/log /var/lib/mesos /opt /run /tmp || true"
    )
    assert found == ""


def test_no_process_shows_a_secret(leader, tasks, secrets):
    """Neither in its arguments nor in its environment, also while a count and a task run."""
    task = tasks.launch("sleep 600", cpus=0.1, mem=32, hostname=leader.address)
    count = Count(inventory.group("clients")[0], 1)
    for _ in range(5):
        processes = leader.run("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null || true")
        assert shown(secrets, processes) == []
    count.result()
    assert task.states[-1] == "TASK_RUNNING"


def test_a_task_inherits_nothing_of_the_agents(leader, tasks, secrets):
    """Its environment holds no flag of the agent's, and it gains no right that its user lacks."""
    command = "sh -c 'env; grep NoNewPrivs /proc/self/status; sleep 600'"
    tasks.launch(command, cpus=0.1, mem=32, hostname=leader.address)
    agent = cluster.ask(leader, "/state", cluster.AGENT_PORT, "operator").json()
    (executor,) = [one for known in agent["frameworks"] for one in known["executors"]]
    said = wait_for(
        "the task's last line",
        lambda: (
            (text := leader.run(f"cat {executor['directory']}/stdout")).count("NoNewPrivs") and text
        ),
    )
    assert shown(secrets, said) == []
    names = [line.partition("=")[0] for line in said.splitlines()]
    assert "MESOS_SANDBOX" in names
    assert [name for name in names if "CREDENTIAL" in name or "ACLS" in name] == []
    assert "NoNewPrivs:\t1" in said


def test_journals_hold_no_secret(leader, secrets):
    """Whatever systemd or the services wrote since the node's start."""
    assert shown(secrets, leader.run("journalctl --no-pager --output=cat")) == []


@pytest.mark.parametrize("path", ["/flags", "/state"])
@pytest.mark.parametrize("port", [cluster.MASTER_PORT, cluster.AGENT_PORT])
def test_daemons_tell_no_secret(leader, secrets, port, path):
    """Also to the operator."""
    assert shown(secrets, cluster.ask(leader, path, port, "operator").text) == []


def test_the_controllers_files_are_its_owners(leader, secrets):
    """What the lab leaves there is closed to others, where it holds a secret."""
    folder = Path(leader.lab)
    files = [path for path in folder.rglob("*") if path.is_file()]
    open_to_others = [path for path in files if path.stat().st_mode & 0o077]
    assert files
    for path in open_to_others:
        assert shown(secrets, path.read_text(errors="replace")) == [], path


def test_the_reader_learns_no_secret_from_the_ensemble(leader, secrets):
    """What ZooKeeper tells to everybody who asks."""
    for word in ("conf", "cons", "mntr", "stat"):
        assert shown(secrets, cluster.four_letter_word(leader, word)) == []


def test_services_have_no_more_rights_than_they_need(leader):
    """ZooKeeper and the master have no capability that matters; none gains any."""
    held = {}
    for unit in SERVICES:
        pid = leader.run(f"systemctl show --property=MainPID --value {unit}")
        status = leader.run(f"cat /proc/{pid}/status")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["NoNewPrivs"] == "1", unit
        assert fields["Seccomp"] == "2", unit
        held[unit] = int(fields["CapBnd"], 16)
    assert held["zookeeper"] == 0
    assert held["mesos-master"] == 1 << 10  # CAP_NET_BIND_SERVICE


@takes_minutes
def test_rotation_gives_every_account_a_new_secret_and_shows_none(leader, secrets, tmp_path):
    """One run of site.yml; the old ones are refused, the new ones taken, a count is exact."""
    fresh = {f"mesos_security_{name}_secret": f"rotated-{name}-{'x' * 16}" for name in SECRETS}
    given = tmp_path / "secrets.json"
    given.write_text(json.dumps(fresh))
    old = inventory.account("operator")
    assert cluster.ask(leader, "/flags", account="operator").ok

    run = playbook.run("site.yml", f"--extra-vars=@{given}", "--diff", "-v")
    try:
        assert shown([*fresh.values()], run.output) == []
        assert shown(secrets, run.output) == []
        assert inventory.account("operator") == (
            "operator",
            fresh["mesos_security_operator_secret"],
        )
        assert inventory.account("operator") != old
        assert cluster.ask(leader, "/flags", account="operator").ok
        Count(inventory.group("clients")[0], 1).result()
    finally:
        back = playbook.run("site.yml", "--diff", "-v")
    assert shown([*fresh.values()], back.output) == []
    assert inventory.account("operator") == old
    assert cluster.leader() == leader
