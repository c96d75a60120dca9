"""A process that loads the job and forks workers from itself, each as warm as it is.

Forked itself before the executor has threads, and kept without any: a fork of a process with
threads may inherit locks that nobody will ever release.
"""

import contextlib
import ctypes
import faulthandler
import gc
import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from mapreduce.errors import MapReduceError

PR_SET_PDEATHSIG = 1
M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
"""Of prctl and mallopt."""

LARGEST_MESSAGE = 1 << 17
"""Bytes; the longest are a job's arguments."""

CONNECTIONS = 2
"""Of a worker: for tasks and outcomes, and for its turns."""

SINGLE_THREADED = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that keep numpy's libraries from starting threads when they are loaded."""

TABLE_SHARE = 3
"""A worker's memory over that of its table: what is dumped is there a second time, as payloads;
the rest is for Python, the job and what is read ahead."""


class ForkServerError(MapReduceError):
    """The fork server ended, and with it all workers."""


class ForkServer:
    """The executor's end. To be made while the process has one thread.

    All calls are for one thread, and wait for their answers but for `begin_load`.
    """

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            _run(theirs, self._parent)
        theirs.close()
        self._socket = ours

    def fileno(self) -> int:
        """Let `wait` tell when there is an answer."""
        return self._socket.fileno()

    def begin_load(self, **about: Any) -> None:
        """Have the job loaded, which may take a while; `loaded` is the next call."""
        self._send({"load": about})

    def loaded(self) -> str:
        """Wait for the job and return why it cannot be loaded; empty where it can."""
        try:
            return str(self._receive()["error"])
        except ForkServerError as error:
            raise ForkServerError("the process that loaded the job did not survive it") from error

    def fork(self, *connections: "Connection[Any, Any]") -> int:
        """Start a worker that has these connections and return its process id."""
        answer = self._ask({"fork": True}, *(each.fileno() for each in connections))
        if answer["error"]:
            raise ForkServerError(f"a worker cannot be started: {answer['error']}")
        return int(answer["pid"])

    def reap(self, pid: int) -> int:
        """Make sure that a worker has ended; return its exit status, negative for a signal."""
        return int(self._ask({"reap": pid})["status"])

    def close(self) -> None:
        """End the fork server, and with it the workers."""
        self._socket.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)

    def _ask(self, request: dict[str, Any], *passed: int) -> dict[str, Any]:
        self._send(request, *passed)
        return self._receive()

    def _send(self, request: dict[str, Any], *passed: int) -> None:
        try:
            socket.send_fds(self._socket, [json.dumps(request).encode()], passed)
        except OSError as error:
            raise ForkServerError(f"the fork server is gone: {error}") from error

    def _receive(self) -> dict[str, Any]:
        try:
            answer = self._socket.recv(LARGEST_MESSAGE)
        except OSError as error:
            raise ForkServerError(f"the fork server is gone: {error}") from error
        if not answer:
            raise ForkServerError("the fork server ended")
        found: dict[str, Any] = json.loads(answer)
        return found


def _run(control: socket.socket, parent: int) -> NoReturn:
    """Be the fork server."""
    try:
        _depend_on(parent)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        faulthandler.enable()
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(line_buffering=True)  # what a job prints, a killed one, too
        for name in SINGLE_THREADED:
            os.environ.setdefault(name, "1")
        _Server(control).serve()
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _depend_on(parent: int) -> None:
    """Tie this process' life to its parent's, which may be killed without warning."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _keep_freed_memory() -> None:
    """Have freed pieces used again: glibc would give each back to the kernel, and ask for it anew.

    Measured: 1.4 ms for each MB that is read instead of 0.25, which is a third of what the fastest
    job takes to map it.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 32 << 20)
        libc.mallopt(M_TRIM_THRESHOLD, 64 << 20)


class _Server:
    """The requests, answered one after the other until the executor closes its end."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._setup: Any = None

    def serve(self) -> None:
        gc.disable()  # hardly anything that is imported and loaded is garbage
        _import()
        while True:
            message, passed, _, _ = socket.recv_fds(self._control, LARGEST_MESSAGE, CONNECTIONS)
            if not message:
                return
            answer = self._answer(json.loads(message), *passed)
            self._control.send(json.dumps(answer).encode())

    def _answer(self, request: dict[str, Any], *passed: int) -> dict[str, Any]:
        match request:
            case {"load": about}:
                return {"error": self._load(about)}
            case {"reap": pid}:
                return {"status": _reap(pid)}
            case _:
                return self._fork(*passed)

    def _load(self, about: dict[str, Any]) -> str:
        from mapreduce.executor.tasks import Setup, job_errors
        from mapreduce.job import load

        packages = [Path(name) for name in about["packages"]]
        try:
            job = load(about["job"], about["arguments"], packages=packages)
            if about["prepare"]:
                with job_errors("to prepare"):
                    job.prepare()
        except MapReduceError as error:
            traceback.print_exc()
            return str(error)
        self._setup = Setup(
            job=job,
            server=about["server"],
            folder=Path(about["folder"]),
            served=about["served"],
            table_bytes=int(about["worker_mem"] * 2**20) // TABLE_SHARE,
            patience=about["patience"],
        )
        # What is here stays: collections in the workers pass it over, and do not copy its pages.
        gc.freeze()
        gc.enable()
        return ""

    def _fork(self, *descriptors: int) -> dict[str, Any]:
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            return {"pid": 0, "error": error.strerror}
        if pid == 0:
            self._control.close()
            self._work(descriptors, parent)
        for descriptor in descriptors:
            os.close(descriptor)
        return {"pid": pid, "error": ""}

    def _work(self, descriptors: Sequence[int], parent: int) -> NoReturn:
        """Be a worker."""
        from mapreduce.executor.worker import Worker

        try:
            _depend_on(parent)
            _keep_freed_memory()
            tasks: Connection[Any, Any] = Connection(descriptors[0])
            turns: Connection[Any, Any] = Connection(descriptors[1])
            Worker(self._setup, tasks, turns).serve()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(1)


def _import() -> None:
    """Import what every job needs, while the executor still registers with its agent."""
    import mapreduce.executor.worker
    import mapreduce.job  # noqa: F401


def _reap(pid: int) -> int:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # changes nothing where it has ended already
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
