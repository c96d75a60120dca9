"""What a task of a group asks of its container: volumes of sandboxes, and resource limits.

The task has no mounts of its own, so a volume is a link below its sandbox to a folder of that
sandbox or of the executor's, which all tasks share. What would take more is refused. Loaded only
for tasks that ask.
"""

from __future__ import annotations

import os
import resource

from pocket_mesos.containerizer import limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pocket_mesos.executors.transport import Message


def refusal(container: Message) -> str | None:
    """Return what a task asks for that can't be had, if it does."""
    if container.get("mesos", {}).get("image"):
        return "Images are not supported in tasks of a group"
    for volume in container.get("volumes", []):
        found = _place(volume)
        if found is None:
            return (
                f"Volume '{volume.get('container_path')}' is not supported in a task of a group: "
                "expecting a relative container_path, and a relative path of a sandbox"
            )
    try:
        list(_limits(container))
    except ValueError as error:
        return str(error)
    return None


def link_volumes(container: Message, sandbox: str, parent: str) -> None:
    """Make the volumes of a task that was not refused.

    Args:
        container: ContainerInfo.
        sandbox: the task's.
        parent: the executor's.
    """
    for volume in container.get("volumes", []):
        place = _place(volume)
        assert place is not None, "refused otherwise"
        kind, path = place
        source = f"{parent if kind == 'PARENT' else sandbox}/{path}"
        target = f"{sandbox}/{volume['container_path']}"
        os.makedirs(source, exist_ok=True)  # noqa: PTH103 (no pathlib)
        if source != target:
            os.makedirs(os.path.dirname(target), exist_ok=True)  # noqa: PTH103, PTH120
            os.symlink(source, target)  # noqa: PTH211


def set_limits(container: Message) -> None:
    """Give this process the task's limits.

    Raises:
        OSError: it may not have them.
    """
    for number, soft, hard in _limits(container):
        try:
            resource.setrlimit(number, (soft, hard))
        except ValueError as error:
            raise OSError(0, f"Failed to set rlimits: {error}") from error


def _place(volume: Message) -> tuple[str, str] | None:
    """Return whose sandbox a volume is in, and where; None when it is elsewhere."""
    source = volume.get("source")
    if source is None:
        kind, path = "SELF", volume.get("host_path", "")
    else:
        found = source.get("sandbox_path", {})
        kind, path = found.get("type"), found.get("path", "")
    known = kind in ("SELF", "PARENT") and _inside(path) and _inside(volume["container_path"])
    return (kind, path) if known else None


def _inside(path: str) -> bool:
    """Whether a path stays below the folder that it begins in."""
    return bool(path) and not path.startswith("/") and ".." not in path.split("/")


def _limits(container: Message) -> Iterator[tuple[int, int, int]]:
    return map(limits.parse, container.get("rlimit_info", {}).get("rlimits", []))
