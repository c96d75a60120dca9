"""filesystem/posix and filesystem/linux: whose view of the file system a container has."""

import os
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pocket_mesos.containerizer import sandbox
from pocket_mesos.containerizer.config import ContainerConfig, LaunchInfo
from pocket_mesos.containerizer.errors import ContainerizerError, IsolationError
from pocket_mesos.containerizer.isolators.base import Isolator
from pocket_mesos.protocol.mesos import Volume


def _refuse_image(config: ContainerConfig) -> None:
    image = ((config.container and config.container.mesos) or {}).get("image")
    if image:
        raise IsolationError(f"Unsupported container image type: {image.get('type')}")


class Posix(Isolator):
    """Everybody's: nothing can be mounted for a container alone."""

    name = "filesystem/posix"

    def prepare(self, config: ContainerConfig) -> LaunchInfo:
        _refuse_image(config)
        if config.container is not None and config.container.volumes:
            raise IsolationError("Volumes in ContainerInfo is not supported")
        return LaunchInfo()


class Linux(Isolator):
    """Its own: mounts of the host show up in it, its own are seen by nobody else.

    Volumes are folders or files of the host, or folders of the sandbox (a relative ``host_path``),
    such as a private ``/tmp``.
    """

    name = "filesystem/linux"

    def prepare(self, config: ContainerConfig) -> LaunchInfo:
        _refuse_image(config)
        volumes = () if config.container is None else config.container.volumes
        commands = [command for one in volumes for command in _mount(config, one)]
        return LaunchInfo(namespaces=frozenset({"mount"}), commands=tuple(commands))


def _mount(config: ContainerConfig, volume: Volume) -> list[tuple[str, ...]]:
    source = _source(config, volume)
    target = _target(config, volume, source)
    if source == target:
        return []
    commands: list[tuple[str, ...]] = [("mount", "--rbind", str(source), str(target))]
    if volume.mode == "RO":
        commands.append(("mount", "-o", "remount,bind,ro", str(target)))
    return commands


def _source(config: ContainerConfig, volume: Volume) -> Path:
    """Return what is to be seen, which is made when it is a folder of the sandbox."""
    wanted = volume.host_path if volume.source is None else _named(volume.source)
    if volume.image is not None or wanted is None:
        raise IsolationError(f"Volume '{volume.container_path}' has no path on the host")
    if not wanted.startswith("/"):
        return _private(config, wanted, Path(volume.container_path))
    if not Path(wanted).exists():
        raise IsolationError(f"Path '{wanted}' in HOST_PATH volume does not exist")
    return Path(wanted)


def _named(source: Mapping[str, Any]) -> str:
    """Return the path that a volume's source names; relative to the sandbox if it is of that."""
    kind = source.get("type")
    if kind == "HOST_PATH":
        path = str(source.get("host_path", {}).get("path", ""))
        if not path.startswith("/"):
            raise IsolationError(f"Path '{path}' in HOST_PATH volume is not absolute")
        return path
    if kind != "SANDBOX_PATH":
        raise IsolationError(f"Volumes of type {kind} are not supported")
    if source.get("sandbox_path", {}).get("type") != "SELF":
        raise IsolationError("PARENT sandbox path only works for nested container")
    return str(source["sandbox_path"].get("path", "")).lstrip("/")


def _private(config: ContainerConfig, name: str, covered: Path) -> Path:
    """Make a folder in the sandbox, as open as what it covers: a private /tmp is for everybody."""
    folder = _within(config.directory, name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        sandbox.chown(folder, config.user)
    except ContainerizerError as error:
        raise IsolationError(f"Failed to change the owner of '{folder}': {error}") from error
    if covered.is_absolute() and covered.is_dir():
        folder.chmod(covered.stat().st_mode & 0o7777)
    return folder


def _target(config: ContainerConfig, volume: Volume, source: Path) -> Path:
    """Return where it is to be seen; within the sandbox that is made."""
    wanted = volume.container_path
    if wanted.startswith("/"):
        if not Path(wanted).exists():
            raise IsolationError(
                f"Mount point '{wanted}' is an absolute path. "
                "It must exist if the container shares the host filesystem"
            )
        return Path(wanted)
    target = _within(config.directory, wanted)
    try:
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
    except OSError as error:
        raise IsolationError(
            f"Failed to create the mount point at '{target}': {error.strerror}"
        ) from error
    return target


def _within(directory: Path, name: str) -> Path:
    """Return a path below the sandbox, whatever links the fetched files may hold."""
    path = directory / name
    inside = Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))
    if not name or ".." in PurePosixPath(name).parts or not inside:
        raise IsolationError(f"Path '{name}' of a volume leads out of the sandbox")
    return path
