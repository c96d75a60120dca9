"""The Docker engine, through its command line client, which knows contexts and remote engines."""

import io
import json
import signal
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from labkit import digest
from labkit.paths import ROOT

NODE_OPTIONS = (
    *("--cgroupns", "private", "--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined"),
    *("--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp", "--stop-signal", "SIGRTMIN+3"),
)
"""What systemd needs to run in a container; playbooks/lab_up.yml starts the nodes alike."""


BOOTED = """
timeout 300 sh -c '
    until systemctl is-system-running --wait 2>/dev/null | grep -qE "running|degraded"; do
        sleep 0.1
    done'
"""
"""Waits until systemd has started a node. Until then it cleans /tmp, where Ansible would work."""


class CommandError(Exception):
    """A command failed; its output says why."""


def run(*command: str, stdin: bytes | None = None, timeout: float | None = None) -> str:
    """Run a command, return its standard output without the last newline."""
    result = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, check=False)
    if result.returncode != 0:
        output = (result.stderr or result.stdout).decode(errors="replace").strip()
        raise CommandError(f"{' '.join(command[:4])} ... failed: {output}")
    return result.stdout.decode(errors="replace").rstrip("\n")


def inspect(kind: str, *names: str) -> list[dict[str, Any]]:
    """Return what the engine knows of these containers or networks, those left out that are not."""
    if not names:
        return []
    command = ["docker", kind, "inspect", *names]
    # Another lab's may go between a listing and this: the others are printed all the same.
    result = subprocess.run(command, capture_output=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(result.stdout)
    except ValueError:
        raise CommandError(result.stderr.decode(errors="replace").strip()) from None
    return found


def stream(*command: str) -> None:
    """Run a command whose output goes to ours as it comes: a log, or whoever watches."""
    sys.stdout.flush()
    if (status := subprocess.run(command, check=False).returncode) != 0:
        raise CommandError(f"{' '.join(command[:4])} ... ended with status {status}")


def image_exists(image: str) -> bool:
    """Tell whether the engine holds an image of that name."""
    with suppress(CommandError):
        run("docker", "image", "inspect", image)
        return True
    return False


def forget_old_images(name: str) -> None:
    """Remove images of that name which no container uses and a day's work has passed by."""
    filters = ("--filter", f"label=mesos-lab.image={name}", "--filter", "until=24h")
    run("docker", "image", "prune", "--all", "--force", *filters)


def architecture() -> str:
    """Return the processor's kind on which the engine runs containers, as Python names it."""
    return run("docker", "info", "--format", "{{.Architecture}}")


def is_local() -> bool:
    """Tell whether the engine sees this machine's files, so that folders can be mounted."""
    host = run("docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    return host.startswith("unix://") and sys.platform == "linux"


class Container:
    """A container that works for a while: files go in, commands run, files come out."""

    def __init__(self, name: str) -> None:
        self.name = name

    def shell(self, script: str, env: Mapping[str, str] | None = None) -> None:
        """Run a shell script inside, its output going to ours."""
        options = [f"--env={key}={value}" for key, value in (env or {}).items()]
        stream("docker", "exec", *options, self.name, "sh", "-euc", script)

    def output(self, *command: str) -> str:
        """Run a command inside and return its output."""
        return run("docker", "exec", self.name, *command)

    def put_files(self, files: Mapping[str, tuple[bytes, int]]) -> None:
        """Write files (absolute path: content, mode) as root's, with the folders they need."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for path, (content, mode) in files.items():
                entry = tarfile.TarInfo(path.lstrip("/"))
                entry.size, entry.mode = len(content), mode
                archive.addfile(entry, io.BytesIO(content))
        run("docker", "cp", "-", f"{self.name}:/", stdin=buffer.getvalue())

    def put_tree(self, source: Path, target: str) -> None:
        """Copy a source tree into the folder target, without what tools left in it."""
        self.put_files(
            {
                f"{target}/{file.relative_to(source)}": (file.read_bytes(), 0o644)
                for file in digest.source_files([source])
            }
        )

    def fetch(self, source: str, target: Path) -> None:
        """Copy a folder's content out of the container into the folder target."""
        target.mkdir(parents=True, exist_ok=True)
        run("docker", "cp", f"{self.name}:{source}/.", str(target))

    def commit(self, image: str, *changes: str, message: str) -> None:
        """Keep the container's files as an image."""
        options = [option for change in changes for option in ("--change", change)]
        run("docker", "commit", "--message", message, *options, self.name, image)


@contextmanager
def container(
    image: str, *options: str, command: tuple[str, ...] = ("sleep", "infinity")
) -> Iterator[Container]:
    """Run a container of an image for as long as the block lasts."""
    name = f"mesos-lab-build-{uuid.uuid4().hex[:8]}"
    # A polite kill unwinds as an error does, so that the container goes.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    labels = ("--label", "mesos-lab.build=true", "--label", f"mesos-lab.root={ROOT}")
    run("docker", "run", "--detach", "--name", name, *labels, *options, image, *command)
    try:
        yield Container(name)
    finally:
        with suppress(CommandError):
            run("docker", "rm", "--force", "--volumes", name)
