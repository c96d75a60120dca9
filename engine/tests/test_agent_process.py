"""A real agent, real executors, a master that speaks the link."""

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from agent_process import SYSTEM_PYTHON, AgentProcess, launcher_dir_for_all
from container_lab import UNIFIED, group, namespaces
from fake_master import FakeMaster, framework, resources, task

from pocket_mesos.protocol import codec, link
from pocket_mesos.protocol.deactivation import Deactivation, DrainConfig, DrainInfo, DrainState
from pocket_mesos.protocol.mesos import (
    CheckInfo,
    CommandCheckInfo,
    CommandInfo,
    CommandURI,
    DurationInfo,
    Environment,
    EnvironmentVariable,
    ExecutorID,
    ExecutorInfo,
    ExecutorType,
    FrameworkID,
    HealthCheck,
    HTTPHealthCheck,
    KillPolicy,
    TaskGroupInfo,
    TaskID,
    TaskInfo,
    TCPHealthCheck,
)

pytestmark = [pytest.mark.integration, pytest.mark.root]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="cgroups and users need root")

PARTITION_AWARE = ("PARTITION_AWARE", "TASK_KILLING_STATE")

PYMESOS_EXECUTOR = """
import sys, threading
from pymesos import Executor, MesosExecutorDriver
class Echo(Executor):
    def launchTask(self, driver, task):
        def work():
            driver.sendStatusUpdate(dict(task_id=task["task_id"], state="TASK_RUNNING"))
            if task["name"] == "exit":
                import os; os._exit(7)
            if task["name"] != "wait":
                driver.sendStatusUpdate(dict(task_id=task["task_id"], state="TASK_FINISHED"))
        threading.Thread(target=work).start()
    def frameworkMessage(self, driver, message):
        driver.sendFrameworkMessage(message)
    def killTask(self, driver, task_id):
        driver.sendStatusUpdate(dict(task_id=task_id, state="TASK_KILLED"))
driver = MesosExecutorDriver(Echo())
driver.run()
"""

Start = Callable[..., AgentProcess]


@pytest.fixture
async def agents(tmp_path: Path, master: FakeMaster) -> AsyncIterator[Start]:
    made: list[AgentProcess] = []

    def start(**flags: object) -> AgentProcess:
        folder = tmp_path / f"agent{len(made)}"
        folder.mkdir()
        made.append(AgentProcess(folder, master, **flags))
        made[-1].start()
        return made[-1]

    yield start
    for agent in made:
        text = agent.log.read_text() if agent.log.exists() else ""
        print(text)  # shown with a failure
        agent.clean()
        assert "Traceback" not in text, text


async def registered(master: FakeMaster, count: int = 1) -> None:
    await master.until(lambda: len(master.registrations) >= count)


def until_exists(path: Path) -> str:
    """Return a command that runs until there is such a file."""
    return f"while ! test -e {path}; do sleep 0.1; done"


def pymesos_executor(tmp_path: Path, name: str = "echo") -> ExecutorInfo:
    program = tmp_path / "executor.py"
    program.write_text(PYMESOS_EXECUTOR)
    return ExecutorInfo(
        type=ExecutorType.CUSTOM,
        executor_id=ExecutorID(value=name),
        framework_id=FrameworkID(value="m-f"),
        command=CommandInfo(value=f"exec {sys.executable} {program}"),
        resources=resources(),
    )


async def test_a_command_task_goes_through_its_states(master: FakeMaster, agents: Start) -> None:
    """Starting, running, finished, with Mesos' message; the sandbox holds what it printed."""
    agent = agents()
    await registered(master)
    master.run(framework(), task("t", "echo out; echo err >&2"))
    last = await master.update("t", "TASK_FINISHED")
    assert last.message == "Command exited with status 0"
    assert master.states("t") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
    sandbox = agent.sandbox("m-f", "t")
    assert (sandbox / "stdout").read_text() == "out\n"
    assert "err\n" in (sandbox / "stderr").read_text()
    assert sandbox.stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize(
    ("command", "state", "message"),
    [
        (CommandInfo(value="exit 3"), "TASK_FAILED", "Command exited with status 3"),
        (
            CommandInfo(value="ulimit -c 0; kill -SEGV $$"),
            "TASK_FAILED",
            "Command terminated with signal Segmentation fault",
        ),
        (CommandInfo(value="/no/such/program"), "TASK_FAILED", "Command exited with status 127"),
        (
            CommandInfo(shell=False, value="/bin/echo", arguments=["echo", "a b"]),
            "TASK_FINISHED",
            "Command exited with status 0",
        ),
    ],
)
async def test_how_a_command_ends_decides_the_state(
    master: FakeMaster, agents: Start, command: CommandInfo, state: str, message: str
) -> None:
    """The messages are those of the recorded terminal states."""
    agents()
    await registered(master)
    master.run(framework(), task("t", command))
    assert (await master.update("t", state)).message == message


