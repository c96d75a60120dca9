"""The end of an agent, asked for or not, as frameworks and executors see it."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from . import transcripts
from .cluster import eventually
from .custom_executor import RUNNING, executor_info, executor_task, report_of
from .expect import Status
from .scheduler import command_task

if TYPE_CHECKING:
    from .cluster import Cluster
    from .pocket import Daemon, PocketCluster
    from .scheduler import Scheduler

CLEAN = "scheduler/agent_clean_shutdown.json"
KILLED = "executor/agent_killed_not_checkpointing.json"
RECONNECTED = "executor/reconnect_after_agent_restart.json"


def unregistered(hostname: str) -> Status:
    """The status of a task whose agent has said good-bye."""
    return Status(
        "TASK_LOST",
        "SOURCE_MASTER",
        "REASON_AGENT_REMOVED",
        f"Agent {hostname} removed: the agent unregistered",
        acknowledged=False,
    )


@pytest.fixture
def pair(own_cluster: PocketCluster) -> tuple[Cluster, Daemon]:
    """A cluster whose agent may be ended."""
    master = own_cluster.start_master()
    # Mesos' own 2 s are few for executors that come back to a busy machine.
    agent = own_cluster.start_agent(str(master.address), executor_reregistration_timeout="8secs")
    return own_cluster.cluster(), agent


@pytest.mark.transcript(CLEAN)
def test_an_agent_that_is_shut_down_says_good_bye(pair: tuple[Cluster, Daemon]) -> None:
    """SIGUSR1: its tasks are lost at once, to partition-aware frameworks too; it exits with 0."""
    cluster, agent = pair
    scheduler = cluster.subscribe("down", checkpoint=True)
    agent_id, hostname = cluster.agent.agent_id, cluster.agent.state()["hostname"]
    scheduler.launch(scheduler.offer(), command_task("d-cmd", agent_id, "sleep 1000"))
    scheduler.wait_status("d-cmd", "TASK_RUNNING")
    agent.signal(signal.SIGUSR1)
    lost = scheduler.wait_status("d-cmd", "TASK_LOST")
    assert unregistered(hostname).problems(lost) == []
    failure = scheduler.wait_kind("FAILURE")
    assert failure.body["failure"] == {"agent_id": {"value": agent_id}}
    assert agent.wait_ended() == 0
    assert cluster.get("/slaves").json()["slaves"] == []
    scheduler.accepted("TEARDOWN")


@transcripts.recorded
@pytest.mark.transcript(CLEAN)
def test_real_mesos_says_good_bye_so() -> None:
    """The recorded status and failure are those asserted here."""
    last = transcripts.updates(CLEAN, "d-cmd")[-1]
    assert unregistered("127.0.0.1").problems(last) == []
    (failure,) = transcripts.events(CLEAN, "FAILURE")
    assert failure["failure"] == {"agent_id": last["agent_id"]}
    notes = [step["note"] for step in transcripts.steps(CLEAN, "note")]
    assert notes[-1] == "agent process: exited 0"


def has_ended(pid: int) -> bool:
    """Say whether a process is gone, or only waits to be counted out by its parent."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def told(scheduler: Scheduler, agent_id: str, executor_id: str) -> list[str]:
    """Ask the suite's executor what its agent has told it."""
    report = report_of(scheduler, agent_id, executor_id)
    return [event["type"] for event in report["events"] if event["type"] not in UNASKED]


UNASKED = ("HEARTBEAT", "MESSAGE")
FIRST = ["SUBSCRIBED", "LAUNCH", "ACKNOWLEDGED"]
AGAIN = [*FIRST, "SUBSCRIBED", "KILL", "ACKNOWLEDGED"]


@pytest.mark.transcript(KILLED)
def test_an_executor_without_checkpoint_ends_with_its_agent(pair: tuple[Cluster, Daemon]) -> None:
    """It is told to end with its stream: MESOS_CHECKPOINT is 0, and there is no time to wait."""
    cluster, agent = pair
    scheduler = cluster.subscribe("nockpt", checkpoint=False)
    agent_id = cluster.agent.agent_id
    executor = executor_info("x-nockpt", scheduler.framework_id)
    scheduler.launch(scheduler.offer(), executor_task("n-x", agent_id, executor, RUNNING))
    status = scheduler.wait_status("n-x", "TASK_RUNNING")
    pid = status["container_status"]["executor_pid"]
    # The report may come before the acknowledgement of what was sent a moment ago.
    eventually(lambda: told(scheduler, agent_id, "x-nockpt") == FIRST, "its first events")
    environment = report_of(scheduler, agent_id, "x-nockpt")["environment"]
    assert environment["MESOS_CHECKPOINT"] == "0"
    assert "MESOS_RECOVERY_TIMEOUT" not in environment
    agent.kill()
    eventually(lambda: has_ended(pid), "the executor's process ended")
    scheduler.accepted("TEARDOWN")


@pytest.mark.transcript(RECONNECTED)
def test_an_executor_with_checkpoint_goes_on_with_the_next_agent(
    pair: tuple[Cluster, Daemon],
) -> None:
    """Nothing that it knows is told again, and what comes later reaches it."""
    cluster, agent = pair
    scheduler = cluster.subscribe("ckpt", checkpoint=True)
    agent_id = cluster.agent.agent_id
    executor = executor_info("x-ckpt", scheduler.framework_id)
    keep = executor_task("c-keep", agent_id, executor, RUNNING)
    scheduler.launch(scheduler.offer(), keep)
    scheduler.wait_status("c-keep", "TASK_RUNNING")
    eventually(lambda: told(scheduler, agent_id, "x-ckpt") == FIRST, "its first events")
    held = scheduler.offer()
    agent.kill()
    scheduler.wait(
        lambda event: event.kind == "RESCIND" and event["offer_id"] == held["id"],
        "RESCIND of the offer that was held",
    )
    agent.start()
    agent.wait_serving()
    scheduler.offer()  # of the agent that is back
    scheduler.kill("c-keep")
    scheduler.wait_status("c-keep", "TASK_KILLED")
    eventually(lambda: told(scheduler, agent_id, "x-ckpt") == AGAIN, "its later events")
    scheduler.accepted("TEARDOWN")


@transcripts.recorded
@pytest.mark.transcript(RECONNECTED)
@pytest.mark.parametrize(("name", "wanted"), [(KILLED, FIRST), (RECONNECTED, AGAIN)])
def test_real_mesos_tells_executors_so(name: str, wanted: list[str]) -> None:
    """The recorded executors were told the same, but for the SHUTDOWN of their last minute."""
    kinds = [event["type"] for event in transcripts.events(name)]
    assert [kind for kind in kinds if kind != "SHUTDOWN"] == wanted
