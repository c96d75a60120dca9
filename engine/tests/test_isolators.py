"""Isolators by their effect on real processes; where the kernel refuses, the skip says what."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from container_lab import CGROUPS, UNIFIED, Lab, marked, namespaces, new_root, subsystem, until

from pocket_mesos.containerizer import devices
from pocket_mesos.containerizer.cgroups import device_filter, files, v2
from pocket_mesos.containerizer.config import Limits
from pocket_mesos.containerizer.errors import IsolationError, LaunchError
from pocket_mesos.containerizer.isolators import (
    IsolationSettings,
    blkio,
    controllers2,
    create,
)
from pocket_mesos.containerizer.isolators.factory import names
from pocket_mesos.protocol.mesos import ContainerInfo, Volume

pytestmark = pytest.mark.component

MOUNTED = "filesystem/linux,namespaces/pid,namespaces/ipc"


Labs = Callable[..., Lab]


def run(*command: str) -> str:
    """Run a program outside of containers and return what it prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def text_of(path: str) -> str:
    return Path(path).read_text()


@pytest.fixture(params=["/tmp"])
def mark(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file in a folder of the machine that a container may cover."""
    path = Path(request.param) / f"pocket-{os.getpid()}"
    path.touch()
    yield path
    path.unlink()


@pytest.fixture
def shared_memory() -> Iterator[str]:
    """The number of a segment of the machine."""
    number = run("ipcmk", "-M", "4096").rsplit(":", 1)[1].strip()
    yield number
    run("ipcrm", "-m", number)


@pytest.fixture
async def labs(tmp_path: Path) -> AsyncIterator[Labs]:
    made: list[Lab] = []
    # Users other than root must reach their sandboxes.
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)

    def make(isolation: str, **settings: object) -> Lab:
        made.append(Lab(tmp_path, ("linux", isolation), **settings))
        return made[-1]

    yield make
    for lab in made:
        await lab.close()


def volumes(*some: Volume) -> ContainerInfo:
    return ContainerInfo(type="MESOS", volumes=list(some))


# --- cgroups -----------------------------------------------------------------------------------


@subsystem("pids")
async def test_forks_over_the_operators_limit_fail_in_containers_alone(labs: Labs) -> None:
    """The limit is that of cgroups_root; what is outside forks on."""
    lab = labs("cgroups/pids")
    (lab.group("pids") / "pids.max").write_text("12")
    each = 'sleep 100 & all="$all $!"'
    many = f"for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do {each}; done; echo all; kill $all"
    container = await lab.launch(f"({many}); exit 0")
    await lab.end(container)
    assert "all" not in lab.output(container)
    assert "fork" in (lab.folder / container / "stderr").read_text().lower()
    assert "all" in run("sh", "-c", many)


@subsystem("cpuset")
async def test_containers_run_on_the_cpus_of_their_root(labs: Labs) -> None:
    """Narrowed by the operator, they run on no other; at first they have all of the machine's."""
    lab = labs("cgroups/cpuset")
    shown = "import os; print(sorted(os.sched_getaffinity(0)))"
    ask = f"{sys.executable} -c '{shown}'"
    first = await lab.launch(ask)
    await lab.end(first)
    assert json.loads(lab.output(first)) == sorted(os.sched_getaffinity(0))
    (lab.group("cpuset") / "cpuset.cpus").write_text("0")
    second = await lab.launch(ask)
    await lab.end(second)
    assert json.loads(lab.output(second)) == [0]


@subsystem("cpuset")
async def test_roots_below_others_have_cpus_too(labs: Labs) -> None:
    """An empty set on the way down would let no process in."""
    lab = labs("cgroups/cpuset", root=f"pocketunit/{new_root()}")
    container = await lab.launch("exit 4")
    assert (await lab.end(container)).status == 4 << 8


@subsystem("devices")
async def test_devices_are_denied_unless_they_are_listed(labs: Labs, tmp_path: Path) -> None:
    """/dev/null opens, the kernel's log as far as the operator allows it, here for reading."""
    log = tmp_path / "kmsg"
    os.mknod(log, 0o666 | 0o020000, os.makedev(1, 11))
    opening = f"head -c 0 {log} && echo log; true >> {log} && echo wrote"
    ask = f"echo x > /dev/null && echo null; {opening}"
    refusing = labs("cgroups/devices")
    container = await refusing.launch(ask)
    await refusing.end(container)
    assert refusing.output(container) == "null\n"
    assert "not permitted" in (refusing.folder / container / "stderr").read_text()
    text = {"allowed_devices": [{"device": {"path": str(log)}, "access": {"read": True}}]}
    allowing = labs("cgroups/devices", allowed_devices=devices.entries(json.dumps(text)))
    container = await allowing.launch(ask)
    await allowing.end(container)
    assert allowing.output(container) == "null\nlog\n"


@pytest.fixture
def cgroup2() -> Iterator[Path]:
    """A cgroup of version 2, which many machines mount beside version 1."""
    base = next(filter(v2.mounted, (CGROUPS, CGROUPS / "unified")), None)
    if base is None or not os.access(base, os.W_OK) or not device_filter.offered():
        pytest.skip("no writable cgroup v2 hierarchy, or a kernel that takes no programs")
    cgroup = base / new_root()
    cgroup.mkdir()
    yield cgroup
    cgroup.rmdir()


def test_the_kernels_program_tells_kinds_numbers_and_access_apart(
    cgroup2: Path, tmp_path: Path
) -> None:
    """Any number by a star; what is read may not be written; what may be made is not read yet."""
    device_filter.attach(cgroup2, ("c *:* m", "c 1:3 rw", "c 1:5 r", "b 1:9 rwm"))
    asked = {"null": (1, 3), "zero": (1, 5), "urandom": (1, 9)}
    tries = " ".join(
        f"mknod {tmp_path}/{name} c {major} {minor} && echo made {name};"
        f"head -c 1 {tmp_path}/{name} && echo read {name};"
        f"true > {tmp_path}/{name} && echo wrote {name};"
        for name, (major, minor) in asked.items()
    )
    told = run(
        "sh", "-c", f"echo $$ > {cgroup2}/cgroup.procs; {tries} mknod {tmp_path}/b b 1 1 || :"
    )
    assert told.replace("\0", "").splitlines() == [
        *("made null", "read null", "wrote null", "made zero", "read zero", "made urandom")
    ]


def test_allowed_devices_are_devices(tmp_path: Path) -> None:
    """A typing error is told at the start, not found by a task."""
    for path, message in ((tmp_path, "is not a device"), (tmp_path / "no", "No such file")):
        text = json.dumps({"allowed_devices": [{"device": {"path": str(path)}}]})
        with pytest.raises(IsolationError, match=message):
            devices.entries(text)
    assert devices.entries('{"allowed_devices": [{"device": {"path": "/dev/null"}}]}') == (
        "c 1:3 ",
    )
    for bad in ("[]", '{"allowed_devices": 1}', '{"allowed_devices": [{}]}', "{"):
        with pytest.raises(ValueError, match=r"[Ee]xpect"):
            devices.parse(bad)


@subsystem("blkio")
async def test_block_io_is_counted(labs: Labs) -> None:
    """In Mesos' shape: every device, then the total."""
    lab = labs("cgroups/io" if UNIFIED else "cgroups/blkio")
    container = await lab.launch(
        "dd if=/dev/zero of=data bs=4k count=64 oflag=direct 2>/dev/null || echo refused; "
        "while ! test -e end; do sleep 0.05; done"
    )
    await until(lambda: (lab.folder / container / "data").exists())

    def total() -> int:
        *_, last = lab.containerizer.usage(container)["blkio"]["throttling"]
        (value,) = last["io_service_bytes"]
        return int(value["value"])

    everywhere = "io.stat" if UNIFIED else "blkio.throttle.io_service_bytes"
    if (lab.group("blkio").parent / everywhere).read_text().strip() in ("", "Total 0"):
        pytest.skip("the kernel counts no block device here")
    await until(lambda: "refused" in lab.output(container) or total() >= 64 * 4096)
    if "refused" in lab.output(container):
        pytest.skip("the file system under the sandbox has no block device to count")


@subsystem("cpu", "cpuacct", "memory", "pids", "cpuset", "blkio")
async def test_all_is_all_that_the_machine_has(labs: Labs) -> None:
    """One name for every subsystem; others of cgroups/* beside it don't count."""
    assert names("cgroups/cpu,cgroups/all,posix/rlimits") == (
        "filesystem/posix",
        "cgroups/all",
        "posix/rlimits",
    )
    lab = labs("cgroups/all", count_processes=True)
    container = await lab.launch("exec sleep 100")
    pid = lab.containerizer.pid(container)
    groups = text_of(f"/proc/{pid}/cgroup")
    if UNIFIED:
        assert f"/{lab.root}/{container}/leaf\n" in groups
        given = text_of(f"{lab.group('')}/{container}/cgroup.controllers").split()
        assert {"cpu", "memory", "pids", "cpuset", "io"} <= set(given)
        assert "cgroups/devices" in {one.name for one in lab.containerizer._isolators}
    else:
        for one in ("cpu", "cpuacct", "memory", "pids", "cpuset", "devices", "blkio", "freezer"):
            assert f":{one}:/{lab.root}/{container}\n" in groups

    def counted() -> tuple[int, int]:
        usage = lab.containerizer.usage(container)
        return usage["processes"], usage["threads"]

    await until(lambda: counted() == (2, 2))
    lab.containerizer.destroy(container)
    await lab.end(container)
    assert lab.cgroups() == []


# --- rlimits, disk -----------------------------------------------------------------------------


async def test_rlimits_are_those_of_the_task(tmp_path: Path) -> None:
    """As the kernel tells them; without value there is no limit."""
    lab = Lab(tmp_path, ("posix", "posix/rlimits"))
    wanted = [
        {"type": "RLMT_NOFILE", "soft": 100, "hard": "200"},
        {"type": "RLMT_CORE", "soft": 0, "hard": 0},
    ]
    info = ContainerInfo(type="MESOS", rlimit_info={"rlimits": wanted})
    container = await lab.launch("ulimit -Sn; ulimit -Hn; ulimit -c", container=info)
    await lab.end(container)
    assert lab.output(container) == "100\n200\n0\n"


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"type": "RLMT_NONSENSE"}, "Unknown resource limit type 'RLMT_NONSENSE'"),
        ({"type": "RLMT_CPU", "soft": 1}, "Either both soft and hard limit must be set, or none"),
    ],
)
async def test_impossible_rlimits_fail_the_launch(
    tmp_path: Path, limit: dict[str, Any], message: str
) -> None:
    """With the reason; nothing is started."""
    lab = Lab(tmp_path, ("posix", "posix/rlimits"))
    info = ContainerInfo(type="MESOS", rlimit_info={"rlimits": [limit]})
    with pytest.raises(LaunchError, match=message):
        await lab.launch("touch ran", container=info)
    assert list(lab.folder.rglob("ran")) == []


