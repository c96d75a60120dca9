"""One Mesos agent, as its variables declare it."""

import json

import pytest
from support import cluster, inventory, playbook
from support.inventory import Node
from support.tasks import TERMINAL
from support.waiting import wait_for

PLAYBOOK = "playbooks/mesos_agents.yml"
DEFAULTS = {
    "port": 5051,
    "launcher": "linux",
    "isolation": "cgroups/cpu,cgroups/mem",
    "work_dir": "/var/lib/mesos/agent",
    "runtime_dir": "/run/mesos",
    "log_dir": "/var/log/mesos",
    "switch_user": True,
}
PREFIX = "mesos_agent_"


@pytest.fixture
def agent() -> Node:
    """Return the node."""
    return inventory.group("mesos_agents")[0]


@pytest.fixture
def flags(agent) -> dict[str, str]:
    """Return the flags that were declared, or are the role's default, as the agent names them."""
    declared = {
        name.removeprefix(PREFIX): value
        for name, value in agent.variables.items()
        if name.startswith(PREFIX) and name != f"{PREFIX}flags"
    }
    wanted = DEFAULTS | declared | agent.variables.get(f"{PREFIX}flags", {})
    return {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in wanted.items()
    }


@pytest.fixture
def port(flags) -> int:
    """Return the port that the agent listens on."""
    return int(flags["port"])


def test_is_registered_as_declared(agent, leader):
    """The master knows the agent with the resources and attributes that were declared."""
    known = cluster.active_agents(leader)[agent.address]
    told = dict(one.split(":", 1) for one in agent.variables[f"{PREFIX}attributes"].split(";"))
    assert {name: str(value) for name, value in known["attributes"].items()} == told
    wanted = dict(one.split(":", 1) for one in agent.variables[f"{PREFIX}resources"].split(";"))
    assert str(known["resources"]["cpus"]).removesuffix(".0") == wanted["cpus"]
    assert str(known["resources"]["mem"]).removesuffix(".0") == wanted["mem"]
    assert known["resources"]["ports"] == wanted["ports"]


def test_runs_with_the_declared_flags(agent, port, flags):
    """What the agent says of its flags is what was declared; empty ones are left to it."""
    told = cluster.ask(agent, "/flags", port=port).json()["flags"]
    assert {name: told.get(name) for name, value in flags.items() if value} == {
        name: value for name, value in flags.items() if value
    }
    assert [name for name, value in flags.items() if not value and name in told] == []


def test_a_task_runs_in_the_declared_folder(agent, tasks, flags):
    """A command task finishes, with its sandbox below the work directory."""
    task = tasks.launch("pwd", cpus=0.1, mem=32, hostname=agent.address)
    assert tasks.wait(task, TERMINAL)["state"] == "TASK_FINISHED"
    assert agent.run(f"find {flags['work_dir']} -name stdout -path '*{task.id}*'")


def test_other_resources_are_refused_and_taken_back(agent, leader):
    """An agent whose resources shrank is refused with the ways out; the former bring it back."""
    shrunk = {f"{PREFIX}resources": "cpus:0.5;mem:256;disk:64", f"{PREFIX}ready_timeout": 30}
    message = playbook.refusal(PLAYBOOK, f"--extra-vars={json.dumps(shrunk)}")
    assert "mesos_agent_resources" in message
    assert "cpus:0.5" in message
    playbook.run(PLAYBOOK)
    cluster.leader()
    assert playbook.run(PLAYBOOK).changed == set()


def test_a_flag_that_the_engine_does_not_know_is_refused():
    """The engine would ignore it silently; the role names it and the variable."""
    flags = json.dumps({"mesos_agent_flags": {"no_such_flag": "1secs", "credential": "/x"}})
    message = playbook.refusal(PLAYBOOK, f"--extra-vars={flags}")
    assert "mesos_agent_flags sets no_such_flag: no flag of mesos-agent" in message


def test_a_port_that_another_holds_is_refused(agent, port):
    """The role names who holds the port and the variable to set; then it goes on where it was."""
    agent.run("systemctl stop mesos-agent")
    agent.run(f"systemd-run --unit=intruder --collect python3 -m http.server {port}")
    try:
        wait_for("the intruder", lambda: agent.run(f"ss -Hltn sport = :{port}"))
        message = playbook.refusal(PLAYBOOK)
    finally:
        agent.run("systemctl stop intruder")
    assert f"port {port}" in message
    assert "mesos_agent_port" in message
    assert playbook.run(PLAYBOOK).changed == {(agent.name, "mesos-agent.service")}
    cluster.leader()
