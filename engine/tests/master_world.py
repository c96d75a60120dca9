"""A master's core in a world of values: fake clock, timers that fire when it is advanced, and the
books checked after every event.
"""

import heapq
from itertools import count
from typing import Any

from pocket_mesos.allocator import HierarchicalAllocator, Options
from pocket_mesos.election import master_info
from pocket_mesos.master import actions, events
from pocket_mesos.master.core import Core
from pocket_mesos.master.state import Config
from pocket_mesos.protocol import codec, link, scheduler
from pocket_mesos.protocol.mesos import (
    AgentID,
    AgentInfo,
    FrameworkID,
    TaskID,
    TaskState,
    TaskStatus,
    TaskStatusSource,
)
from pocket_mesos.registry.records import Registry
from pocket_mesos.resources import EMPTY, Resources, parse_resources

MASTER_ID = "11111111-1111-1111-1111-111111111111"
INFO = master_info(id_=MASTER_ID, ip="127.0.0.1", port=5050, hostname="127.0.0.1")
LEAST = (Resources({"cpus": 10}), Resources({"mem": 32_000}))
START = 1_000_000.0

BESIDE = (
    actions.Log
    | actions.StartTimer
    | actions.RequestAllocation
    | actions.Store
    | actions.AnswerLater
)
"""Actions that nobody outside notices."""

Json = dict[str, Any]


def small(cpus: float = 0.1, mem: float = 32) -> list[Json]:
    return [
        {"name": "cpus", "type": "SCALAR", "scalar": {"value": cpus}},
        {"name": "mem", "type": "SCALAR", "scalar": {"value": mem}},
    ]


def task(name: str, agent: str, **fields: Any) -> Json:
    made = {
        "name": name,
        "task_id": {"value": name},
        "agent_id": {"value": agent},
        "resources": small(),
        "command": {"value": "true"},
    } | fields
    return {key: value for key, value in made.items() if value is not None}


