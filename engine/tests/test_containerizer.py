"""Containers of real processes: launched, limited, measured, destroyed without a trace."""

import asyncio
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from container_lab import UNIFIED, Lab, marked, subsystem, until

from pocket_mesos.containerizer import fork, process, sandbox
from pocket_mesos.containerizer.cgroups import files, v1, v2
from pocket_mesos.containerizer.config import ContainerConfig, LaunchInfo, Limits
from pocket_mesos.containerizer.errors import IsolationError, LaunchError, SandboxError
from pocket_mesos.containerizer.isolators import cgroups2, memory
from pocket_mesos.containerizer.isolators.factory import names
from pocket_mesos.protocol.mesos import ContainerInfo

pytestmark = pytest.mark.component

needs_cgroups = subsystem("cpu", "memory")
POSIX = ("posix", "posix/cpu,posix/mem")
LINUX = ("linux", "cgroups/cpu,cgroups/mem")
BOTH = pytest.mark.parametrize("kind", [POSIX, pytest.param(LINUX, marks=needs_cgroups)])


@pytest.fixture
async def labs(tmp_path: Path) -> AsyncIterator[Callable[[tuple[str, str]], Lab]]:
    made: list[Lab] = []

    def make(kind: tuple[str, str]) -> Lab:
        made.append(Lab(tmp_path, kind))
        return made[-1]

    yield make
    for lab in made:
        await lab.close()


Labs = Callable[[tuple[str, str]], Lab]


# --- life --------------------------------------------------------------------------------------


@BOTH
async def test_a_container_ends_with_its_processs_status(labs: Labs, kind: tuple[str, str]) -> None:
    """As wait(2) gives it; nothing is left behind."""
    lab = labs(kind)
    container = await lab.launch("env; exit 3")
    assert (await lab.end(container)).status == 3 << 8
    lines = lab.output(container).split()
    assert "ONLY=this" in lines
    assert not [line for line in lines if line.startswith(("HOME=", "MESOS"))]
    assert lab.cgroups() == []
    assert not (lab.folder / "run" / "containers" / container).exists()


@BOTH
async def test_destroy_ends_the_whole_tree(labs: Labs, kind: tuple[str, str]) -> None:
    """Children that ignore signals, left their group, or lost their parents included."""
    lab = labs(kind)
    mark = uuid.uuid4().hex
    container = await lab.launch(
        f"trap '' TERM; sh -c 'trap \"\" TERM; : {mark}; while :; do sleep 0.05; done' & "
        f"setsid sh -c ': {mark}; while :; do sleep 0.05; done' & "
        f"while :; do sleep 0.05; done # {mark}"
    )
    await until(lambda: len(marked(mark)) >= 3)
    lab.containerizer.destroy(container)
    assert (await lab.end(container)).status == 9
    assert marked(mark) == []


@needs_cgroups
async def test_no_process_escapes_its_cgroup(labs: Labs) -> None:
    """Not even one that left session and parents: what sessions alone can't hold."""
    lab = labs(LINUX)
    mark = uuid.uuid4().hex
    daemon = f"setsid sh -c 'setsid sh -c \": {mark}; sleep 100\" & exit' & sleep 0.3; exit 0"
    container = await lab.launch(daemon)
    await lab.end(container)
    assert marked(mark) == []


@BOTH
async def test_a_leader_that_dies_takes_its_session_along(
    labs: Labs, kind: tuple[str, str]
) -> None:
    """A crashed executor's task does not run on unsupervised."""
    lab = labs(kind)
    mark = uuid.uuid4().hex
    container = await lab.launch(f"sh -c ': {mark}; while :; do sleep 0.05; done' & sleep 0.2")
    assert (await lab.end(container)).status == 0
    assert marked(mark) == []


async def test_a_container_can_be_destroyed_before_it_is_up(labs: Labs, tmp_path: Path) -> None:
    """A kill may overtake the launch: then nothing is started at all."""
    lab = labs(POSIX)
    config = ContainerConfig(
        container_id="early",
        argv=("/bin/sh", "-c", f"touch {tmp_path}/ran"),
        environment={},
        directory=tmp_path / "early",
        user=None,
        limits=Limits(),
    )
    launching = lab.containerizer.launch(config, lambda *_: None)
    lab.containerizer.destroy("early")
    with pytest.raises(LaunchError, match="destroyed during launch"):
        await launching
    assert not (tmp_path / "ran").exists()


