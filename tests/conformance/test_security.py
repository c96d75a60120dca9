"""Who is let in, and what it may do: authentication by realm, access control lists.

Nothing of this was recorded; each test names the page of Mesos' own documents that it
follows. What needs no more than a cluster that authenticates runs on any such cluster by
address (with MESOS_CREDENTIAL); what needs certain lists runs on the suite's own.
"""

from __future__ import annotations

import base64
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from . import pymesos_run, zookeeper
from .cluster import eventually
from .conftest import GIVEN
from .expect import refused as refusal
from .scheduler import PATH, Scheduler, bare_task, command_task, small
from .secured import AGENT_SECRETS, ROLE, SECRETS, USER, SecuredCluster
from .test_draining import decide, decided
from .test_operator_api import call as operator_call
from .wire import JSON_HEADERS, Address, EventStream, Response, basic, request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .cluster import Cluster

AUTHENTICATION = "docs/authentication.md"
AUTHORIZATION = "docs/authorization.md"
OTHER_USER = "nobody" if USER != "nobody" else "daemon"


@pytest.fixture(scope="module")
def own() -> Iterator[SecuredCluster]:
    """A secured cluster of the suite's own."""
    if GIVEN:
        pytest.skip("needs lists of its own; the cluster given by MESOS_MASTER has others")
    run = SecuredCluster()
    try:
        master = run.secured_master()
        run.secured_agent(str(master.address))
        run.seen_by_operator()
        yield run
    finally:
        run.close()


@pytest.fixture(scope="module")
def secured(request: pytest.FixtureRequest) -> Cluster:
    """Any cluster that authenticates: the one given, else the suite's own."""
    if not GIVEN:
        return request.getfixturevalue("own").seen_by_operator()
    cluster: Cluster = request.getfixturevalue("anywhere")
    if cluster.master.credential is None:
        pytest.skip("MESOS_CREDENTIAL names nobody for the cluster given by MESOS_MASTER")
    return cluster


def needs(secured: Cluster, flag: str, *, of_agent: bool = False) -> None:
    """Skip where the cluster does not authenticate this."""
    value = secured.agent.flags.get(flag) if of_agent else secured.flag(flag)
    if value != "true":
        pytest.skip(f"the {'agent' if of_agent else 'master'} runs without --{flag}")


def refused(answer: Response, realm: str) -> None:
    """Hold an answer against Mesos' challenge."""
    assert (answer.status, answer.reason) == (401, "Unauthorized")
    assert answer.header("WWW-Authenticate") == f'Basic realm="{realm}"'
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"
    assert answer.body == "401 Unauthorized."


def anonymous(address: Address, method: str, path: str, **options: Any) -> Response:
    """Ask without saying who asks."""
    return request(address.known_as(None), method, path, **options)


# --- authentication ------------------------------------------------------------------------

READONLY = ["/state", "/state-summary", "/slaves", "/frameworks", "/tasks", "/roles", "/flags",
            "/maintenance/status", "/files/debug", "/files/browse?path=/", "/files/read?path=/x",
            "/files/download?path=/x", "/metrics/snapshot", "/master/state"]  # fmt: skip
READWRITE = ["/api/v1", "/teardown", "/weights", "/quota", "/maintenance/schedule",
             "/master/api/v1"]  # fmt: skip
AGENT_READONLY = ["/state", "/flags", "/containers", "/monitor/statistics", "/metrics/snapshot",
                  "/files/debug", "/files/browse?path=/", "/slave(1)/state"]  # fmt: skip


@pytest.mark.documented("docs/endpoints")
@pytest.mark.parametrize("path", READONLY)
def test_reading_a_master_needs_a_name(secured: Cluster, path: str) -> None:
    """Endpoints that read belong to the realm of reading."""
    needs(secured, "authenticate_http_readonly")
    refused(anonymous(secured.master, "GET", path), "mesos-master-readonly")


@pytest.mark.documented("docs/endpoints")
@pytest.mark.parametrize("path", READWRITE)
def test_changing_a_master_needs_a_name(secured: Cluster, path: str) -> None:
    """Endpoints that change something, whatever the method, belong to the realm of changing."""
    needs(secured, "authenticate_http_readwrite")
    for method in ("GET", "POST"):
        refused(anonymous(secured.master, method, path), "mesos-master-readwrite")