async def test_a_command_task_sees_mesos_environment_and_nothing_else(
    master: FakeMaster, agents: Start
) -> None:
    """Exactly the recorded variables, those of Mesos' native library aside."""
    agent = agents(executor_shutdown_grace_period="3secs")
    await registered(master)
    variable = EnvironmentVariable(name="MY_VAR", value="42")
    command = CommandInfo(value="env", environment=Environment(variables=[variable]))
    master.run(framework(), task("t", command))
    await master.update("t", "TASK_FINISHED")
    sandbox = agent.sandbox("m-f", "t")
    lines = (sandbox / "stdout").read_text().splitlines()
    assert dict(line.split("=", 1) for line in lines) == {
        "LIBPROCESS_IP": "127.0.0.1",
        "LIBPROCESS_PORT": "0",
        "MESOS_AGENT_ENDPOINT": f"127.0.0.1:{agent.port}",
        "MESOS_ALLOCATION_ROLE": "r",
        "MESOS_CHECKPOINT": "0",
        "MESOS_DIRECTORY": str(sandbox),
        "MESOS_EXECUTOR_ID": "t",
        "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": "3secs",
        "MESOS_FRAMEWORK_ID": "m-f",
        "MESOS_HTTP_COMMAND_EXECUTOR": "0",
        "MESOS_SANDBOX": str(sandbox),
        "MESOS_SLAVE_ID": "m-S0",
        "MESOS_SLAVE_PID": f"slave(1)@127.0.0.1:{agent.port}",
        "MY_VAR": "42",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PWD": str(sandbox),
    }


async def test_kill_asks_first_and_insists_after_the_grace_period(
    master: FakeMaster, agents: Start
) -> None:
    """SIGTERM, then SIGKILL when the kill policy's period is over."""
    agent = agents()
    await registered(master)
    info = framework(capabilities=PARTITION_AWARE)
    policy = KillPolicy(grace_period=DurationInfo(nanoseconds=500_000_000))
    stubborn = "trap '' TERM; echo ready; while true; do sleep 0.1; done"
    master.run(info, task("stubborn", stubborn, kill_policy=policy), task("polite", "sleep 100"))
    for name in ("stubborn", "polite"):
        await master.update(name, "TASK_RUNNING")
    await master.until(lambda: agent.printed("m-f", "stubborn") == "ready\n")
    for name in ("stubborn", "polite"):
        master.send(link.KillTask(framework_id=info.id, task_id=TaskID(value=name)))
    polite = await master.update("polite", "TASK_KILLED")
    killed = await master.update("stubborn", "TASK_KILLED")
    assert polite.message == "Command terminated with signal Terminated"
    assert killed.message == "Command terminated with signal Killed"
    assert "TASK_KILLING" in master.states("polite")


async def test_a_failed_fetch_fails_the_task(master: FakeMaster, agents: Start) -> None:
    """In the recorded words; the fetcher's own are in the sandbox."""
    agent = agents()
    await registered(master)
    command = CommandInfo(value="true", uris=[CommandURI(value="file:///no/such/file")])
    master.run(framework(), task("t", command))
    status = await master.update("t", "TASK_FAILED")
    sandbox = agent.sandbox("m-f", "t")
    assert status.reason == "REASON_CONTAINER_LAUNCH_FAILED"
    assert status.message == (
        "Failed to launch container: Failed to fetch all URIs for container "
        f"'{sandbox.name}': exited with status 1"
    )
    assert "file:///no/such/file" in (sandbox / "stderr").read_text()


async def test_what_was_fetched_is_there_when_the_command_starts(
    master: FakeMaster, agents: Start, tmp_path: Path
) -> None:
    """Executable files are executable."""
    agents()
    await registered(master)
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\nexit 5\n")
    uri = CommandURI(value=str(program), executable=True)
    master.run(framework(), task("t", CommandInfo(value="./program", uris=[uri])))
    assert (await master.update("t", "TASK_FAILED")).message == "Command exited with status 5"


@needs_root
async def test_an_unknown_user_drops_the_task(master: FakeMaster, agents: Start) -> None:
    """Nothing was started; the words are the recorded ones."""
    agent = agents()
    await registered(master)
    info = framework(capabilities=PARTITION_AWARE)
    master.run(info, task("t", CommandInfo(value="true", user="nosuchuser")))
    status = await master.update("t", "TASK_DROPPED")
    assert status.reason == "REASON_EXECUTOR_TERMINATED"
    runs = f"{agent.work_dir}/slaves/m-S0/frameworks/m-f/executors/t/runs/"
    assert status.message is not None
    assert status.message.startswith(f"Failed to create executor directory '{runs}")
    assert status.message.endswith(
        "': Failed to chown directory to 'nosuchuser': No such user 'nosuchuser'"
    )