async def test_nothing_runs_before_the_gate_opens(tmp_path: Path) -> None:
    """Whatever the parent does first is done first; abandoned, the program never runs."""
    sandbox.create(tmp_path / "s", None)
    config = ContainerConfig(
        container_id="c",
        argv=("/bin/sh", "-c", "echo ran"),
        environment={"PATH": os.environ["PATH"]},
        directory=tmp_path / "s",
        user=None,
        limits=Limits(),
    )
    gated = fork.fork(config, LaunchInfo(), tmp_path)
    await asyncio.sleep(0.2)
    assert (tmp_path / "s" / "stdout").read_text() == ""
    gated.abandon()
    assert (tmp_path / "s" / "stdout").read_text() == ""
    gated = fork.fork(config, LaunchInfo(), tmp_path)
    gated.open()
    gated.process.wait()
    assert (tmp_path / "s" / "stdout").read_text() == "ran\n"


async def test_odd_variables_reach_the_program(tmp_path: Path) -> None:
    """A shell can't spell every name that a framework may set."""
    sandbox.create(tmp_path / "s", None)
    config = ContainerConfig(
        container_id="c",
        argv=("/usr/bin/env",),
        environment={"PATH": os.environ["PATH"], "a.b-c": "d e"},
        directory=tmp_path / "s",
        user=None,
        limits=Limits(),
    )
    gated = fork.fork(config, LaunchInfo(), tmp_path)
    gated.open()
    gated.process.wait()
    assert "a.b-c=d e" in (tmp_path / "s" / "stdout").read_text().splitlines()


async def test_a_pid_that_was_given_away_is_nobodys_tree() -> None:
    """A process of the same number but another start is left alone."""
    own = process.own_child(os.getpid())
    other = process.ProcessId(own.pid, own.start_time + 1)
    assert process.tree(other) == []
    assert not process.alive(other)
    assert process.alive(own)


@BOTH
async def test_a_successor_takes_running_containers_over(
    labs: Labs, tmp_path: Path, kind: tuple[str, str]
) -> None:
    """What it is told about lives on and ends as ever; what nobody knows is removed."""
    lab = labs(kind)
    mark = uuid.uuid4().hex
    known = await lab.launch(
        f": {mark}; while ! test -e {tmp_path}/end; do sleep 0.05; done; exit 3"
    )
    orphan = await lab.launch(f": {mark}; sleep 100; :")
    successor = Lab(lab.folder, kind, root=lab.root)
    successor.take_over(lab, known)
    await lab.end(orphan)
    assert marked(mark), "the known container was ended as well"
    (tmp_path / "end").touch()
    assert (await successor.end(known)).status == 3 << 8
    assert marked(mark) == []


# --- sandbox and users -------------------------------------------------------------------------


def test_sandboxes_are_their_owners_alone(tmp_path: Path) -> None:
    """Mode 750, and a link to the latest run that is replaced as a whole."""
    first, second = tmp_path / "runs" / "1", tmp_path / "runs" / "2"
    sandbox.create(first, None)
    sandbox.create(second, None)
    assert second.stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "runs" / "latest").readlink() == second


def test_an_unknown_user_leaves_no_sandbox(tmp_path: Path) -> None:
    """In Mesos' words."""
    folder = tmp_path / "runs" / "1"
    with pytest.raises(SandboxError) as caught:
        sandbox.create(folder, "nosuchuser")
    assert str(caught.value) == (
        f"Failed to create executor directory '{folder}': "
        "Failed to chown directory to 'nosuchuser': No such user 'nosuchuser'"
    )
    assert not folder.exists()


async def test_a_launch_that_fails_leaves_nothing(labs: Labs, tmp_path: Path) -> None:
    """Neither process nor record."""
    lab = labs(("posix", "posix/rlimits"))
    config = ContainerConfig(
        container_id="c",
        argv=("x",),
        environment={},
        directory=tmp_path / "c",
        user=None,
        limits=Limits(),
        container=ContainerInfo(
            type="MESOS",
            rlimit_info={"rlimits": [{"type": "RLMT_NOFILE", "soft": 2, "hard": 1}]},
        ),
    )
    with pytest.raises(LaunchError, match="Failed to set rlimits"):
        await lab.containerizer.launch(config, lambda *_: None)
    assert lab.containerizer.pid("c") is None
    assert list((lab.folder / "run" / "containers").iterdir()) == []


