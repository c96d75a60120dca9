"""Each account may do what it is for; nobody else may do anything."""

import pytest
import requests
from support import cluster, inventory
from support.tasks import launcher

JSON = {"Content-Type": "application/json", "Accept": "application/json"}
WRONG = {
    "nobody": None,
    "wrong-secret": ("operator", "not-the-secret-at-all"),
    "unknown": ("nobody", "whatever-it-may-be-1"),
}
REALMS = {
    "mesos-master-readonly": ("GET", cluster.MASTER_PORT, "/state"),
    "mesos-master-readwrite": ("POST", cluster.MASTER_PORT, "/api/v1"),
    "mesos-master-scheduler": ("POST", cluster.MASTER_PORT, "/api/v1/scheduler"),
    "mesos-agent-readonly": ("GET", cluster.AGENT_PORT, "/state"),
    "mesos-agent-readwrite": ("POST", cluster.AGENT_PORT, "/api/v1"),
}


def operate(leader, account, kind, details):
    """Return the master's answer to an operator's call."""
    url = f"http://{leader.address}:{cluster.MASTER_PORT}/api/v1"
    call = {"type": kind, kind.lower(): details}
    return requests.post(
        url, json=call, auth=inventory.account(account), headers=JSON, timeout=30
    )  # fmt: skip


@pytest.mark.parametrize("realm", REALMS)
@pytest.mark.parametrize("login", WRONG.values(), ids=WRONG)
def test_who_does_not_prove_to_be_somebody_is_refused(leader, realm, login):
    """Every realm of masters and agents asks for a credential, and takes no wrong one."""
    method, port, path = REALMS[realm]
    url = f"http://{leader.address}:{port}{path}"
    answer = requests.request(method, url, auth=login, headers=JSON, timeout=30)
    assert answer.status_code == requests.codes.unauthorized, answer.text
    assert realm in answer.headers["WWW-Authenticate"]


def test_the_agents_account_is_nobody_to_an_agent(leader):
    """What an agent comes to masters with opens no other agent."""
    variables = leader.run("cat /etc/mesos-security/credential")
    login = tuple(requests.models.complexjson.loads(variables).values())
    url = f"http://{leader.address}:{cluster.AGENT_PORT}/state"
    assert requests.get(url, auth=login, timeout=30).status_code == requests.codes.unauthorized


@pytest.mark.parametrize("port", [cluster.MASTER_PORT, cluster.AGENT_PORT])
@pytest.mark.parametrize("path", ["/state", "/flags", "/metrics/snapshot"])
def test_the_reader_sees_what_there_is(leader, port, path):
    """State, flags and metrics of masters and agents."""
    answer = cluster.ask(leader, path, port)
    assert answer.status_code == requests.codes.ok, answer.text
    assert answer.json()


@pytest.mark.parametrize("account", ["readonly", "framework"])
@pytest.mark.parametrize("kind", ["DRAIN_AGENT", "DEACTIVATE_AGENT", "MARK_AGENT_GONE"])
def test_only_operators_decide_about_agents(leader, account, kind):
    """Neither readers nor frameworks may take an agent out of the cluster."""
    agent = cluster.active_agents(leader)[leader.address]
    answer = operate(leader, account, kind, {"agent_id": {"value": agent["id"]}})
    assert answer.status_code == requests.codes.forbidden, answer.text
    assert leader.address in cluster.active_agents(leader)


def test_the_operator_decides_about_agents(leader):
    """Deactivated, an agent is not active; reactivated, it is."""
    agent = cluster.active_agents(leader)[leader.address]
    which = {"agent_id": {"value": agent["id"]}}
    try:
        answer = operate(leader, "operator", "DEACTIVATE_AGENT", which)
        assert answer.status_code == requests.codes.ok, answer.text
        assert leader.address not in cluster.active_agents(leader)
    finally:
        operate(leader, "operator", "REACTIVATE_AGENT", which)
    assert leader.address in cluster.active_agents(leader)


def test_the_reader_neither_ends_a_framework_nor_reads_its_sandbox(leader, tasks):
    """Looking is not touching, and what tasks write is their users' and the operator's."""
    task = tasks.launch("sleep 600", cpus=0.1, mem=32, hostname=leader.address)
    (framework,) = cluster.state(leader)["frameworks"]
    answer = operate(leader, "readonly", "TEARDOWN", {"framework_id": {"value": framework["id"]}})
    assert answer.status_code == requests.codes.forbidden, answer.text
    assert task.states[-1] == "TASK_RUNNING"

    known = cluster.ask(leader, "/state", cluster.AGENT_PORT).json()["frameworks"][0]
    sandbox = f"/files/browse?path={known['executors'][0]['directory']}"
    seen = {
        name: cluster.ask(leader, sandbox, cluster.AGENT_PORT, name).status_code
        for name in ("readonly", "framework", "operator")
    }
    assert seen == {"readonly": 403, "framework": 403, "operator": 200}


def test_a_framework_runs_tasks_only_as_its_own_user(leader):
    """The MapReduce command's account runs nothing as root, whatever it asks for."""
    with launcher(cluster.zookeeper_address(), inventory.account("framework")) as framework:
        task = framework.launch("true", cpus=0.1, mem=32, hostname=leader.address)
        assert task.statuses[-1]["state"] == "TASK_ERROR"
        assert task.statuses[-1]["reason"] == "REASON_TASK_UNAUTHORIZED"


def test_a_framework_has_only_its_own_roles(leader):
    """It may not take what other roles are given."""
    info = {"user": "mapreduce", "name": "greedy", "roles": ["somebody-elses"],
            "capabilities": [{"type": "MULTI_ROLE"}]}  # fmt: skip
    call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
    url = f"http://{leader.address}:{cluster.MASTER_PORT}/api/v1/scheduler"
    login = inventory.account("framework")
    answer = requests.post(url, json=call, auth=login, headers=JSON, timeout=30)
    assert "Not authorized to register framework" in answer.text