@needs_root
@pytest.mark.skipif(not Path(SYSTEM_PYTHON).exists(), reason="needs Python for all users")
async def test_tasks_run_as_the_frameworks_user(
    master: FakeMaster, agents: Start, tmp_path: Path
) -> None:
    """The sandbox is the user's, and so is the process, with the user's groups."""
    folder = Path(tempfile.mkdtemp(prefix="mesos-agent-test-"))
    folder.chmod(0o755)  # noqa: ASYNC240 (nothing else runs)
    try:
        agent = agents(work_dir=folder / "work", launcher_dir=launcher_dir_for_all(folder))
        agent.work_dir = folder / "work"
        await registered(master)
        command = CommandInfo(value="id -un; id -Gn; touch mine", user="nobody")
        master.run(framework(), task("t", command))
        await master.update("t", "TASK_FINISHED")
        sandbox = agent.sandbox("m-f", "t")
        assert (sandbox / "stdout").read_text() == "nobody\nnogroup\n"
        assert sandbox.owner() == (sandbox / "mine").owner() == "nobody"
        assert (sandbox / "stdout").owner() == "nobody"
    finally:
        shutil.rmtree(folder)


@needs_root
async def test_cgroups_hold_the_limits_and_are_gone_afterwards(
    master: FakeMaster, agents: Start
) -> None:
    """Layout and values as recorded; command executors add 0.1 CPU and 32 MB."""
    agent = agents(
        launcher="linux",
        isolation="cgroups/cpu,cgroups/mem",
        cgroups_enable_cfs="true",
        # A fifth of an emulated processor is not much.
        executor_registration_timeout="10mins",
    )
    await registered(master)
    master.run(framework(), task("t", "sleep 100", cpus=0.1, mem=32))
    await master.update("t", "TASK_RUNNING")
    container = agent.sandbox("m-f", "t").name

    def control(subsystem: str, name: str) -> str:
        return (group(subsystem, agent.cgroups_root) / container / name).read_text().strip()

    if UNIFIED:
        assert control("cpu", "cpu.weight") == "20"
        assert control("cpu", "cpu.max") == "20000 100000"
        assert control("memory", "memory.max") == str(64 * 2**20)
        assert control("memory", "memory.low") == str(64 * 2**20)
        assert len(control("", "leaf/cgroup.procs").split()) >= 2
    else:
        assert control("cpu", "cpu.shares") == "204"
        assert control("cpu", "cpu.cfs_quota_us") == "20000"
        assert control("memory", "memory.limit_in_bytes") == str(64 * 2**20)
        assert control("memory", "memory.soft_limit_in_bytes") == str(64 * 2**20)
        assert len(control("freezer", "cgroup.procs").split()) >= 2
    usage = (await agent.get("/containers"))[0]
    assert usage["statistics"]["mem_limit_bytes"] == 64 * 2**20
    assert usage["statistics"]["mem_rss_bytes"] > 0
    assert usage["executor_id"] == "t"
    master.send(link.KillTask(framework_id=framework().id, task_id=TaskID(value="t")))
    await master.update("t", "TASK_KILLED")
    await master.until(lambda: not agent.cgroups())
    assert not agent.processes()


@needs_root
async def test_a_memory_hog_dies_and_its_neighbour_lives(master: FakeMaster, agents: Start) -> None:
    """The kernel's kill is reported as Mesos' limitation, never as the command's own failure."""
    agents(launcher="linux", isolation="cgroups/cpu,cgroups/mem")
    await registered(master)
    hog = f'exec {sys.executable} -c "x=bytearray(300*1024*1024)"'
    master.run(framework(), task("neighbour", "sleep 3"), task("hog", hog, mem=48))
    status = await master.update("hog", "TASK_FAILED")
    assert status.reason == "REASON_CONTAINER_LIMITATION_MEMORY"
    assert status.message is not None
    assert status.message.startswith(
        "Memory limit exceeded: Requested: 80MB Maximum Used: 80MB\n\nMEMORY STATISTICS: \n"
    )
    assert status.limitation is not None
    assert [one.scalar.value for one in status.limitation.resources if one.scalar] == [80.0]
    await master.update("neighbour", "TASK_FINISHED")


def default_executor() -> ExecutorInfo:
    return ExecutorInfo(
        type=ExecutorType.DEFAULT,
        executor_id=ExecutorID(value="de"),
        framework_id=FrameworkID(value="m-f"),
        resources=resources(),
    )


def run_group(master: FakeMaster, *tasks: TaskInfo) -> None:
    info = framework(capabilities=PARTITION_AWARE)
    group = TaskGroupInfo(tasks=list(tasks))
    master.send(link.RunTaskGroup(framework=info, executor=default_executor(), task_group=group))


