"""Health checks and checks of a command task: by command, HTTP or TCP.

Every try is a child process, so that one that hangs is killed like any other process.
"""

from __future__ import annotations

import os

from pocket_mesos.containerizer.procfs import group_tree
from pocket_mesos.executors.bare import connect, signal
from pocket_mesos.executors.base import Executor, Timer, argv, log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pocket_mesos.executors.transport import Message


_FAILED = 255
"""Exit status of a try that got no answer; never that of an HTTP try that got one."""


class Checker:
    """Runs the ``check`` and the ``health_check`` of one task."""

    def __init__(
        self,
        executor: Executor,
        task: Message,
        environment: dict[str, str],
        report: Callable[..., None],
    ) -> None:
        """Prepare.

        Args:
            executor: whose loop is used.
            task: the task, with or without checks.
            environment: of commands that check.
            report: called with ``kill`` and the fields of a status update.
        """
        self._check = task.get("check")
        self._probes: list[_Probe] = []
        if self._check is not None:
            self._probes.append(_Check(executor, self._check, environment, report))
        if task.get("health_check") is not None:
            self._probes.append(_Health(executor, task["health_check"], environment, report))

    def initial_status(self) -> Message | None:
        """Return the status of a check that has no outcome, None without check."""
        if self._check is None:
            return None
        return _status(self._check, None)

    def start(self) -> None:
        """Begin, after each check's delay."""
        for probe in self._probes:
            probe.start()

    def stop(self) -> None:
        """Check no more."""
        for probe in self._probes:
            probe.stop()

    def child_ended(self, pid: int, status: int) -> None:
        """Hand over a child's end."""
        for probe in self._probes:
            probe.child_ended(pid, status)


class _Probe:
    """One check: try, wait for the outcome, wait, try again."""

    def __init__(
        self,
        executor: Executor,
        info: Message,
        environment: dict[str, str],
        report: Callable[..., None],
    ) -> None:
        self.executor = executor
        self.info = info
        self.environment = environment
        self.report = report
        self._pid: int | None = None
        self._reader = -1
        self._timer: Timer | None = None
        self._stopped = False

    def start(self) -> None:
        self._again(float(self.info.get("delay_seconds", 15.0)))

    def stop(self) -> None:
        self._stopped = True
        self.executor.cancel(self._timer)
        self._kill()

    def _again(self, seconds: float) -> None:
        if not self._stopped:
            self._timer = self.executor.after(seconds, self._try)

    def _try(self) -> None:
        self._reader, writer = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            self._in_child(writer)
        os.close(writer)
        patience = float(self.info.get("timeout_seconds", 20.0)) or 1e9
        self._timer = self.executor.after(patience, self._kill)

    def _in_child(self, writer: int) -> None:
        try:
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            outcome = self._attempt()
            os.write(writer, str(outcome).encode())
            os._exit(0)
        except BaseException as error:
            log(f"Check failed: {error}", "W")
        finally:
            os._exit(_FAILED)

    def _attempt(self) -> int:  # noqa: RET503 (execvpe does not return)
        """In the child: check; return what is to be known, raise when there is no answer."""
        kind = self.info.get("type")
        if kind == "TCP":
            connect("127.0.0.1", int(self.info["tcp"]["port"]), None).close()
            return 0
        if kind == "HTTP":
            return _http_status(self.info["http"])
        command = self.info["command"]
        command = command.get("command", command)
        variables = command.get("environment", {}).get("variables", [])
        extra = {one["name"]: one.get("value", "") for one in variables}
        environment = self.environment | extra
        file, arguments = argv(command)
        os.execvpe(file, arguments, environment)

    def _kill(self) -> None:
        if self._pid is not None:
            for pid in group_tree(self._pid):
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    continue

    def child_ended(self, pid: int, status: int) -> None:
        if pid != self._pid:
            return
        self._pid = None
        self.executor.cancel(self._timer)
        told = os.read(self._reader, 64)
        os.close(self._reader)
        if not self._stopped:
            self.outcome(status, int(told) if told else None)
            self._again(float(self.info.get("interval_seconds", 10.0)))

    def outcome(self, status: int, told: int | None) -> None:
        """Take what a try brought: the wait status, and what it told (not for commands)."""
        raise NotImplementedError


class _Check(_Probe):
    """Reports each change of what it finds; never kills."""

    last: Message | None = None

    def outcome(self, status: int, told: int | None) -> None:
        if self.info.get("type") == "COMMAND":
            value = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        else:
            value = told
        found = _status(self.info, value)
        if found != self.last:
            self.last = found
            self.report(False, reason="REASON_TASK_CHECK_STATUS_UPDATED", check_status=found)


class _Health(_Probe):
    """Reports changes of health and every failure; kills after too many failures in a row."""

    failures = 0
    healthy: bool | None = None
    _begun = 0.0

    def start(self) -> None:
        self._grace_over = False
        grace = float(self.info.get("grace_period_seconds", 10.0))
        self.executor.after(grace, self._end_grace)
        super().start()

    def _end_grace(self) -> None:
        self._grace_over = True

    def outcome(self, status: int, told: int | None) -> None:
        if self._passed(status, told):
            self.failures = 0
            if self.healthy is not True:
                self._report(True, False)
        elif self.healthy is None and not self._grace_over:
            log("Ignoring failure of health check still in grace period")
        else:
            self.failures += 1
            limit = int(self.info.get("consecutive_failures", 3))
            self._report(False, self.failures >= limit)

    def _passed(self, status: int, told: int | None) -> bool:
        if self.info.get("type") == "HTTP":
            return told is not None and 200 <= told < 400
        return status == 0

    def _report(self, healthy: bool, kill: bool) -> None:
        self.healthy = healthy
        self.report(kill, reason="REASON_TASK_HEALTH_CHECK_STATUS_UPDATED", healthy=healthy)


def _status(check: Message, value: int | None) -> Message:
    kind = check.get("type", "COMMAND")
    part: Message = {}
    if value is not None:
        key = {"COMMAND": "exit_code", "HTTP": "status_code"}.get(kind, "succeeded")
        part[key] = value == 0 if kind == "TCP" else value
    elif kind == "TCP":
        part["succeeded"] = False
    return {"type": kind, kind.lower(): part}


def _http_status(http: Message) -> int:
    """GET a path of the task and return the status of the answer."""
    connection = connect("127.0.0.1", int(http["port"]), None)  # the child's end closes it
    path = http.get("path") or "/"
    connection.sendall(
        f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    )
    head = b""
    while b"\r\n" not in head:
        data = connection.recv(4096)
        if not data:
            raise OSError("no answer")
        head += data
    return int(head.split()[1])
