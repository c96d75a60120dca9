"""What an agent leaves in its work directory: the layout that tools and people know.

Paths are compared by their form, with ids taken out: which kinds of files and folders there
are, of which type and mode.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from . import transcripts
from .cluster import eventually
from .custom_executor import RUNNING, executor_info, executor_task
from .scheduler import command_task

if TYPE_CHECKING:
    from .cluster import Cluster
    from .pocket import PocketCluster

IDLE = "sandbox/tree_agent_idle.txt"
BUSY = "sandbox/tree_agent_running.txt"
DONE = "sandbox/tree_agent_tasks_done.txt"
GONE = "sandbox/tree_agent_frameworks_gone.txt"

Entry = tuple[str, str, str]
"""Type as `find` has it, mode, and the path's form below the work directory."""

UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
FORMS = (
    (rf"/{UUID}-S\d+(?=/|$)", "/AGENT"),
    (rf"/{UUID}-\d{{4}}(?=/|$)", "/FRAMEWORK"),
    (rf"/{UUID}(?=/|$)", "/CONTAINER"),
    (r"/executors/[^/]+", "/executors/EXECUTOR"),
    (r"/tasks/[^/]+", "/tasks/TASK"),
)
ELSEWHERE = re.compile(
    # Parts that this suite does not ask for: images, resource providers, groups' containers.
    r"/provisioner.*|.*/resource_provider_registry.*|.*/CONTAINER/(containers|tasks)(/.*)?"
    # A driver's address, where HTTP executors have their marker.
    r"|.*/libprocess\.pid|.*/framework\.pid"
)
META_TASKS = re.compile(r"/meta/.*/CONTAINER/tasks(/.*)?")
FILES = re.compile(r"/slaves/.*/CONTAINER/[^/]+")
"""What executors and tasks have written into their sandbox; stdout and stderr are the agent's."""


def form(path: str) -> str:
    """Take the ids out of a path."""
    for pattern, name in FORMS:
        path = re.sub(pattern, name, path)
    return path


def kept(entry: Entry) -> bool:
    _, _, path = entry
    if META_TASKS.fullmatch(path):
        return True
    if ELSEWHERE.fullmatch(path):
        return False
    return not FILES.fullmatch(path) or path.endswith(("/stdout", "/stderr"))


def recorded(name: str) -> set[Entry]:
    """Read a recorded `find` of the work directory."""
    text = (transcripts.ROOT / name).read_text().partition("## find /runtime_dir")[0]
    found = re.findall(r"^([dflps]) (\d+) +\d+ /work_dir/agent1(\S*)", text, re.MULTILINE)
    return {entry for kind, mode, path in found if kept(entry := (kind, mode, form(path)))}


def found_below(work_dir: Path) -> set[Entry]:
    """Do the same for a work directory of this run."""
    entries = set()
    # Unlike rglob it passes by folders that are being removed.
    below = [(Path(top), [*folders, *files]) for top, folders, files in os.walk(work_dir)]
    for path in (work_dir, *(top / name for top, names in below for name in names)):
        try:
            info = path.lstat()
        except FileNotFoundError:
            continue  # written anew just now
        kind = "l" if path.is_symlink() else "d" if path.is_dir() else "f"
        place = str(path).removeprefix(str(work_dir))
        entries.add((kind, f"{stat.S_IMODE(info.st_mode):o}", form(place)))
    return {entry for entry in entries if kept(entry)}


def differences(name: str, work_dir: Path) -> list[str]:
    """Say what only one of the two has."""
    wanted, found = recorded(name), found_below(work_dir)
    return [f"lacks {entry}" for entry in sorted(wanted - found)] + [
        f"has {entry}" for entry in sorted(found - wanted)
    ]


def work_dir_of(cluster: Cluster) -> Path:
    return Path(cluster.agent.flags["work_dir"])


def settle(name: str, work_dir: Path, what: str) -> None:
    """Wait until the layout is the recorded one; acknowledgements come in the background."""
    found: list[str] = []

    def settled() -> bool:
        found[:] = differences(name, work_dir)
        return not found

    try:
        eventually(settled, what)
    except AssertionError:
        pytest.fail("\n".join([what, *found]))


@transcripts.recorded
@pytest.mark.transcript(BUSY)
def test_the_work_directory_as_tasks_come_and_go(own_cluster: PocketCluster) -> None:
    """Idle, with tasks that run, with their ends, and when their frameworks are gone."""
    master = own_cluster.start_master()
    own_cluster.start_agent(str(master.address))
    cluster = own_cluster.cluster()
    work_dir, agent_id = work_dir_of(cluster), cluster.agent.agent_id
    settle(IDLE, work_dir, "the layout of an idle agent")
    frameworks = []
    for checkpoint in (True, False):
        scheduler = cluster.subscribe("tree", checkpoint=checkpoint)
        executor = executor_info("own", scheduler.framework_id)
        offer = scheduler.offer(cpus=0.5, mem=128)
        scheduler.accepted("SUPPRESS")  # the rest is for the next framework
        scheduler.launch(
            offer,
            command_task("cmd", agent_id, "sleep 1000"),
            command_task("done", agent_id, "exit 0"),
            executor_task("x", agent_id, executor, RUNNING),
        )
        for task_id, state in (("cmd", "RUNNING"), ("done", "FINISHED"), ("x", "RUNNING")):
            scheduler.wait_status(task_id, f"TASK_{state}")
        frameworks.append(scheduler)
    settle(BUSY, work_dir, "the layout while tasks run")
    for scheduler in frameworks:
        for task_id in ("cmd", "x"):
            scheduler.kill(task_id)
            scheduler.wait_status(task_id, "TASK_KILLED")
    settle(DONE, work_dir, "the layout when tasks are done")
    for scheduler in frameworks:
        scheduler.accepted("TEARDOWN")
    settle(GONE, work_dir, "the layout when frameworks are gone")