async def test_a_sandbox_over_its_quota_ends_its_container(tmp_path: Path) -> None:
    """Only where that is enforced, and only the one that is over."""
    enforcing = {"disk_watch_interval": 0.05, "enforce_disk_quota": True}
    lab = Lab(tmp_path, ("posix", "disk/du"), **enforcing)
    limits = Limits(disk=1 << 20)
    write = "head -c 4000000 /dev/zero > data; sleep 1000"
    neighbour = await lab.launch("sleep 1000", limits=limits)
    free = await lab.launch(write)
    over = await lab.launch(write, limits=limits)
    limitation = (await lab.end(over)).limitation
    assert limitation is not None
    assert limitation.reason == "REASON_CONTAINER_LIMITATION_DISK"
    assert limitation.message.startswith("Disk usage (")
    assert limitation.message.endswith("B) exceeds quota (1MB)")
    assert (limitation.resource, limitation.limit) == ("disk", 1.0)
    await until(lambda: "disk_used_bytes" in lab.containerizer.usage(neighbour))
    assert lab.containerizer.usage(neighbour)["disk_limit_bytes"] == 1 << 20
    assert "disk_limit_bytes" not in lab.containerizer.usage(free)
    await lab.close()
    assert lab.future(neighbour).result().limitation is None


async def test_without_enforcement_disk_is_measured_only(tmp_path: Path) -> None:
    """Mesos' default; a changed quota shows."""
    lab = Lab(tmp_path, ("posix", "disk/du"), disk_watch_interval=0.05)
    container = await lab.launch(
        "head -c 4000000 /dev/zero > data; sleep 1000", limits=Limits(disk=1 << 20)
    )
    usage = lab.containerizer.usage
    await until(lambda: usage(container).get("disk_used_bytes", 0) >= 4_000_000)
    lab.containerizer.update(container, Limits(disk=8 << 20))
    assert usage(container)["disk_limit_bytes"] == 8 << 20
    await lab.close()


