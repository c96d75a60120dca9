"""Which units of work go with which offers. Pure."""

from collections import defaultdict
from collections.abc import Sequence

from mapreduce.core.events import Offer
from mapreduce.core.fleet import Fleet
from mapreduce.core.speculation import Running, Speculation
from mapreduce.core.state import Unit
from mapreduce.core.work import Work

Chosen = list[tuple[Offer, list[Unit]]]


class Placement:
    """Deals what waits to the offers; what is late goes to agents that are idle then."""

    def __init__(self, work: Work, fleet: Fleet, speculation: Speculation) -> None:
        self._work = work
        self._fleet = fleet
        self._speculation = speculation

    def choose(self, offers: Sequence[Offer], running: Running, now: float) -> Chosen:
        """Return the offers with what to launch on each; nothing on those to decline."""
        chosen: Chosen = [(offer, []) for offer in offers]
        # Of two offers by one agent the second is declined: its executor is reckoned in the first.
        first = {offer.agent_id: index for index, offer in reversed(list(enumerate(offers)))}
        room = {index: self._fleet.room(offers[index]) for index in sorted(first.values())}
        self._deal(chosen, room, running)
        if not self._work.available:
            self._back_up(chosen, room, running, now)
        return chosen

    def _deal(self, chosen: Chosen, room: dict[int, int], running: Running) -> None:
        """Deal units, each to the offer whose agent has the least to do for a worker."""
        loads: defaultdict[str, float] = defaultdict(float)
        for _, attempt, agent in running:
            loads[agent.id] += self._weight(agent.id, attempt.unit)
        left = dict(room)
        while self._work.available and any(left.values()):
            index = min(
                (index for index in left if left[index]),
                key=lambda index: loads[chosen[index][0].agent_id],
            )
            offer, units = chosen[index]
            unit = self._work.next(self._fleet.workers)
            units.append(unit)
            left[index] -= 1
            loads[offer.agent_id] += self._weight(offer.agent_id, unit)

    def _weight(self, agent_id: str, unit: Unit) -> float:
        """Return what a unit adds to an agent's load: bytes a worker, and something for itself."""
        plan = self._fleet.agents[agent_id].plan
        return (unit.content.size + 1) / (plan.workers if plan is not None else 1)

    def _back_up(self, chosen: Chosen, room: dict[int, int], running: Running, now: float) -> None:
        """Add second attempts of stragglers where workers are idle."""
        for index, tasks in room.items():
            offer, units = chosen[index]
            agent = self._fleet.agents[offer.agent_id]
            idle = self._fleet.spare(agent, tasks) - len(units)
            taken = [unit for _, others in chosen for unit in others]
            units += self._speculation.choose(running, taken, agent, idle, now)
