"""Whatever calls come in whatever order: allocated and available add up to what there is."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule
from master_world import FakeAgent, FakeScheduler, World, small, task

from pocket_mesos.master import events
from pocket_mesos.protocol import link
from pocket_mesos.protocol.deactivation import DrainConfig
from pocket_mesos.protocol.mesos import ExecutorID, FrameworkID

STATES = ["TASK_RUNNING", "TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_LOST"]
DECISIONS = [events.DeactivateRequested, events.ReactivateRequested, events.GoneRequested]
NAMES = ["t1", "t2", "t3", "t4"]
SETTINGS = {"agent_ping_timeout": 5.0, "max_agent_ping_timeouts": 2, "offer_timeout": 7.0}


class Cluster(RuleBasedStateMachine):
    """Schedulers and agents that do anything; the world checks the books after every event."""

    schedulers = Bundle("schedulers")
    agents = Bundle("agents")

    def __init__(self) -> None:
        super().__init__()
        self.world = World(**SETTINGS)
        self.number = 0

    def _new(self) -> int:
        self.number += 1
        return self.number

    @rule(
        target=schedulers,
        aware=st.booleans(),
        checkpoint=st.booleans(),
        timeout=st.sampled_from([0.0, 20.0]),
    )
    def subscribe(self, aware: bool, checkpoint: bool, timeout: float) -> FakeScheduler:
        capabilities = [{"type": "MULTI_ROLE"}] + [{"type": "PARTITION_AWARE"}] * aware
        info = {"roles": ["r", "s"], "capabilities": capabilities}
        made = FakeScheduler(
            self.world,
            f"fw{self._new()}",
            checkpoint=checkpoint,
            failover_timeout=timeout,
            **info,
        )
        return made.subscribe()

    @rule(target=agents, cpus=st.integers(1, 4))
    def register(self, cpus: int) -> FakeAgent:
        number = self._new()
        made = FakeAgent(
            self.world,
            f"a{number}",
            resources=f"cpus:{cpus};mem:512;ports:[1-{cpus}]",
            pid=f"slave(1)@127.0.0.1:{number % 3}",
        )
        return made.register()

    @rule(fw=schedulers, data=st.data())
    def accept_any_offers(self, fw: FakeScheduler, data: st.DataObject) -> None:
        offers = sorted(self.world.core.state.offers) or ["none"]
        chosen = data.draw(st.lists(st.sampled_from(offers), max_size=2))
        offer = self.world.core.state.offers.get(chosen[0]) if chosen else None
        agent_id = offer.agent_id if offer is not None else "nowhere"
        names = data.draw(st.lists(st.sampled_from(NAMES), max_size=3))
        cpus = data.draw(st.sampled_from([0.1, 1, 3]))
        executor = {
            "executor_id": {"value": "x"},
            "command": {"value": "run"},
            "resources": small(0.1, 16),
        }
        own = data.draw(st.booleans())
        tasks = [
            task(
                name,
                agent_id,
                resources=small(cpus, 32),
                **({"command": None, "executor": executor} if own else {}),
            )
            for name in names
        ]
        fw.call(
            "ACCEPT",
            accept={
                "offer_ids": [{"value": one} for one in chosen],
                "operations": [{"type": "LAUNCH", "launch": {"task_infos": tasks}}],
                "filters": {"refuse_seconds": data.draw(st.sampled_from([0, 3]))},
            },
        )

    @rule(fw=schedulers, data=st.data())
    def decline(self, fw: FakeScheduler, data: st.DataObject) -> None:
        offers = sorted(self.world.core.state.offers) or ["none"]
        fw.call("DECLINE", decline={"offer_ids": [{"value": data.draw(st.sampled_from(offers))}]})

    @rule(fw=schedulers, type_=st.sampled_from(["REVIVE", "SUPPRESS", "TEARDOWN"]))
    def call(self, fw: FakeScheduler, type_: str) -> None:
        fw.call(type_)

    @rule(fw=schedulers, roles=st.sampled_from([["r"], ["s"], ["r", "s", "t"]]))
    def change_roles(self, fw: FakeScheduler, roles: list[str]) -> None:
        fw.call("UPDATE_FRAMEWORK", update_framework={"framework_info": fw.info | {"roles": roles}})

    @rule(fw=schedulers)
    def disconnect_scheduler(self, fw: FakeScheduler) -> None:
        fw.disconnect()

    @rule(fw=schedulers)
    def subscribe_again(self, fw: FakeScheduler) -> None:
        fw.subscribe(f"stream{self._new()}")

    @rule(agent=agents, fw=schedulers, name=st.sampled_from(NAMES), state=st.sampled_from(STATES))
    def update(self, agent: FakeAgent, fw: FakeScheduler, name: str, state: str) -> None:
        uuid = agent.update(fw, name, state)
        if state != "TASK_LOST":
            fw.acknowledge(agent, name, uuid)

    @rule(agent=agents, fw=schedulers)
    def executor_exits(self, agent: FakeAgent, fw: FakeScheduler) -> None:
        agent.call(
            link.ExitedExecutor(
                framework_id=FrameworkID(value=fw.id), executor_id=ExecutorID(value="x"), status=0
            )
        )

    @rule(agent=agents)
    def disconnect_agent(self, agent: FakeAgent) -> None:
        agent.disconnect()

    @rule(agent=agents)
    def agent_hangs(self, agent: FakeAgent) -> None:
        self.world.answering.pop(agent.stream, None)

    @rule(agent=agents)
    def register_again(self, agent: FakeAgent) -> None:
        known = self.world.core.state.agents.get(agent.id)
        tasks = [] if known is None else list(known.tasks.values())[:2]
        agent.reregister(
            f"link{self._new()}",
            tasks=[
                link.Task(
                    info=one.info,
                    framework_id=FrameworkID(value=one.framework_id),
                    state=one.state,
                )
                for one in tasks
            ],
        )

    @rule(agent=agents, what=st.sampled_from(DECISIONS))
    def decide(self, agent: FakeAgent, what: type[events.AgentDecided]) -> None:
        self.world.feed(what(agent_id=agent.id))

    @rule(agent=agents, mark_gone=st.booleans())
    def drain(self, agent: FakeAgent, mark_gone: bool) -> None:
        config = DrainConfig(mark_gone=mark_gone)
        self.world.feed(events.DrainRequested(agent_id=agent.id, config=config))

    @rule(agent=consumes(agents))
    def unregister(self, agent: FakeAgent) -> None:
        agent.call(link.Unregister())

    @rule(seconds=st.sampled_from([0.5, 3.0, 12.0]))
    def wait(self, seconds: float) -> None:
        self.world.advance(seconds)

    @invariant()
    def books_balance(self) -> None:
        self.world.log.clear()
        self.world.check()


Cluster.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestCluster = Cluster.TestCase