async def test_a_task_group_runs_in_sandboxes_of_its_own(master: FakeMaster, agents: Start) -> None:
    """Each task with the recorded environment, in a nested container; the executor leaves last."""
    agent = agents()
    await registered(master)
    run_group(master, task("a", "env; touch here"), task("b", "sleep 0.5"))
    finished = await master.update("a", "TASK_FINISHED")
    await master.update("b", "TASK_FINISHED")
    container = finished.container_status
    assert container is not None
    assert container.container_id is not None
    assert container.container_id.parent is not None
    assert finished.executor_id == ExecutorID(value="de")
    parent = agent.sandbox("m-f", "de")
    assert container.container_id.parent.value == parent.name
    sandbox = parent / "containers" / container.container_id.value
    assert (parent / "tasks" / "a").readlink() == sandbox
    assert (sandbox / "here").exists()
    lines = (sandbox / "stdout").read_text().splitlines()
    assert dict(line.split("=", 1) for line in lines) == {
        "MESOS_ALLOCATION_ROLE": "r",
        "MESOS_CONTAINER_IP": "127.0.0.1",
        "MESOS_SANDBOX": str(sandbox),
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PWD": str(sandbox),
    }
    running = next(s for s in master.statuses("b") if s.state.value == "TASK_RUNNING")
    assert running.container_status is not None
    assert running.container_status.executor_pid is not None
    await master.until(lambda: [c for c in master.calls if isinstance(c, link.ExitedExecutor)])
    assert not agent.processes()


async def test_a_group_ends_with_the_first_that_fails(master: FakeMaster, agents: Start) -> None:
    """The others are killed, also when one was killed by the framework."""
    agents()
    await registered(master)
    run_group(master, task("a", "sleep 0.3; exit 1"), task("b", "sleep 100"))
    await master.update("a", "TASK_FAILED")
    await master.update("b", "TASK_KILLED")
    await master.until(lambda: [c for c in master.calls if isinstance(c, link.ExitedExecutor)])
    run_group(master, task("c", "sleep 100"), task("d", "sleep 100"))
    await master.update("c", "TASK_RUNNING")
    await master.update("d", "TASK_RUNNING")
    master.send(link.KillTask(framework_id=framework().id, task_id=TaskID(value="c")))
    await master.update("c", "TASK_KILLED")
    await master.update("d", "TASK_KILLED")
    assert "TASK_KILLING" in master.states("d")


async def test_checks_tell_about_a_task_and_health_decides_over_it(
    master: FakeMaster, agents: Start, tmp_path: Path
) -> None:
    """States, reasons and fields as recorded."""
    agents()
    await registered(master)
    quick = {"delay_seconds": 0.0, "interval_seconds": 0.2, "timeout_seconds": 60.0}
    failing = HealthCheck(
        type="COMMAND",
        command=CommandInfo(value="exit 1"),
        consecutive_failures=2,
        grace_period_seconds=0.0,
        **quick,
    )
    checked = CheckInfo(
        type="COMMAND", command=CommandCheckInfo(command=CommandInfo(value="exit 5")), **quick
    )
    info = framework(capabilities=PARTITION_AWARE)
    master.run(
        info,
        task("sick", "sleep 100", health_check=failing),
        task("checked", until_exists(tmp_path / "end"), check=checked),
    )
    killed = await master.update("sick", "TASK_KILLED")
    result = {"type": "COMMAND", "command": {"exit_code": 5}}
    await master.until(
        lambda: any(status.check_status == result for status in master.statuses("checked"))
    )
    (tmp_path / "end").touch()
    await master.update("checked", "TASK_FINISHED")
    assert killed.healthy is False
    reasons = [status.reason for status in master.statuses("sick")]
    assert reasons.count("REASON_TASK_HEALTH_CHECK_STATUS_UPDATED") == 2
    told = [status.check_status for status in master.statuses("checked")]
    assert told == [
        None,
        {"type": "COMMAND", "command": {}},
        result,
        {"type": "COMMAND", "command": {}},
    ]


@pytest.mark.parametrize("kind", ["HTTP", "TCP"])
async def test_health_by_network(
    master: FakeMaster, agents: Start, tmp_path: Path, kind: str
) -> None:
    """The fake master's own port answers: 404 is no health, a connection is."""
    agents()
    await registered(master)
    check = HealthCheck(
        type=kind,
        http=HTTPHealthCheck(port=master.port, path="/nosuch") if kind == "HTTP" else None,
        tcp=TCPHealthCheck(port=master.port) if kind == "TCP" else None,
        delay_seconds=0.0,
        interval_seconds=0.2,
        consecutive_failures=1,
        grace_period_seconds=0.0,
    )
    command = until_exists(tmp_path / "end")
    master.run(framework(), task("t", command, health_check=check))
    told = await master.until(
        lambda: [s.healthy for s in master.statuses("t") if s.healthy is not None]
    )
    assert told[0] is (kind == "TCP")
    if kind == "TCP":
        (tmp_path / "end").touch()
    await master.update("t", "TASK_FINISHED" if kind == "TCP" else "TASK_KILLED")


