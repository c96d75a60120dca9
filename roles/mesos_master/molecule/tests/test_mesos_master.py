"""One Mesos master, as its variables declare it."""

import json

import pytest
import requests
from support import cluster, inventory, playbook, processes
from support.inventory import Node
from support.waiting import wait_for

PLAYBOOK = "playbooks/mesos_masters.yml"
DEFAULTS = {
    "cluster": "mesos",
    "port": 5050,
    "work_dir": "/var/lib/mesos/master",
    "log_dir": "/var/log/mesos",
    "zk_session_timeout": "10secs",
    "agent_ping_timeout": "15secs",
    "max_agent_ping_timeouts": 5,
}
PREFIX = "mesos_master_"


@pytest.fixture
def master() -> Node:
    """Return the node."""
    return inventory.group("mesos_masters")[0]


@pytest.fixture
def flags(master) -> dict[str, str]:
    """Return the flags that were declared, or are the role's default, as the master names them."""
    declared = {
        name.removeprefix(PREFIX): value
        for name, value in master.variables.items()
        if name.startswith(PREFIX) and name != f"{PREFIX}flags"
    }
    wanted = DEFAULTS | declared | master.variables.get(f"{PREFIX}flags", {})
    return {name: str(value) for name, value in wanted.items()}


@pytest.fixture
def port(flags) -> int:
    """Return the port that the master listens on."""
    return int(flags["port"])


def answer(master: Node, port: int, path: str) -> requests.Response:
    """Return the master's answer to a reader."""
    return cluster.ask(master, path, port=port)


def leads(master: Node, port: int) -> bool:
    """Tell whether the master is elected."""
    try:
        metrics = answer(master, port, "/metrics/snapshot").json()
    except (requests.RequestException, ValueError):
        return False
    return metrics.get("master/elected") == 1


def test_is_elected(master, port):
    """A master without rivals leads."""
    wait_for("the election", lambda: leads(master, port))


def test_runs_with_the_declared_flags(master, port, flags):
    """What the master says of its flags is what was declared; empty ones are left to it."""
    told = answer(master, port, "/flags").json()["flags"]
    assert {name: told.get(name) for name, value in flags.items() if value} == {
        name: value for name, value in flags.items() if value
    }
    assert [name for name, value in flags.items() if not value and name in told] == []


def test_a_killed_master_leads_again(master, port):
    """Systemd starts a master that died, and it is elected again."""
    wait_for("the election", lambda: leads(master, port))
    process = processes.main_process(master, "mesos-master")
    master.run(f"kill -9 {process.pid}")
    wait_for("its death", lambda: not process.is_alive())
    wait_for("the next election", lambda: leads(master, port))


def test_a_flag_that_the_engine_does_not_know_is_refused():
    """The engine would ignore it silently; the role names it and the variable."""
    flags = json.dumps({"mesos_master_flags": {"no_such_flag": "1secs", "credentials": "/x"}})
    message = playbook.refusal(PLAYBOOK, f"--extra-vars={flags}")
    assert "mesos_master_flags sets no_such_flag: no flag of mesos-master" in message


def test_a_port_that_another_holds_is_refused(master, port):
    """The role names who holds the port and the variable to set; then it goes on where it was."""
    master.run("systemctl stop mesos-master")
    master.run(f"systemd-run --unit=intruder --collect python3 -m http.server {port}")
    try:
        wait_for("the intruder", lambda: master.run(f"ss -Hltn sport = :{port}"))
        message = playbook.refusal(PLAYBOOK)
    finally:
        master.run("systemctl stop intruder")
    assert f"port {port}" in message
    assert "python3 (process" in message
    assert "mesos_master_port" in message
    assert playbook.run(PLAYBOOK).changed == {(master.name, "mesos-master.service")}
    wait_for("the election", lambda: leads(master, port))
