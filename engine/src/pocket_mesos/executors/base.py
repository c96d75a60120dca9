"""What the built-in executors have in common: life with the agent, updates, timers, signals.

An executor is one loop over the agent's events, the exits of its children and its timers.
"""

from __future__ import annotations

import binascii
import os
import select
import time

from pocket_mesos.executors.bare import signal
from pocket_mesos.executors.transport import Agent, LostError, RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pocket_mesos.executors.transport import Message


RECONNECT_SECONDS = 0.25
"""Well within the 2 s that an agent waits for its executors after a restart."""

LAST_WORDS_SECONDS = 1.0
"""How long an executor that is done waits for its last update to be acknowledged."""

_UNITS = {
    "weeks": 604800.0,
    "days": 86400.0,
    "hrs": 3600.0,
    "mins": 60.0,
    "secs": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "ns": 1e-9,
}


def duration(text: str) -> float:
    """Read a duration as Mesos prints it, such as ``5secs``, in seconds."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return float(number) * _UNITS[text[len(number) :]]


def log(line: str, level: str = "I") -> None:
    """Write a line to standard error, in glog's form."""
    now = time.time()
    stamp = time.strftime("%m%d %H:%M:%S", time.localtime(now))
    place = f"{level}{stamp}.{int(now % 1 * 1e6):06d} {os.getpid()} executor.py"
    try:
        os.write(2, f"{place}] {line}\n".encode("utf-8", "replace"))
    except OSError:
        return  # a full disk must end no task


def inherited_environment() -> dict[str, str]:
    """Return the environment as it was handed over: the interpreter may have added a locale."""
    with open("/proc/self/environ", "rb") as file:  # noqa: PTH123 (no pathlib)
        pairs = [os.fsdecode(one).partition("=") for one in file.read().split(b"\0") if one]
    return {name: value for name, _, value in pairs}


class Timer:
    """Something to do later; a cancelled one does nothing."""

    __slots__ = ("at", "do")

    def __init__(self, at: float, do: Callable[[], None]) -> None:
        self.at = at
        self.do = do


