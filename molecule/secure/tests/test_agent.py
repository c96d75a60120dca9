"""An agent that does not know its secret stays outside, and its role says why."""

from support import cluster, playbook


def test_a_wrong_credential_is_named(leader):
    """The master refuses the agent; the role tells of the account and of the way back."""
    told = playbook.refusal(
        "playbooks/mesos_agents.yml",
        "--extra-vars=mesos_security_agent_secret=not-what-the-masters-know",
        "--extra-vars={mesos_agent_ready_timeout: 20}",
    )
    assert "refuses the credential of the agent" in told
    assert "mesos_security_agent_secret" in told
    assert "not-what-the-masters-know" not in told

    playbook.run("playbooks/mesos_agents.yml")
    assert cluster.leader() == leader


def test_a_secret_that_is_too_short_is_refused_before_anything_is_touched(leader):
    """With the variable's name, and without the secret."""
    told = playbook.refusal(
        "playbooks/mesos_agents.yml", "--extra-vars=mesos_security_agent_secret=abc:123"
    )
    assert "mesos_security_agent_secret" in told
    assert "abc:123" not in told
    assert cluster.agent_is_registered(leader)
