"""Accounts of a cluster, tried on one master."""

import json
from pathlib import Path

import pytest
import requests
from support import cluster, inventory, playbook
from support.inventory import Node
from support.waiting import wait_for

PLAYBOOK = "roles/mesos_security/molecule/converge.yml"
PREFLIGHT = "playbooks/preflight.yml"


@pytest.fixture
def master() -> Node:
    """Return the node."""
    return inventory.group("mesos_masters")[0]


@pytest.fixture
def folder(master) -> str:
    """Return the folder of what is secret on the node."""
    return master.variables.get("mesos_security_dir", "/etc/mesos-security")


def status(master: Node, account: str | None) -> int | None:
    """Return how the master answers an account that wants to see its state."""
    try:
        return cluster.ask(master, "/state", account=account).status_code
    except requests.RequestException:
        return None


def test_accounts_are_those_declared(master):
    """The names are the scenario's, or the role's own; a secret that was given is the one."""
    declared = master.variables
    operator, readonly = inventory.account("operator"), inventory.account("readonly")
    assert operator[0] == declared.get("mesos_security_operator_principal", "operator")
    assert readonly[0] == declared.get("mesos_security_readonly_principal", "readonly")
    assert readonly[1] == declared.get("mesos_security_readonly_secret", readonly[1])


def test_only_accounts_see_the_state(master):
    """Who names no account is told to; who names one sees the state."""
    wait_for("a leader that answers", lambda: status(master, "readonly") == requests.codes.ok)
    assert status(master, None) == requests.codes.unauthorized
    assert status(master, "operator") == requests.codes.ok


def test_what_is_secret_is_roots_alone(master, folder):
    """No other user can read a file of the folder, and no process shows what is in it."""
    assert master.run(f"find {folder} -type f")
    assert master.run(f"find {folder} '(' ! -user root -o -perm /077 ')'") == ""
    arguments = master.run("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert inventory.account("operator")[1] not in arguments


def test_a_bad_secret_is_refused_and_not_shown():
    """Preflight names the variable, and keeps what it holds to itself."""
    bad = {"mesos_security_operator_secret": "tiny secret"}
    message = playbook.refusal(PREFLIGHT, f"--extra-vars={json.dumps(bad)}")
    assert "mesos_security_operator_secret is not as it must be" in message
    assert "tiny" not in message


def test_two_accounts_of_one_name_are_refused():
    """Accounts that nobody could tell apart are refused before a change."""
    same = {"mesos_security_agent_principal": "twin", "mesos_security_framework_principal": "twin"}
    message = playbook.refusal(PREFLIGHT, f"--extra-vars={json.dumps(same)}")
    assert "twin" in message
    assert "mesos_security_<account>_principal" in message


def test_a_lost_secret_is_made_anew(master):
    """Where the controller lost a secret, the next run makes one, and the cluster asks for it."""
    file = Path(master.lab) / "secrets" / "operator"
    lost = file.read_text()
    file.unlink()
    for name in ("playbooks/lab_up.yml", PLAYBOOK):
        playbook.run(name)
    assert file.read_text() != lost
    assert inventory.account("operator")[1] == file.read_text().strip()
    wait_for("the new secret", lambda: status(master, "operator") == requests.codes.ok)


def test_a_wrong_secret_on_a_node_is_put_right(master, folder):
    """A file that somebody spoiled is as declared after the next run; the master leads again."""
    master.run(f"echo '{{}}' >{folder}/credentials")
    changed = playbook.run(PLAYBOOK).changed
    task = "mesos_security : Ensure the master's secrets and access control lists are as declared"
    assert (master.name, task) in changed
    assert (master.name, "mesos-master.service") in changed
    wait_for("a leader that answers", lambda: status(master, "readonly") == requests.codes.ok)
    assert playbook.run(PLAYBOOK).changed == set()