class Executor:
    """Base of the built-in executors: subclasses answer events."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Take what the agent tells by the environment."""
        self.framework_id = {"value": environment["MESOS_FRAMEWORK_ID"]}
        self.executor_id = {"value": environment["MESOS_EXECUTOR_ID"]}
        self.sandbox = environment["MESOS_SANDBOX"]
        self.environment = environment
        self.checkpoint = environment.get("MESOS_CHECKPOINT") == "1"
        self.recovery_timeout = duration(environment.get("MESOS_RECOVERY_TIMEOUT", "15mins"))
        self.grace = duration(environment.get("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "5secs"))
        self.agent = Agent(environment["MESOS_AGENT_ENDPOINT"])
        self.framework_info: Message = {}
        self.container_id = ""
        self.unacknowledged_tasks: dict[str, Message] = {}
        self.unacknowledged_updates: dict[str, Message] = {}
        self.exit_status: int | None = None
        self._lost_at: float | None = None
        self._timers: list[Timer] = []
        self._wakeup, writer = os.pipe()
        os.set_blocking(self._wakeup, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    # --- what subclasses answer --------------------------------------------------------------

    def on_event(self, event: Message) -> None:
        """Handle an event that the base does not handle alone."""
        raise NotImplementedError

    def on_child(self) -> None:
        """Look which children have ended."""
        raise NotImplementedError

    def shutdown(self) -> None:
        """End what runs, then call :meth:`finish`."""
        raise NotImplementedError

    # --- loop --------------------------------------------------------------------------------

    def run(self) -> int:
        """Serve until :meth:`finish` has taken effect; return the exit status."""
        self._subscribe()
        while self.exit_status is None:
            self._step()
        self.agent.close()
        return self.exit_status

    def _step(self) -> None:
        poll = select.poll()
        poll.register(self._wakeup, select.POLLIN)
        if self.agent.connected:
            poll.register(self.agent.fileno(), select.POLLIN)
        ready = {descriptor for descriptor, _ in poll.poll(self._patience())}
        if self._wakeup in ready:
            os.read(self._wakeup, 4096)
            self.on_child()
        if self.agent.connected and self.agent.fileno() in ready:
            self._receive(wait=True)
        self._fire()

    def _patience(self) -> float | None:
        """Return milliseconds until the next timer."""
        if not self._timers:
            return None
        return max(0.0, (min(timer.at for timer in self._timers) - time.monotonic()) * 1000 + 1)

    def _fire(self) -> None:
        now = time.monotonic()
        for timer in [timer for timer in self._timers if timer.at <= now]:
            if timer in self._timers:
                self._timers.remove(timer)
                timer.do()

    def after(self, seconds: float, do: Callable[[], None]) -> Timer:
        """Call ``do`` in ``seconds``."""
        timer = Timer(time.monotonic() + seconds, do)
        self._timers.append(timer)
        return timer

    def cancel(self, timer: Timer | None) -> None:
        """Forget a timer."""
        if timer in self._timers:
            self._timers.remove(timer)

    def finish(self, status: int = 0) -> None:
        """Leave as soon as all updates are acknowledged, or a moment later."""
        if not self.unacknowledged_updates:
            self.exit_status = status
        else:
            self._last_words = True
            self.after(LAST_WORDS_SECONDS, lambda: self._exit(status))

    _last_words = False

    def _exit(self, status: int) -> None:
        # While the agent is away, only it can tell when the updates have arrived.
        if self.agent.connected or not self.checkpoint:
            self.exit_status = status
        else:
            self.after(LAST_WORDS_SECONDS, lambda: self._exit(status))

    # --- agent -------------------------------------------------------------------------------

    def _subscribe(self) -> None:
        call = {
            "type": "SUBSCRIBE",
            "framework_id": self.framework_id,
            "executor_id": self.executor_id,
            "subscribe": {
                "unacknowledged_tasks": list(self.unacknowledged_tasks.values()),
                "unacknowledged_updates": list(self.unacknowledged_updates.values()),
            },
        }
        try:
            self.agent.subscribe(call)
        except LostError as error:
            self._lost(str(error))
            return
        except RefusedError as error:
            # 400 says that the agent does not know this executor; it will not learn.
            if error.status != 400:
                self._lost(str(error))
            else:
                log(f"Failed to subscribe: {error}", "E")
                self.shutdown()
            return
        self._lost_at = None
        self._receive(wait=False)

    def _receive(self, wait: bool) -> None:
        try:
            events = self.agent.receive(wait)
        except LostError as error:
            self._lost(str(error))
            return
        for event in events:
            self._handle(event)

    def _lost(self, why: str) -> None:
        """Try again while the agent may come back, otherwise shut down."""
        now = time.monotonic()
        if self._lost_at is None:
            self._lost_at = now
            log(f"Disconnected from agent: {why}", "W")
        if not self.checkpoint:
            log("Agent is gone and the framework does not checkpoint; shutting down")
            self.shutdown()
        elif now - self._lost_at > self.recovery_timeout:
            log(f"Recovery timeout of {self.recovery_timeout:g}secs exceeded; shutting down")
            self.shutdown()
        else:
            self.after(RECONNECT_SECONDS, self._reconnect)

    def _reconnect(self) -> None:
        if not self.agent.connected and self.exit_status is None:
            self._subscribe()

    def _handle(self, event: Message) -> None:
        kind = event.get("type")
        if kind not in ("HEARTBEAT", "ACKNOWLEDGED"):
            log(f"Received {kind} event")
        if kind == "SUBSCRIBED":
            self.framework_info = event["subscribed"]["framework_info"]
            self.container_id = event["subscribed"].get("container_id", {}).get("value", "")
            hostname = event["subscribed"]["agent_info"]["hostname"]
            log(f"Subscribed executor on {hostname}")
        elif kind == "ACKNOWLEDGED":
            self._acknowledged(event["acknowledged"])
        elif kind == "SHUTDOWN":
            log("Shutting down")
            self.shutdown()
        elif kind == "ERROR":
            log(f"Error: {event['error'].get('message')}", "E")
        elif kind != "HEARTBEAT":
            self.on_event(event)

    def _acknowledged(self, acknowledged: Message) -> None:
        self.unacknowledged_updates.pop(acknowledged["uuid"], None)
        self.unacknowledged_tasks.pop(acknowledged["task_id"]["value"], None)
        if self._last_words and not self.unacknowledged_updates:
            self.exit_status = self.exit_status or 0

    def has_capability(self, name: str) -> bool:
        """Tell whether the framework has a capability."""
        capabilities = self.framework_info.get("capabilities", [])
        return any(one.get("type") == name for one in capabilities)

    def update(self, task_id: str, state: str, **fields: object) -> None:
        """Send a status update; kept until the agent acknowledges it."""
        status: Message = {
            "task_id": {"value": task_id},
            "state": state,
            "source": "SOURCE_EXECUTOR",
            "executor_id": self.executor_id,
            "timestamp": time.time(),
            "uuid": new_uuid(),
            **{name: value for name, value in fields.items() if value is not None},
        }
        self.unacknowledged_updates[status["uuid"]] = {"status": status}
        self.call("UPDATE", update={"status": status})

    def call(self, kind: str, **fields: object) -> None:
        """Make a call; what an absent agent misses goes with the next SUBSCRIBE."""
        if not self.agent.connected:
            return
        try:
            self.agent.call(
                {
                    "type": kind,
                    "framework_id": self.framework_id,
                    "executor_id": self.executor_id,
                    **fields,
                }
            )
        except LostError as error:
            # Whether the agent has it is not known: SUBSCRIBE tells all that is not acknowledged.
            log(f"Failed to send {kind}, subscribing again: {error}", "W")
            self.agent.close()
            self.after(RECONNECT_SECONDS, self._reconnect)
        except RefusedError as error:
            log(f"Failed to send {kind}: {error}", "E")


def argv(command: Message) -> tuple[str, list[str]]:
    """Return the file to execute and its arguments, ``argv[0]`` included."""
    if command.get("shell", True):
        return "/bin/sh", ["sh", "-c", command.get("value", "")]
    value = command.get("value", "")
    return value, command.get("arguments") or [value]


def _random_uuid() -> bytes:
    raw = bytearray(os.urandom(16))
    raw[6] = raw[6] & 0x0F | 0x40
    raw[8] = raw[8] & 0x3F | 0x80
    return bytes(raw)


def new_uuid() -> str:
    """Return a random UUID (version 4) in base64, as updates carry it."""
    return binascii.b2a_base64(_random_uuid(), newline=False).decode()


def new_container_id() -> str:
    """Return a random UUID (version 4) as text."""
    text = _random_uuid().hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
