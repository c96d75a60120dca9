"""The agent as a running daemon: the core in the middle, its edges around it.

Every stimulus goes through :meth:`Daemon.handle`, which lets the core decide and carries its
actions out in order before anything else happens.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Coroutine
from pathlib import Path
from typing import Any

from pocket_mesos.agent import actions, checkpoints, disk, events, executor_calls, recovery
from pocket_mesos.agent.core import Agent
from pocket_mesos.agent.disk import GarbageCollector
from pocket_mesos.agent.endpoints import PREFIXES
from pocket_mesos.agent.master_link import MasterLink
from pocket_mesos.agent.state import ExecutorState
from pocket_mesos.containerizer.config import Termination
from pocket_mesos.containerizer.containerizer import Containerizer, Recovered
from pocket_mesos.containerizer.errors import LaunchError, SandboxError
from pocket_mesos.containerizer.process import ProcessId
from pocket_mesos.credentials import Credential
from pocket_mesos.election import Detector
from pocket_mesos.http.api import check_accept, read_call
from pocket_mesos.http.client import Client
from pocket_mesos.http.messages import Request, Response, accepted, bad_request, text
from pocket_mesos.http.router import Reply, Router
from pocket_mesos.http.stream import EventStream
from pocket_mesos.protocol import codec, link
from pocket_mesos.protocol import executor as executor_api
from pocket_mesos.protocol.mesos import TERMINAL_STATES, MasterInfo, TaskState

log = logging.getLogger(__name__)

EXECUTOR_HEARTBEAT_SECONDS = 1800.0
_HEARTBEAT = codec.encode(executor_api.Event(type="HEARTBEAT"))
_LAST_WORDS_SECONDS = 2.0


class Daemon:
    """Runs one agent until it exits."""

    def __init__(
        self,
        agent: Agent,
        containerizer: Containerizer,
        collector: GarbageCollector,
        client: Client,
        detector: Detector,
        credential: Credential | None = None,
    ) -> None:
        """Put the parts together; :meth:`run` starts."""
        self.agent = agent
        self._containerizer = containerizer
        self._collector = collector
        self._detector = detector
        self._link = MasterLink(client, self._hear, credential)
        self._streams: dict[str, EventStream] = {}
        """Executors' event streams, by container."""
        self._timers: dict[events.TimerKey, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._exit: asyncio.Future[actions.Exit] = asyncio.get_running_loop().create_future()

    # --- life --------------------------------------------------------------------------------

    def register(self, router: Router) -> None:
        """Serve the executor API."""
        router.add("/api/v1/executor", self.executor_call, methods=("POST",), prefixes=PREFIXES)

    def recover(self, found: checkpoints.Recovered, cleanup: bool) -> None:
        """Take over what the previous agent left behind.

        Args:
            found: as read from its checkpoints.
            cleanup: end its executors, then exit.
        """
        for action in recovery.restore(self.agent, found, time.time()):
            self._carry_out(action)
        known = {
            run.container_id: Recovered(
                process=run.process,
                directory=Path(executor.directory),
                limits=executor.limits,
            )
            for run in found.runs
            if run.process is not None
            and (executor := self.agent.containers.get(run.container_id)) is not None
        }
        self._containerizer.recover(known)
        if cleanup:
            self.handle(events.ShutdownRequested())

    async def run(self, disk_watch_interval: float) -> actions.Exit:
        """Serve until the core or :meth:`stop` says to exit."""
        self._spawn(self._detect())
        self._spawn(self._collect(disk_watch_interval))
        outcome = await self._exit
        await self._link.flush(_LAST_WORDS_SECONDS)
        for task in self._tasks:
            task.cancel()
        self._link.disconnect()
        return outcome

    def stop(self) -> None:
        """Exit, leaving executors that a successor can take over (SIGTERM)."""
        self.handle(events.StopRequested())
        self._finish(actions.Exit(status=0))

    def shut_down(self) -> None:
        """Leave the cluster, end all executors and exit (SIGUSR1)."""
        self.handle(events.ShutdownRequested())

    def _finish(self, outcome: actions.Exit) -> None:
        if not self._exit.done():
            self._exit.set_result(outcome)

    async def _detect(self) -> None:
        leader: MasterInfo | None = None
        while True:
            leader = await self._detector.detect(leader)
            self.handle(events.MasterDetected(leader=leader))

    async def _collect(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            await asyncio.to_thread(self._collector.collect)

    # --- core --------------------------------------------------------------------------------

    def handle(self, event: events.Event) -> None:
        """Let the core decide about an event and do what it wants."""
        made = self.agent.handle(event, time.time())
        if log.isEnabledFor(logging.DEBUG):
            names = ", ".join(type(one).__name__ for one in made) or "nothing to do"
            log.debug("%s: %s", type(event).__name__, names)
        for action in made:
            self._carry_out(action)

    def _carry_out(self, action: actions.Action) -> None:
        match action:
            case actions.SendMaster():
                self._link.send(action.call)
            case actions.SendExecutor():
                self._send_executor(action)
            case actions.StartTimer():
                self._start_timer(action.key, action.seconds)
            case actions.StopTimer():
                self._stop_timer(action.key)
            case (
                actions.WriteFile()
                | actions.AppendLine()
                | actions.MakeLink()
                | actions.RemoveFile()
            ):
                self._write(action)
            case actions.LaunchContainer():
                self._collector.keep(str(action.config.directory))
                self._launch(action)
            case actions.UpdateContainer():
                self._containerizer.update(action.container_id, action.limits)
            case actions.DestroyContainer():
                self._containerizer.destroy(action.container_id)
            case actions.CollectGarbage():
                self._collector.schedule(action.path, action.ended)
            case actions.CloseExecutor():
                stream = self._streams.pop(action.container_id, None)
                if stream is not None:
                    stream.close()
            case actions.Connect():
                self._link.connect(action.leader, action.call)
            case actions.Disconnect():
                self._link.disconnect()
            case actions.Exit():
                self._finish(action)

    def _write(
        self,
        action: actions.WriteFile | actions.AppendLine | actions.MakeLink | actions.RemoveFile,
    ) -> None:
        try:
            disk.carry_out(action)
        except OSError as error:
            # What follows relies on the checkpoint; a restart finds a state that holds together.
            message = f"Failed to checkpoint '{action.path}': {error.strerror}"
            log.critical(message)
            self._finish(actions.Exit(status=1, message=message))

    def _hear(
        self, event: events.FromMaster | events.LinkLost | events.AuthenticationRefused
    ) -> None:
        if isinstance(event, events.FromMaster) and isinstance(
            event.event, link.RunTask | link.RunTaskGroup
        ):
            refusal = disk.refusal(self.agent.settings.work_dir)
            event = events.FromMaster(event=event.event, refusal=refusal)
        self.handle(event)

    # --- timers ------------------------------------------------------------------------------

    def _start_timer(self, key: events.TimerKey, seconds: float) -> None:
        self._stop_timer(key)
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(seconds, self._fire, key)

    def _stop_timer(self, key: events.TimerKey) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _fire(self, key: events.TimerKey) -> None:
        self._timers.pop(key, None)
        self.handle(events.TimerFired(key=key))

    # --- containers --------------------------------------------------------------------------

    def _launch(self, action: actions.LaunchContainer) -> None:
        def forked(container_id: str, process: ProcessId) -> None:
            if action.pid_path is not None:
                data = f"{process.pid} {process.start_time}".encode()
                disk.write(Path(action.pid_path), data)
            self.handle(events.ContainerLaunched(container_id=container_id, pid=process.pid))

        launching = self._containerizer.launch(action.config, forked)
        self._spawn(self._await_launch(action.config.container_id, launching))

    async def _await_launch(self, container_id: str, launching: Awaitable[int]) -> None:
        try:
            await launching
        except LaunchError as error:
            self.handle(
                events.ContainerLaunchFailed(
                    container_id=container_id,
                    message=str(error),
                    dropped=isinstance(error, SandboxError),
                )
            )

    def container_terminated(self, container_id: str, termination: Termination) -> None:
        """Take the containerizer's report that a container has ended."""
        self.handle(
            events.ContainerTerminated(
                container_id=container_id,
                status=termination.status,
                limitation=termination.limitation,
            )
        )

    # --- executors ---------------------------------------------------------------------------

    def executor_call(self, request: Request) -> Reply:
        """Answer POST /api/v1/executor."""
        call = read_call(request, executor_api.Call)
        if isinstance(call, Response):
            return call
        error = executor_calls.validate(call)
        if error is not None:
            return bad_request(f"Failed to validate Executor::Call: {error}")
        error = executor_calls.oversized(call, len(request.body))
        if error is not None:
            return text(413, error)
        if call.type == "SUBSCRIBE" and (answer := check_accept(request)) is not None:
            return answer
        refusal = executor_calls.refusal(self.agent, call)
        if refusal is not None:
            return text(*refusal)
        if call.type == "SUBSCRIBE":
            return self._subscribe(call)
        if call.type == "MESSAGE" and self._link.congested:
            return text(503, "Too much waits to be sent to the master")
        if self._lost_to_limit(call):
            return accepted()
        event = executor_calls.event(call)
        if event is not None:
            self.handle(event)
        return accepted()

    def _subscribe(self, call: executor_api.Call) -> EventStream:
        executor = self.agent.executor(call.framework_id.value, call.executor_id.value)
        assert executor is not None, "refusal() has looked"
        container_id = executor.container_id
        old = self._streams.pop(container_id, None)
        if old is not None:
            old.close()
        stream = EventStream(heartbeat=_HEARTBEAT, heartbeat_interval=EXECUTOR_HEARTBEAT_SECONDS)
        self._streams[container_id] = stream
        event = executor_calls.event(call)
        assert event is not None
        self.handle(event)
        return stream

    def _send_executor(self, action: actions.SendExecutor) -> None:
        stream = self._streams.get(action.container_id)
        if stream is not None:
            stream.send(codec.encode(action.event))

    def _lost_to_limit(self, call: executor_api.Call) -> bool:
        """Whether a failure is the kernel's doing: it killed the task for its container's limit.

        The executor may tell of its task's end before the kernel's notice has been handled, but
        the limit is the reason. The container's termination reports it.
        """
        if call.update is None or call.type != "UPDATE":
            return False
        if call.update.status.state not in TERMINAL_STATES - {TaskState.TASK_FINISHED}:
            return False
        executor = self.agent.executor(call.framework_id.value, call.executor_id.value)
        if executor is None or executor.state is not ExecutorState.RUNNING:
            return False
        limitation = self._containerizer.limitation(executor.container_id)
        if limitation is not None:
            self._containerizer.destroy(executor.container_id, limitation)
        return limitation is not None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("Internal error", exc_info=error)
            self._finish(actions.Exit(status=1, message=f"Internal error: {error!r}"))