# --- namespaces --------------------------------------------------------------------------------


@namespaces
async def test_a_container_sees_its_own_processes_alone(labs: Labs) -> None:
    """In /proc, too; and what one process leaves behind ends with the container."""
    lab = labs(MOUNTED)
    mark = f"left{os.getpid()}"
    container = await lab.launch(
        f"setsid sh -c ': {mark}; sleep 1000; :' & ls -d /proc/[0-9]* | wc -l; echo $$; exit 7"
    )
    assert (await lab.end(container)).status == 7 << 8
    seen, pid = map(int, lab.output(container).split())
    assert seen < 8
    assert pid < 8
    assert marked(mark) == []


@namespaces
async def test_a_signal_that_ends_the_program_is_told(labs: Labs) -> None:
    """Through all the processes in between."""
    lab = labs(MOUNTED)
    container = await lab.launch("kill -TERM $$; sleep 1000")
    assert (await lab.end(container)).status == 15


@namespaces
async def test_ipc_objects_are_private_unless_shared(labs: Labs, shared_memory: str) -> None:
    """Shared memory of the machine shows in a container that shares its namespace."""
    lab = labs(MOUNTED)
    ask = "cat /proc/sysvipc/shm"
    sharing = ContainerInfo(type="MESOS", linux_info={"ipc_mode": "SHARE_PARENT"})
    own, shared = await lab.launch(ask), await lab.launch(ask, container=sharing)
    for container in (own, shared):
        await lab.end(container)
    rows = {one: lab.output(one).splitlines()[1:] for one in (own, shared)}
    assert rows[own] == []
    assert any(row.split()[1] == shared_memory for row in rows[shared])