# --- cgroups of the machine's version ------------------------------------------------------------


@needs_cgroups
async def test_memory_is_capped_and_the_neighbour_untouched(labs: Labs) -> None:
    """The kernel kills, the container ends with Mesos' limitation, another runs on."""
    lab = labs(LINUX)
    neighbour = await lab.launch("sleep 1.5; exit 5")
    hog = await lab.launch(f'exec {sys.executable} -c "bytearray(200*1024*1024)"')
    termination = await lab.end(hog)
    assert termination.limitation is not None
    assert termination.limitation.reason == "REASON_CONTAINER_LIMITATION_MEMORY"
    assert (termination.limitation.resource, termination.limitation.limit) == ("mem", 64.0)
    assert (await lab.end(neighbour)).status == 5 << 8


@needs_cgroups
async def test_the_ceiling_throttles(labs: Labs) -> None:
    """Half a CPU's worth of time however long it spins, give or take a period."""
    lab = labs(LINUX)
    container = await lab.launch(f'exec {sys.executable} -c "while True: pass"')

    def used() -> float:
        usage = lab.containerizer.usage(container)
        assert "cpus_nr_throttled" in usage
        return usage["cpus_user_time_secs"] + usage["cpus_system_time_secs"]

    # The clock is read outside of the span that is measured: a pause in between only widens it.
    begun, before = time.monotonic(), used()
    await asyncio.sleep(1.5)
    spent = used() - before
    passed = time.monotonic() - begun
    assert spent <= 0.5 * passed + 0.15


HARD, SOFT, SHARES = (
    ("memory.max", "memory.low", "cpu.weight")
    if UNIFIED
    else ("memory.limit_in_bytes", "memory.soft_limit_in_bytes", "cpu.shares")
)


@needs_cgroups
async def test_limits_follow_updates_and_hard_memory_only_grows(labs: Labs) -> None:
    """Shrinking a hard limit below what is used would kill."""
    lab = labs(LINUX)
    container = await lab.launch("sleep 100")
    mem, cpu = lab.group("memory") / container, lab.group("cpu") / container
    lab.containerizer.update(container, Limits(cpus=2, mem=128 * 2**20))
    assert files.read(mem, HARD).strip() == str(128 * 2**20)
    assert files.read(cpu, SHARES).strip() == ("200" if UNIFIED else "2048")
    lab.containerizer.update(container, Limits(cpus=0.0001, mem=2**20))
    assert files.read(mem, HARD).strip() == str(128 * 2**20)
    assert files.read(mem, SOFT).strip() == str(32 * 2**20)
    assert files.read(cpu, SHARES).strip() == ("1" if UNIFIED else "2")


def test_hierarchies_are_found_in_the_mount_table() -> None:
    """Below the flag's folder first, elsewhere otherwise; not mounted is a clear error."""
    mounts = (
        "30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
        "31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        "32 24 0:28 / /elsewhere/memory rw - cgroup cgroup rw,memory\n"
        "33 24 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup rw\n"
    )
    base = Path("/sys/fs/cgroup")
    assert v1.hierarchy(base, "memory", mounts) == base / "memory"
    assert v1.hierarchy(base, "cpuacct", mounts) == base / "cpu,cpuacct"
    assert v1.hierarchy(Path("/elsewhere"), "memory", mounts) == Path("/elsewhere/memory")
    with pytest.raises(IsolationError, match="'freezer' is not mounted"):
        v1.hierarchy(base, "freezer", mounts)


def test_an_unknown_isolator_is_named() -> None:
    """The operator learns which one; shorthands stand for two."""
    assert names("cgroups/cpu, cgroups/mem")[1:] == ("cgroups/cpu", "cgroups/mem")
    assert names("posix")[1:] == ("posix/cpu", "posix/mem")
    with pytest.raises(IsolationError, match="'gpu/nvidia'"):
        names("posix/cpu,gpu/nvidia")


