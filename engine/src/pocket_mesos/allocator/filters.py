"""Offer filters: what a framework has refused and does not want to see again for a while."""

from collections import defaultdict

from pocket_mesos.resources import Resources

Client = tuple[str, str]
"""Framework id and role."""


class OfferFilters:
    """Refusals by client and agent, each until a point in time."""

    def __init__(self) -> None:
        self._refused: dict[Client, dict[str, list[tuple[float, Resources]]]] = defaultdict(dict)

    def refuse(self, client: Client, agent: str, resources: Resources, until: float) -> None:
        """Remember that ``client`` does not want ``resources`` of ``agent`` or less."""
        self._refused[client].setdefault(agent, []).append((until, resources))

    def filters(self, client: Client, agent: str, resources: Resources, now: float) -> bool:
        """Whether an offer of ``resources`` is refused; drops what has expired."""
        agents = self._refused.get(client)
        refusals = agents.get(agent) if agents else None
        if not agents or not refusals:
            return False
        live = [one for one in refusals if one[0] > now]
        if len(live) != len(refusals):
            if live:
                agents[agent] = live
            else:
                del agents[agent]
        return any(refused.contains(resources) for _, refused in live)

    def active(self, client: Client, now: float) -> int:
        """Return how many refusals of a client hold."""
        agents = self._refused.get(client, {})
        return sum(until > now for refusals in agents.values() for until, _ in refusals)

    def forget_client(self, client: Client) -> None:
        """Drop all that a client refused."""
        self._refused.pop(client, None)

    def forget_agent(self, agent: str) -> None:
        """Drop all that was refused of an agent."""
        for agents in self._refused.values():
            agents.pop(agent, None)