@pytest.mark.documented("docs/endpoints")
@pytest.mark.parametrize("path", AGENT_READONLY)
def test_reading_an_agent_needs_a_name(secured: Cluster, path: str) -> None:
    """An agent has realms of its own."""
    needs(secured, "authenticate_http_readonly", of_agent=True)
    refused(anonymous(secured.agent.address, "GET", path), "mesos-agent-readonly")


@pytest.mark.documented("docs/endpoints")
def test_operating_an_agent_needs_a_name(secured: Cluster) -> None:
    """The agent's operator API belongs to its realm of changing."""
    needs(secured, "authenticate_http_readwrite", of_agent=True)
    refused(anonymous(secured.agent.address, "POST", "/api/v1"), "mesos-agent-readwrite")


@pytest.mark.documented("docs/endpoints")
def test_what_supervisors_ask_needs_no_name(secured: Cluster) -> None:
    """Health, version and the way to the leader are told to everybody."""
    for address in (secured.master, secured.agent.address):
        for path in ("/health", "/version"):
            assert anonymous(address, "GET", path).status == 200, path
        assert anonymous(address, "GET", "/nosuch").status == 404
    assert anonymous(secured.master, "GET", "/redirect").status == 307


@pytest.mark.documented(AUTHENTICATION)
def test_executors_need_no_name(secured: Cluster) -> None:
    """The executor API is not under the agent's HTTP realms: custom executors know no secret."""
    if secured.agent.flags.get("authenticate_http_executors") == "true":
        pytest.skip("the agent runs with --authenticate_http_executors")
    answer = anonymous(secured.agent.address, "POST", "/api/v1/executor", headers=JSON_HEADERS)
    assert answer.status == 400


@pytest.mark.documented(AUTHENTICATION)
def test_a_name_needs_its_secret(secured: Cluster) -> None:
    """Only the principal's own secret, in the form that Mesos reads, opens the door."""
    needs(secured, "authenticate_http_readonly")
    assert secured.master.credential is not None
    principal, secret = secured.master.credential
    right = base64.b64encode(f"{principal}:{secret}".encode()).decode()
    for value in (
        basic(principal, secret + "x"),
        basic(principal, secret[:-1]),
        basic(principal, ""),
        basic("nobody-of-this-name", secret),
        basic(principal, f"{secret}:"),
        f"basic {right}",
        f"Bearer {right}",
        f"Basic  {right}",
        "Basic",
        "Basic !",
        "Basic " + base64.b64encode(principal.encode()).decode(),
        "",
    ):
        answer = request(secured.master, "GET", "/state", headers={"Authorization": value})
        refused(answer, "mesos-master-readonly")
    answer = request(secured.master, "GET", "/state", headers={"Authorization": f"Basic {right}"})
    assert answer.status == 200


@pytest.mark.documented(AUTHENTICATION)
def test_subscribing_needs_a_name(secured: Cluster) -> None:
    """A scheduler without a credential gets no stream."""
    needs(secured, "authenticate_http_frameworks")
    call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "u", "name": "n"}}}
    stream = EventStream(secured.master.known_as(None), PATH, call, JSON_HEADERS)
    stream.close()
    refused(stream.head, "mesos-master-scheduler")


# --- frameworks ----------------------------------------------------------------------------


def known_as(cluster: Cluster, principal: str) -> Cluster:
    """Look at the suite's own cluster as somebody else."""
    master = cluster.master.known_as((principal, SECRETS[principal]))
    agent = cluster.agent.address.known_as((principal, AGENT_SECRETS.get(principal, "")))
    return dataclasses.replace(
        cluster, master=master, agent=dataclasses.replace(cluster.agent, address=agent)
    )


@pytest.fixture
def operator(own: SecuredCluster) -> Cluster:
    """The suite's own cluster, with every right."""
    return own.seen_by_operator()


@pytest.fixture
def reader(operator: Cluster) -> Cluster:
    """The suite's own cluster, with hardly any right."""
    return known_as(operator, "reader")


@pytest.fixture
def frameworks(operator: Cluster) -> Iterator[Cluster]:
    """The suite's own cluster as a framework sees it; frameworks are gone after the test."""
    view = dataclasses.replace(known_as(operator, "framework"), schedulers=[])
    yield view
    for scheduler in view.schedulers:
        if scheduler.events and scheduler.events[0].kind == "SUBSCRIBED":
            scheduler.call("TEARDOWN")
        scheduler.close()