class World:
    """One master, any number of schedulers and agents."""

    def __init__(self, registry: Registry | None = None, **config: Any) -> None:
        self.now = START
        self.registry = registry or Registry()
        """What has been written, and a next leader would find."""
        self.core = Core(
            Config(master=INFO, **config),
            HierarchicalAllocator(Options(least=LEAST)),
            self.registry,
        )
        self.unwritten: list[actions.Store] | None = None
        """Writes to the registry, where they are to wait for :meth:`write`."""
        self.log: list[actions.Action] = []
        """What was done since the latest :meth:`take`."""
        self.answering: dict[str, FakeAgent] = {}
        """Agents that answer pings, by stream."""
        self._timers: list[tuple[float, int, events.Timer]] = []
        self._numbers = count()
        self._done(self.core.start(self.now))
        self.begun = self.log
        """What was done to begin."""
        self.log = []

    # --- driving ---------------------------------------------------------------------------

    def feed(self, event: events.Event) -> list[actions.Action]:
        """Have an event dealt with, and the allocation that it asks for; return the actions."""
        before = len(self.log)
        made = self.core.handle(event, self.now)
        self.check()
        self._done(made)
        if any(isinstance(one, actions.RequestAllocation) for one in made):
            self._done(self.core.handle(events.AllocationDue(), self.now))
            self.check()
        for one in made:
            if isinstance(one, actions.SendToAgent) and isinstance(one.event, link.Ping):
                agent = self.answering.get(one.stream_id)
                if agent is not None:
                    agent.call(link.Pong())
        return self.log[before:]

    def advance(self, seconds: float) -> None:
        """Let time pass, firing what is due."""
        until = self.now + seconds
        while self._timers and self._timers[0][0] <= until:
            self.now, _, timer = heapq.heappop(self._timers)
            self.feed(events.TimerFired(timer=timer))
        self.now = until

    def leap(self, seconds: float) -> None:
        """Let a long time pass without what usually happens in it, then allocate."""
        self.now += seconds
        self.feed(events.TimerFired(timer=events.AllocationTimer()))

    def write(self) -> None:
        """Write to the registry what has waited, and all that comes later at once."""
        waiting, self.unwritten = self.unwritten or [], None
        for one in waiting:
            self._write(one)

    def _write(self, action: actions.Store) -> None:
        for change in action.changes:
            self.registry.apply(change)
        self.feed(events.Stored(number=action.number))

    def _done(self, made: list[actions.Action]) -> None:
        self.log += made
        for action in made:
            if isinstance(action, actions.Store):
                if self.unwritten is None:
                    self._write(action)
                else:
                    self.unwritten.append(action)
            if isinstance(action, actions.StartTimer):
                due = self.now + action.delay
                heapq.heappush(self._timers, (due, next(self._numbers), action.timer))

    def check(self) -> None:
        """Fail unless state and allocator agree, and every record is linked both ways."""
        state, allocator = self.core.state, self.core.allocator
        for agent in state.agents.values():
            held: dict[tuple[str, str], Resources] = {}
            used = [t for t in agent.tasks.values() if not t.terminal]
            offered = [state.offers[offer_id] for offer_id in agent.offers]
            for one in (*used, *agent.executors.values(), *offered):
                key = (one.framework_id, one.role)
                held[key] = held.get(key, EMPTY) + one.resources
            assert dict(allocator.held(agent.id)) == held, agent.id
            assert sum(held.values(), allocator.available(agent.id)) == agent.total
            for (framework_id, task_id), one in agent.tasks.items():
                assert state.frameworks[framework_id].tasks[task_id] is one
            assert agent.stream_id is None or state.agent_streams[agent.stream_id] == agent.id
        for framework in state.frameworks.values():
            assert all(
                t.id in state.agents[t.agent_id].id or True for t in framework.tasks.values()
            )
            for one in framework.tasks.values():
                assert state.agents[one.agent_id].tasks[(framework.id, one.id)] is one
            for offer_id in framework.offers:
                assert state.offers[offer_id].framework_id == framework.id
        known = (
            state.agents.keys() | state.unreachable_agents.keys() | state.recovered_agents.keys()
        )
        assert state.deactivations.keys() <= known
        for agent_id, deactivation in state.deactivations.items():
            assert agent_id not in state.agents or not state.agents[agent_id].offers
            assert (deactivation.draining is not None) == (agent_id in state.draining)
        assert state.draining <= state.deactivations.keys()
        for offer in state.offers.values():
            assert offer.id in state.frameworks[offer.framework_id].offers
            assert offer.id in state.agents[offer.agent_id].offers

    # --- reading ---------------------------------------------------------------------------

    def take(self) -> list[actions.Action]:
        """Return what was done since the last time, logs and timers left out."""
        done = [one for one in self.log if not isinstance(one, BESIDE)]
        self.log = []
        return done

    def told(self, stream_id: str) -> list[Json]:
        """Return what was sent on a stream since the latest :meth:`take`, as JSON."""
        return [
            codec.to_builtins(one.event)
            for one in self.log
            if isinstance(one, actions.SendToScheduler | actions.SendToAgent)
            and one.stream_id == stream_id
        ]

    def statuses(self, stream_id: str) -> list[tuple[str, str, str | None]]:
        """Return task, state and reason of the updates sent on a stream."""
        return [
            (s["task_id"]["value"], s["state"], s.get("reason"))
            for s in (e["update"]["status"] for e in self.told(stream_id) if e["type"] == "UPDATE")
        ]