@namespaces
@pytest.mark.parametrize("mark", ["/dev/shm"], indirect=True)
async def test_a_private_shm_has_its_size_and_is_empty(labs: Labs, mark: Path) -> None:
    """The task's size counts before the agent's."""
    lab = labs(MOUNTED, shm_size=16 << 20)
    for info, size in (({}, 16), ({"shm_size": 8}, 8)):
        wanted = ContainerInfo(type="MESOS", linux_info={"ipc_mode": "PRIVATE", **info})
        container = await lab.launch("df -k /dev/shm | tail -1; ls /dev/shm", container=wanted)
        await lab.end(container)
        assert f" {size * 1024} " in lab.output(container)
        assert mark.name not in lab.output(container)


@namespaces
@pytest.mark.parametrize(
    ("info", "message"),
    [
        ({"share_pid_namespace": True}, "Sharing agent's pid namespace"),
        ({"ipc_mode": "SHARE_PARENT"}, "Sharing agent's IPC namespace"),
    ],
)
async def test_sharing_can_be_disallowed(labs: Labs, info: dict[str, Any], message: str) -> None:
    """The launch fails; without the flags it does not."""
    container = ContainerInfo(type="MESOS", linux_info=info)
    strict = labs(MOUNTED, disallow_sharing_pid=True, disallow_sharing_ipc=True)
    with pytest.raises(LaunchError, match=message):
        await strict.launch("true", container=container)
    lab = labs(MOUNTED)
    assert (await lab.end(await lab.launch("true", container=container))).status == 0