@pytest.fixture
def scheduler(frameworks: Cluster) -> Scheduler:
    """A framework that may subscribe."""
    return frameworks.subscribe("secured", roles=[ROLE])


@pytest.mark.documented(AUTHENTICATION)
def test_a_framework_has_the_name_it_came_with(operator: Cluster, scheduler: Scheduler) -> None:
    """A framework that names no principal gets the one that it authenticated as."""
    shown = operator.framework(scheduler.framework_id)
    assert shown is not None
    assert shown["principal"] == "framework"


@pytest.mark.documented(AUTHENTICATION)
def test_a_framework_is_who_it_says(frameworks: Cluster) -> None:
    """A FrameworkInfo that names somebody else is no subscription."""
    info = {**frameworks.framework_info("x", roles=[ROLE]), "principal": "operator"}
    call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
    answer = request(frameworks.master, "POST", PATH, call, JSON_HEADERS)
    assert (answer.status, answer.body) == (
        400,
        (
            "Failed to validate scheduler::Call: Authenticated principal 'framework' does not "
            "match principal 'operator' set in `FrameworkInfo`"
        ),
    )


@pytest.mark.documented(AUTHENTICATION)
def test_a_framework_is_nobody_elses(frameworks: Cluster, scheduler: Scheduler) -> None:
    """A stream's id opens nothing without the framework's own credential."""
    stranger = frameworks.master.known_as(("stranger", SECRETS["stranger"]))
    headers = {**JSON_HEADERS, "Mesos-Stream-Id": scheduler.stream_id}
    call = {"type": "TEARDOWN", "framework_id": {"value": scheduler.framework_id}}
    answer = request(stranger, "POST", PATH, call, headers)
    assert (answer.status, answer.body) == (
        400,
        (
            "Authenticated principal 'stranger' does not match principal 'framework' set in "
            "`FrameworkInfo`"
        ),
    )
    scheduler.offer()


@pytest.mark.documented(AUTHORIZATION)
@pytest.mark.parametrize(
    ("roles", "shown"),
    [
        (["elsewhere"], "{ elsewhere }"),
        ([ROLE, "elsewhere"], f"{{ {ROLE}, elsewhere }}"),
        ([f"{ROLE}x"], f"{{ {ROLE}x }}"),
    ],
    ids=["other", "among", "prefix"],
)
def test_roles_must_be_granted(frameworks: Cluster, roles: list[str], shown: str) -> None:
    """Each role that a framework wants must be its to have."""
    scheduler = frameworks.subscribe("roles", roles=roles)
    error = scheduler.wait_kind("ERROR")
    expected = f"Not authorized to register framework  with roles {shown}"
    assert error["message"] == expected
    assert scheduler.wait_ended() == "last chunk"


@pytest.mark.documented(AUTHORIZATION)
def test_a_role_stands_for_those_below(frameworks: Cluster) -> None:
    """`a/%` grants every role below `a`."""
    scheduler = frameworks.subscribe("tree", roles=[f"{ROLE}/a", f"{ROLE}/a/b"])
    scheduler.wait_kind("SUBSCRIBED")


@pytest.mark.documented(AUTHORIZATION)
def test_update_needs_the_roles_too(scheduler: Scheduler) -> None:
    """A framework can't win by an update what a subscription would not get."""
    info = {**scheduler.info_with_id(), "principal": "framework", "roles": ["elsewhere"]}
    answer = scheduler.call("UPDATE_FRAMEWORK", update_framework={"framework_info": info})
    expected = (
        f"Not authorized to register framework {scheduler.framework_id} with roles {{ elsewhere }}"
    )
    assert (answer.status, answer.body) == (403, expected)


@pytest.mark.documented(AUTHORIZATION)
def test_tasks_run_as_granted_users(frameworks: Cluster, scheduler: Scheduler) -> None:
    """A task under a user that is not granted is an error; beside it another one runs."""
    agent_id = frameworks.agent.agent_id
    offer = scheduler.offer(cpus=0.3, mem=128)
    scheduler.launch(
        offer,
        command_task("foreign", agent_id, {"value": "true", "user": OTHER_USER}),
        command_task("own", agent_id, "true"),
    )
    status = scheduler.wait_status("foreign", "TASK_ERROR")
    assert (status["source"], status["reason"]) == ("SOURCE_MASTER", "REASON_TASK_UNAUTHORIZED")
    assert status["message"] == (
        "Principal 'framework' no authorized to launch task foreign of framework "
        f"{scheduler.framework_id} under user '{OTHER_USER}'"
    )
    scheduler.wait_status("own", "TASK_FINISHED")


