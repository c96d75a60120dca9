"""Start a process behind a gate.

The child is a shell that waits for one line before it starts the executor. Meanwhile the parent
puts its pid into cgroups, sets its limits and checkpoints it; none of that needs code of ours to
run in the child. The shell stays as the executor's parent and writes down how that ended, which
an agent that was restarted meanwhile could not learn otherwise. A shell starts in a millisecond
and needs no memory worth counting.
"""

import os
import pwd
import resource
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pocket_mesos.containerizer.config import ContainerConfig, LaunchInfo
from pocket_mesos.containerizer.errors import LaunchError

_SUPERVISE = (
    "read -r _ || exit 125; unset PWD; status=$1; shift; "
    '(exec "$@" </dev/null 2>>stderr); echo $? >"$status"'
)
"""An agent that dies before it opened the gate leaves the shell with an end of file: it exits.

The shell would add PWD to an environment that Mesos hands over without it. What it has to say
about a signal that ended the executor is not for the sandbox.
"""

_BECOME = '. /proc/self/fd/9; exec "$@" 9<&-'
"""Take on an environment that must not be that of programs which run as root before.

Its file was opened before the mounts, which may hide it.
"""

STATUS = "status"
ENVIRONMENT = "environment"
"""Files in a container's folder below the runtime folder: they belong to its user."""


@dataclass(slots=True)
class Gated:
    """A started process that waits; either ``open`` or ``abandon`` has to be called."""

    process: subprocess.Popen[bytes]
    _gate: int

    @property
    def pid(self) -> int:
        return self.process.pid

    def open(self) -> None:
        """Let the process become what it was started for."""
        try:
            os.write(self._gate, b"\n")
        except BrokenPipeError:
            pass  # killed meanwhile; whoever waits for it will see
        finally:
            os.close(self._gate)

    def status(self) -> int | None:
        """Collect the wait status of the shell; None while it runs."""
        code = self.process.poll()
        if code is None:
            return None
        return -code if code < 0 else code << 8

    def abandon(self) -> None:
        """Make the process exit without having run anything."""
        os.close(self._gate)
        self.process.wait()


def fork(config: ContainerConfig, launch: LaunchInfo, folder: Path) -> Gated:
    """Start ``config``'s program behind a gate, in a session of its own, output in its sandbox.

    Args:
        config: what to start.
        launch: what isolators want done first.
        folder: the container's, below the runtime folder.

    Raises:
        LaunchError: no such user, an impossible limit, or the system can't start a process.
    """
    _leave(folder / STATUS, "", config.user)
    reader, writer = os.pipe()
    try:
        gated = Gated(_spawn(config, launch, folder, reader), writer)
    except OSError as error:
        os.close(writer)
        raise LaunchError(f"Failed to launch container: {error}") from error
    except BaseException:
        os.close(writer)
        raise
    finally:
        os.close(reader)
    try:
        for which, soft, hard in launch.rlimits:
            resource.prlimit(gated.pid, which, (soft, hard))
    except (OSError, ValueError) as error:
        gated.abandon()
        raise LaunchError(f"Failed to launch container: Failed to set rlimits: {error}") from error
    return gated


def recorded_status(folder: Path) -> int | None:
    """Return the wait status that a container's shell wrote down; None when it had no time to."""
    try:
        code = int((folder / STATUS).read_text())
    except (OSError, ValueError):
        return None
    # Shells add the number of a signal to 128.
    return code - 128 if 128 < code < 193 else (code & 0xFF) << 8


def _leave(path: Path, text: str, user: str | None) -> None:
    """Write a file that belongs to a container's user."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        uid, gid, _ = credentials(user)
        if uid is not None and gid is not None:
            os.fchown(descriptor, uid, gid)
        file.write(text)


def _spawn(
    config: ContainerConfig, launch: LaunchInfo, folder: Path, gate: int
) -> subprocess.Popen[bytes]:
    argv, environment = _argv(config), config.environment
    user, group, groups = credentials(config.user)
    if launch.namespaces:
        argv, environment = _within(config, launch, folder, argv), {}
        user, group, groups = None, None, None
    with (config.directory / "stdout").open("ab") as stdout:
        return subprocess.Popen(
            ["/bin/sh", "-c", _SUPERVISE, "sh", str(folder / STATUS), *argv],
            stdin=gate,
            stdout=stdout,
            stderr=subprocess.DEVNULL,
            cwd=config.directory,
            env=environment,
            user=user,
            group=group,
            extra_groups=groups,
            start_new_session=True,
        )


def _within(
    config: ContainerConfig, launch: LaunchInfo, folder: Path, argv: tuple[str, ...]
) -> tuple[str, ...]:
    """Return what enters new namespaces, mounts, and becomes the container's user at last."""
    exports = [
        f"export {name}={shlex.quote(value)}"
        for name, value in config.environment.items()
        if _spelled(name)
    ]
    _leave(folder / ENVIRONMENT, "\n".join(["unset PWD", *exports, ""]), config.user)
    program = [*_user(config.user), "/bin/sh", "-c", _BECOME, "sh"]
    last = f'{shlex.join(program)} "$@"'
    # The first process of a PID namespace stays to collect the orphans among the others.
    last = f"set +e; {last}; exit $?" if "pid" in launch.namespaces else f"exec {last}"
    steps = [shlex.join([_tool(command[0]), *command[1:]]) for command in launch.commands]
    opened = f"exec 9<{shlex.quote(str(folder / ENVIRONMENT))}"
    script = "; ".join(["set -e", opened, *steps, last])
    options = [f"--{name}" for name in sorted(launch.namespaces | {"mount"})]
    fork = ["--fork"] if "pid" in launch.namespaces else []
    unshare = [_tool("unshare"), *options, *fork, "--propagation", "slave"]
    return (*unshare, "/bin/sh", "-c", script, "sh", *argv)


def _user(user: str | None) -> list[str]:
    uid, gid, groups = credentials(user)
    if uid is None:
        return []
    every = ",".join(map(str, groups or [])) or str(gid)
    return [_tool("setpriv"), f"--reuid={uid}", f"--regid={gid}", f"--groups={every}"]


def _tool(name: str) -> str:
    """Return where a program of the system is: a container's PATH must not choose it."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        raise LaunchError(f"Failed to launch container: There is no program '{name}'")
    return found


def _spelled(name: str) -> bool:
    """Tell whether a shell can spell a variable's name, which it then hands on."""
    return name.isascii() and name.isidentifier()


def _argv(config: ContainerConfig) -> tuple[str, ...]:
    # The shell's exec can't set argv[0]; what is started here finds itself by its path.
    argv = config.argv if config.executable is None else (config.executable, *config.argv[1:])
    odd = tuple(f"{k}={v}" for k, v in config.environment.items() if not _spelled(k))
    return ("/usr/bin/env", *odd, *argv) if odd else argv


def credentials(user: str | None) -> tuple[int | None, int | None, list[int] | None]:
    """Return the uid, gid and groups with which a child runs as ``user``; None: as the parent.

    Raises:
        LaunchError: no such user.
    """
    if user is None:
        return None, None, None
    entry = lookup(user)
    if entry.pw_uid == os.geteuid():
        return None, None, None
    return entry.pw_uid, entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid)


def lookup(user: str) -> pwd.struct_passwd:
    """Find a user by name.

    Raises:
        LaunchError: in Mesos' words.
    """
    try:
        return pwd.getpwnam(user)
    except KeyError:
        raise LaunchError(f"No such user '{user}'") from None