async def test_a_task_that_takes_too_long_fails(master: FakeMaster, agents: Start) -> None:
    """max_completion_time, with its reason."""
    agents()
    await registered(master)
    limit = DurationInfo(nanoseconds=500_000_000)
    master.run(framework(), task("t", "sleep 100", max_completion_time=limit))
    status = await master.update("t", "TASK_FAILED")
    assert status.reason == "REASON_MAX_COMPLETION_TIME_REACHED"
    assert status.message == "Command terminated with signal Terminated"


async def test_pymesos_executor_runs_tasks_and_passes_messages(
    master: FakeMaster, agents: Start, tmp_path: Path
) -> None:
    """Several tasks on one executor, messages both ways, exit status told on shutdown."""
    agent = agents()
    await registered(master)
    info, executor = framework(), pymesos_executor(tmp_path)
    master.run(info, task("a", executor=executor), task("wait", executor=executor))
    await master.update("a", "TASK_FINISHED")
    await master.update("wait", "TASK_RUNNING")
    message = link.FrameworkToExecutor(
        framework_id=info.id, executor_id=executor.executor_id, data=b"cGluZw=="
    )
    master.send(message)
    await master.until(
        lambda: [call for call in master.calls if isinstance(call, link.ExecutorToFramework)]
    )
    master.send(link.KillTask(framework_id=info.id, task_id=TaskID(value="wait")))
    await master.update("wait", "TASK_KILLED")
    master.send(link.ShutdownExecutor(framework_id=info.id, executor_id=executor.executor_id))
    await master.until(lambda: [c for c in master.calls if isinstance(c, link.ExitedExecutor)])
    assert not agent.processes()


async def test_an_executor_that_exits_fails_its_tasks(
    master: FakeMaster, agents: Start, tmp_path: Path
) -> None:
    """FAILURE with the wait status first, then TASK_FAILED in the recorded words."""
    agents()
    await registered(master)
    master.run(framework(), task("exit", executor=pymesos_executor(tmp_path)))
    status = await master.update("exit", "TASK_FAILED")
    assert (status.reason, status.message) == ("REASON_EXECUTOR_TERMINATED", "Executor terminated")
    exited = [call for call in master.calls if isinstance(call, link.ExitedExecutor)]
    assert [call.status for call in exited] == [7 << 8]


async def test_an_executor_that_never_subscribes_is_given_up(
    master: FakeMaster, agents: Start
) -> None:
    """After executor_registration_timeout, with its reason."""
    agent = agents(executor_registration_timeout="1secs")
    await registered(master)
    executor = ExecutorInfo(
        executor_id=ExecutorID(value="x"),
        command=CommandInfo(value="sleep 100"),
        resources=resources(),
    )
    master.run(framework(), task("t", executor=executor))
    status = await master.update("t", "TASK_FAILED")
    assert status.reason == "REASON_EXECUTOR_REGISTRATION_TIMEOUT"
    assert status.message == "Executor did not register within 1secs"
    assert not agent.processes()


@pytest.mark.parametrize(
    "isolation",
    [
        {"launcher": "posix", "isolation": "posix/cpu,posix/mem"},
        pytest.param(
            {"launcher": "linux", "isolation": "cgroups/cpu,cgroups/mem"}, marks=needs_root
        ),
    ],
)
async def test_checkpointed_tasks_live_through_kill_9_of_the_agent(
    master: FakeMaster, agents: Start, tmp_path: Path, isolation: dict[str, str]
) -> None:
    """Command task and PyMesos executor run on, reconnect, and end as if nothing had been."""
    agent = agents(executor_reregistration_timeout="8secs", **isolation)
    await registered(master)
    info = framework(checkpoint=True, capabilities=PARTITION_AWARE)
    ended = tmp_path / "end"
    command = f"{until_exists(ended)}; exit 4"
    master.run(info, task("c", command), task("wait", executor=pymesos_executor(tmp_path)))
    await master.update("c", "TASK_RUNNING")
    await master.update("wait", "TASK_RUNNING")
    before = set(agent.processes())
    await master.until(agent.acknowledged)  # what is not on disk is rightly sent again
    await agent.kill()
    ended.touch()
    agent.start()
    await registered(master, 2)
    again = master.registrations[1]
    assert isinstance(again, link.Reregister)
    assert {one.info.task_id.value for one in again.tasks} == {"c", "wait"}
    assert [one.info.executor_id.value for one in again.executors] == ["echo"]
    status = await master.update("c", "TASK_FAILED")
    assert status.message == "Command exited with status 4"
    assert before & set(agent.processes())
    master.send(link.KillTask(framework_id=info.id, task_id=TaskID(value="wait")))
    await master.update("wait", "TASK_KILLED")
    master.send(link.ShutdownFramework(framework_id=info.id))
    await master.until(lambda: not agent.processes())
    uuids = [status.uuid for status in master.statuses()]
    assert len(uuids) == len(set(uuids)), "an acknowledged update was delivered again"