@pytest.mark.parametrize(
    ("launcher", "isolation", "message"),
    [
        ("posix", "filesystem/linux", "'linux' launcher must be used"),
        ("linux", "namespaces/pid", "'filesystem/linux' isolator must be used"),
        ("linux", "namespaces/ipc", "'filesystem/linux' isolator must be used"),
        ("linux", "filesystem/linux,filesystem/posix", "multiple filesystem isolators"),
    ],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="others learn first that they are not root")
def test_isolators_that_need_others_say_so(
    tmp_path: Path, launcher: str, isolation: str, message: str
) -> None:
    """At the start, not at the first task."""
    with pytest.raises(IsolationError, match=message):
        Lab(tmp_path, (launcher, isolation))


# --- file system -------------------------------------------------------------------------------


@namespaces
async def test_tmp_is_private_and_seen_by_nobody_else(labs: Labs, mark: Path) -> None:
    """As open as the machine's; what is written lies in the sandbox."""
    lab = labs("filesystem/linux")
    container = await lab.launch(
        f"test -e {mark} || echo hidden; echo mine > {mark}.mine; stat -c %a /tmp",
        container=volumes(Volume(container_path="/tmp", host_path=".private/tmp", mode="RW")),
        user="nobody",
    )
    assert (await lab.end(container)).status == 0
    assert lab.output(container) == "hidden\n1777\n"
    written = f"{mark.name}.mine"
    assert not mark.with_name(written).exists()
    assert (lab.folder / container / ".private/tmp" / written).read_text() == "mine\n"


@namespaces
async def test_host_volumes_appear_where_they_are_wanted(labs: Labs, tmp_path: Path) -> None:
    """Folders and files, below the sandbox or over what exists; read-only ones take nothing."""
    lab = labs("filesystem/linux")
    data = tmp_path / "data"
    data.mkdir()
    (data / "file").write_text("content\n")
    over = tmp_path / "over"
    over.mkdir()
    container = await lab.launch(
        f"cat in/folder/file in/one {over}/file; echo new > in/folder/new; "
        f"touch {over}/new 2>/dev/null || echo readonly",
        container=volumes(
            Volume(container_path="in/folder", host_path=str(data), mode="RW"),
            Volume(container_path="in/one", host_path=str(data / "file"), mode="RO"),
            Volume(
                container_path=str(over),
                source={"type": "HOST_PATH", "host_path": {"path": str(data)}},
                mode="RO",
            ),
        ),
    )
    assert (await lab.end(container)).status == 0
    assert lab.output(container) == "content\n" * 3 + "readonly\n"
    assert (data / "new").read_text() == "new\n"
    assert list(over.iterdir()) == []
    assert str(over) not in text_of("/proc/self/mountinfo")


@pytest.fixture
def shared_mount(tmp_path: Path) -> Iterator[Path]:
    """A folder whose mounts are handed on, as those of most machines are."""
    folder = tmp_path / "shared"
    folder.mkdir()
    run("mount", "--bind", str(folder), str(folder))
    run("mount", "--make-shared", str(folder))
    yield folder
    run("umount", "--recursive", str(folder))


