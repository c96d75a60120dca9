"""An agent that is killed and comes back: on a cluster of the suite's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from . import transcripts
from .cluster import Cluster, eventually
from .custom_executor import REPORT, RUNNING, executor_info, executor_task
from .expect import Status, from_executor, reconciled
from .scheduler import command_task

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .pocket import Daemon, PocketCluster
    from .scheduler import Json

RESTART = "executor/agent_restart_checkpointing_scheduler_view.json"
LOST = "executor/agent_killed_not_checkpointing_scheduler_view.json"
LATEST = reconciled("TASK_RUNNING", "Latest task state")


def disconnected(hostname: str) -> Status:
    text = f"Agent {hostname} disconnected"
    return Status(
        "TASK_LOST", "SOURCE_MASTER", "REASON_AGENT_DISCONNECTED", text, acknowledged=False
    )


@pytest.fixture
def restartable(own_cluster: PocketCluster) -> Iterator[tuple[Cluster, Daemon]]:
    """A cluster and its agent, which may be killed."""
    master = own_cluster.start_master()
    # Mesos' own 2 s are few for executors that come back to a busy machine.
    patience = {"executor_reregistration_timeout": "8secs"}
    agent = own_cluster.start_agent(str(master.address), **patience)
    cluster = own_cluster.cluster()
    yield cluster, agent
    assert cluster.teardown() == []


def tasks_of(cluster: Cluster, framework_id: str) -> tuple[Json, Json]:
    """A command task and one of a custom executor."""
    agent_id = cluster.agent.agent_id
    executor = executor_info("x-ckpt", framework_id)
    return (
        command_task("c-cmd", agent_id, "sleep 1000"),
        executor_task("c-x", agent_id, executor, RUNNING),
    )


@pytest.mark.transcript(RESTART)
def test_tasks_run_on(restartable: tuple[Cluster, Daemon]) -> None:
    """With checkpoint, tasks and executors outlive their agent, which comes back with its id."""
    cluster, agent = restartable
    agent_id = cluster.agent.agent_id
    scheduler = cluster.subscribe("ckpt", checkpoint=True)
    offer = scheduler.offer(cpus=0.3, mem=96)
    scheduler.launch(offer, *tasks_of(cluster, scheduler.framework_id))
    for task_id in ("c-cmd", "c-x"):
        scheduler.wait_status(task_id, "TASK_RUNNING")
    held = scheduler.offer()
    agent.kill()
    scheduler.wait(
        lambda event: event.kind == "RESCIND" and event["offer_id"] == held["id"],
        "RESCIND of the offer that was held",
    )
    agent.start()
    agent.wait_serving()
    back = scheduler.offer()
    assert back["agent_id"]["value"] == agent_id
    assert back["executor_ids"] == [{"value": "x-ckpt"}]
    scheduler.reconcile()
    for task_id in ("c-cmd", "c-x"):
        assert LATEST.problems(scheduler.wait_answer(task_id)) == []

    def reregistered() -> bool:
        """Ask until the executor, which retries by itself, has subscribed again."""
        scheduler.send(agent_id, "x-ckpt", json.dumps([REPORT]).encode())
        reports = [json.loads(data)["events"] for data in scheduler.messages()]
        told = [[event["type"] for event in events] for events in reports]
        return any(kinds.count("SUBSCRIBED") == 2 for kinds in told)

    eventually(reregistered, "the executor's second subscription", pause=0.5)
    environment = json.loads(scheduler.messages()[-1])["environment"]
    assert environment["MESOS_CHECKPOINT"] == "1"
    assert environment["MESOS_RECOVERY_TIMEOUT"] == cluster.agent.flags["recovery_timeout"]
    assert "MESOS_SUBSCRIPTION_BACKOFF_MAX" in environment
    scheduler.kill("c-x")
    killed = from_executor("TASK_KILLED", "killed by the executor")
    assert killed.problems(scheduler.wait_status("c-x", "TASK_KILLED")) == []
    scheduler.kill("c-cmd")
    killed = from_executor("TASK_KILLED", "Command terminated with signal Terminated")
    assert killed.problems(scheduler.wait_status("c-cmd", "TASK_KILLED")) == []


@pytest.mark.transcript(LOST)
def test_tasks_are_lost(restartable: tuple[Cluster, Daemon]) -> None:
    """Without checkpoint, tasks are lost the moment that their agent is gone."""
    cluster, agent = restartable
    scheduler = cluster.subscribe("nockpt")
    offer = scheduler.offer(cpus=0.3, mem=96)
    scheduler.launch(offer, *tasks_of(cluster, scheduler.framework_id))
    for task_id in ("c-cmd", "c-x"):
        scheduler.wait_status(task_id, "TASK_RUNNING")
    expected = disconnected(cluster.agent.state()["hostname"])
    agent.kill()
    for task_id in ("c-cmd", "c-x"):
        assert expected.problems(scheduler.wait_status(task_id, "TASK_LOST")) == []
    agent.start()
    agent.wait_serving()
    assert scheduler.offer()["agent_id"]["value"] == cluster.agent.agent_id


@transcripts.recorded
@pytest.mark.transcript(LOST)
def test_real_mesos_loses_agents_so() -> None:
    """The recorded statuses around an agent's death meet the expectations."""
    for task_id in ("n-x", "n-cmd"):
        last = transcripts.updates(LOST, task_id)[-1]
        assert disconnected("127.0.0.1").problems(last) == []
    answers = [item for item in transcripts.updates(RESTART, "c-x") if "uuid" not in item]
    assert [LATEST.problems(item) for item in answers] == [[]]
    offers = [event["offers"]["offers"] for event in transcripts.events(RESTART, "OFFERS")]
    (rescind,) = transcripts.events(RESTART, "RESCIND")
    assert rescind["rescind"]["offer_id"] == offers[1][0]["id"]
    assert offers[2][0]["executor_ids"] == [{"value": "x-ckpt"}]
