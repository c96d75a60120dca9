"""Tasks outlive their agent's process."""

import pytest
from support import cluster, inventory, processes
from support.waiting import wait_for


@pytest.mark.parametrize(
    "end",
    [
        "systemctl restart mesos-agent",
        "kill -9 $(systemctl show --property=MainPID --value mesos-agent)",
    ],
    ids=["restarted", "killed"],
)
def test_task_runs_on_through_a_restart_of_its_agent(tasks, leader, end):
    """A task keeps its process, and can still be killed, after its agent has started anew."""
    agent = inventory.group("mesos_agents")[0]
    task = tasks.launch("sleep 600", cpus=0.1, mem=32, hostname=agent.address)
    process, daemon = processes.of_task(agent, task), processes.main_process(agent, "mesos-agent")
    agent_id = cluster.active_agents(leader)[agent.address]["id"]

    agent.run(end)
    wait_for("the old agent process being gone", lambda: not daemon.is_alive())
    wait_for("the agent's registration", lambda: cluster.agent_is_registered(agent))

    assert cluster.active_agents(leader)[agent.address]["id"] == agent_id
    assert process.is_alive()
    assert set(task.states) <= {"TASK_STARTING", "TASK_RUNNING"}
    assert tasks.kill(task)["state"] == "TASK_KILLED"
    wait_for("the killed task's process being gone", lambda: not process.is_alive())