@namespaces
async def test_mounts_of_the_machine_show_up_and_those_of_containers_do_not(
    labs: Labs, shared_mount: Path
) -> None:
    """Whatever the machine mounts later can be used; nothing of a container leaks."""
    lab = labs("filesystem/linux")
    later, over = shared_mount / "later", shared_mount / "over"
    for folder in (later, over):
        folder.mkdir()
    container = await lab.launch(
        f"echo up; while ! test -e {later}/seen; do sleep 0.05; done",
        container=volumes(Volume(container_path=str(over), host_path="/etc", mode="RO")),
    )
    await until(lambda: lab.output(container) == "up\n")
    assert list(over.iterdir()) == []
    run("mount", "-t", "tmpfs", "none", str(later))
    (later / "seen").touch()
    assert (await lab.end(container)).status == 0


@namespaces
@pytest.mark.parametrize(
    ("volume", "message"),
    [
        (
            Volume(container_path="x", host_path="/no/such", mode="RW"),
            "Path '/no/such' in HOST_PATH volume does not exist",
        ),
        (
            Volume(container_path="/no/such", host_path="/etc", mode="RW"),
            "Mount point '/no/such' is an absolute path",
        ),
        (Volume(container_path="../x", host_path="/etc", mode="RW"), "leads out of the sandbox"),
        (Volume(container_path="/tmp", host_path="../x", mode="RW"), "leads out of the sandbox"),
        (
            Volume(
                container_path="x",
                source={"type": "HOST_PATH", "host_path": {"path": "etc"}},
                mode="RW",
            ),
            "Path 'etc' in HOST_PATH volume is not absolute",
        ),
        (
            Volume(
                container_path="x",
                source={
                    "type": "SANDBOX_PATH",
                    "sandbox_path": {"type": "PARENT", "path": "x"},
                },
                mode="RW",
            ),
            "PARENT sandbox path only works for nested container",
        ),
        (Volume(container_path="x", source={"type": "SECRET"}, mode="RW"), "type SECRET are not"),
        (Volume(container_path="x", image={"type": "APPC"}, mode="RW"), "has no path on the host"),
    ],
)
async def test_volumes_that_cannot_be_had_fail_the_launch(
    labs: Labs, volume: Volume, message: str
) -> None:
    """In Mesos' words where those are known; nothing is left."""
    lab = labs("filesystem/linux")
    with pytest.raises(LaunchError, match=message):
        await lab.launch("true", container=volumes(volume))
    assert lab.cgroups() == []


async def test_without_the_linux_filesystem_volumes_and_images_are_refused(tmp_path: Path) -> None:
    """Not left out in silence."""
    lab = Lab(tmp_path, ("posix", "posix/cpu"))
    with pytest.raises(LaunchError, match="Volumes in ContainerInfo is not supported"):
        await lab.launch(
            "true", container=volumes(Volume(container_path="x", host_path="/etc", mode="RO"))
        )
    image = ContainerInfo(type="MESOS", mesos={"image": {"type": "DOCKER"}})
    with pytest.raises(LaunchError, match="Unsupported container image type: DOCKER"):
        await lab.launch("true", container=image)


@namespaces
async def test_the_environment_reaches_the_program_and_nothing_before_it(labs: Labs) -> None:
    """Programs that root runs for a container must not load what its user chose."""
    lab = labs(MOUNTED)
    evil = lab.folder / "evil.so"
    container = await lab.launch(
        "tr '\\0' '\\n' < /proc/$$/environ; id -un",
        user="nobody",
        environment={"LD_PRELOAD": str(evil), "QUOTED": "a 'b' $c\nd", "a.b": "odd"},
    )
    assert (await lab.end(container)).status == 0
    out = lab.output(container)
    assert f"LD_PRELOAD={evil}\n" in out
    assert "QUOTED=a 'b' $c\nd\n" in out
    assert "a.b=odd\n" in out
    assert "nobody\n" in out
    assert "\nHOME=" not in out
    # The loader complains once for each program that was told to load what is not there.
    complaints = (lab.folder / container / "stderr").read_text().count("evil.so")
    assert complaints == len(["env", "sh", "tr", "id"])


