"""The modules that describe and move a cluster, run by Ansible against real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for framework_lab
sys.path.insert(0, str(Path(__file__).parents[1]))  # for the conformance suite's harness
from conformance.cluster import eventually
from conformance.pocket import PocketCluster
from framework_lab import AGENT, cluster

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.zookeeper import ZooKeeper

ROOT = Path(__file__).parents[2]
NOBODY = "127.0.0.1:1"


def run(module: str, *options: str, **arguments: Any) -> dict[str, Any]:
    """Run a module on this machine and return its result, failed or not."""
    settings = {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_FORCE_COLOR": "0",
    }
    result = subprocess.run(
        [Path(sys.executable).parent / "ansible", "localhost", "--inventory=localhost,",
         "--connection=local", f"--extra-vars=ansible_python_interpreter={sys.executable}",
         f"--module-name={module}", f"--args={json.dumps(arguments)}", *options],
        env=os.environ | settings, cwd=ROOT, capture_output=True, text=True, timeout=300,
        check=False,
    )  # fmt: skip
    report = json.loads(result.stdout[result.stdout.index("{") :])
    told: dict[str, Any] = report["plays"][0]["tasks"][0]["hosts"]["localhost"]
    return told


@pytest.fixture(scope="module")
def running() -> Iterator[PocketCluster]:
    """A master and an agent."""
    with cluster(agents=1, **AGENT, attributes="rack:a") as processes:
        yield processes


def masters(running: PocketCluster) -> list[str]:
    """Return the masters' addresses, and one where nobody is."""
    return [*(str(daemon.address) for daemon in running.masters), NOBODY]


def test_cluster_is_described(running):
    """The leader, each master and each agent are told; a master that is down is told as such."""
    told = run("mesos_info", masters=masters(running))

    assert told["leader"]["address"] == masters(running)[0]
    lead, dead = told["masters"]
    assert lead["reachable"] and lead["leader"] and lead["version"] and lead["uptime"] > 0
    assert not dead["reachable"] and NOBODY in dead["error"]
    (agent,) = told["agents"]
    assert agent["address"] == str(running.agents[0].address)
    assert agent["active"] and agent["draining"] is None and agent["tasks"] == 0
    assert agent["resources"]["cpus"] == 1.0 and agent["attributes"] == {"rack": "a"}
    assert told["tasks"]["running"] == 0 and told["frameworks"] == []
    assert not told["changed"]


def test_no_leader_is_described_not_failed():
    """Where nobody answers the leader is null, and that is all."""
    told = run("mesos_info", masters=[NOBODY])
    assert told["leader"] is None and told["agents"] == []
    assert not told.get("failed")


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        ("deactivated", {"deactivated": True, "draining": None}),
        ("drained", {"deactivated": True, "draining": "DRAINED"}),
    ],
)
def test_agent_leaves_service_and_comes_back(running, state, seen):
    """Each state is reached once, reported as a change once, and undone by active."""
    agent = {"masters": masters(running), "agent": str(running.agents[0].address)}

    assert run("mesos_agent_state", "--check", **agent, state=state)["changed"]
    assert run("mesos_info", masters=masters(running))["agents"][0]["active"]

    told = run("mesos_agent_state", **agent, state=state, max_grace_period=5)
    assert told["changed"] and seen.items() <= told["agent"].items()
    assert not run("mesos_agent_state", **agent, state=state)["changed"]

    told = run("mesos_agent_state", **agent, state="active")
    assert told["changed"] and told["agent"]["active"]
    assert not run("mesos_agent_state", **agent, state="active")["changed"]


def test_unknown_agent_is_named_with_those_that_are_known(running):
    """Who is misnamed is told who there is."""
    told = run("mesos_agent_state", masters=masters(running), agent=NOBODY, state="drained")
    assert told["failed"] and str(running.agents[0].address) in told["msg"]


def test_agent_that_is_gone_stays_gone():
    """Gone is a change once; an agent that nobody knows is gone already."""
    with cluster(agents=1, **AGENT) as processes:
        (known,) = run("mesos_info", masters=masters(processes))["agents"]
        gone = {"masters": masters(processes), "agent": known["id"], "state": "gone"}
        assert run("mesos_agent_state", **gone)["changed"]
        eventually(lambda: processes.agents[0].dead, "the end of the agent that is gone")
        assert run("mesos_info", masters=masters(processes))["agents"] == []
        assert not run("mesos_agent_state", **gone)["changed"]


def test_change_is_compared_with_the_running_agent(running):
    """What an agent was started with decides which case its declaration is."""
    agent = {"agent": str(running.agents[0].address)}
    same = {"resources": AGENT["resources"], "attributes": "rack:a"}
    assert run("mesos_agent_change", **agent, **same)["change"] == "none"

    more = {**same, "resources": AGENT["resources"].replace("cpus:1", "cpus:2")}
    told = run("mesos_agent_change", **agent, **more)
    assert told["change"] == "additive" and told["differences"] == ["cpus 1 -> 2"]

    other = run("mesos_agent_change", **agent, **{**same, "attributes": "rack:b"})
    assert other["change"] == "incompatible"

    dead = run("mesos_agent_change", agent=NOBODY, **same)
    assert dead["change"] == "unknown" and dead["error"] and not dead.get("failed")


def test_master_that_wants_an_account_says_so(tmp_path):
    """Without an account, or with a wrong one, the module fails and says which it was."""
    credentials = tmp_path / "credentials"
    account = {"principal": "reader", "secret": "s3cret-enough-for-this"}
    credentials.write_text(json.dumps({"credentials": [account]}))
    processes = PocketCluster()
    try:
        daemon = processes.start_master(
            authenticate_http_readonly="true", credentials=str(credentials)
        )
        asked = {"masters": [str(daemon.address)], "username": "reader"}
        assert "username and password" in run("mesos_info", masters=asked["masters"])["msg"]
        refused = run("mesos_info", **asked, password="wrong-and-long-enough")
        assert refused["failed"] and "reader" in refused["msg"]
        assert run("mesos_info", **asked, password=account["secret"])["leader"]
    finally:
        processes.close()


def test_ensemble_is_described(zookeeper: ZooKeeper):
    """A server that stands alone is a quorum of one; a server that is down is told as such."""
    told = run("zookeeper_info", servers=[zookeeper.address])
    assert told["quorum"] and told["leader"] == zookeeper.address
    assert told["servers"][0]["mode"] == "standalone" and told["servers"][0]["version"]

    told = run("zookeeper_info", servers=[zookeeper.address, NOBODY])
    assert not told["quorum"] and told["leader"] is None
    assert told["servers"][1]["mode"] is None and told["servers"][1]["error"]
