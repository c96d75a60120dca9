"""A cluster whose engine came as a package is as good as any; the package's services never run."""

import pytest
from support import inventory, playbook, processes, wordcount
from support.tasks import TERMINAL
from support.wordcount import Count

WITNESS = "/var/log/mesos-init-wrapper"
"""Written by the package's own units whenever one starts."""
UPGRADED = "1.11.0-0.2"


@pytest.mark.parametrize("unit", ["mesos-master", "mesos-agent"])
def test_daemon_runs_from_the_package(unit, leader):
    """Our unit of the package's name starts the package's program."""
    assert leader.run(f"systemctl show --property=FragmentPath --value {unit}") == (
        f"/etc/systemd/system/{unit}.service"
    )
    program = leader.run(f"readlink -f /usr/sbin/{unit}")
    assert leader.run(f"dpkg --search {program}").startswith("aventer-mesos:")
    command = leader.run(f"tr '\\0' ' ' </proc/{processes.main_process(leader, unit).pid}/cmdline")
    assert program in command.split(), command


def test_services_of_the_package_never_started(leader):
    """Neither while the package was installed nor since; the unit without a part here cannot."""
    assert leader.host.run("systemctl is-enabled mesos-slave").stdout.strip() == "masked"
    assert not leader.host.file(WITNESS).exists


def test_upgrades_wait_for_the_variable(leader):
    """The node's own upgrades leave the package alone."""
    assert leader.run("apt-mark showhold") == "aventer-mesos"
    assert "aventer-mesos" not in leader.run("apt-get --simulate upgrade | grep ^Inst || true")


def test_counts_are_exact(leader):
    """The word count gives what collections.Counter gives."""
    assert Count(inventory.group("clients")[0], 1).result() == wordcount.answer(1)


def test_command_task_finishes(tasks, leader):
    """A command task finds the executor in the package's libexec and finishes."""
    agent = inventory.group("mesos_agents")[0]
    task = tasks.launch("true", cpus=0.1, mem=32, hostname=agent.address)
    assert tasks.wait(task, TERMINAL)["state"] == "TASK_FINISHED"


def version(node) -> str:
    """Return the installed version with dpkg's status."""
    return node.run("dpkg-query --show --showformat='${db:Status-Status} ${Version}' aventer-mesos")


def test_half_installed_package_is_refused_or_finished(leader):
    """What an interrupted upgrade left is named; it is finished as soon as that is possible."""
    upgrade = f"--extra-vars=mesos_engine_package_version={UPGRADED}"
    leader.run("touch /run/mesos-postinst-fails")
    failed = playbook.refusal("molecule/package/engine.yml", upgrade)
    assert f"aventer-mesos={UPGRADED}" in failed
    assert version(leader) == f"half-configured {UPGRADED}"

    refused = playbook.refusal("molecule/package/engine.yml", upgrade)
    assert "installed by half" in refused
    assert "aventer-mesos" in refused

    leader.run("rm /run/mesos-postinst-fails")
    assert "installed by half" in playbook.run("molecule/package/engine.yml", upgrade).output
    assert version(leader) == f"installed {UPGRADED}"
    assert not leader.host.file(WITNESS).exists


def test_version_goes_back_by_variable(leader):
    """An older version is installed again when it is asked for; daemons run on meanwhile."""
    before = processes.main_process(leader, "mesos-master")
    playbook.run("molecule/package/engine.yml")
    assert version(leader) == "installed 1.11.0-0.1"
    assert processes.main_process(leader, "mesos-master") == before
    assert not leader.host.file(WITNESS).exists