# --- version 2, as far as plain files go ---------------------------------------------------------


def version2(base: Path) -> IsolationSettings:
    """A hierarchy of plain files that offers what kernels offer."""
    for folder in (base, base / "mesos"):
        folder.mkdir(exist_ok=True)
        for control in ("cgroup.subtree_control", "cgroup.procs"):
            (folder / control).touch()
    (base / "cgroup.controllers").write_text("cpuset cpu io memory pids misc\n")
    return IsolationSettings(hierarchy=base, root="mesos", enable_cfs=False, destroy_timeout=1)


def test_all_of_version_2_is_what_its_kernel_offers(tmp_path: Path) -> None:
    """Each controller that there is an isolator for, and devices where programs limit them."""
    _, made = create("cgroups/all,posix/rlimits", "linux", version2(tmp_path))
    assert {one.name for one in made} == {
        "filesystem/posix",
        "posix/rlimits",
        "cgroups/cpu",
        "cgroups/mem",
        "cgroups/pids",
        "cgroups/cpuset",
        "cgroups/io",
        *(f"cgroups/{one}" for one in device_filter.offered()),
    }


@pytest.mark.parametrize(
    ("launcher", "isolation", "message"),
    [
        ("linux", "cgroups/blkio", "lacks the isolator 'cgroups/blkio' on cgroup v2"),
        ("posix", "cgroups/pids", "need --launcher=linux"),
    ],
)
def test_what_version_2_lacks_stops_the_start(
    tmp_path: Path, launcher: str, isolation: str, message: str
) -> None:
    """Nothing is left unlimited in silence."""
    with pytest.raises(IsolationError, match=message):
        create(isolation, launcher, version2(tmp_path))


@subsystem("blkio")
def test_what_the_other_version_has_is_refused(tmp_path: Path) -> None:
    """The same thing has another name there."""
    other, message = ("blkio", "lacks") if UNIFIED else ("io", "here it is cgroups/blkio")
    with pytest.raises(IsolationError, match=message):
        Lab(tmp_path, ("linux", f"cgroups/{other}"))


def test_io_of_version_2_is_read_from_its_one_file(tmp_path: Path) -> None:
    """Bytes and operations by device, and both together."""
    group = tmp_path / "c"
    group.mkdir()
    (group / "io.stat").write_text(
        "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=0 rios=1\n"
    )
    first, second, total = controllers2.Io(tmp_path).usage("c", [])["blkio"]["throttling"]
    assert first["device"] == {"major": 8, "minor": 0}
    assert first["io_service_bytes"] == [
        {"op": "READ", "value": 4096},
        {"op": "WRITE", "value": 8192},
        {"op": "TOTAL", "value": 12288},
    ]
    assert first["io_serviced"][2] == {"op": "TOTAL", "value": 3}
    assert second["device"] == {"major": 8, "minor": 16}
    assert total["io_service_bytes"] == [{"op": "TOTAL", "value": 12289}]


def test_io_of_version_1_is_read_by_operation() -> None:
    """The line of the total names no device."""
    found = blkio.version1("8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 3\n")
    assert found == {"8:0": {"READ": 1, "WRITE": 2, "TOTAL": 3}}


async def test_measuring_goes_on_after_a_restart(tmp_path: Path) -> None:
    """The successor knows the quota without being told again."""
    first = Lab(tmp_path, ("posix", "disk/du"), disk_watch_interval=0.05)
    container = await first.launch("sleep 1000", limits=Limits(disk=1 << 20))
    second = Lab(tmp_path, ("posix", "disk/du"), disk_watch_interval=0.05)
    second.take_over(first, container)
    await until(lambda: "disk_used_bytes" in second.containerizer.usage(container))
    assert second.containerizer.usage(container)["disk_limit_bytes"] == 1 << 20
    await second.close()
    await asyncio.wait_for(first.future(container), 60)
    await first.close()
    assert files.nested(tmp_path / "none") == []
