"""The agent's core: told events, it changes its state and returns what has to be done.

It does no I/O and knows no clock: time comes with each event, ids and randomness from outside.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import assert_never

from pocket_mesos.agent import (
    actions,
    delivery,
    draining,
    events,
    executors,
    launching,
    registration,
)
from pocket_mesos.agent.paths import Paths
from pocket_mesos.agent.settings import REGISTER_RETRY_MAX, Settings
from pocket_mesos.agent.state import MAX_COMPLETED_FRAMEWORKS, Executor, Framework, Phase
from pocket_mesos.agent.updates import Streams
from pocket_mesos.protocol import link
from pocket_mesos.protocol.deactivation import Deactivation, DrainConfig
from pocket_mesos.protocol.mesos import AgentInfo, MasterInfo


class Agent:
    """State of one agent, and what follows from events."""

    def __init__(
        self,
        settings: Settings,
        info: AgentInfo,
        new_uuid: Callable[[], bytes],
        uniform: Callable[[float, float], float],
    ) -> None:
        """Make an agent that has nothing and knows no master.

        Args:
            settings: from the flags.
            info: what it offers; with an id when it was recovered.
            new_uuid: returns 16 bytes, never the same.
            uniform: returns a random number between its arguments.
        """
        self.settings = settings
        self.info = info
        self.new_uuid = new_uuid
        self.uniform = uniform
        self.paths = Paths(settings.work_dir)
        self.phase = Phase.DISCONNECTED
        self.leader: MasterInfo | None = None
        self.register_interval = settings.registration_backoff_factor
        self.ping_timeout: float | None = None
        self.frameworks: dict[str, Framework] = {}
        self.completed_frameworks: deque[Framework] = deque(maxlen=MAX_COMPLETED_FRAMEWORKS)
        self.containers: dict[str, Executor] = {}
        """Executors that are not TERMINATED, by container."""
        self.streams = Streams()
        self.counters: Counter[str] = Counter()
        """Counts for metrics, by their name without ``slave/``."""
        self.deactivation: Deactivation | None = None
        """What operators decided, as the master told it last."""
        self._actions: list[actions.Action] = []
        self._exiting = False
        """Whether it was told to end itself."""

    @property
    def draining(self) -> DrainConfig | None:
        """Return how the agent is to be drained while it is."""
        return None if self.deactivation is None else self.deactivation.draining

    @property
    def id(self) -> str:
        """Return the agent's id.

        Only called once the agent has one: executors exist only then.
        """
        assert self.info.id is not None
        return self.info.id.value

    # --- stimulus and response ---------------------------------------------------------------

    def handle(self, event: events.Event, now: float) -> list[actions.Action]:
        """Take in an event; return what has to be done, in order."""
        assert not self._actions, "handle is not reentrant"
        try:
            self._dispatch(event, now)
        except Exception:
            # Half of a decision is none; the next event finds nothing of it.
            self._actions = []
            raise
        if self.phase is Phase.TERMINATING and not (self.frameworks or self._exiting):
            self._exiting = True
            self.emit(actions.Exit(status=0))
        done, self._actions = self._actions, []
        return done

    def emit(self, action: actions.Action) -> None:
        """Add an action to those of the event at hand."""
        self._actions.append(action)

    def _dispatch(self, event: events.Event, now: float) -> None:
        match event:
            case events.FromMaster():
                self._from_master(event.event, event.refusal, now)
            case events.ExecutorSubscribed():
                executors.subscribed(self, event, now)
                draining.subscribed(self, event.framework_id, event.executor_id, now)
            case events.ExecutorUpdated():
                executors.updated(self, event, now)
            case events.ExecutorMessaged():
                executors.messaged(self, event)
            case events.ContainerLaunched():
                executors.launched(self, event)
            case events.ContainerLaunchFailed():
                executors.launch_failed(self, event, now)
            case events.ContainerTerminated():
                executors.terminated(self, event, now)
            case events.TimerFired():
                self._timer(event.key, now)
            case events.MasterDetected():
                registration.detected(self, event.leader)
            case events.LinkLost():
                registration.lost(self)
            case events.AuthenticationRefused():
                registration.refused(self, event.master)
            case events.StopRequested():
                executors.stop(self)
            case events.ShutdownRequested():
                registration.unregister(self)
            case _:
                assert_never(event)

    def _from_master(self, event: link.Event, refusal: str | None, now: float) -> None:
        match event:
            case link.RunTask():
                launching.run_task(self, event, refusal, now)
            case link.RunTaskGroup():
                launching.run_task_group(self, event, refusal, now)
            case link.KillTask():
                launching.kill_task(self, event, now)
            case link.StatusUpdateAcknowledgement():
                if delivery.acknowledged(self, event):
                    executors.complete(self, event.framework_id.value, event.task_id.value)
            case link.FrameworkToExecutor():
                executors.message(self, event)
            case link.ShutdownExecutor():
                executors.shutdown_requested(self, event)
            case link.ShutdownFramework():
                executors.shutdown_framework(self, event.framework_id.value)
            case link.UpdateFramework():
                launching.update_framework(self, event)
            case link.ReconcileTasks():
                delivery.reconcile(self, event, now)
            case link.Registered():
                registration.registered(self, event)
            case link.Ping():
                registration.pinged(self, event)
            case link.Deactivate():
                draining.deactivated(self, event.deactivation, now)
            case link.Reactivate():
                draining.reactivated(self)
            case link.Shutdown():
                registration.shut_down(self, event.message)
            case _:
                assert_never(event)

    def _timer(self, key: events.TimerKey, now: float) -> None:
        match key:
            case ("update", framework_id, task_id):
                delivery.retry(self, framework_id, task_id)
            case ("registration", container_id):
                executors.registration_timeout(self, container_id)
            case ("shutdown", container_id):
                executors.shutdown_timeout(self, container_id)
            case ("reregistration",):
                executors.reregistration_timeout(self)
                registration.recovered(self)
            case ("register",):
                registration.register(self)
            case ("ping",):
                registration.ping_timeout(self)

    # --- shared by the modules that decide ---------------------------------------------------

    @property
    def connected(self) -> bool:
        """Whether calls reach a master that knows this agent."""
        return self.phase is Phase.RUNNING

    def framework(self, framework_id: str) -> Framework | None:
        """Return a framework that has something here."""
        return self.frameworks.get(framework_id)

    def executor(self, framework_id: str, executor_id: str) -> Executor | None:
        """Return an executor that is not removed."""
        framework = self.frameworks.get(framework_id)
        return None if framework is None else framework.executors.get(executor_id)

    def backoff(self) -> float:
        """Return how long to wait before the next registration: random, growing to a minute."""
        seconds = self.uniform(0.0, self.register_interval)
        self.register_interval = min(self.register_interval * 2, REGISTER_RETRY_MAX)
        return seconds
