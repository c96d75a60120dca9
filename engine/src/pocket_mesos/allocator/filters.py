"""Offer filters: what a framework has refused and does not want to see again for a while.

Beside the refusals of each agent stands its cover: who refuses all that is free there. Where many
frameworks filter many agents, an allocation looks at covers only, not at each refusal.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pocket_mesos.resources import EMPTY, Resources

Client = tuple[str, str]
"""Framework id and role."""

_NOBODY: Mapping[Client, float] = MappingProxyType({})


class _Refusals:
    """What was refused of an agent."""

    __slots__ = ("cover", "level", "of", "soonest")

    def __init__(self) -> None:
        self.of: dict[Client, list[tuple[float, Resources]]] = {}
        self.level = EMPTY
        """What was free when the agent was last looked at."""
        self.cover: dict[Client, float] = {}
        """Who refuses all of ``level``, each until when."""
        self.soonest = float("inf")
        """When the first of ``cover`` ends, or before."""

    def add(self, client: Client, until: float, refused: Resources) -> None:
        self.of.setdefault(client, []).append((until, refused))
        if until > self.cover.get(client, 0.0) and refused.contains(self.level):
            self.cover[client] = until
            self.soonest = min(self.soonest, until)

    def look_at(self, level: Resources, now: float) -> None:
        """Find out who refuses all of another level."""
        cover: dict[Client, float] = {}
        last, verdict = EMPTY, not level
        for client, refusals in self.of.items():
            for until, refused in refusals:
                if refused is not last:  # often it is: all were offered the same
                    last, verdict = refused, refused.contains(level)
                if verdict and until > cover.get(client, now):
                    cover[client] = until
        self.level, self.cover = level, cover
        self.soonest = min(cover.values(), default=float("inf"))

    def prune(self, now: float) -> None:
        """Drop from the cover what has expired."""
        self.cover = {client: until for client, until in self.cover.items() if until > now}
        self.soonest = min(self.cover.values(), default=float("inf"))


class OfferFilters:
    """Refusals by agent and client, each until a point in time."""

    def __init__(self) -> None:
        self._agents: dict[str, _Refusals] = {}

    def refuse(self, client: Client, agent: str, resources: Resources, until: float) -> None:
        """Remember that ``client`` does not want ``resources`` of ``agent`` or less."""
        entry = self._agents.get(agent)
        if entry is None:
            entry = self._agents[agent] = _Refusals()
        entry.add(client, until, resources)

    def cover(self, agent: str, available: Resources, now: float) -> Mapping[Client, float]:
        """Return who refuses all that is available."""
        entry = self._agents.get(agent)
        if entry is None:
            return _NOBODY
        if entry.level is not available and entry.level != available:
            entry.look_at(available, now)
        elif entry.soonest <= now:
            entry.prune(now)
        return entry.cover

    def filters(self, client: Client, agent: str, resources: Resources, now: float) -> bool:
        """Whether an offer of ``resources`` is refused; drops what has expired."""
        entry = self._agents.get(agent)
        refusals = entry.of.get(client) if entry is not None else None
        if entry is None or refusals is None:
            return False
        live = [one for one in refusals if one[0] > now]
        if not live:
            del entry.of[client]
            return False
        entry.of[client] = live
        return any(refused.contains(resources) for _, refused in live)

    def active(self, now: float) -> dict[str, int]:
        """Return how many refusals hold, by role."""
        counts: dict[str, int] = {}
        for entry in self._agents.values():
            for (_, role), refusals in entry.of.items():
                held = sum(until > now for until, _ in refusals)
                counts[role] = counts.get(role, 0) + held
        return counts

    def forget_client(self, client: Client) -> None:
        """Drop all that a client refused."""
        for entry in self._agents.values():
            entry.of.pop(client, None)
            entry.cover.pop(client, None)

    def forget_agent(self, agent: str) -> None:
        """Drop all that was refused of an agent."""
        self._agents.pop(agent, None)