@namespaces
async def test_tasks_in_namespaces_live_through_kill_9_of_the_agent(
    master: FakeMaster, agents: Start, tmp_path: Path
) -> None:
    """With the view of the machine that the agent's flags give to those that ask for none."""
    hidden = Path("/var/tmp") / f"pocket-{tmp_path.name}"
    private = {"host_path": "private", "container_path": "/var/tmp", "mode": "RW"}
    agent = agents(
        executor_reregistration_timeout="8secs",
        launcher="linux",
        isolation="cgroups/cpu,cgroups/mem,filesystem/linux,namespaces/pid,namespaces/ipc",
        default_container_info=json.dumps({"type": "MESOS", "volumes": [private]}),
    )
    await registered(master)
    ended = tmp_path / "end"
    ask = f"touch {hidden}; ls -d /proc/[0-9]* | wc -l; {until_exists(ended)}; exit 4"
    info = framework(checkpoint=True, capabilities=PARTITION_AWARE)
    master.run(info, task("t", ask))
    await master.update("t", "TASK_RUNNING")
    await master.until(lambda: agent.printed("m-f", "t"))
    assert int(agent.printed("m-f", "t")) < 12
    assert (agent.sandbox("m-f", "t") / "private" / hidden.name).exists()
    assert not hidden.exists()
    await master.until(agent.acknowledged)
    await agent.kill()
    agent.start()
    await registered(master, 2)
    ended.touch()
    status = await master.update("t", "TASK_FAILED")
    assert status.message == "Command exited with status 4"
    await master.until(lambda: not agent.cgroups())
    assert not agent.processes()


@pytest.mark.parametrize("away", [True, False])
async def test_how_an_executor_ended_is_known_to_the_next_agent(
    master: FakeMaster, agents: Start, tmp_path: Path, away: bool
) -> None:
    """Whether it ended before the agent was back or later; nobody but its parent is told."""
    agent = agents(executor_reregistration_timeout="8secs")
    await registered(master)
    info, executor = framework(checkpoint=True), pymesos_executor(tmp_path)
    master.run(info, task("wait", executor=executor))
    await master.update("wait", "TASK_RUNNING")
    await master.until(agent.acknowledged)
    await agent.kill()
    if not away:
        agent.start()
        await registered(master, 2)
    (python,) = (pid for pid in agent.processes() if command_of(pid).startswith("python"))
    os.kill(python, signal.SIGTERM)
    if away:
        await master.until(lambda: not agent.processes())
        agent.start()
    await master.update("wait", "TASK_FAILED")
    assert "ended with wait status 15" in agent.log.read_text()
    exited = [call.status for call in master.calls if isinstance(call, link.ExitedExecutor)]
    # Without a master there is nobody to tell; it sees what the agent registers with.
    assert exited == ([] if away else [15])


def command_of(pid: int) -> str:
    """Return the name of what a process executes."""
    return Path(f"/proc/{pid}/comm").read_text()


async def test_executors_without_checkpoint_end_with_their_agent(
    master: FakeMaster, agents: Start
) -> None:
    """The command executor leaves by itself, and a new agent finds nothing to recover."""
    agent = agents()
    await registered(master)
    master.run(framework(), task("t", "sleep 100"))
    await master.update("t", "TASK_RUNNING")
    await agent.kill()
    await master.until(lambda: not agent.processes())
    agent.start()
    await registered(master, 2)
    again = master.registrations[1]
    assert isinstance(again, link.Reregister)
    assert (again.agent_info.id, again.tasks) == (link.AgentID(value="m-S0"), [])


@needs_root
async def test_a_restarted_agent_removes_orphans(master: FakeMaster, agents: Start) -> None:
    """Containers of frameworks that don't checkpoint leave no cgroup behind."""
    agent = agents(launcher="linux", isolation="cgroups/cpu,cgroups/mem")
    await registered(master)
    master.run(framework(), task("t", "trap '' TERM; while true; do sleep 0.1; done"))
    await master.update("t", "TASK_RUNNING")
    await agent.kill()
    agent.start()
    await registered(master, 2)
    await master.until(lambda: not agent.cgroups())
    assert not agent.processes()


async def test_an_executor_that_died_meanwhile_fails_its_task(
    master: FakeMaster, agents: Start
) -> None:
    """The new agent finds no process: the task has failed."""
    agent = agents()
    await registered(master)
    info = framework(checkpoint=True, capabilities=PARTITION_AWARE)
    master.run(info, task("t", "sleep 100"))
    await master.update("t", "TASK_RUNNING")
    await agent.kill()
    for pid in agent.processes():
        with contextlib.suppress(ProcessLookupError):  # ended with its executor
            os.kill(pid, signal.SIGKILL)
    agent.start()
    status = await master.update("t", "TASK_FAILED")
    assert (status.reason, status.message) == ("REASON_EXECUTOR_TERMINATED", "Executor terminated")