@pytest.mark.documented(AUTHORIZATION)
def test_a_group_runs_as_a_whole_or_not(frameworks: Cluster, scheduler: Scheduler) -> None:
    """One task under a user that is not granted spoils its group."""
    offer = scheduler.offer(cpus=0.4, mem=160)
    tasks = [
        bare_task(name, frameworks.agent.agent_id, command={"value": "true", "user": user})
        for name, user in (("good", USER), ("bad", OTHER_USER))
    ]
    executor = {
        "type": "DEFAULT",
        "executor_id": {"value": "group"},
        "framework_id": {"value": scheduler.framework_id},
        "resources": small(),
    }
    group = {"executor": executor, "task_group": {"tasks": tasks}}
    operation = {"type": "LAUNCH_GROUP", "launch_group": group}
    scheduler.accept([offer["id"]["value"]], [operation])
    for name in ("good", "bad"):
        status = scheduler.wait_status(name, "TASK_ERROR")
        assert status["reason"] == "REASON_TASK_GROUP_UNAUTHORIZED"


# --- operators -----------------------------------------------------------------------------


@pytest.mark.documented(AUTHORIZATION)
def test_only_what_may_be_seen_is_shown(
    operator: Cluster, reader: Cluster, frameworks: Cluster, scheduler: Scheduler
) -> None:
    """Frameworks, tasks, executors, roles and flags are left out for whom they are not granted."""
    scheduler.launch(
        scheduler.offer(), command_task("seen", frameworks.agent.agent_id, "sleep 600")
    )
    scheduler.wait_status("seen", "TASK_RUNNING")
    identity = scheduler.framework_id

    full, bare = operator.state(), reader.state()
    assert identity in [one["id"] for one in full["frameworks"]]
    assert [task["id"] for one in full["frameworks"] for task in one["tasks"]] == ["seen"]
    assert (bare["frameworks"], bare["completed_frameworks"]) == ([], [])
    assert "flags" in full
    assert "flags" not in bare
    assert len(bare["slaves"]) == 1
    for path, name in (("/frameworks", "frameworks"), ("/tasks", "tasks"), ("/roles", "roles"),
                       ("/state-summary", "frameworks")):  # fmt: skip
        assert operator.get(path).json()[name], path
        assert reader.get(path).json()[name] == [], path

    def asked(cluster: Cluster, kind: str) -> Any:
        answer = request(cluster.master, "POST", "/api/v1", {"type": kind}, JSON_HEADERS)
        return answer.json().get(kind.lower(), {})

    assert asked(operator, "GET_TASKS")["tasks"]
    assert not asked(reader, "GET_TASKS").get("tasks")
    assert not asked(reader, "GET_FRAMEWORKS").get("frameworks")
    assert not asked(reader, "GET_ROLES").get("roles")
    assert asked(reader, "GET_STATE")["get_agents"]["agents"]

    local = [one for one in operator.agent.state()["frameworks"] if one["id"] == identity]
    assert [task["id"] for task in local[0]["executors"][0]["tasks"]] == ["seen"]
    assert request(reader.agent.address, "GET", "/state").json()["frameworks"] == []


@pytest.mark.documented(AUTHORIZATION)
def test_a_right_denied_is_forbidden(operator: Cluster, reader: Cluster) -> None:
    """Endpoints that are granted as a whole answer 403 to those who lack the right."""
    endpoints = [(operator.master, reader.master, path) for path in
                 ("/flags", "/metrics/snapshot", "/files/debug")]  # fmt: skip
    endpoints += [(operator.agent.address, reader.agent.address, path) for path in
                  ("/flags", "/metrics/snapshot", "/files/debug", "/containers",
                   "/monitor/statistics")]  # fmt: skip
    for granted, denied, path in endpoints:
        assert request(granted, "GET", path).status == 200, path
        answer = request(denied, "GET", path)
        assert (answer.status, answer.body) == (403, "403 Forbidden."), path
    level = {"level": 1, "duration": {"nanoseconds": 1}}
    for call in (
        {"type": "GET_FLAGS"},
        {"type": "SET_LOGGING_LEVEL", "set_logging_level": level},
    ):
        for address in (reader.master, reader.agent.address):
            answer = request(address, "POST", "/api/v1", call, JSON_HEADERS)
            assert (answer.status, answer.body) == (403, "403 Forbidden.")


