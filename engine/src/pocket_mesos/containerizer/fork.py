"""Start a process behind a gate.

The child is a shell that waits for one line before it becomes the executor. Meanwhile the parent
puts its pid into cgroups, sets its limits and checkpoints it; none of that needs code of ours to
run in the child. A shell starts in a millisecond and needs no memory worth counting.
"""

import os
import pwd
import resource
import subprocess
from dataclasses import dataclass

from pocket_mesos.containerizer.config import ContainerConfig
from pocket_mesos.containerizer.errors import LaunchError

_GATE = 'read -r _ || exit 125; unset PWD; exec "$@" </dev/null'
"""An agent that dies before it opened the gate leaves the shell with an end of file: it exits.

The shell would add PWD to an environment that Mesos hands over without it.
"""


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
        """Collect the wait status of the process; None while it runs."""
        code = self.process.poll()
        if code is None:
            return None
        return -code if code < 0 else code << 8

    def abandon(self) -> None:
        """Make the process exit without having run anything."""
        os.close(self._gate)
        self.process.wait()


def fork(config: ContainerConfig) -> Gated:
    """Start ``config``'s program behind a gate, in a session of its own, output in its sandbox.

    Raises:
        LaunchError: no such user, an impossible limit, or the system can't start a process.
    """
    reader, writer = os.pipe()
    try:
        gated = Gated(_spawn(config, reader), writer)
    except OSError as error:
        os.close(writer)
        raise LaunchError(f"Failed to launch container: {error}") from error
    except BaseException:
        os.close(writer)
        raise
    finally:
        os.close(reader)
    try:
        for which, soft, hard in config.rlimits:
            resource.prlimit(gated.pid, which, (soft, hard))
    except (OSError, ValueError) as error:
        gated.abandon()
        raise LaunchError(f"Failed to launch container: Failed to set rlimits: {error}") from error
    return gated


def _spawn(config: ContainerConfig, gate: int) -> subprocess.Popen[bytes]:
    user, group, groups = credentials(config.user)
    with (
        (config.directory / "stdout").open("ab") as stdout,
        (config.directory / "stderr").open("ab") as stderr,
    ):
        return subprocess.Popen(
            ["/bin/sh", "-c", _GATE, "sh", *_argv(config)],
            stdin=gate,
            stdout=stdout,
            stderr=stderr,
            cwd=config.directory,
            env=config.environment,
            user=user,
            group=group,
            extra_groups=groups,
            start_new_session=True,
        )


def _argv(config: ContainerConfig) -> tuple[str, ...]:
    # The shell's exec can't set argv[0]; what is started here finds itself by its path.
    argv = config.argv if config.executable is None else (config.executable, *config.argv[1:])
    # Nor does the shell hand on variables whose names it can't spell.
    odd = tuple(f"{k}={v}" for k, v in config.environment.items() if not k.isidentifier())
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
