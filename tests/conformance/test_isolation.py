"""Isolation of cpu and memory by cgroups, where the agent's flags say so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from . import transcripts
from .expect import Status, from_executor
from .scheduler import command_task, small

if TYPE_CHECKING:
    from .cluster import Cluster
    from .scheduler import Json, Scheduler

MEGABYTE = 1 << 20
OOM = Status(
    "TASK_FAILED",
    "SOURCE_AGENT",
    "REASON_CONTAINER_LIMITATION_MEMORY",
    re.compile(r"Memory limit exceeded: Requested: 80MB Maximum Used: \d+MB\n.*", re.DOTALL),
)
# A task of 48 MB whose container has 80, since the command executor brings 32.
HOG = """exec python3 -c 'x = bytearray(300 << 20); import time; time.sleep(30)'"""
# Prints the limits of the cgroup that the shell runs in: v1 by subsystem, v2 from the
# nearest cgroup upwards that has a limit (the processes sit in a leaf of their own, which may
# have no controls at all).
LIMITS = r"""
group() { sed -n "s/^[0-9]*:\([^:]*,\)*$1\(,[^:]*\)*:\(.*\)/\3/p" /proc/self/cgroup; }
if [ -d /sys/fs/cgroup/memory ]; then
    echo memory $(cat /sys/fs/cgroup/memory$(group memory)/memory.limit_in_bytes)
    echo cpu $(cat /sys/fs/cgroup/cpu$(group cpu)/cpu.shares)
else
    at=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
    until grep -qs "^[0-9]" $at/memory.max || [ $at = / ]; do at=$(dirname $at); done
    echo memory $(cat $at/memory.max)
    echo weight $(cat $at/cpu.weight)
fi
"""


@pytest.fixture
def isolated(cluster: Cluster) -> None:
    """Skip where the agent lacks either isolator."""
    lacking = [name for name in ("cgroups/cpu", "cgroups/mem") if not cluster.agent.isolates(name)]
    if lacking:
        pytest.skip(f"the agent runs without {' and '.join(lacking)}")


@pytest.mark.transcript("agent/running/GET_containers.json")
@pytest.mark.usefixtures("isolated")
def test_limits_in_statistics(cluster: Cluster, scheduler: Scheduler, offer: Json) -> None:
    """/containers tells a container's limits: those of the task plus its executor's."""
    scheduler.launch(offer, command_task("limited", offer["agent_id"]["value"], "sleep 1000"))
    scheduler.wait_status("limited", "TASK_RUNNING")
    containers = cluster.agent.get("/containers").json()
    (statistics,) = (
        item["statistics"] for item in containers if item["framework_id"] == scheduler.framework_id
    )
    assert statistics["mem_limit_bytes"] == 64 * MEGABYTE
    assert statistics["cpus_soft_limit"] == pytest.approx(0.2)
    assert 0 < statistics["mem_rss_bytes"] <= 64 * MEGABYTE
    assert statistics["cpus_user_time_secs"] + statistics["cpus_system_time_secs"] > 0


@pytest.mark.transcript("sandbox/cgroups.txt")
@pytest.mark.usefixtures("isolated")
def test_limits_of_the_cgroup(cluster: Cluster, scheduler: Scheduler, offer: Json) -> None:
    """The kernel holds the limits: memory of task and executor, 1024 shares for a CPU."""
    scheduler.launch(offer, command_task("asks", offer["agent_id"]["value"], LIMITS))
    scheduler.wait_status("asks", "TASK_FINISHED")
    path = cluster.agent.sandbox(scheduler.framework_id, "asks") + "/stdout"
    limits = dict(line.split() for line in cluster.agent.read(path).splitlines())
    assert int(limits["memory"]) == 64 * MEGABYTE
    if "cpu" in limits:
        assert int(limits["cpu"]) == 204
    else:
        # No recording of a cgroup v2 host: the weight is only known to be below the default.
        assert 1 <= int(limits["weight"]) < 100


@pytest.mark.transcript("scheduler/task_terminal_states.json")
@pytest.mark.usefixtures("isolated")
def test_memory_hog(cluster: Cluster, scheduler: Scheduler) -> None:
    """A task that takes more memory than it asked for is killed, its neighbour lives on."""
    offer = scheduler.offer(cpus=0.2, mem=80)
    agent_id = offer["agent_id"]["value"]
    neighbour = command_task("neighbour", agent_id, "sleep 1000")
    hog = command_task("oom", agent_id, HOG, resources=small(mem=48))
    scheduler.launch(offer, neighbour)
    scheduler.wait_status("neighbour", "TASK_RUNNING")
    scheduler.launch(scheduler.offer(cpus=0.1, mem=48), hog)
    status = scheduler.wait_status("oom", "TASK_FAILED")
    assert oom_problems(status) == []
    assert scheduler.states("neighbour") == ["TASK_RUNNING"]
    scheduler.kill("neighbour")
    ended = scheduler.wait_status("neighbour", "TASK_KILLED")
    expected = from_executor("TASK_KILLED", "Command terminated with signal Terminated")
    assert expected.problems(ended) == []


def oom_problems(status: Json) -> list[str]:
    """Hold a status against that of a container that exceeded 80 MB."""
    found = OOM.problems(status)
    (limit,) = status.get("limitation", {}).get("resources", [{}])
    if limit.get("name") != "mem" or limit.get("scalar") != {"value": 80.0}:
        found.append(f"limitation: {status.get('limitation')}")
    return found


@transcripts.recorded
@pytest.mark.transcript("scheduler/task_terminal_states.json")
def test_real_mesos_kills_hogs_so() -> None:
    """The recorded end of the same task meets the expectation."""
    status = transcripts.updates("scheduler/task_terminal_states.json", "oom")[-1]
    assert oom_problems(status) == []


@transcripts.recorded
@pytest.mark.transcript("agent/running/GET_containers.json")
def test_real_mesos_limits_so() -> None:
    """Recorded containers of the same resources have the limits asserted here."""
    containers = transcripts.body("agent/running/GET_containers.json")
    assert containers
    for item in containers:
        assert item["statistics"]["mem_limit_bytes"] == 64 * MEGABYTE
        assert item["statistics"]["cpus_soft_limit"] == 0.2
    cgroups = (transcripts.ROOT / "sandbox/cgroups.txt").read_text()
    assert "memory.limit_in_bytes=67108864" in cgroups
    assert "cpu.shares=204 " in cgroups