@pytest.mark.documented(AUTHORIZATION)
def test_files_are_for_whom_they_are_granted(
    operator: Cluster, reader: Cluster, scheduler: Scheduler
) -> None:
    """Logs and sandboxes can be read with the right to do so only."""
    scheduler.launch(
        scheduler.offer(), command_task("writer", operator.agent.agent_id, "echo hi; sleep 600")
    )
    scheduler.wait_status("writer", "TASK_RUNNING")
    sandbox = operator.agent.sandbox(scheduler.framework_id, "writer")
    eventually(lambda: "hi\n" in operator.agent.read(f"{sandbox}/stdout"), "the task's output")
    for allowed, denied, path in (
        (operator.agent.address, reader.agent.address, f"{sandbox}/stdout"),
        (operator.agent.address, reader.agent.address, "/slave/log"),
        (operator.master, reader.master, "/master/log"),
    ):
        for verb, body in (("read", ""), ("download", "403 Forbidden."), ("browse", "")):
            assert request(allowed, "GET", f"/files/{verb}?path={path}").status == 200
            answer = request(denied, "GET", f"/files/{verb}?path={path}")
            assert (answer.status, answer.body) == (403, body), (verb, path)
        call = {"type": "READ_FILE", "read_file": {"path": path, "offset": 0}}
        assert request(denied, "POST", "/api/v1", call, JSON_HEADERS).status == 403


@pytest.mark.documented(AUTHORIZATION)
def test_teardown_needs_the_right(operator: Cluster, reader: Cluster, scheduler: Scheduler) -> None:
    """A framework is ended by whom its principal's frameworks are granted to."""
    body = f"frameworkId={scheduler.framework_id}"
    call = {
        "type": "TEARDOWN",
        "teardown": {"framework_id": {"value": scheduler.framework_id}},
    }
    for answer in (
        request(reader.master, "POST", "/teardown", body),
        request(reader.master, "POST", "/api/v1", call, JSON_HEADERS),
    ):
        assert (answer.status, answer.body) == (403, "403 Forbidden.")
    assert scheduler.ended is None
    assert request(operator.master, "POST", "/teardown", body).status == 200
    scheduler.wait_ended()


@pytest.mark.documented(AUTHORIZATION)
def test_decisions_about_agents_need_their_rights(operator: Cluster, reader: Cluster) -> None:
    """Each has its own; to drain an agent that is to be gone takes two of them."""
    agent_id = operator.agent.agent_id
    forbidden = refusal(403, "403 Forbidden.")
    for type_ in ("DEACTIVATE_AGENT", "REACTIVATE_AGENT", "DRAIN_AGENT", "MARK_AGENT_GONE"):
        answer = operator_call(reader.master, decided(type_, agent_id))
        assert forbidden.problems(answer) == [], type_
    for body in (
        decided("MARK_AGENT_GONE", agent_id),
        decided("DRAIN_AGENT", agent_id, mark_gone=True),
    ):
        assert forbidden.problems(operator_call(operator.master, body)) == []
    decide(operator.master, "DEACTIVATE_AGENT", agent_id)
    decide(operator.master, "REACTIVATE_AGENT", agent_id)


# --- agents, PyMesos, secrets --------------------------------------------------------------


@pytest.fixture
def doorkeeper(own: SecuredCluster) -> Iterator[SecuredCluster]:
    """The suite's own cluster, for more agents; they are gone after the test."""
    known = len(own.agents)
    yield own
    for daemon in own.agents[known:]:
        daemon.stop()
    del own.agents[known:]


def logged(path: Path, text: str) -> None:
    """Wait until a daemon has logged something."""
    eventually(lambda: text in path.read_text(errors="replace"), f"'{text}' in {path.name}")


@pytest.mark.documented(AUTHENTICATION)
def test_an_agent_without_a_name_stays_outside(doorkeeper: SecuredCluster) -> None:
    """It keeps asking, and is not admitted."""
    agent = doorkeeper.start_agent(
        str(doorkeeper.masters[0].address), registration_backoff_factor="100ms"
    )
    refusal = "because it is not authenticated"
    log = doorkeeper.masters[0].log
    eventually(lambda: log.read_text(errors="replace").count(refusal) >= 2, "attempts")
    assert len(doorkeeper.seen_by_operator().state()["slaves"]) == 1
    assert agent.serving()


