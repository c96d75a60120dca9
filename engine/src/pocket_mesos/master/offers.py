"""Offers: made of allocations, ended by an answer, a rescission or their holder's end."""

from collections.abc import Iterable

from pocket_mesos.allocator import Allocation
from pocket_mesos.master.context import Master
from pocket_mesos.master.events import OfferTimer
from pocket_mesos.master.state import Agent, Framework, Offer, State
from pocket_mesos.protocol import mesos, scheduler

MAX_REFUSE_SECONDS = 365 * 24 * 3600.0
DEFAULT_REFUSE_SECONDS = 5.0


def allocate(m: Master, agent_ids: Iterable[str] | None) -> None:
    """Offer what is available, of some agents or of all."""
    if m.state.holding_offers:
        return
    offered: dict[str, list[mesos.Offer]] = {}
    for allocation in m.allocator.allocate(m.now, agent_ids):
        message = _make(m, allocation)
        offered.setdefault(allocation.framework, []).append(message)
    m.count("allocation_runs")
    for framework_id, messages in offered.items():
        framework = m.state.frameworks[framework_id]
        m.send(framework, scheduler.Event(type="OFFERS", offers=scheduler.Offers(offers=messages)))


def validate(m: Master, framework: Framework, offer_ids: list[str]) -> str | None:
    """Return why these offers can't be accepted together."""
    if not offer_ids:
        return "No offers specified"
    seen: dict[str, Offer] = {}
    for offer_id in offer_ids:
        if offer_id in seen:
            return f"Duplicate offer {offer_id} in offer list"
        offer = m.state.offers.get(offer_id)
        if offer is None:
            return f"Offer {offer_id} is no longer valid"
        if offer.framework_id != framework.id:
            return (
                f"Offer {offer_id} has invalid framework {offer.framework_id} "
                f"while framework {framework.id} is expected"
            )
        seen[offer_id] = offer
    return _validate_together(list(seen.values()))


def end(m: Master, offer: Offer, *, refuse_seconds: float = 0.0) -> None:
    """Take an offer off the books and give all of it back to the allocator."""
    take_off(m, offer)
    m.allocator.recover(
        offer.framework_id,
        offer.role,
        offer.agent_id,
        offer.resources,
        refuse_seconds=refuse_seconds,
        now=m.now,
    )


def take_off(m: Master, offer: Offer) -> None:
    """Take an offer off the books; its resources stay with the framework."""
    del m.state.offers[offer.id]
    m.state.frameworks[offer.framework_id].offers.discard(offer.id)
    m.state.agents[offer.agent_id].offers.discard(offer.id)


def rescind(m: Master, offer: Offer) -> None:
    """Withdraw an offer and tell the framework."""
    framework = m.state.frameworks[offer.framework_id]
    identity = mesos.OfferID(value=offer.id)
    m.send(framework, scheduler.Event(type="RESCIND", rescind=scheduler.Rescind(offer_id=identity)))
    end(m, offer)


def rescind_all(m: Master, agent: Agent) -> None:
    """Withdraw all offers of an agent."""
    for offer_id in sorted(agent.offers):
        rescind(m, m.state.offers[offer_id])


def end_all(m: Master, framework: Framework) -> None:
    """Take back all offers of a framework that is not there to be told."""
    for offer_id in sorted(framework.offers):
        end(m, m.state.offers[offer_id])


def expired(m: Master, timer: OfferTimer) -> None:
    """Withdraw an offer that nobody answered in time."""
    offer = m.state.offers.get(timer.offer_id)
    if offer is not None:
        agent_id = offer.agent_id
        rescind(m, offer)
        m.want_allocation([agent_id])


def refuse_seconds(filters: mesos.Filters | None) -> float:
    """Return how long a framework does not want to see what it leaves, within Mesos' bounds."""
    seconds = DEFAULT_REFUSE_SECONDS if filters is None else filters.refuse_seconds
    if seconds != seconds or seconds < 0:  # not a number, or a time in the past
        return DEFAULT_REFUSE_SECONDS
    return min(seconds, MAX_REFUSE_SECONDS)


def _make(m: Master, allocation: Allocation) -> mesos.Offer:
    framework = m.state.frameworks[allocation.framework]
    agent = m.state.agents[allocation.agent]
    offer = Offer(
        id=f"{m.config.master.id}-O{m.state.next_offer}",
        framework_id=framework.id,
        agent_id=agent.id,
        role=allocation.role,
        resources=allocation.resources,
    )
    m.state.next_offer += 1
    m.state.offers[offer.id] = offer
    framework.offers.add(offer.id)
    agent.offers.add(offer.id)
    if m.config.offer_timeout is not None:
        m.start_timer(OfferTimer(offer_id=offer.id), m.config.offer_timeout)
    return _message(framework, agent, offer)


def _message(framework: Framework, agent: Agent, offer: Offer) -> mesos.Offer:
    role = offer.role if framework.multi_role else None
    return mesos.Offer(
        id=mesos.OfferID(value=offer.id),
        framework_id=mesos.FrameworkID(value=framework.id),
        agent_id=mesos.AgentID(value=agent.id),
        hostname=agent.info.hostname,
        url=agent_url(agent),
        resources=offer.resources.to_messages(role="*", allocated=role),
        attributes=agent.info.attributes,
        executor_ids=[
            e.info.executor_id for e in agent.executors.values() if e.framework_id == framework.id
        ],
        allocation_info=None if role is None else mesos.AllocationInfo(role=role),
    )


def message(known: State, offer_id: str) -> mesos.Offer:
    """Write an outstanding offer as its framework was shown it."""
    offer = known.offers[offer_id]
    return _message(known.frameworks[offer.framework_id], known.agents[offer.agent_id], offer)


def agent_url(agent: Agent) -> mesos.URL:
    """Return where an agent's HTTP API is: ``slave(1)@ip:port`` as a URL."""
    name, _, address = agent.pid.partition("@")
    ip, _, port = address.rpartition(":")
    where = mesos.Address(hostname=agent.info.hostname, ip=ip, port=int(port))
    return mesos.URL(scheme="http", address=where, path=f"/{name}")


def _validate_together(offers: list[Offer]) -> str | None:
    first = offers[0]
    for offer in offers[1:]:
        if offer.agent_id != first.agent_id:
            return (
                f"Aggregated offers must belong to one single agent. Offer {offer.id} uses agent "
                f"{offer.agent_id} and agent {first.agent_id}"
            )
        if offer.role != first.role:
            return (
                f"Aggregated offers must be allocated to the same role. Offer {offer.id} uses "
                f"role {offer.role} but another is using role {first.role}"
            )
    return None