async def test_an_executor_that_does_not_come_back_in_time_is_given_up(
    master: FakeMaster, agents: Start
) -> None:
    """It lives but does not subscribe within executor_reregistration_timeout."""
    agent = agents(executor_reregistration_timeout="500ms")
    await registered(master)
    info = framework(checkpoint=True, capabilities=PARTITION_AWARE)
    master.run(info, task("t", "sleep 100"))
    await master.update("t", "TASK_RUNNING")
    await agent.kill()
    for pid in agent.processes():
        os.kill(pid, signal.SIGSTOP)
    agent.start()
    status = await master.update("t", "TASK_FAILED")
    assert status.reason == "REASON_EXECUTOR_REREGISTRATION_TIMEOUT"
    assert status.message == "Executor did not reregister within 500ms"
    assert not agent.processes()


async def test_sigterm_leaves_executors_and_sigusr1_does_not(
    master: FakeMaster, agents: Start
) -> None:
    """SIGTERM is a restart; SIGUSR1 unregisters, ends everything and forgets the agent's id."""
    agent = agents()
    await registered(master)
    info = framework(checkpoint=True)
    master.run(info, task("t", "sleep 100"))
    await master.update("t", "TASK_RUNNING")
    agent.signal(signal.SIGTERM)
    assert await agent.wait() == 0
    assert agent.processes()
    agent.start()
    await registered(master, 2)
    agent.signal(signal.SIGUSR1)
    assert await agent.wait() == 0
    await master.until(lambda: any(isinstance(one, link.Unregister) for one in master.calls))
    assert not agent.processes()
    agent.start()
    await registered(master, 3)
    assert isinstance(master.registrations[2], link.Register)


async def test_draining_goes_on_after_kill_9_of_the_agent(
    master: FakeMaster, agents: Start
) -> None:
    """An agent that died between the checkpoint and the kills leaves these to the next one."""
    agent = agents(executor_reregistration_timeout="8secs")
    await registered(master)
    info = framework(checkpoint=True, capabilities=PARTITION_AWARE)
    master.run(info, task("t", "sleep 1000"))
    await master.update("t", "TASK_RUNNING")
    await master.until(agent.acknowledged)
    await agent.kill()
    state = DrainInfo(state=DrainState.DRAINING, config=DrainConfig(mark_gone=True))
    draining = Deactivation(drain_info=state, drain_start=5.0)
    (agent.work_dir / "meta/slaves/m-S0/deactivation").write_bytes(codec.encode(draining))
    agent.start()
    status = await master.update("t", "TASK_GONE_BY_OPERATOR")
    assert status.reason == "REASON_AGENT_DRAINING"
    again = master.registrations[-1]
    assert isinstance(again, link.Reregister)
    assert again.deactivation == draining
    await master.until(lambda: not agent.processes())
    shown = await agent.get("/state")
    assert shown["drain_config"] == {"mark_gone": True}
    master.send(link.Reactivate())
    await master.until(lambda: not (agent.work_dir / "meta/slaves/m-S0/deactivation").exists())


async def test_a_changed_configuration_stops_the_start(master: FakeMaster, agents: Start) -> None:
    """Mesos' words, the remedy, and exit status 1; an accepted change starts."""
    agent = agents()
    await registered(master)
    await master.until(agent.has_id)
    agent.signal(signal.SIGTERM)
    await agent.wait()
    agent.start(resources="cpus:8;mem:4096;disk:10000;ports:[31000-31099]")
    assert await agent.wait() == 1
    text = agent.log.read_text()
    assert "Failed to perform recovery: Incompatible agent info detected." in text
    assert f"rm -f {agent.work_dir}/meta/slaves/latest" in text
    more = "cpus:8;mem:4096;disk:10000;ports:[31000-31099]"
    agent.start(resources=more, reconfiguration_policy="additive")
    await registered(master, 2)


async def test_a_damaged_checkpoint_is_named_or_left_out(master: FakeMaster, agents: Start) -> None:
    """Strict refuses and names the file; non-strict recovers the rest and counts it."""
    agent = agents()
    await registered(master)
    info = framework(checkpoint=True)
    master.run(info, task("a", "sleep 100"), task("b", "sleep 100"))
    await master.update("a", "TASK_RUNNING")
    await master.update("b", "TASK_RUNNING")
    await agent.kill()
    damaged = next((agent.work_dir / "meta").rglob("runs/*/tasks/a/task.info")).resolve()
    damaged.write_text('{"name": ')
    agent.start()
    assert await agent.wait() == 1
    assert f"Failed to recover checkpoint '{damaged}'" in agent.log.read_text()
    agent.start(strict="false")
    await registered(master, 2)
    again = master.registrations[1]
    assert isinstance(again, link.Reregister)
    assert [one.info.task_id.value for one in again.tasks] == ["b"]
    assert (await agent.get("/metrics/snapshot"))["slave/recovery_errors"] == 1.0


