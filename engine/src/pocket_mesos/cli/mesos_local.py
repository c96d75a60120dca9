"""mesos-local: a master and agents as plain processes on one machine, without root or ZooKeeper."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pocket_mesos import MESOS_VERSION, credentials
from pocket_mesos.credentials import CredentialsError
from pocket_mesos.flags import PATH, FlagsError
from pocket_mesos.flags.local import LocalFlags
from pocket_mesos.http.authentication import authorization

_READY_SECONDS = 60.0
_STOP_SECONDS = 30.0
_POLL_SECONDS = 0.05
_FIRST_PORT, _LAST_PORT = 31000, 32000
_MASTER_PORTS = 20000, 30000


class _Stopped(Exception):  # noqa: N818 - not an error: somebody asked for it
    """A signal asked to end."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run master and agents until a signal comes or one of them ends."""
    try:
        flags = LocalFlags.load(sys.argv[1:] if arguments is None else arguments, os.environ)
    except FlagsError as error:
        sys.stderr.write(LocalFlags.usage(str(error)))
        sys.exit(1)
    if flags.help:
        print(LocalFlags.usage(), end="")
    elif flags.version:
        print(f"mesos {MESOS_VERSION}")
    else:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
        with _work_dir(flags) as work_dir:
            sys.exit(_run(flags, work_dir))


def _stop(_number: int, _frame: object) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    raise _Stopped


@contextmanager
def _work_dir(flags: LocalFlags) -> Iterator[Path]:
    if flags.work_dir is not None:
        yield flags.work_dir.absolute()
        return
    folder = Path(tempfile.mkdtemp(prefix="mesos-local-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(flags: LocalFlags, work_dir: Path) -> int:
    """Start everything, wait, stop everything; return the exit status."""
    ports = _ports(flags)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        headers = _headers()
        address = f"{flags.ip}:{ports[0]}"
        processes.append(_start("mesos_master", _master_arguments(flags, ports[0], work_dir)))
        _wait(lambda: _registered(address, headers) == 0, "the master does not answer", processes)
        for number in range(flags.num_slaves):
            agent = _agent_arguments(flags, ports, number, work_dir)
            processes.append(_start("mesos_agent", agent))
        _wait(
            lambda: _registered(address, headers) == flags.num_slaves,
            "agents are missing",
            processes,
        )
        print(
            f"Mesos is ready at http://{address} with {flags.num_slaves} agents; "
            f"its files are in {work_dir}",
            flush=True,
        )
        while True:
            _check_alive(processes)
            time.sleep(_POLL_SECONDS)
    except _Stopped:
        return 0
    except (RuntimeError, CredentialsError) as error:
        sys.stderr.write(f"mesos-local: {error}\n")
        return 1
    finally:
        _stop_all(processes)


def _ports(flags: LocalFlags) -> list[int]:
    """Return the master's port, which the agents must be told, and the agents'.

    What is left to us: the agents' are 0, taken the moment that they listen. The master's lies
    below those that the kernel gives to connections, which could be quicker than the master.
    """
    if flags.port:
        return [flags.port + number for number in range(flags.num_slaves + 1)]
    return [_free_port(flags.ip)] + [0] * flags.num_slaves


def _free_port(ip: str) -> int:
    while True:
        port = random.randrange(*_MASTER_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((ip, port))
            return port


def _start(module: str, arguments: list[str]) -> "subprocess.Popen[bytes]":
    """Start a daemon in a session of its own, so that Ctrl-C reaches it through us alone."""
    command = [sys.executable, "-m", f"pocket_mesos.cli.{module}", *arguments]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def _master_arguments(flags: LocalFlags, port: int, work_dir: Path) -> list[str]:
    return [
        f"--ip={flags.ip}",
        f"--port={port}",
        f"--hostname={flags.ip}",
        f"--work_dir={work_dir / 'master'}",
        f"--logging_level={flags.logging_level}",
    ]


def _agent_arguments(flags: LocalFlags, ports: list[int], number: int, work_dir: Path) -> list[str]:
    folder = work_dir / f"agent{number + 1}"
    arguments = [
        f"--master={flags.ip}:{ports[0]}",
        f"--ip={flags.ip}",
        f"--port={ports[number + 1]}",
        f"--hostname={flags.ip}",
        f"--work_dir={folder / 'work'}",
        f"--runtime_dir={folder / 'run'}",
        f"--resources={flags.resources or _share(flags.num_slaves, number)}",
        f"--logging_level={flags.logging_level}",
        "--launcher=posix",
        "--isolation=posix/cpu,posix/mem",
        "--no-systemd_enable_support",
    ]
    return arguments if os.geteuid() == 0 else [*arguments, "--no-switch_user"]


def _share(count: int, number: int) -> str:
    """Divide the machine: each agent's part of CPUs, memory and ports."""
    cpus = (os.cpu_count() or 1) / count
    mem = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    width = (_LAST_PORT - _FIRST_PORT) // count
    first = _FIRST_PORT + number * width
    return f"cpus:{cpus:.3f};mem:{mem // 2 // count};ports:[{first}-{first + width - 1}]"


def _wait(
    reached: Callable[[], bool], otherwise: str, processes: list["subprocess.Popen[bytes]"]
) -> None:
    """Wait until something is reached.

    Raises:
        RuntimeError: a process ended, or it takes too long.
    """
    deadline = time.monotonic() + _READY_SECONDS
    while not reached():
        _check_alive(processes)
        if time.monotonic() > deadline:
            raise RuntimeError(f"{otherwise} after {_READY_SECONDS:g} seconds")
        time.sleep(_POLL_SECONDS)


def _headers() -> dict[str, str]:
    """Return what the master wants to see of those who look at it: any credential that it knows.

    Raises:
        CredentialsError: the file that the master is to read can't be used.
    """
    path = os.environ.get("MESOS_CREDENTIALS")
    if path is None:
        return {}
    accepted = credentials.read_all(PATH.parse(path), "credentials")
    return {"Authorization": authorization(*next(iter(accepted.items())))}


def _registered(address: str, headers: Mapping[str, str]) -> int | None:
    """Return how many agents are registered; None while the master does not answer."""
    request = urllib.request.Request(f"http://{address}/slaves", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=1) as answer:
            return sum(1 for agent in json.load(answer)["slaves"] if agent["active"])
    except (OSError, ValueError):
        return None


def _check_alive(processes: list["subprocess.Popen[bytes]"]) -> None:
    for number, process in enumerate(processes):
        if process.poll() is not None:
            name = "the master" if number == 0 else f"agent {number}"
            raise RuntimeError(f"{name} ended with status {process.returncode}")


def _stop_all(processes: list["subprocess.Popen[bytes]"]) -> None:
    """End the agents, their tasks with them, then the master."""
    for process in processes[1:]:
        if process.poll() is None:
            process.send_signal(signal.SIGUSR1)
    _reap(processes[1:])
    for process in processes[:1]:
        if process.poll() is None:
            process.terminate()
    _reap(processes[:1])


def _reap(processes: list["subprocess.Popen[bytes]"]) -> None:
    deadline = time.monotonic() + _STOP_SECONDS
    for process in processes:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
