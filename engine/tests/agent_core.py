"""A core with predictable ids, and short ways to feed it."""

from collections.abc import Iterator
from itertools import count

from fake_master import AGENT_ID, framework

from pocket_mesos.agent import actions, events
from pocket_mesos.agent.core import Agent
from pocket_mesos.agent.settings import Settings
from pocket_mesos.agent.state import ExecutorState
from pocket_mesos.election import master_info
from pocket_mesos.protocol import executor as executor_api
from pocket_mesos.protocol import link
from pocket_mesos.protocol.base import replace
from pocket_mesos.protocol.mesos import (
    AgentInfo,
    TaskID,
    TaskInfo,
    TaskState,
    TaskStatus,
    TaskStatusSource,
)
from pocket_mesos.resources import Resources

NOW = 1_000_000.0
LEADER = master_info(id_="m", ip="127.0.0.1", port=5050, hostname="localhost")


def uuids() -> Iterator[bytes]:
    """Return 16 bytes each time, counting."""
    return (number.to_bytes(16, "big") for number in count(1))


class Core:
    """Feeds events and checks after each that the agent's books are in order."""

    def __init__(self, *, registered: bool = True, **settings: object) -> None:
        ids = uuids()
        defaults = {"work_dir": "/w", "launcher_dir": "/l", "ip": "127.0.0.1", "port": 5051}
        self.agent = Agent(
            Settings(**{**defaults, **settings}),  # type: ignore[arg-type]
            AgentInfo(hostname="h", port=5051),
            lambda: next(ids),
            lambda low, high: high,
        )
        self.now = NOW
        if registered:
            self.feed(events.MasterDetected(leader=LEADER))
            self.feed(events.TimerFired(key=("register",)))
            self.master(link.Registered(agent_id=AGENT_ID, total_ping_timeout_seconds=75.0))

    def feed(self, event: events.Event) -> list[actions.Action]:
        done = self.agent.handle(event, self.now)
        self.check()
        return done

    def master(self, event: link.Event) -> list[actions.Action]:
        return self.feed(events.FromMaster(event=event))

    def fire(self, *key: str) -> list[actions.Action]:
        return self.feed(events.TimerFired(key=key))

    def check(self) -> None:
        """Invariants: each task in one place, containers and executors in step."""
        for one in self.agent.frameworks.values():
            for executor in one.executors.values():
                places = [executor.queued, executor.launched, executor.terminated]
                ids = [task_id for place in places for task_id in place]
                assert len(ids) == len(set(ids))
                assert all(not task.terminal for task in executor.live_tasks)
                assert all(task.terminal for task in executor.terminated.values())
                sums = [Resources.of(task.info.resources) for task in executor.live_tasks]
                assert executor.resources == sum(sums, Resources.of(executor.info.resources))
                over = executor.state is ExecutorState.TERMINATED
                assert over == (executor.container_id not in self.agent.containers)
                for group in executor.queued_groups:
                    assert all(task.task_id.value in executor.queued for task in group.tasks)

    # --- common steps ------------------------------------------------------------------------

    def run(self, task: TaskInfo, **of: object) -> list[actions.Action]:
        info = framework(**of)  # type: ignore[arg-type]
        return self.master(link.RunTask(framework=info, executor=task.executor, task=task))

    def container(self, executor_id: str) -> str:
        executor = self.agent.executor("m-f", executor_id)
        assert executor is not None
        return executor.container_id

    def forked(self, executor_id: str, pid: int = 77) -> None:
        container_id = self.container(executor_id)
        self.feed(events.ContainerLaunched(container_id=container_id, pid=pid))

    def subscribe(
        self, executor_id: str, subscribe: executor_api.Subscribe | None = None
    ) -> list[actions.Action]:
        return self.feed(
            events.ExecutorSubscribed(
                framework_id="m-f",
                executor_id=executor_id,
                subscribe=subscribe or executor_api.Subscribe(),
            )
        )

    def update(
        self, executor_id: str, task_id: str, state: TaskState, uuid: int = 1, **fields: object
    ) -> list[actions.Action]:
        status = update(task_id, state, uuid)
        return self.feed(
            events.ExecutorUpdated(
                framework_id="m-f", executor_id=executor_id, status=replace(status, **fields)
            )
        )

    def acknowledge(self, task_id: str, uuid: bytes) -> list[actions.Action]:
        return self.master(
            link.StatusUpdateAcknowledgement(
                framework_id=framework().id,  # type: ignore[arg-type]
                task_id=TaskID(value=task_id),
                uuid=uuid,
            )
        )

    def running(self, task: TaskInfo, **of: object) -> None:
        """Bring a command task to TASK_RUNNING, acknowledged."""
        self.run(task, **of)
        self.forked(task.task_id.value)
        self.subscribe(task.task_id.value)
        self.update(task.task_id.value, task.task_id.value, TaskState.TASK_RUNNING, 1000)
        self.acknowledge(task.task_id.value, (1000).to_bytes(16, "big"))


def update(task_id: str, state: TaskState, uuid: int) -> TaskStatus:
    """What an executor sends."""
    return TaskStatus(
        task_id=TaskID(value=task_id),
        state=state,
        source=TaskStatusSource.SOURCE_EXECUTOR,
        timestamp=NOW,
        uuid=uuid.to_bytes(16, "big"),
    )


def sent(done: list[actions.Action]) -> list[link.Call]:
    """Calls to the master among actions."""
    return [one.call for one in done if isinstance(one, actions.SendMaster)]


def told(done: list[actions.Action]) -> list[str]:
    """Types of events to executors among actions."""
    return [one.event.type for one in done if isinstance(one, actions.SendExecutor)]


def statuses(done: list[actions.Action]) -> list[TaskStatus]:
    """Updates sent to the master among actions."""
    return [call.status for call in sent(done) if isinstance(call, link.StatusUpdate)]


def kinds(done: list[actions.Action]) -> list[str]:
    """Names of actions, in order."""
    return [type(one).__name__ for one in done]