async def test_flags_that_are_refused_change_nothing_on_disk(
    master: FakeMaster, agents: Start
) -> None:
    """Neither folders nor cgroups are made for an agent that does not start."""
    agent = agents(isolation="posix/cpu,cgroups/nosuch")
    assert await agent.wait() == 1
    assert "Unknown or unsupported isolator 'cgroups/nosuch'" in agent.log.read_text()
    assert not agent.work_dir.exists()
    assert not (agent.folder / "run").exists()
    assert not agent.cgroups()


async def test_recover_cleanup_ends_executors_and_exits(master: FakeMaster, agents: Start) -> None:
    """Before an upgrade that can't reconnect."""
    agent = agents()
    await registered(master)
    master.run(framework(checkpoint=True), task("t", "sleep 100"))
    await master.update("t", "TASK_RUNNING")
    await agent.kill()
    agent.start(recover="cleanup")
    assert await agent.wait() == 0
    assert not agent.processes()


async def test_tasks_run_on_while_masters_change(
    master: FakeMaster, agents: Start, tmp_path: Path
) -> None:
    """The agent registers again with its tasks; an unacknowledged update comes again."""
    agents()
    await registered(master)
    master.run(framework(), task("t", f"{until_exists(tmp_path / 'end')}; exit 2"))
    await master.update("t", "TASK_RUNNING")
    master.acknowledge = False
    (tmp_path / "end").touch()
    await master.update("t", "TASK_FAILED")
    port = master.port
    await master.stop()
    successor = FakeMaster()
    await successor.start(port)
    try:
        await successor.until(lambda: successor.registrations)
        again = successor.registrations[0]
        assert isinstance(again, link.Reregister)
        assert [one.state.value for one in again.tasks] == ["TASK_FAILED"]
        status = await successor.update("t", "TASK_FAILED")
        assert status.uuid == master.statuses("t")[-1].uuid
    finally:
        await successor.stop()


async def test_a_second_agent_on_the_port_is_refused(master: FakeMaster, agents: Start) -> None:
    """It says so and leaves the first one's folders alone."""
    first = agents()
    await registered(master)
    second = agents(port=first.port)
    assert await second.wait() == 1
    assert f"Failed to bind on 127.0.0.1:{first.port}" in second.log.read_text()
    assert not second.work_dir.exists()


async def test_endpoints_show_the_running_agent(master: FakeMaster, agents: Start) -> None:
    """With and without the prefix; shapes as recorded."""
    agent = agents(attributes="rack:r1")
    await registered(master)
    master.run(framework(), task("t", "echo started; sleep 100"))
    await master.update("t", "TASK_RUNNING")
    await master.until(lambda: agent.printed("m-f", "t") == "started\n")
    state = await agent.get("/state")
    assert state == await agent.get("/slave(1)/state")
    assert state["id"] == "m-S0"
    assert state["attributes"] == {"rack": "r1"}
    assert state["unreserved_resources_allocated"]["mem"] == 64.0
    executor = state["frameworks"][0]["executors"][0]
    assert executor["name"] == "Command Executor (Task: t) (Command: sh -c 'echo started...')"
    assert [one["state"] for one in executor["tasks"][0]["statuses"]] == [
        "TASK_STARTING",
        "TASK_RUNNING",
    ]
    assert (await agent.get("/flags"))["flags"]["isolation"] == "posix/cpu,posix/mem"
    assert await agent.get("/health") is None
    metrics = await agent.get("/metrics/snapshot")
    assert metrics["slave/tasks_running"] == 1.0
    path = "/frameworks/m-f/executors/t/runs/latest/stdout"
    assert await agent.get(f"/files/read?path={path}&offset=0") == {
        "data": "started\n",
        "offset": 0,
    }
    assert set(await agent.get("/version")) >= {"version"}


async def test_the_layout_on_disk_is_mesos(master: FakeMaster, agents: Start) -> None:
    """Folders, links and modes of sandbox and checkpoints, as recorded."""
    agent = agents()
    await registered(master)
    master.run(framework(checkpoint=True), task("t", "sleep 100"))
    await master.update("t", "TASK_RUNNING")
    meta = agent.work_dir / "meta"
    container = agent.sandbox("m-f", "t").name
    run = meta / "slaves/m-S0/frameworks/m-f/executors/t/runs" / container
    assert (meta / "slaves/latest").readlink() == meta / "slaves/m-S0"
    assert (run.parent / "latest").readlink() == run
    assert (run.parent.parent / "executor_generated_for_command_task").read_text() == "1"
    for path in (
        meta / "boot_id",
        meta / "slaves/m-S0/slave.info",
        meta / "slaves/m-S0/frameworks/m-f/framework.info",
        run.parent.parent / "executor.info",
        run / "pids/forked.pid",
        run / "tasks/t/task.info",
    ):
        assert path.is_file(), path
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert (
        json.loads((run / "tasks/t/task.updates").read_bytes().splitlines()[0])["type"] == "UPDATE"
    )
