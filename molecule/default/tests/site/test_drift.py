"""What has drifted from the declaration is put back, and nothing else is touched."""

from support import inventory, playbook

NEWER = "node : Look for what has changed since the service started"
"""The role's own look for files that are newer than their service: those just put back are."""


def test_converge_repairs_exactly_what_has_drifted(leader):
    """An edited configuration and a removed unit are restored; nothing else is changed."""
    agent, master = inventory.group("mesos_agents")[0], inventory.group("mesos_masters")[-1]
    config, unit = "/etc/mesos-agent.env", "/etc/systemd/system/mesos-master.service"
    before = agent.host.file(config).content, master.host.file(unit).content
    agent.run(f"echo 'MESOS_EXECUTOR_REGISTRATION_TIMEOUT=1secs' >>{config}")
    master.run(f"rm {unit} && systemctl daemon-reload")

    changed = playbook.run("site.yml").changed

    assert changed == {
        (agent.name, config),
        (agent.name, NEWER),
        (agent.name, "mesos-agent.service"),
        (master.name, unit),
        (master.name, NEWER),
        (master.name, "mesos-master.service"),
    }
    assert (agent.host.file(config).content, master.host.file(unit).content) == before
    assert agent.host.service("mesos-agent").is_running
    assert master.host.service("mesos-master").is_running
    assert master.host.service("mesos-master").is_enabled
