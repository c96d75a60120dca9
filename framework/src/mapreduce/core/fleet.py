"""The agents of a run and their executors: who has room, who is to be avoided. Pure."""

from mapreduce.core import sizing
from mapreduce.core.events import Executor, Offer, Task
from mapreduce.core.state import Agent, Unit

STRIKES = 3
"""Failures of an agent's own in a row, such as executors that end before they took up work, or
results that it can't send: then it is avoided."""


class Fleet:
    """See the module's head."""

    def __init__(self) -> None:
        self.agents: dict[str, Agent] = {}
        self.launched: dict[str, Executor] = {}
        self.ended: set[str] = set()
        self._executors = 0

    @property
    def live(self) -> int:
        """Tasks that run or are queued."""
        return sum(len(agent.live) for agent in self.agents.values())

    @property
    def workers(self) -> int:
        """Workers of all executors that run or are about to."""
        return sum(
            agent.plan.workers
            for agent in self.agents.values()
            if agent.plan is not None and agent.executor is not None
        )

    @property
    def hopeless(self) -> bool:
        """Whether there are agents, all of them are avoided, and nothing runs."""
        agents = self.agents.values()
        return bool(agents) and all(agent.avoided for agent in agents) and not self.live

    def avoid(self) -> list[Agent]:
        """Avoid the agents that have failed too often by now, and return them."""
        found = [one for one in self.agents.values() if one.strikes >= STRIKES and not one.avoided]
        for agent in found:
            agent.avoided = True
        return found

    def hungry(self) -> bool:
        """Whether a running executor has no more than half of the tasks that it takes."""
        return any(
            agent.running
            and agent.plan is not None
            and not agent.avoided
            and len(agent.live) <= agent.plan.slots // 2
            for agent in self.agents.values()
        )

    def room(self, offer: Offer) -> int:
        """Return how many tasks the offer can take, preparing an executor where there is none."""
        agent = self.agents.setdefault(offer.agent_id, Agent(offer.agent_id))
        if agent.avoided:
            return 0
        if not agent.running and not self._prepare(agent, offer):
            return 0
        assert agent.executor is not None  # prepared above
        assert agent.plan is not None
        room = sizing.fits(offer, agent.executor, agent.plan.task_cpus, running=agent.running)
        return max(0, min(room, agent.plan.slots - len(agent.live)))

    def _prepare(self, agent: Agent, offer: Offer) -> bool:
        """Give the agent a new executor, with an id that none had; False if it has no room."""
        plan = sizing.plan(offer)
        agent.plan, agent.executor, agent.started = plan, None, False
        if plan is None:
            return False
        self._executors += 1
        agent.executor = Executor(
            id=f"mapreduce-{self._executors}",
            agent_id=offer.agent_id,
            workers=plan.workers,
            cpus=sizing.EXECUTOR_CPUS,
            mem=plan.mem,
            worker_mem=plan.worker_mem,
        )
        return True

    def spare(self, agent: Agent, room: int) -> int:
        """Return how many of so many tasks the agent's workers would begin at once."""
        return max(0, min(room, agent.plan.workers - len(agent.live))) if agent.plan else 0

    def task(self, task_id: str, unit: Unit, agent: Agent, *, keep: bool) -> Task:
        """Return a task for the agent's executor, with its share of the CPUs."""
        assert agent.plan is not None  # it has an executor
        cpus = agent.plan.task_cpus
        return Task(id=task_id, content=unit.content, cpus=cpus, mem=sizing.TASK_MEM, keep=keep)

    def heard(self, executor: Executor, now: float) -> None:
        """Note that an executor reported on a task."""
        agent = self.agents[executor.agent_id]
        if agent.executor == executor:
            agent.started = True
            agent.heard = now

    def forget(self, executor: Executor, *, fault: bool = True) -> None:
        """Reckon without an executor; if that is a fault, it may be a strike against its agent."""
        agent = self.agents[executor.agent_id]
        if agent.executor == executor:
            agent.strikes += fault and not agent.started
            agent.executor = None
            agent.started = False

    def excuse(self, executor: Executor, *, gone: bool) -> list[str]:
        """Reckon a lost task to the operator, who drains its agent or has marked it gone.

        Return the executors that are lost with it: those of a draining agent live on, and keep
        their runs, if they had begun.
        """
        if gone or not self.agents[executor.agent_id].started:
            self.forget(executor, fault=False)
        return [executor.id] if gone else []

    def end(self, executor_id: str) -> None:
        """Note that an executor is no more, for certain."""
        self.ended.add(executor_id)
        for agent in self.agents.values():
            if agent.executor is not None and agent.executor.id == executor_id:
                self.forget(agent.executor)
