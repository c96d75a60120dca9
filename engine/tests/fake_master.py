"""A master for agent tests: a real HTTP server that speaks the link and does what it is told."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import msgspec

from pocket_mesos.http.messages import Request, accepted, empty
from pocket_mesos.http.router import Reply, Router
from pocket_mesos.http.server import Server
from pocket_mesos.http.stream import EventStream
from pocket_mesos.protocol import codec, link, recordio
from pocket_mesos.protocol.mesos import (
    AgentID,
    AllocationInfo,
    Capability,
    CommandInfo,
    ExecutorInfo,
    FrameworkID,
    FrameworkInfo,
    Resource,
    Scalar,
    TaskID,
    TaskInfo,
    TaskStatus,
    ValueType,
)

AGENT_ID = AgentID(value="m-S0")
PATIENCE = 120.0
"""Seconds until what is awaited counts as missing, on a busy machine too."""


def framework(
    name: str = "f", *, checkpoint: bool = False, capabilities: tuple[str, ...] = ()
) -> FrameworkInfo:
    """A framework of user root with the role r."""
    return FrameworkInfo(
        user="root",
        name=name,
        id=FrameworkID(value=f"m-{name}"),
        checkpoint=checkpoint,
        roles=["r"],
        capabilities=[Capability(type=one) for one in ("MULTI_ROLE", *capabilities)],
    )


def resources(cpus: float = 0.1, mem: float = 32.0) -> list[Resource]:
    """CPUs and MB of memory, allocated to the role r."""
    return [
        Resource(
            name=name,
            type=ValueType.SCALAR,
            scalar=Scalar(value=value),
            allocation_info=AllocationInfo(role="r"),
        )
        for name, value in (("cpus", cpus), ("mem", mem))
    ]


def task(
    name: str,
    command: str | CommandInfo | None = None,
    *,
    mem: float = 32.0,
    cpus: float = 0.1,
    executor: ExecutorInfo | None = None,
    **fields: Any,
) -> TaskInfo:
    """A task with a shell command, or with an executor."""
    info = CommandInfo(value=command) if isinstance(command, str) else command
    return TaskInfo(
        name=name,
        task_id=TaskID(value=name),
        agent_id=AGENT_ID,
        resources=resources(cpus, mem),
        command=info,
        executor=executor,
        **fields,
    )


class FakeMaster:
    """Serves one agent at a time."""

    def __init__(self, *, acknowledge: bool = True) -> None:
        self.acknowledge = acknowledge
        self.calls: list[Any] = []
        self.registrations: list[link.Register | link.Reregister] = []
        self.port = 0
        self._stream: EventStream | None = None
        self._changed = asyncio.Event()
        self._decoder = msgspec.json.Decoder(link.Call)
        router = Router()
        router.add(link.PATH, self._serve, methods=("POST",))
        self._server = Server(router)

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self, port: int = 0) -> None:
        self.port = await self._server.start("127.0.0.1", port)

    async def stop(self) -> None:
        await self._server.stop()

    async def _serve(self, request: Request) -> Reply:
        stream_id = request.headers.get("Mesos-Stream-Id")
        if stream_id is None:
            return self._register(request)
        if self._stream is None or stream_id != self._stream.stream_id:
            return empty(403)
        for record in recordio.Decoder().feed(request.body):
            self._call(self._decoder.decode(record))
        return accepted()

    def _register(self, request: Request) -> EventStream:
        call = self._decoder.decode(request.body)
        self.registrations.append(call)
        stream = EventStream(stream_id=str(uuid.uuid4()))
        self._stream = stream
        self.send(link.Registered(agent_id=AGENT_ID, total_ping_timeout_seconds=75.0))
        self._changed.set()
        return stream

    def _call(self, call: Any) -> None:
        self.calls.append(call)
        if isinstance(call, link.StatusUpdate) and self.acknowledge:
            self.send(
                link.StatusUpdateAcknowledgement(
                    framework_id=call.framework_id,
                    task_id=call.status.task_id,
                    uuid=call.status.uuid or b"",
                )
            )
        self._changed.set()

    def send(self, event: link.Event) -> None:
        """Put an event on the agent's stream."""
        assert self._stream is not None, "no agent has registered"
        self._stream.send(codec.encode(event))

    def drop(self) -> None:
        """End the agent's stream."""
        assert self._stream is not None
        self._stream.close()
        self._stream = None

    def run(self, info: FrameworkInfo, *tasks: TaskInfo) -> None:
        """Launch tasks."""
        for one in tasks:
            self.send(link.RunTask(framework=info, executor=one.executor, task=one))

    def statuses(self, task_id: str | None = None) -> list[TaskStatus]:
        """Updates received so far, repetitions included."""
        return [
            call.status
            for call in self.calls
            if isinstance(call, link.StatusUpdate) and task_id in (None, call.status.task_id.value)
        ]

    def states(self, task_id: str) -> list[str]:
        """States that a task was reported in."""
        return [one.state.value for one in self.statuses(task_id)]

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until a condition holds, looking whenever the agent has said something."""
        async with asyncio.timeout(PATIENCE):
            while not (value := condition()):
                self._changed.clear()
                try:
                    await asyncio.wait_for(self._changed.wait(), 0.1)
                except TimeoutError:
                    continue
            return value

    async def update(self, task_id: str, state: str) -> TaskStatus:
        """Wait for a task's update of a state."""

        def found() -> TaskStatus | None:
            return next((s for s in self.statuses(task_id) if s.state.value == state), None)

        try:
            return await self.until(found)
        except TimeoutError:
            seen = [(s.state.value, s.reason, s.message) for s in self.statuses(task_id)]
            raise AssertionError(f"no {state} for {task_id}; saw {seen}") from None
