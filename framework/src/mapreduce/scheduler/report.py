"""What is told about a run while it goes on, and after."""

from collections import Counter
from dataclasses import replace
from typing import Any

from mapreduce.client.progress import Status
from mapreduce.core import events
from mapreduce.core.core import Core
from mapreduce.core.state import State
from mapreduce.scheduler.result import Span
from mapreduce.scheduler.timeline import Timeline

Json = dict[str, Any]


class Report:
    """Follows the core's events.

    `addresses` are where agents answer, by their ids; `total` is what the inputs hold in bytes, as
    far as they tell.
    """

    def __init__(self, core: Core) -> None:
        self.core = core
        self.timeline = Timeline()
        self.addresses: dict[str, str] = {}
        self._hosts: dict[str, str] = {}
        self.total = sum(extent.size or 0 for extent in core.extents)

    def hosts(self, event: events.Event) -> None:
        """Learn the agents' names and addresses."""
        if isinstance(event, events.Offers):
            for offer in event.offers:
                self.addresses[offer.agent_id] = offer.address
                self._hosts[offer.agent_id] = offer.hostname

    def name(self, agent_id: str) -> str:
        """Return an agent's host name, with its port where several have the same."""
        host, address = self._hosts.get(agent_id, agent_id), self.addresses.get(agent_id)
        others = {self.addresses[other] for other, named in self._hosts.items() if named == host}
        return f"{host}:{str(address).rpartition(':')[2]}" if len(others) > 1 else host

    def spans(self) -> list[Span]:
        """Return the timeline with the agents' names."""
        return [replace(span, agent=self.name(span.agent)) for span in self.timeline.spans]

    def launched(self, launch: events.Launch, now: float) -> None:
        """Note that tasks were launched."""
        self.timeline.launched(launch.executor.id, now)

    def event(self, event: events.Event, receipt: Json | None, now: float) -> None:
        """Take in an event that the core has dealt with."""
        self.hosts(event)
        attempt = (
            self.core.attempts.get(event.task_id) if isinstance(event, events.Update) else None
        )
        if not isinstance(event, events.Update) or attempt is None:
            return
        agent_id = attempt.executor.agent_id
        if event.state == "TASK_RUNNING":
            self.timeline.running(attempt.executor.id, agent_id, now)
        elif event.state in events.TERMINAL:
            self.timeline.ended(
                event,
                attempt.unit.kind,
                agent_id,
                receipt or {},
                now,
                counts=self.core.counts(event.task_id),
                speculative=attempt.speculative,
            )

    def status(self) -> Status:
        """Return how far the run is."""
        units = self.core.work.units.values()
        phase = self._phase()
        kind = "reduce" if phase == "reduce" else "map"
        done = [unit for unit in units if unit.kind == kind and unit.state is State.DONE]
        total = sum(unit.content.size for unit in units if unit.kind == kind)
        agents = [agent for agent in self.core.fleet.agents.values() if agent.live]
        tasks: Counter[str] = Counter()
        for agent in agents:
            tasks[self.name(agent.id)] += len(agent.live)
        return Status(
            phase=phase,
            done=sum(unit.content.size for unit in done),
            total=total if kind == "reduce" else self.total,
            blocks=len(done),
            tasks=tasks,
            cores=sum(min(len(agent.live), agent.plan.workers) for agent in agents if agent.plan),
            retries=self.core.retries,
            speculative=self.core.speculation.launched,
        )

    def _phase(self) -> str:
        work = self.core.work
        if work.mapped:
            return "reduce" if work.partitioned else "shuffle"
        return self.timeline.phase