@pytest.mark.parametrize(
    ("size", "shown"),
    [(83886080, "80MB"), (83886081, "83886081B"), (2**30, "1GB"), (1536, "1536B"), (0, "0B")],
)
def test_bytes_are_printed_without_loss(size: int, shown: str) -> None:
    """As in Mesos' message about memory."""
    assert memory.text(size) == shown


# --- cgroups of version 2: paths and values, on a tree of plain files ---------------------------


def tree(base: Path, *folders: str) -> None:
    """What the kernel would have made."""
    for folder in ("", *folders):
        path = base / folder
        path.mkdir(parents=True, exist_ok=True)
        for control in (
            "cgroup.controllers",
            "cgroup.subtree_control",
            "cgroup.procs",
            "cpu.weight",
            "cpu.max",
            "memory.low",
        ):
            (path / control).touch()
        (path / "memory.max").write_text("max\n")


def test_version_2_is_recognised(tmp_path: Path) -> None:
    """By the file that only its root has."""
    assert not v2.mounted(tmp_path)
    tree(tmp_path)
    assert v2.mounted(tmp_path)


@pytest.mark.parametrize(
    ("current", "expected"),
    [
        ("/", "mesos"),
        ("/system.slice/mesos-agent.service", "mesos"),
        ("/system.slice/mesos-agent.service/agent", "system.slice/mesos-agent.service/mesos"),
    ],
)
def test_containers_of_version_2_live_where_a_restart_is_possible(
    tmp_path: Path, current: str, expected: str
) -> None:
    """Below the unit only when the unit's own processes have a subgroup."""
    assert v2.root(tmp_path, "mesos", current) == tmp_path / expected


def test_controllers_are_enabled_all_the_way_down(tmp_path: Path) -> None:
    """In the base, in every cgroup on the way, and in the containers' root."""
    tree(tmp_path, "a", "a/mesos")
    v2.enable(tmp_path / "a" / "mesos", tmp_path, ("cpu",))
    for folder in (tmp_path, tmp_path / "a", tmp_path / "a" / "mesos"):
        assert (folder / "cgroup.subtree_control").read_text() == "+cpu\n"


def test_values_of_version_2(tmp_path: Path) -> None:
    """Weight, ceiling, limit, protection; at least 32 MB, and the limit only grows."""
    tree(tmp_path, "c")
    cpu, mem = (
        cgroups2.Cpu(tmp_path, enable_cfs=True, count_processes=False),
        cgroups2.Mem(tmp_path),
    )
    config = ContainerConfig(
        container_id="c",
        argv=("x",),
        environment={},
        directory=tmp_path,
        user=None,
        limits=Limits(cpus=1.5, mem=64 * 2**20),
    )
    for isolator in (cpu, mem):
        isolator.prepare(config)
    assert (tmp_path / "c" / "cpu.weight").read_text() == "150\n"
    assert (tmp_path / "c" / "cpu.max").read_text() == "150000 100000\n"
    assert (tmp_path / "c" / "memory.max").read_text() == f"{64 * 2**20}\n"
    assert (tmp_path / "c" / "memory.low").read_text() == f"{64 * 2**20}\n"
    mem.update("c", Limits(mem=1))
    assert (tmp_path / "c" / "memory.max").read_text() == f"{64 * 2**20}\n"


def test_the_kernels_kills_are_the_limitation_of_version_2(tmp_path: Path) -> None:
    """Counted in memory.events; the peak where the kernel has it."""
    tree(tmp_path, "c")
    cgroup = tmp_path / "c"
    (cgroup / "memory.events").write_text("low 0\noom 1\noom_kill 0\n")
    mem = cgroups2.Mem(tmp_path)
    assert mem.check("c") is None
    (cgroup / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    (cgroup / "memory.max").write_text(f"{64 * 2**20}\n")
    (cgroup / "memory.current").write_text("4096\n")
    (cgroup / "memory.stat").write_text("anon 4096\n")
    found = mem.check("c")
    assert found is not None
    assert found.message.startswith(
        "Memory limit exceeded: Requested: 64MB Maximum Used: 4KB\n\nMEMORY STATISTICS: \nanon"
    )
    (cgroup / "memory.peak").write_text(f"{64 * 2**20}\n")
    found = mem.check("c")
    assert found is not None
    assert "Maximum Used: 64MB" in found.message