@pytest.mark.documented(AUTHENTICATION)
def test_an_agent_with_a_wrong_secret_exits(doorkeeper: SecuredCluster) -> None:
    """Asking again would not help: it says so and ends, with its executors left alone."""
    agent = doorkeeper.start_agent(
        str(doorkeeper.masters[0].address), credential=doorkeeper.credential("agent", "wrong")
    )
    logged(agent.log, "refused authentication")
    eventually(lambda: agent.dead, "the agent's end")


@pytest.mark.documented(AUTHORIZATION)
def test_an_agent_needs_the_right_to_register(doorkeeper: SecuredCluster) -> None:
    """A good secret is not enough."""
    master = doorkeeper.masters[0]
    agent = doorkeeper.start_agent(
        str(master.address),
        credential=doorkeeper.credential("stranger", SECRETS["stranger"]),
    )
    logged(master.log, "Refusing registration of agent at")
    logged(master.log, "with principal 'stranger'")
    assert len(doorkeeper.seen_by_operator().state()["slaves"]) == 1
    assert not agent.dead


@pytest.fixture
def several() -> Iterator[SecuredCluster]:
    """Three secured masters, whose ZooKeeper lets nobody else write where they stand."""
    if GIVEN:
        pytest.skip("stops masters; the cluster given by MESOS_MASTER is not the suite's to harm")
    if reason := zookeeper.missing():
        pytest.skip(f"no ZooKeeper server to run: {reason}")
    run = SecuredCluster()
    server = None
    try:
        server = zookeeper.ZooKeeper(run.run)
        url = run.run / "zk"
        url.touch(mode=0o600)
        url.write_text(f"zk://lab:{ZOOKEEPER_SECRET}@{server.address}/mesos")
        for _ in range(3):
            run.secured_master(zk=f"file://{url}", quorum="2")
        run.secured_agent(f"file://{url}")
        yield run
    finally:
        run.close()
        if server:
            server.close()


ZOOKEEPER_SECRET = "zookeeper-secret-4cN6"


@pytest.mark.documented(AUTHENTICATION)
def test_the_next_leader_knows_everybody_too(several: SecuredCluster) -> None:
    """Framework and agent show their credentials to whoever leads; followers want them as well."""
    cluster = several.seen_by_operator()
    first = known_as(cluster, "framework").subscribe("ha", roles=[ROLE], failover_timeout=600.0)
    info = first.info_with_id()
    others = [one for one in several.masters if one.address != cluster.master]
    for follower in others:
        refused(anonymous(follower.address, "GET", "/state"), "mesos-master-readonly")
        assert request(follower.address, "GET", "/state").status == 307
    next(one for one in several.masters if one.address == cluster.master).stop()

    cluster = several.seen_by_operator()
    frameworks = known_as(cluster, "framework")
    second = frameworks.subscribe(info=info)
    assert second.framework_id == first.framework_id
    second.launch(second.offer(), command_task("on", cluster.agent.agent_id, "true"))
    second.wait_status("on", "TASK_FINISHED")
    told = [cluster.get("/flags").body, cluster.agent.get("/flags").body]
    told += [one.log.read_text(errors="replace") for one in (*several.masters, *several.agents)]
    assert not [text for text in told if ZOOKEEPER_SECRET in text]
    second.call("TEARDOWN")
    for scheduler in (first, second):
        scheduler.close()


@pytest.mark.documented(AUTHENTICATION)
def test_pymesos_authenticates(frameworks: Cluster) -> None:
    """Unmodified PyMesos shows its principal and secret; its executors need none."""
    told = pymesos_run.run(frameworks, str(frameworks.master), role=ROLE)
    assert pymesos_run.problems(told) == []


@pytest.mark.documented(AUTHENTICATION)
def test_secrets_are_told_to_nobody(own: SecuredCluster, operator: Cluster) -> None:
    """No log, no endpoint, no process' arguments or environment hold a secret."""
    shown = [operator.get("/flags").body, operator.get("/state").body]
    shown += [operator.agent.get("/flags").body, operator.agent.get("/state").body]
    for daemon in (*own.masters, *own.agents):
        process = Path("/proc", str(daemon._process.pid))
        shown += [daemon.log.read_text(errors="replace")]
        shown += [(process / name).read_text(errors="replace") for name in ("cmdline", "environ")]
    assert operator.flag("credentials") == str(own.run / "credentials.json")
    for secret in SECRETS.values():
        assert not [text for text in shown if secret in text]
