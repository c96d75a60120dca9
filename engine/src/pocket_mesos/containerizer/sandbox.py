"""Sandboxes: the folder of one run of an executor, its owner, and the ``latest`` links."""

import os
import shutil
from pathlib import Path

from pocket_mesos.containerizer.errors import LaunchError, SandboxError
from pocket_mesos.containerizer.fork import lookup

MODE = 0o750


def create(directory: Path, user: str | None) -> None:
    """Make a sandbox and let ``runs/latest`` point to it.

    Args:
        directory: ``…/runs/<container>``.
        user: who owns it; None: the agent's own user.

    Raises:
        SandboxError: in Mesos' words; nothing of the sandbox is left then.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        directory.mkdir(mode=MODE, exist_ok=True)
        directory.chmod(MODE)
    except OSError as error:
        raise SandboxError(
            f"Failed to create executor directory '{directory}': {error.strerror}"
        ) from error
    try:
        for path in (directory / "stdout", directory / "stderr"):
            path.touch(0o644)
            chown(path, user)
        chown(directory, user)
    except LaunchError as error:
        shutil.rmtree(directory)
        raise SandboxError(
            f"Failed to create executor directory '{directory}': "
            f"Failed to chown directory to '{user}': {error}"
        ) from error
    link(directory.parent / "latest", directory)


def chown(path: Path, user: str | None) -> None:
    """Give a path to a user and the user's group.

    Raises:
        LaunchError: no such user, or not allowed.
    """
    if user is None:
        return
    entry = lookup(user)
    if entry.pw_uid == os.geteuid():
        return
    try:
        os.chown(path, entry.pw_uid, entry.pw_gid)
    except OSError as error:
        raise LaunchError(error.strerror or str(error)) from error


def link(name: Path, target: Path) -> None:
    """Let the symbolic link ``name`` point to ``target``, whatever it was before, atomically."""
    new = name.with_name(f".{name.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(name)