class FakeScheduler:
    """A framework's side."""

    def __init__(self, world: World, name: str = "fw", stream: str = "", **info: Any) -> None:
        self.world = world
        self.stream = stream or f"stream-{name}"
        self.info: Json = {"user": "root", "name": name} | info
        self.id = ""

    def subscribe(self, stream: str | None = None, **subscribe: Any) -> "FakeScheduler":
        """Subscribe, with the id if there is one already."""
        self.stream = stream or self.stream
        body: Json = {"type": "SUBSCRIBE", "subscribe": {"framework_info": self.info} | subscribe}
        if "id" in self.info:
            body["framework_id"] = self.info["id"]
        self.world.feed(events.Subscribed(call=_call(body), stream_id=self.stream))
        for event in self.world.told(self.stream):
            if event["type"] == "SUBSCRIBED":
                self.id = event["subscribed"]["framework_id"]["value"]
                self.info["id"] = {"value": self.id}
        return self

    def call(self, type_: str, stream: str | None = None, **fields: Any) -> actions.Respond | None:
        """Make a call; return how it was answered, None for 202."""
        body = {"type": type_, "framework_id": {"value": self.id}} | fields
        done = self.world.feed(
            events.SchedulerCalled(call=_call(body), stream_id=stream or self.stream)
        )
        return next((one for one in done if isinstance(one, actions.Respond)), None)

    def offers(self) -> list[Json]:
        """Return all offers since the latest take."""
        told = self.world.told(self.stream)
        return [o for e in told if e["type"] == "OFFERS" for o in e["offers"]["offers"]]

    def launch(
        self, offer: Json, *tasks: Json, refuse: float = 0.0, group: Json | None = None
    ) -> None:
        """ACCEPT an offer."""
        operation: Json = {"type": "LAUNCH", "launch": {"task_infos": list(tasks)}}
        if group is not None:
            operation = {
                "type": "LAUNCH_GROUP",
                "launch_group": {"executor": group, "task_group": {"tasks": list(tasks)}},
            }
        accept = {
            "offer_ids": [offer["id"]],
            "operations": [operation],
            "filters": {"refuse_seconds": refuse},
        }
        self.call("ACCEPT", accept=accept)

    def acknowledge(self, agent: "FakeAgent", task_id: str, uuid: bytes) -> None:
        """Acknowledge an update."""
        self.call(
            "ACKNOWLEDGE",
            acknowledge={
                "agent_id": {"value": agent.id},
                "task_id": {"value": task_id},
                "uuid": codec.to_builtins(uuid),
            },
        )

    def disconnect(self) -> None:
        """Lose the stream."""
        self.world.feed(events.SchedulerDisconnected(stream_id=self.stream))


class FakeAgent:
    """An agent's side."""

    def __init__(
        self,
        world: World,
        name: str = "a",
        resources: str = "cpus:4;mem:4096",
        **info: Any,
    ) -> None:
        self.world = world
        self.stream = f"link-{name}"
        self.pid = info.pop("pid", f"slave(1)@127.0.0.1:{5051 + ord(name[0]) - ord('a')}")
        self.info = AgentInfo(hostname=f"host-{name}", resources=parse_resources(resources), **info)
        self.id = ""
        self._uuids = count(1)

    def register(self) -> "FakeAgent":
        """Register for the first time."""
        call = link.Register(agent_info=self.info, pid=self.pid, version="1.12.0")
        self._open(call)
        return self

    def reregister(self, stream: str, *, id_: str | None = None, **what: Any) -> "FakeAgent":
        """Register again, telling of tasks and executors."""
        self.stream = stream
        self.id = id_ or self.id
        info = AgentInfo(
            hostname=self.info.hostname, resources=self.info.resources, id=AgentID(value=self.id)
        )
        self._open(link.Reregister(agent_info=info, pid=self.pid, version="1.12.0", **what))
        return self

    def _open(self, call: link.Register | link.Reregister) -> None:
        self.world.answering[self.stream] = self
        self.world.feed(events.AgentSubscribed(call=call, stream_id=self.stream))
        for event in self.world.told(self.stream):
            if event["type"] == "Registered":
                self.id = event["agent_id"]["value"]

    def call(self, call: link.Call) -> actions.Respond | None:
        """Make a call on the link."""
        done = self.world.feed(events.AgentCalled(call=call, stream_id=self.stream))
        return next((one for one in done if isinstance(one, actions.Respond)), None)

    def update(self, framework: FakeScheduler, task_id: str, state: str, **fields: Any) -> bytes:
        """Send a status update; return its UUID."""
        uuid = next(self._uuids).to_bytes(16, "big")
        status = TaskStatus(
            task_id=TaskID(value=task_id),
            state=TaskState(state),
            source=TaskStatusSource.SOURCE_EXECUTOR,
            agent_id=AgentID(value=self.id),
            timestamp=self.world.now,
            uuid=uuid,
            **fields,
        )
        self.call(
            link.StatusUpdate(
                framework_id=FrameworkID(value=framework.id),
                status=status,
                latest_state=TaskState(state),
            )
        )
        return uuid

    def hang(self) -> None:
        """Answer no more pings, while the link stands."""
        del self.world.answering[self.stream]

    def disconnect(self) -> None:
        """Lose the link."""
        self.world.feed(events.AgentDisconnected(stream_id=self.stream))


def _call(body: Json) -> scheduler.Call:
    return codec.convert(body, scheduler.Call)
